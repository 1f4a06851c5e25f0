"""What a store tells about itself, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, final

from penstock.pipeline import Key

__all__ = [
    "ABSENT",
    "Failure",
    "FailureCount",
    "OnSame",
    "State",
    "StoreStatus",
    "StoredGap",
    "Tally",
]

OnSame: TypeAlias = Literal["first", "replace", "history"]
"""What becomes of a record whose key has landed before."""

ABSENT = "Absent"
"""The error of a key that has no record, which is no failure: ``penstock.errors.Absent``."""

State: TypeAlias = Literal["landed", "failed", "pending", "deleted"]
"""The one state a key is in. ``pending`` is every key that is in none of the others."""


class Tally:
    """What became of entries since a store was opened.

    Attributes:
        again: Entries that were dropped since their key had landed before.
        changed: Those of them whose record was another one.
        new: Records that became safe.
        stale: Keys that failed though an earlier record of theirs landed, which stays.
        on_same: What becomes of a record whose key has landed before.
    """

    def __init__(self) -> None:
        self.again = self.changed = self.new = self.stale = 0
        self.on_same: OnSame = "first"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A key that ended in an error and can be tried again: one dead letter.

    Attributes:
        key: The item.
        error: The name of the error's type, such as ``PermanentError``.
        message: One line for people.
        status: The last HTTP status, if there was an answer.
        attempts: Calls that were made before giving up.
        excerpt: The beginning of the last answer's body, as text.
        at: When it failed, in seconds since 1970 UTC.
        replayed: How often this key was put back to do before it failed this time.
        acknowledged: Whether somebody has accepted that it failed.
    """

    key: Key
    error: str
    message: str
    status: int | None
    attempts: int
    excerpt: str
    at: float
    replayed: int
    acknowledged: bool = False


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StoredGap:
    """Messages of a stream that did not come.

    Attributes:
        number: Gaps are numbered from 1 in the order they were noticed.
        since: Where it begins: a cursor, or a time where the source has no cursors.
        until: Where it ends, or None where nobody knows.
        reason: Why, such as ``cursor-too-old``.
        count: How many messages, or None where nobody knows.
        at: When it was written down, in seconds since 1970 UTC.
    """

    number: int
    since: str
    until: str | None
    reason: str
    count: int | None
    at: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FailureCount:
    """How many keys are failed with the same error and status, and how many are acknowledged."""

    error: str
    status: int | None
    count: int
    acknowledged: int = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatus:
    """Where a store stands, read in one consistent look at the ledger.

    Attributes:
        path: The store's directory, or its address without credentials.
        version: The version of the format on disk.
        landed: Keys whose record is safe.
        failed: Keys that ended in an error.
        pending: Keys still to do: ``expected - landed - failed`` where the source's size is
            known, else the keys claimed and not settled yet; None where neither can be known
            (a reader beside a run whose source has no known size).
        expected: Keys in the source, if it was told.
        bytes: Size of all segments, or of the collection's documents.
        segments: Number of segment files; 0 in a database.
        started: When the store was made, in seconds since 1970 UTC.
        updated: When something last became safe, in seconds since 1970 UTC.
        failures: The failed keys counted by error and status, most frequent first.
        deleted: Keys whose record was deleted, or is not to come.
        gaps: Gaps of a stream.
        missed: Messages missing in those gaps whose number is known.
        verified: When ``penstock verify`` last found all well, in seconds since 1970 UTC.
        free: Bytes of room on the store's disk; None where nobody can tell.
        problem: Why a run would refuse it: ledger and segments do not agree.
        absent: Keys that have no record, and need none: the service said so, or a person.
        acknowledged: Failed keys that somebody has accepted as failed; they count as failed, too.
        landed_at: When a record last became safe, in seconds since 1970 UTC; None before the first.
    """

    path: str
    version: int
    landed: int
    failed: int
    pending: int | None
    expected: int | None
    bytes: int
    segments: int
    started: float
    updated: float
    failures: tuple[FailureCount, ...]
    deleted: int = 0
    gaps: int = 0
    missed: int = 0
    verified: float | None = None
    free: int | None = None
    problem: str | None = None
    absent: int = 0
    acknowledged: int = 0
    landed_at: float | None = None
