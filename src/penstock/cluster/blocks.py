"""Blocks of keys, each worked on by one process at a time: locked, fenced, and marked when done.

A block is a stretch of the source. Its lock says who works on it, its fence keeps out whoever lost
it, its mark in the store says how often it was taken up and whether it is done. All three are in
the store, so that workers come and go.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Protocol, TypeAlias, final

import msgspec
from msgspec.structs import replace

from penstock.errors import InputError, PenstockError, StoreInUse
from penstock.locks import Held, LeaseTooShort, LockerRoom, LockLost, LockTimeout
from penstock.pipeline import Checkpoint, FailedRecord, Key, batches
from penstock.store import Fence, WritableStore

__all__ = ["Blocks", "Land", "Leased", "parse_shard", "sharded"]

Land: TypeAlias = Callable[[Sequence[Key], Callable[[int], None]], bool]
"""Lands keys; tells its second argument how many are settled; returns whether all were."""

# Deaths in a row with no key settled: from here on each key goes alone; here it is given up.
_SUSPECT, _GUILTY = 3, 5
_POISON = "PoisonKey"
_FARTHEST = 8  # doublings of how many blocks are left out
_MOST_LATE = 10  # locks in a row that came later than their lease


class Leased(WritableStore, Protocol):
    """A store that several processes land in, each under the fence of what it works on."""

    def begin(self, fence: Fence) -> None:
        """Go on under another fence."""
        ...

    def forget(self) -> None:
        """Forget what is under way: another process does it."""
        ...


@final
class _Seen(msgspec.Struct, frozen=True):
    """What the store knows of a block.

    Attributes:
        keys: A digest of its keys.
        takes: How often it was taken up since one of its keys was last settled.
        done: Whether it is done.
        alone: Which of its keys was under way alone, counted from 0; -1 where none was.
        token: That of the lock of whoever had it last; where the locks are others, they begin
            above it.
    """

    keys: int
    takes: int = 0
    done: bool = False
    alone: int = -1
    token: int = 0


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
        now: The number of the one it works on, or None.
        takes: How often that one was taken up since one of its keys was last settled.
        lost: Blocks that another took over, since this process or the store stood still.
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
        self.taken = self.takes = self.lost = 0
        self.now: int | None = None
        self._late = 0

    def work(self, land: Land) -> bool:
        """Call ``land`` with the keys of each block that is to do, until all blocks are done.

        Args:
            land: Lands them, telling its second argument now and then how many are settled,
                which raises when the block was lost; returns whether all were settled.

        Returns:
            Whether all are done; False where ``land`` could not go on.
        """
        left = self._pass(land, spread=True)  # what is free, somewhere
        if left:
            left = self._pass(land)
        while left:  # what others have, as soon as they finish, or die
            left = self._pass(land, wait=True)
        return left == 0

    def _pass(self, land: Land, *, spread: bool = False, wait: bool = False) -> int | None:
        """Return how many blocks are left that others have; None where ``land`` cannot go on.

        Args:
            land: Lands them.
            spread: Leave some out behind those that others have: many do not all try the same.
            wait: Wait for those that others have.
        """
        left = taken = skip = 0
        for number, keys in enumerate(batches(self._keys, self._size)):
            if skip:
                left, skip = left + 1, skip - 1
                continue
            mark, digest = f"block:{self._size}:{number}", _digest(keys)
            seen = self._seen(mark, digest)
            if seen.done:
                continue
            held = self._lock(f"{self._name} block {number}", seen.token, wait=wait)
            if held is None:
                left, taken = left + 1, min(taken + 1, _FARTHEST)
                skip = random.randrange(2**taken) if spread else 0
                continue
            self.now, taken = number, 0
            try:
                if not self._take(mark, digest, keys, held, land):
                    return None
            except (LockLost, StoreInUse):
                left += 1
                self.lost += 1  # another one does it, and we the next
                self._store.forget()
            finally:
                self.now = None
                held.release()
        return left

    def _lock(self, name: str, above: int, *, wait: bool) -> Held | None:
        timeout = None if wait else 0
        try:
            held = self._room.lock(name, timeout=timeout, lease=self._lease, above=above)
        except LockTimeout:
            return None
        except LeaseTooShort:
            self._late += 1
            if self._late > _MOST_LATE:
                raise
            return None  # its store stood still: a failover may well be longer than a lease
        self._late = 0
        return held

    def _take(self, mark: str, digest: int, keys: Sequence[Key], held: Held, land: Land) -> bool:
        seen = replace(self._seen(mark, digest), token=held.token)
        if seen.done:  # while we waited for it
            return True
        self._store.begin(Fence(f"{self._scope} {mark}", held.token))
        self.taken += 1
        self.takes = seen.takes + 1
        self._note(mark, replace(seen, takes=self.takes))
        settled = False
        try:
            if seen.takes < _SUSPECT:
                settled = self._together(mark, seen, keys, held, land)
            else:
                settled = self._each_alone(mark, seen, keys, held, land)
        finally:
            if not settled:  # nobody died over it: the budget, a person or an error stopped it
                with suppress(PenstockError):
                    self._note(mark, seen)
        if settled:
            self._note(mark, replace(seen, done=True))
        return settled

    def _together(
        self, mark: str, seen: _Seen, keys: Sequence[Key], held: Held, land: Land
    ) -> bool:
        forgiven = not seen.takes

        def check(settled: int) -> None:
            nonlocal forgiven
            held.check()
            if settled and not forgiven:  # it goes forward: whoever died was not killed by it
                forgiven = True
                self._note(mark, replace(seen, takes=1))

        return land(keys, check)

    def _each_alone(
        self, mark: str, seen: _Seen, keys: Sequence[Key], held: Held, land: Land
    ) -> bool:
        """Several have died over it, with nothing settled: find out over which key."""
        for number, key in enumerate(keys):
            if self._store.state(key) != "pending":
                continue
            if number != seen.alone:
                self._note(mark, replace(seen, takes=_SUSPECT + 1, alone=number))
            elif seen.takes >= _GUILTY:
                self._give_up(key)
                continue
            if not land([key], lambda _settled: held.check()):
                return False
        return True

    def _give_up(self, key: Key) -> None:
        words = "several workers in a row ended while they worked on this key, and on no other"
        self._store.settle([FailedRecord(key, _POISON, words)], lambda _count: None)
        self._store.flush()

    def _seen(self, mark: str, digest: int) -> _Seen:
        text = self._store.mark(mark)
        seen = _Seen(digest) if not text else msgspec.json.decode(text, type=_Seen)
        # Other keys than it had: the source was changed, and what was said of them says nothing.
        return seen if seen.keys == digest else _Seen(digest)

    def _note(self, mark: str, seen: _Seen) -> None:
        text = msgspec.json.encode(seen).decode()
        self._store.settle([Checkpoint(mark, text)], lambda _count: None)
        self._store.flush()


def _digest(keys: Sequence[Key]) -> int:
    return zlib.crc32(msgspec.json.encode(keys))


def parse_shard(text: str) -> tuple[int, int]:
    """Return which shard of how many ``text`` means, counted from 1.

    >>> parse_shard("2/8")
    (2, 8)

    Raises:
        InputError: It is not K/N with K from 1 to N.
    """
    if found := re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text):
        first, last = map(int, found.groups())
        if 1 <= first <= last:
            return first, last
    raise InputError(f"shard {text!r}: write K/N, such as 2/8: the second of eight")


def sharded(keys: Iterable[Key], shard: tuple[int, int]) -> Iterator[Key]:
    """Yield the keys of one shard: every N-th.

    >>> list(sharded(range(7), (2, 3)))
    [1, 4]
    """
    number, of = shard
    return islice(iter(keys), number - 1, None, of)
