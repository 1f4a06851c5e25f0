"""Every error penstock raises, named by what to do next.

The type answers the caller's question (try again? give up? mend the input?),
the text answers the reader's: what was wrong, where, and the right call.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable

from penstock.distribution import install

__all__ = [
    "Absent",
    "ExecutorFailed",
    "GaveUp",
    "InputError",
    "MissingExtra",
    "PenstockError",
    "PermanentError",
    "RetryableError",
    "Stopped",
    "StorageError",
    "StoreInUse",
]


class PenstockError(Exception):
    """Base of all errors of this package.

    Attributes:
        exit_code: What the command line ends with when this error ends it.
        status: The HTTP status, where an answer was the reason.
        excerpt: The beginning of that answer's body.
    """

    exit_code = 4
    status: int | None = None
    excerpt: str = ""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...], dict[str, object]]:
        # By its state: ``__init__`` may want what ``args`` does not have, and would word it again.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined] # left out of typeshed


class InputError(PenstockError):
    """What was given cannot be used: mend it and call again. Exit code 2."""

    exit_code = 2


class MissingExtra(InputError):
    """A room needs a library that is not installed.

    >>> raise MissingExtra("parquet export", "pyarrow", "parquet")
    Traceback (most recent call last):
    ...
    penstock.errors.MissingExtra: parquet export needs pyarrow: pip install 'penstock-data[parquet]'
    """

    def __init__(self, what: str, library: str, extra: str) -> None:
        super().__init__(f"{what} needs {library}: {install(extra)}")


class RetryableError(PenstockError):
    """The same call may succeed later.

    Attributes:
        retry_after: Seconds the other side asked us to wait, or None.
        sent: False when the call certainly never reached the other side, so that
            repeating it is safe whatever it does; True when the outcome is unknown.
    """

    def __init__(
        self, message: str, *, retry_after: float | None = None, sent: bool = True
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.sent = sent


class PermanentError(PenstockError):
    """The same call will fail again: do not repeat it."""


class Absent(PermanentError):
    """What was asked for is not there, and that is an answer: settled, and not a failure."""


class GaveUp(PenstockError):
    """Everything the policy allowed was tried; the last failure is the ``__cause__``.

    Attributes:
        attempts: Calls that were made.
    """

    def __init__(self, message: str, *, attempts: int) -> None:
        super().__init__(message)
        self.attempts = attempts


class ExecutorFailed(PenstockError):
    """What carries out the calls is gone (a pool shut down, a worker killed), not one item.

    Keys whose calls did not end are still to do. Exit code 4.
    """


class Stopped(PenstockError):
    """Work ended early on purpose (budget, lock, interrupt) and can be resumed. Exit code 3."""

    exit_code = 3


class StorageError(PenstockError):
    """The store cannot take or give data (disk full, damaged, unreadable). Exit code 4."""


class StoreInUse(Stopped):
    """Another process holds the store. Exit code 3."""
