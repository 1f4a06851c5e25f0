"""What brings data: lots of results or entries, each with where to go on once it is safe."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypeVar, final, runtime_checkable

import msgspec

from penstock.errors import InputError
from penstock.pipeline.result import Checkpoint, Entry, Key, Result

T = TypeVar("T")

Position: TypeAlias = str | int
"""Where a feed goes on: a number, a cursor, a URL. It means something to its feed only."""

_LARGEST = 100  # rows a lot, at most
_PATIENCE = 0.01  # seconds a row may wait for its neighbours


@final
@dataclass(frozen=True, slots=True)
class Lot:
    """What came together, and where to go on once all of it is safe.

    Attributes:
        items: Results and entries, in their order. Results land under their keys, unless those
            are settled already; entries are handed to the store as they are. Results and records
            (:class:`LandedRecord`) pass through the stages.
        position: Where the feed goes on after them; ``""`` is its beginning, and None means that
            nothing new is known.
    """

    items: Sequence[Result[Key, object] | Entry]
    position: Position | None = None


@runtime_checkable
class Feed(Protocol):
    """A source whose lots land: pages, a stream, rows."""

    @property
    def name(self) -> str:
        """The name of its checkpoint in the store."""
        ...

    @property
    def source(self) -> str:
        """What its positions belong to. A checkpoint of another source is refused."""
        ...

    def lots(self, position: Position | None) -> Iterator[Lot]:
        """Yield lots, from ``position`` on or from the beginning.

        A lot is asked for when the one before was handed to the store. An empty one is a chance
        to look at the clock and at what has landed.
        """
        ...


@runtime_checkable
class AcknowledgedFeed(Feed, Protocol):
    """A feed whose source forgets what is acknowledged, such as a broker's queue."""

    def safe(self, lot: Lot) -> None:
        """Acknowledge a lot: all of it is safe in the store."""
        ...


@final
class _Noted(msgspec.Struct, frozen=True):
    source: str
    position: Position | None


def source_of(text: str, *facts: object) -> str:
    """Return what a position belongs to: ``text`` for people, and a hash of all that matters.

    >>> source_of("GET https://a.example/b", {"q": "x"})
    'GET https://a.example/b #97b45f1f'
    """
    packed = msgspec.json.encode(facts, enc_hook=repr, order="deterministic")
    return f"{text} #{hashlib.blake2b(packed, digest_size=4).hexdigest()}"


def checkpoint(feed: Feed, position: Position) -> Checkpoint:
    """Return the note that ``feed`` goes on at ``position``."""
    return Checkpoint(feed.name, msgspec.json.encode(_Noted(feed.source, position)).decode())


def position_in(text: str | None, feed: Feed) -> Position | None:
    """Return where ``feed`` goes on after the checkpoint ``text`` of a store, None: at its start.

    A checkpoint from before penstock noted whose it is, or noted less of it (without what follows
    `` #``), is taken for that of ``feed``.

    >>> rows = RowFeed([], key=str)
    >>> position_in(None, rows), position_in("7", rows)
    (None, 7)
    >>> position_in('{"source":"GET https://a.example/b","position":7}', rows)
    Traceback (most recent call last):
    ...
    penstock.errors.InputError: the checkpoint 'rows' in the store belongs to GET https://a.example/b, not to rows: land in a store of its own, or begin again with penstock run --restart (what has landed stays)

    Raises:
        InputError: It is that of another source, or cannot be read.
    """  # noqa: E501 - an error's text is one line
    if not text:
        return None
    try:
        noted = msgspec.json.decode(text, type=_Noted | Position | None)
    except msgspec.MsgspecError as error:
        what = f"the checkpoint {feed.name!r} cannot be read: {error}"
        raise InputError(f"{what}; {_AGAIN}") from error
    if not isinstance(noted, _Noted):
        return _begun(noted)
    position = _begun(noted.position)
    mine = noted.source in (feed.source, feed.source.partition(" #")[0])
    if position is not None and not mine:  # at its beginning it may be anybody's
        raise InputError(
            f"the checkpoint {feed.name!r} in the store belongs to {noted.source}, not to "
            f"{feed.source}: land in a store of its own, or {_AGAIN}"
        )
    return position


_AGAIN = "begin again with penstock run --restart (what has landed stays)"


def _begun(position: Position | None) -> Position | None:
    return None if position == "" else position


@final
class RowFeed(Generic[T]):
    """Values that are there already, such as the rows of a file, as a feed: each lands as JSON.

    It begins at the start each time, and passes over the rows whose keys are settled. Rows are
    drawn as they are needed, at most 100 ahead, and not ahead of a slow source.

    Args:
        rows: Any iterable of values.
        key: What identifies a row: the name of a member, or a function.

    >>> [lot.items for lot in RowFeed([{"id": 7}], key="id").lots(None)]
    [[Result(key=7, value={'id': 7}, error=None, attempts=1)]]
    """

    name = "rows"
    source = "rows"

    def __init__(self, rows: Iterable[T], *, key: str | Callable[[T], Key]) -> None:
        self._rows = rows
        self._key: Callable[[T], Key] = _member(key) if isinstance(key, str) else key

    def lots(self, position: Position | None) -> Iterator[Lot]:
        """Yield the rows in small groups, smaller where they come slowly."""
        items: list[Result[Key, object]] = []
        size, latest = 1, time.monotonic() + _PATIENCE
        for number, row in enumerate(self._rows, 1):
            items.append(self._result(row, number))
            slow = time.monotonic() > latest
            if slow or len(items) >= size:
                yield Lot(items)
                size = 1 if slow else min(2 * size, _LARGEST)
                items, latest = [], time.monotonic() + _PATIENCE
        if items:
            yield Lot(items)

    def _result(self, row: T, number: int) -> Result[Key, object]:
        try:
            key = self._key(row)
        except (LookupError, TypeError, AttributeError) as error:
            raise InputError(f"row {number} has no key: {error!r}") from error
        if isinstance(key, bool) or not isinstance(key, str | int):
            raise InputError(f"row {number}: a key is a text or a whole number, not {key!r}")
        return Result(key, row)


def _member(name: str) -> Callable[[object], Key]:
    def key(row: object) -> Key:
        found: Key = row[name]  # type: ignore[index] # whatever has members; _result says where not
        return found

    return key
