"""Secrets: read from the environment or a file, never shown."""

from __future__ import annotations

from typing import final

from penstock.address import look_up
from penstock.redaction import remember

__all__ = ["Secret", "reveal", "secret"]


@final
class Secret:
    """A string that does not show itself in reprs, logs or tracebacks.

    >>> Secret("hunter2")
    Secret('***')
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        remember(value)

    def reveal(self) -> str:
        """Return the string itself."""
        return self._value

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
    return Secret(look_up(source))


def reveal(value: str | Secret) -> str:
    """Return the string of either form; from now on it is known as a secret."""
    if isinstance(value, Secret):
        return value.reveal()
    remember(value)
    return value
