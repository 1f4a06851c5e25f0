"""What a PyMongo error says: may it pass by itself, and may the operation have been done?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConnectionFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
)

__all__ = ["FailedCall", "fault_of", "labels_of", "reason_of"]

# The server refused before it began: it is not, or not yet, what the operation needs.
_REFUSED = frozenset({10058, 10107, 13435, 13436, 134})
# The server was interrupted, perhaps in the midst of it (specifications of retryable reads and
# writes): state change, shutdown, a host it could not reach, a limit of its own.
_CUT_OFF = frozenset({6, 7, 63, 89, 91, 150, 189, 262, 9001, 11600, 11602, 13388})
# A reader's place on the server is lost: 43 CursorNotFound, 175/237 killed, 133 no member.
_CURSOR_LOST = frozenset({43, 133, 175, 234, 237})
_LABELS = (
    *("RetryableWriteError", "TransientTransactionError", "UnknownTransactionCommitResult"),
    "ResumableChangeStreamError",
)


@final
@dataclass(frozen=True, slots=True)
class FailedCall:
    """A failed call, as the rules see it.

    Attributes:
        transient: The same call may succeed later.
        applied: The call may have changed data.
        cursor_lost: Only the reader's place is lost; opening it anew may succeed.
    """

    transient: bool
    applied: bool
    cursor_lost: bool = False


def fault_of(error: BaseException) -> FailedCall:
    """Return what ``error`` means for the call that raised it."""
    if isinstance(error, ServerSelectionTimeoutError | WaitQueueTimeoutError):
        return FailedCall(transient=True, applied=False)
    if isinstance(error, BulkWriteError):
        return _fault_of_bulk(error)
    code = getattr(error, "code", None)
    if code is None and isinstance(error, AutoReconnect):
        code = _code_of(error.details)
    if isinstance(error, WriteConcernError):
        # The write was done; only how safe it is remains open.
        return FailedCall(transient=code in _REFUSED | _CUT_OFF, applied=True)
    if code in _REFUSED:
        return FailedCall(transient=True, applied=False)
    if isinstance(error, ConnectionFailure) or code in _CUT_OFF or _labelled(error):
        return FailedCall(transient=True, applied=True)
    timed_out = isinstance(error, PyMongoError) and error.timeout
    return FailedCall(transient=False, applied=timed_out, cursor_lost=code in _CURSOR_LOST)


def reason_of(error: BaseException) -> str:
    """Return one short line for events: the type and the beginning of its text."""
    words = str(error).partition(", full error")[0].partition(", Timeout:")[0]
    return f"{type(error).__name__}: {' '.join(words.split())[:160]}"


def labels_of(error: PyMongoError) -> list[str]:
    """Return the labels of ``error`` that say how its operation may be repeated."""
    return [label for label in _LABELS if error.has_error_label(label)]


def _labelled(error: BaseException) -> bool:
    return isinstance(error, PyMongoError) and bool(labels_of(error))


def _fault_of_bulk(error: BulkWriteError) -> FailedCall:
    codes = set(_codes_of_bulk(error.details or {}))
    transient = bool(codes & (_REFUSED | _CUT_OFF))
    counts = ("nInserted", "nUpserted", "nModified", "nRemoved")
    done = any((error.details or {}).get(count) for count in counts)
    return FailedCall(transient=transient, applied=transient or done)


def _codes_of_bulk(details: Mapping[str, object]) -> Iterator[int]:
    for kind in ("writeErrors", "writeConcernErrors"):
        entries = details.get(kind)
        for entry in entries if isinstance(entries, list) else []:
            code = _code_of(entry)
            if code is not None:
                yield code


def _code_of(details: object) -> int | None:
    code = details.get("code") if isinstance(details, Mapping) else None
    return code if isinstance(code, int) else None
