"""Where a cursor is: noted batch by batch, and turned into the question that goes on from there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, final

from penstock.mongo.sort_order import NO_KEY, NoKey, behind, has_array, identity, key_at

__all__ = ["Found", "Position", "Question", "Walked"]

_FAR = 10
"""How many times ``remember`` a cursor goes that cannot be put in order."""


@final
@dataclass(frozen=True, slots=True)
class Question:
    """How to go on.

    Attributes:
        filter: What documents must fit beside the cursor's own filter, or None.
        sort: The order.
        skip: Documents to skip on the server.
        limit: Documents to ask for at most; 0 is no limit.
        passed: Identities of documents that were handed out and may come again.
    """

    filter: dict[str, Any] | None
    sort: tuple[tuple[str, int], ...]
    skip: int
    limit: int
    passed: frozenset[object]


class Position(Protocol):
    """What a resumable cursor needs to know."""

    delivered: int

    def note(self, batch: Sequence[Mapping[str, Any]]) -> None:
        """Remember that ``batch`` is handed out."""
        ...

    def why_not(self) -> str | None:
        """Return why it cannot go on from here, or None."""
        ...

    def passed(self) -> frozenset[object]:
        """Return the identities that must not be handed out again."""
        ...


@final
@dataclass(slots=True)
class Found:
    """The place of a ``find``.

    Sorted, it is the key of the last document and the identities handed out with that very key:
    going on asks for all that stands at the key or behind, and passes over those. Unsorted, it is
    all identities handed out. With a skip, the order is made total by ``_id`` and the place is
    exact, since what was skipped is not known.

    Attributes:
        sort: Fields and directions; empty where the order is left to the server.
        paths: Where the keys are in a document; None where one is not there.
        skip: The cursor's own skip.
        limit: The cursor's own limit; 0 is none.
        remember: Identities that may be remembered.
        total: Whether the sort ends with ``_id``.
        anchored: Whether keys can be trusted to mark a place (no collation).
        identified: Whether documents carry their ``_id``.
    """

    sort: tuple[tuple[str, int], ...]
    paths: tuple[str | None, ...]
    skip: int
    limit: int
    remember: int
    total: bool = False
    anchored: bool = True
    identified: bool = True
    delivered: int = 0
    _keys: tuple[object, ...] | None = None
    _handed: list[object] = field(default_factory=list)
    _kept: list[object] = field(default_factory=list)
    _lost: str | None = None

    def note(self, batch: Sequence[Mapping[str, Any]]) -> None:
        """Remember that ``batch`` is handed out; mostly a look at those with its last key."""
        self.delivered += len(batch)
        if self.total:
            self._note_total(batch)
            return
        key = self._key_of(batch[-1])
        if isinstance(key, NoKey):
            self._remember(batch)
            return
        self._keep_arrays(batch)
        tied = next(
            (n for n in range(len(batch) - 1, -1, -1) if self._key_of(batch[n]) != key), None
        )
        if tied is not None or self._keys is None or self._keys[0] != key:
            # What came before the first of the tied ones stands before the key.
            self._handed = []
        self._keys = (key,)
        self._remember(batch[0 if tied is None else tied + 1 :])

    @property
    def full(self) -> bool:
        """Whether more identities are remembered than should be."""
        return len(self._handed) > self.remember

    def moved(self) -> Found:
        """Return the place in the order of ``_id``, past what was handed out in no order."""
        kept = [*self._kept, *self._handed]
        limit = self.limit - self.delivered if self.limit > 0 else self.limit
        return Found((("_id", 1),), ("_id",), 0, limit, self.remember, _kept=kept)

    def why_not(self) -> str | None:
        """Return why it cannot go on from here, or None."""
        if not self.delivered and not self._kept:
            return None
        if not self.identified and not self.total:
            return "its projection leaves out _id, which tells what was handed out: keep _id"
        if self.skip and not self.total:
            return "it skips without an order that can be followed: sort by plain fields"
        return self._lost

    def passed(self) -> frozenset[object]:
        """Return the identities that must not be handed out again."""
        return frozenset(map(identity, [*self._kept, *self._handed]))

    def question(self) -> Question:
        """Return how to go on from here."""
        passed = self.passed()
        limit = self.limit - self.delivered + len(passed) if self.limit > 0 else self.limit
        beside = None
        if self._keys is not None:
            marks = zip(self.sort, self._keys, strict=False)
            beside = behind([(name, way, key) for (name, way), key in marks], strict=self.total)
        skip = 0 if self.delivered else self.skip
        return Question(beside, self.sort, skip, limit, passed)

    def _key_of(self, document: Mapping[str, Any]) -> object:
        if not self.anchored or not self.sort or self.paths[0] is None:
            return NO_KEY
        return key_at(document, self.paths[0])

    def _note_total(self, batch: Sequence[Mapping[str, Any]]) -> None:
        self._keys = tuple(NO_KEY if p is None else key_at(batch[-1], p) for p in self.paths)
        if any(isinstance(key, NoKey) for key in self._keys) or any(
            has_array(one, path) for path in self.paths if path for one in batch
        ):
            self._lost = "it skips, and a field of its sort holds something else than plain values"

    def _keep_arrays(self, batch: Sequence[Mapping[str, Any]]) -> None:
        # A filter on a range fits an array by any of its elements, so it may come again.
        path = self.paths[0] or ""
        if "." in path:
            self._kept += [one["_id"] for one in batch if has_array(one, path)]
        else:
            self._kept += [one["_id"] for one in batch if type(one.get(path)) is list]

    def _remember(self, batch: Sequence[Mapping[str, Any]]) -> None:
        if self._lost or not self.identified:
            return
        self._handed += [document["_id"] for document in batch]
        if len(self._handed) > _FAR * self.remember:
            self._handed = []
            self._lost = (
                f"more than {_FAR * self.remember:,} documents were handed out in no order that "
                "could be followed: sort by _id"
            )


@final
@dataclass(slots=True)
class Walked:
    """The place of an aggregation or a list: run again, it passes over what was handed out.

    Attributes:
        name: The field that tells its documents apart, or None.
        why: Why there is none.
        remember: Identities that may be remembered.
    """

    name: str | None
    why: str
    remember: int
    delivered: int = 0
    _handed: list[object] = field(default_factory=list)

    def note(self, batch: Sequence[Mapping[str, Any]]) -> None:
        """Remember that ``batch`` is handed out."""
        self.delivered += len(batch)
        if self.name is None:
            return
        try:
            self._handed += [document[self.name] for document in batch]
        except KeyError:
            self._forget("its documents have no _id")
        if self.delivered > _FAR * self.remember:
            self._forget("it handed out too many documents to remember")

    def _forget(self, why: str) -> None:
        self.name, self.why, self._handed = None, why, []

    def why_not(self) -> str | None:
        """Return why it cannot go on from here, or None."""
        return self.why if self.delivered and self.name is None else None

    def passed(self) -> frozenset[object]:
        """Return the identities that must not be handed out again."""
        return frozenset(map(identity, self._handed))
