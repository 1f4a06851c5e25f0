"""Secrets: read from the environment or a file, never shown."""

from __future__ import annotations

from typing import final

from penstock.address import look_up
from penstock.errors import InputError
from penstock.redaction import remember


@final
class Secret:
    """A string that does not show itself in reprs, logs or tracebacks.

    >>> Secret("hunter2")
    Secret('***')
    """

    __slots__ = ("_source", "_value")

    def __init__(self, value: str, source: str | None = None) -> None:
        self._value = value
        self._source = source
        remember(value)

    def reveal(self) -> str:
        """Return the string itself."""
        return self._value

    def read_again(self) -> bool:
        """Read it again from where it came; return whether it has changed: tokens rotate."""
        if self._source is None:
            return False
        try:
            value = look_up(self._source)
        except InputError:
            return False  # it is being replaced, it may be: what is known stays
        changed, self._value = value != self._value, value
        remember(value)
        return changed

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__


def secret(source: str) -> Secret:
    """Return the secret kept in an environment variable or in a file.

    Args:
        source: ``NAME`` or ``env:NAME`` for the environment, ``file:PATH`` for a file, whose
            final line break is left out.

    >>> import os; os.environ["API_PASSWORD"] = "hunter2"
    >>> secret("API_PASSWORD").reveal()
    'hunter2'

    Raises:
        InputError: The variable is not set, or the file cannot be read, or it is empty.
    """
    return Secret(look_up(source), source)


def reveal(value: str | Secret) -> str:
    """Return the string of either form; from now on it is known as a secret."""
    if isinstance(value, Secret):
        return value.reveal()
    remember(value)
    return value
