"""Blocks of keys, each worked on by one process at a time: locked, fenced, and marked when done.

A block is a stretch of the source. Its lock says who works on it, its fence keeps out whoever lost
it, its mark in the store says how often it was taken up and whether it is done. All three are in
the store, so that workers come and go.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Protocol, TypeAlias, final

import msgspec

from penstock.errors import InputError, PenstockError
from penstock.locks import Held, LockerRoom
from penstock.pipeline import Checkpoint, FailedRecord, Key
from penstock.store import Fence, WritableStore

__all__ = ["Blocks", "Land", "Leased", "parse_shard", "sharded"]

Land: TypeAlias = Callable[[Sequence[Key], Callable[[], None]], bool]
"""Lands keys, calls its second argument now and then, and returns whether all were settled."""

_MOST_TAKES = 5
_POISON = "PoisonBlock"


class Leased(WritableStore, Protocol):
    """A store that several processes land in, each under the fence of what it works on."""

    def begin(self, fence: Fence) -> None:
        """Go on under another fence."""
        ...


@final
class _Seen(msgspec.Struct, frozen=True):
    """What the store knows of a block: a digest of its keys, how often it was taken, if done."""

    keys: int
    takes: int = 0
    done: bool = False


@final
class Blocks:
    """The blocks of a source that are still to do, as this process gets them.

    Args:
        keys: The source; the same, in the same order, for every worker.
        size: Keys of a block.
        store: Where they land.
        room: Where the locks are.
        name: What the locks' names begin with.
        scope: Tells these locks from others of the same name, for the fences.
        lease: Seconds without a sign of life after which another worker takes a block over.

    Attributes:
        taken: Blocks that this process got.
        poisoned: Blocks given up, since whoever took one up died over it.
    """

    def __init__(  # noqa: PLR0913 - one argument a thing that is the worker's own
        self,
        keys: Iterable[Key],
        size: int,
        *,
        store: Leased,
        room: LockerRoom,
        name: str,
        scope: str,
        lease: float,
    ) -> None:
        self._keys, self._size = keys, size
        self._store, self._room = store, room
        self._name, self._scope, self._lease = name, scope, lease
        self.taken = self.poisoned = 0

    def work(self, land: Land) -> bool:
        """Call ``land`` with the keys of each block that is to do, until all blocks are done.

        Args:
            land: Lands them, calling its second argument now and then, which raises when the
                block was lost; returns whether all were settled.

        Returns:
            Whether all are done; False where ``land`` could not go on.

        Raises:
            LockLost: This process stood still past the lease, and another has its block.
            StoreInUse: Likewise.
        """
        # First what is free; then what others have, as soon as they finish, or die.
        return all(self._pass(land, wait=wait) for wait in (False, True))

    def _pass(self, land: Land, *, wait: bool) -> bool:
        for number, keys in enumerate(_blocks(self._keys, self._size)):
            mark, digest = f"block:{self._size}:{number}", _digest(keys)
            if self._seen(mark, digest).done:
                continue
            name = f"{self._name} block {number}"
            held = self._room.lock(name, lease=self._lease) if wait else self._try(name)
            if held is None:
                continue
            try:
                if not self._take(mark, digest, keys, held, land):
                    return False
            finally:
                held.release()
        return True

    def _try(self, name: str) -> Held | None:
        return self._room.try_lock(name, lease=self._lease)

    def _take(
        self,
        mark: str,
        digest: int,
        keys: Sequence[Key],
        held: Held,
        land: Land,
    ) -> bool:
        seen = self._seen(mark, digest)
        if seen.done:  # while we waited for it
            return True
        self._store.begin(Fence(f"{self._scope} {mark}", held.token))
        if seen.takes >= _MOST_TAKES:
            self._give_up(keys, seen.takes)
        else:
            self._note(mark, _Seen(digest, seen.takes + 1))
            self.taken += 1
            settled = False
            try:
                settled = land(keys, held.check)
            finally:
                if not settled:  # nobody died over it: the budget, a person or an error stopped it
                    self._put_back(mark, seen)
            if not settled:
                return False
        self._note(mark, _Seen(digest, seen.takes + 1, done=True))
        return True

    def _put_back(self, mark: str, seen: _Seen) -> None:
        with suppress(PenstockError):
            self._note(mark, seen)

    def _give_up(self, keys: Sequence[Key], takes: int) -> None:
        """Whoever took it up died: what is left of it becomes dead letters, and kills no more."""
        self.poisoned += 1
        words = f"{takes} workers in a row ended while they worked on the block of this key"
        left = [FailedRecord(key, _POISON, words) for key in self._store.claim(keys)]
        self._store.settle(left, lambda _count: None)

    def _seen(self, mark: str, digest: int) -> _Seen:
        text = self._store.mark(mark)
        seen = _Seen(digest) if not text else msgspec.json.decode(text, type=_Seen)
        # Other keys than it had: the source was changed, and what was said of them says nothing.
        return seen if seen.keys == digest else _Seen(digest)

    def _note(self, mark: str, seen: _Seen) -> None:
        text = msgspec.json.encode(seen).decode()
        self._store.settle([Checkpoint(mark, text)], lambda _count: None)
        self._store.flush()


def _blocks(keys: Iterable[Key], size: int) -> Iterator[list[Key]]:
    source = iter(keys)
    while block := list(islice(source, size)):
        yield block


def _digest(keys: Sequence[Key]) -> int:
    return zlib.crc32(msgspec.json.encode(keys))


def parse_shard(text: str) -> tuple[int, int]:
    """Return which shard of how many ``text`` means, counted from 1.

    >>> parse_shard("2/8")
    (2, 8)

    Raises:
        InputError: It is not K/N with K from 1 to N.
    """
    first, slash, last = text.partition("/")
    if slash and first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last):
        return int(first), int(last)
    raise InputError(f"shard {text!r}: write K/N, such as 2/8: the second of eight")


def sharded(keys: Iterable[Key], shard: tuple[int, int]) -> Iterator[Key]:
    """Yield the keys of one shard: every N-th.

    >>> list(sharded(range(7), (2, 3)))
    [1, 4]
    """
    number, of = shard
    return islice(iter(keys), number - 1, None, of)
