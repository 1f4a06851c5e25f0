"""How an operation ends that did not succeed: named by what to do next.

Both errors are also PyMongo's ``AutoReconnect``, so code that caught that before still does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from pymongo.errors import AutoReconnect

from penstock.errors import GaveUp, PermanentError

__all__ = ["MongoGaveUp", "NotRetryable", "maybe_applied"]


@final
class MongoGaveUp(GaveUp, AutoReconnect):
    """It was tried until the deadline; the last failure is the ``__cause__``.

    Attributes:
        attempts: Calls that were made.
        maybe_applied: True when the write may have happened all the same.
    """

    def __init__(
        self, message: str, *, attempts: int, maybe_applied: bool, labels: Sequence[str] = ()
    ) -> None:
        AutoReconnect.__init__(self, message, {"errorLabels": list(labels)})
        self.attempts = attempts
        self.maybe_applied = maybe_applied

    @property
    def timeout(self) -> bool:
        """Its time was over, as PyMongo's errors say it."""
        return True


@final
class NotRetryable(PermanentError, AutoReconnect):
    """It failed and repeating it could do it twice; the text says how to make it retryable.

    Attributes:
        maybe_applied: True when it may have happened, wholly or in part.
    """

    def __init__(self, message: str, *, maybe_applied: bool, labels: Sequence[str] = ()) -> None:
        AutoReconnect.__init__(self, message, {"errorLabels": list(labels)})
        self.maybe_applied = maybe_applied


def maybe_applied(error: BaseException) -> bool:
    """Whether the operation that raised ``error`` may have changed data.

    >>> maybe_applied(NotRetryable("update_many was cut off", maybe_applied=True))
    True
    """
    return bool(getattr(error, "maybe_applied", False))
