"""Where a cursor is: noted batch by batch, and turned into the question that goes on from there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, final

from penstock.mongo.sort_order import behind, has_array, identity, keys_at

__all__ = ["Position", "Question"]

Keys: TypeAlias = tuple[Any, ...]

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
    """

    filter: dict[str, Any] | None
    sort: tuple[tuple[str, int], ...]
    skip: int
    limit: int


@final
@dataclass(slots=True)
class Position:
    """The position of a cursor among the documents of its query.

    Sorted, it is the last document's keys, as many as can mark a place, and the identities handed
    out that may stand at those very keys: going on asks for all that stands there or behind, and
    passes over those. Without an order it is all identities handed out.

    Attributes:
        remember: Identities that may be remembered.
        sort: Fields and directions; empty where the order is left to the server.
        paths: Where the keys are in a document; None where one is not there.
        skip: The cursor's own skip.
        limit: The cursor's own limit; 0 is none.
        anchored: Whether equal keys can be known here (no collation).
        named: The field that tells documents apart.
        lost: Why it cannot go on once documents were handed out, or None.
        delivered: Documents handed out.
    """

    remember: int
    sort: tuple[tuple[str, int], ...] = ()
    paths: tuple[str | None, ...] = ()
    skip: int = 0
    limit: int = 0
    anchored: bool = True
    named: str = "_id"
    lost: str | None = None
    delivered: int = 0
    _first: Keys = ()
    _keys: Keys = ()
    _handed: list[object] = field(default_factory=list)
    _tail: list[object] = field(default_factory=list)
    _kept: list[object] = field(default_factory=list)

    def note(self, batch: Sequence[Mapping[str, Any]]) -> None:
        """Remember that ``batch`` is handed out; mostly a look at those with its last keys."""
        first, self.delivered = not self.delivered, self.delivered + len(batch)
        if self.lost:
            return
        try:
            if self.sort and self.anchored:
                self._first = keys_at(batch[0], self.paths) if first else self._first
                self._note_sorted(batch)
            else:
                self._handed += [one[self.named] for one in batch]
        except KeyError:
            self._lose(f"its documents have no {self.named}")
        if len(self._handed) > _FAR * self.remember:
            self._lose(
                f"more than {_FAR * self.remember:,} documents were handed out in no order that "
                "could be followed: sort by _id"
            )

    def _note_sorted(self, batch: Sequence[Mapping[str, Any]]) -> None:
        self._keep_arrays(batch)
        # What stands between keys that cannot mark a place may equal the next that can.
        last = next((n for n in reversed(range(len(batch))) if keys_at(batch[n], self.paths)), None)
        if last is None:
            ids = [one[self.named] for one in batch]
            self._handed += ids
            self._tail += ids
            return
        keys, start = keys_at(batch[last], self.paths), 0
        for n in reversed(range(last)):
            if _differ(keys_at(batch[n], self.paths), keys):
                start = n + 1  # what comes before stands before the keys
                break
        ids = [one[self.named] for one in batch[start:]]
        moved = bool(start) or _differ(self._keys, keys) or not self._keys
        if moved:
            self._handed = ids if start else self._tail + ids
        else:
            self._handed += ids
        if moved or len(keys) >= len(self._keys):
            self._keys = keys
        self._tail = ids[last + 1 - start :]

    def _keep_arrays(self, batch: Sequence[Mapping[str, Any]]) -> None:
        # A filter on a range fits an array by any of its elements, so it may come again.
        for path in filter(None, self.paths):
            if "." in path:
                self._kept += [one[self.named] for one in batch if has_array(one, path)]
            else:
                self._kept += [one[self.named] for one in batch if type(one.get(path)) is list]

    def _lose(self, why: str) -> None:
        self.lost, self._handed, self._tail, self._kept = why, [], [], []

    @property
    def full(self) -> bool:
        """Whether more identities are remembered than should be."""
        return len(self._handed) > self.remember

    @property
    def texts(self) -> set[str]:
        """Return the fields by which it depends on which texts are equal."""
        named = zip(self.sort, self._keys, strict=False)
        return {name for (name, _), key in named if isinstance(key, str)}

    @property
    def may_be_arrays(self) -> list[dict[str, Any]]:
        """Filters for what was skipped and could come again: none where nothing was skipped."""
        if not self.skip:
            return []
        names = [name.split(".") for name, _ in self.sort]
        paths = {".".join(parts[: n + 1]) for parts in names for n in range(len(parts))}
        return [{path: {"$type": "array"}} for path in sorted(paths)]

    def moved(self) -> Position:
        """Return the position in the order of ``_id``, past what was handed out in no order."""
        kept = [*self._kept, *self._handed]
        limit = self.limit - self.delivered if self.limit > 0 else self.limit
        path = "_id" if self.named == "_id" else f"{self.named}.id"
        moved = Position(self.remember, (("_id", 1),), (path,), limit=limit, _kept=kept)
        moved.named = self.named
        return moved

    def why_not(self) -> str | None:
        """Return why it cannot go on from here, or None."""
        if not self.delivered and not self._kept:
            return None
        if self.skip and not _differ(self._first, self._keys) and not self.lost:
            return "it skips, and its order does not tell what was skipped: sort by plain fields"
        return self.lost

    def passed(self) -> frozenset[object]:
        """Return the identities that must not be handed out again."""
        return frozenset(map(identity, [*self._kept, *self._handed]))

    def question(self) -> Question:
        """Return how to go on from here."""
        limit = self.limit
        if limit > 0:
            limit += len(self.passed()) - self.delivered
        beside = behind(self.sort, self._keys) if self._keys else None
        return Question(beside, self.sort, 0 if self.delivered else self.skip, limit)


def _differ(one: Keys, other: Keys) -> bool:
    """Whether they surely stand at two places: what one of them does not have may be equal."""
    return any(a != b for a, b in zip(one, other, strict=False))
