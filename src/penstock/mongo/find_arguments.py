"""What a ``find`` was asked, gathered from its arguments and the calls chained behind it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo.cursor_shared import CursorType
from pymongo.synchronous.cursor import Cursor

from penstock.mongo.cursor_position import Position
from penstock.mongo.projection import Projected, projected

__all__ = ["FIND_NAMES", "Asked", "asked", "changed_by"]

_OWN = ("filter", "projection", "sort", "skip", "limit")
FIND_NAMES = tuple(inspect.signature(Cursor.__init__).parameters)[2:]
# Orders of their own, which a sort by _id would change.
_ORDERED = ("$near", "$nearSphere", "$text")


@final
@dataclass(frozen=True, slots=True)
class Asked:
    """A query as it was asked.

    Attributes:
        options: The arguments of ``find`` by name, but those below.
        calls: The calls chained behind it that are not below: name, arguments.
        filter: What documents must fit.
        projection: What to bring.
        sort: Fields and directions, or None where it is something else (``$natural``, a score).
        raw_sort: The sort as it was given.
        skip: Documents to skip.
        limit: Documents at most.
    """

    options: Mapping[str, Any]
    calls: Sequence[tuple[str, tuple[Any, ...], Mapping[str, Any]]]
    filter: Any
    projection: Any
    sort: tuple[tuple[str, int], ...] | None
    raw_sort: Any
    skip: int
    limit: int

    @property
    def plain(self) -> bool:
        """Whether it ends by itself: not tailable, not streamed by the server (exhaust)."""
        kind = self.options.get("cursor_type", CursorType.NON_TAILABLE)
        return kind == CursorType.NON_TAILABLE and not any(
            name == "add_option" for name, _, _ in self.calls
        )

    @property
    def movable(self) -> bool:
        """Whether it may be put in the order of ``_id`` without changing what it means."""
        return (
            self.sort == ()
            and not self.skip
            and not self._named & {"hint", "min", "max", "collation"}
            and not any(word in str(self.filter) for word in _ORDERED)
        )

    def position(self, remember: int, codec: CodecOptions[Any]) -> tuple[Position, Projected]:
        """Return the position before the first document, and the projection that brings its keys.

        Args:
            remember: Identities that may be remembered.
            codec: What is made of the documents.
        """
        kind = codec.document_class
        mutable = issubclass(getattr(kind, "__origin__", kind), MutableMapping)
        sort = self.sort or ()
        brought = projected(self.projection, [name for name, _ in sort])
        # What was decoded to something of the caller's cannot be asked for again.
        anchored = "collation" not in self._named and not codec.type_registry.codecs
        if brought.hidden and not mutable:
            anchored, brought = False, Projected(self.projection, (), (), named=None)
        position = Position(
            remember, sort, brought.paths, skip=self.skip, limit=self.limit, anchored=anchored
        )
        if brought.named:
            position.named = brought.named
        else:
            position.lost = (
                "its projection leaves out _id, which tells what was handed out: keep _id"
            )
        position.lost = changed_by(codec) or position.lost
        return position, brought

    @property
    def _named(self) -> set[str]:
        return {name for name, _, _ in self.calls} | {k for k, v in self.options.items() if v}


def asked(
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    calls: Sequence[tuple[str, tuple[Any, ...], Mapping[str, Any]]],
) -> Asked:
    """Return what ``find(*args, **kwargs)`` with ``calls`` behind it asks."""
    options = {**dict(zip(FIND_NAMES, args, strict=False)), **kwargs}
    own = {name: options.pop(name, None) for name in _OWN}
    rest = []
    for name, given, named in calls:
        if name in {"skip", "limit"}:
            own[name] = given[0] if given else next(iter(named.values()))
        elif name == "sort":
            both = (*given, *named.values())
            own["sort"] = [(both[0], both[1])] if len(both) > 1 else both[0]
        else:
            rest.append((name, given, named))
    return Asked(
        options,
        rest,
        own["filter"],
        own["projection"],
        _sort(own["sort"]),
        own["sort"],
        own["skip"] or 0,
        own["limit"] or 0,
    )


def changed_by(codec: CodecOptions[Any]) -> str | None:
    """Return what makes one value of several that are stored, or None."""
    if codec.datetime_conversion is DatetimeConversion.DATETIME_CLAMP:
        return "its datetime_conversion makes one of several dates: choose DATETIME_AUTO"
    if codec.unicode_decode_error_handler not in {None, "strict"}:
        return "its unicode_decode_error_handler makes one of several texts: choose strict"
    return None


def _sort(given: Any) -> tuple[tuple[str, int], ...] | None:
    """Return a sort as pairs, or None where it is not by fields."""
    if not given:
        return ()
    if isinstance(given, str):
        given = [(given, 1)]
    elif isinstance(given, Mapping):
        given = list(given.items())
    elif len(given) == 2 and isinstance(given[0], str) and isinstance(given[1], int):
        given = [tuple(given)]
    pairs = tuple((one, 1) if isinstance(one, str) else tuple(one) for one in given)
    plain = all(way in (1, -1) and not name.startswith("$") for name, way in pairs)
    return pairs if plain else None
