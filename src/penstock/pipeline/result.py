"""What flows through a pipeline: keys in, results out, entries into a store."""

from __future__ import annotations

from typing import Generic, TypeAlias, TypeVar, final

import msgspec

Key: TypeAlias = str | int
"""What identifies an item. ``7`` and ``"7"`` are two different keys."""

K_co = TypeVar("K_co", covariant=True)
V_co = TypeVar("V_co", covariant=True)  # frozen, so a result of a subtype is a result


# msgspec structs where a value is made once an item: a frozen dataclass costs ten times as much.
@final
class Result(msgspec.Struct, Generic[K_co, V_co], frozen=True):
    """One item's outcome: its key with its value, or with the error that ended it.

    Attributes:
        key: The item.
        value: What the call returned; None where it failed.
        error: Why it failed; None where it did not.
        attempts: Calls made for it, at least 1 unless it never got its turn.

    >>> Result(7, "body").ok
    True
    """

    key: K_co
    value: V_co | None = None
    error: Exception | None = None
    attempts: int = 1

    @property
    def ok(self) -> bool:
        """Whether the item has a value."""
        return self.error is None

    def unwrap(self) -> V_co:
        """Return the value, or raise the item's error."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value] # V_co may itself include None


@final
class LandedRecord(msgspec.Struct, frozen=True, gc=False):
    """A key with its record: one JSON text as bytes, without line breaks."""

    key: Key
    body: bytes


@final
class FailedRecord(msgspec.Struct, frozen=True, gc=False):
    """A key that ended in an error, with what is needed to understand and repeat it.

    Attributes:
        key: The item.
        error: The name of the error's type, such as ``PermanentError``.
        message: One line for people.
        status: The last HTTP status, if there was an answer.
        attempts: Calls that were made.
        excerpt: The beginning of the last answer's body, as text.
    """

    key: Key
    error: str
    message: str
    status: int | None = None
    attempts: int = 1
    excerpt: str = ""


@final
class Checkpoint(msgspec.Struct, frozen=True, gc=False):
    """A named note, safe together with the entries before it: where a paged source goes on."""

    name: str
    value: str


@final
class LandedGap(msgspec.Struct, frozen=True, gc=False):
    """Messages of a stream that did not come, written down together with those that did.

    Attributes:
        since: Where it begins: a cursor, or a time where the source has no cursors.
        until: Where it ends, or None while nobody knows.
        reason: Why, in a word or two, such as ``cursor-too-old``.
        count: How many messages, or None where nobody knows.
    """

    since: str
    until: str | None
    reason: str
    count: int | None = None


@final
class Deletion(msgspec.Struct, frozen=True, gc=False):
    """A key whose record is to go.

    Attributes:
        key: The item.
        final: Whether a record that comes only later is refused, too. False: the key may be given
            again, such as the name of a document, and what comes later lands.
    """

    key: Key
    final: bool = True


# The names they had, for one release.
Failing = FailedRecord
Landing = LandedRecord
Mark = Checkpoint

Entry: TypeAlias = LandedRecord | FailedRecord | Checkpoint | LandedGap | Deletion


Gap = LandedGap  # its name in earlier versions
