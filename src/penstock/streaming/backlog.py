"""What was received and not yet taken: bounded, in order, in lists and never one by one."""

from __future__ import annotations

import tempfile
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Generic, TypeAlias, TypeVar, final

import msgspec

from penstock.clock import Clock
from penstock.errors import InputError, PenstockError, StorageError
from penstock.streaming.frames import Frame, ServerEvent
from penstock.streaming.values import Gap

__all__ = [
    "Backlog",
    "Block",
    "DropOldest",
    "Dropped",
    "Entry",
    "FrameBatch",
    "Overflow",
    "Spill",
    "StreamEnd",
]

F_co = TypeVar("F_co", bound=Frame, covariant=True)


@dataclass(frozen=True, slots=True)
class _Buffer:
    bytes: int = 16 * 1024 * 1024

    def __post_init__(self) -> None:
        for size in (self.bytes, getattr(self, "most", 1)):
            if size < 1:
                raise InputError(f"{type(self).__name__}({size}): a buffer holds at least 1 byte")


@final
@dataclass(frozen=True, slots=True)
class Block(_Buffer):
    """Stop reading until there is room: TCP holds the server back. Nothing is lost by us.

    A server that does not wait for slow readers cuts them off; then the gap is the source's.

    Attributes:
        bytes: Bodies kept in memory, about.
    """


@final
@dataclass(frozen=True, slots=True)
class Spill(_Buffer):
    """Write what does not fit in memory to a temporary file, in order, and read on.

    The file has no name and is gone with the process: a cursor that was committed is what
    survives a crash.

    Attributes:
        bytes: Bodies kept in memory, about.
        folder: Where the file is made; None is the system's place for such files.
        most: Bytes the file may have; then reading stops as with :class:`Block`.
    """

    folder: Path | None = None
    most: int = 64 * 1024**3


@final
@dataclass(frozen=True, slots=True)
class DropOldest(_Buffer):
    """Forget the oldest messages that were not taken yet; a counted gap stands in their place.

    Attributes:
        bytes: Bodies kept in memory, about.
    """


Overflow: TypeAlias = Block | Spill | DropOldest


@final
class FrameBatch(msgspec.Struct, Generic[F_co], gc=False):
    """Frames that came together.

    Attributes:
        frames: Bodies, or events.
        connection: The number of the connection they came by.
        at: When they came, in seconds since 1970.
        size: Bytes of their bodies.
    """

    frames: Sequence[F_co]
    connection: int
    at: float
    size: int


@final
class Dropped(msgspec.Struct, frozen=True):
    """Stands where ``count`` messages were, that came between two times."""

    count: int
    since: float
    until: float


@final
class StreamEnd(msgspec.Struct, frozen=True):
    """Nothing comes after it; ``error`` says why, None is a good end."""

    error: PenstockError | None


Entry: TypeAlias = FrameBatch[Frame] | Dropped | Gap | StreamEnd


@final
class Backlog:
    """Between the I/O thread, which puts, and the consumer, which takes all there is at once."""

    def __init__(self, overflow: Overflow, clock: Clock, on_room: Callable[[], object]) -> None:
        self._clock = clock
        self._on_room = on_room
        self._blocked = False
        self._condition = threading.Condition(threading.Lock())
        self._entries: deque[Entry] = deque()
        self._size = 0
        self._held = 0  # bytes the consumer took last, and still works on
        self._bound = overflow.bytes
        self._drops = isinstance(overflow, DropOldest)
        self._spill = SpillFile(overflow) if isinstance(overflow, Spill) else None
        self._waiting = False
        self.dropped = 0

    @property
    def room(self) -> bool:
        """Whether more may be put."""
        if self._drops:
            return True
        if self._spill is not None:
            return self._spill.room
        return self._size + self._held < self._bound

    def put(self, batch: FrameBatch[Frame]) -> bool:
        """Put a batch; return whether more may be put."""
        with self._condition:
            if self._spill is not None and (self._spill.entries or self._full()):
                self._spill.write(batch)
            else:
                self._entries.append(batch)
                self._size += batch.size
                if self._drops and self._full():
                    self._drop()
            room = self.room
            self._blocked = not room
            if self._waiting:
                self._condition.notify()
        return room

    def _full(self) -> bool:
        return self._size + self._held > self._bound

    def _drop(self) -> None:
        """Forget the oldest batches, and say so in their place. The newest one stays."""
        gone: list[Dropped] = []
        kept: list[Entry] = []
        left = sum(isinstance(entry, FrameBatch) for entry in self._entries)
        while self._full() and left > 1:
            entry = self._entries.popleft()
            if isinstance(entry, FrameBatch):
                left -= 1
                self._size -= entry.size
                self.dropped += len(entry.frames)
                gone.append(Dropped(len(entry.frames), entry.at, entry.at))
            elif isinstance(entry, Dropped):
                gone.append(entry)
            else:
                kept.append(entry)
        if gone:
            count = sum(one.count for one in gone)
            kept.append(Dropped(count, gone[0].since, gone[-1].until))
        self._entries.extendleft(reversed(kept))

    def tell(self, entry: Gap | StreamEnd) -> None:
        """Put what is no message, after all that came before."""
        with self._condition:
            if self._spill is not None and self._spill.entries:
                self._spill.entries.append(entry)
            else:
                self._entries.append(entry)
            self._condition.notify()

    def take(self, wait: float | None) -> Sequence[Entry]:
        """Return all there is, and wait where there is nothing; empty after ``wait`` seconds."""
        with self._condition:
            self._held = 0
            self._unblock()
            if self._spill is not None and not self._entries:
                self._refill(self._spill)
            if not self._entries:
                self._waiting = True
                try:
                    self._clock.wait(self._condition, wait)
                finally:
                    self._waiting = False
            entries = list(self._entries)
            self._entries.clear()
            self._held, self._size = self._size, 0
        return entries

    def release(self, size: int) -> None:
        """The consumer is done with so many bytes of what it took."""
        if size:
            with self._condition:
                self._held = max(0, self._held - size)
                self._unblock()

    def _unblock(self) -> None:
        """Read on when there is room for half of the bound again, not for each message."""
        if self._blocked and (
            self.room if self._spill is not None else 2 * (self._size + self._held) < self._bound
        ):
            self._blocked = False
            self._on_room()

    def _refill(self, spill: SpillFile) -> None:
        while not self._full() and (entry := spill.read()) is not None:
            self._entries.append(entry)
            self._size += entry.size if isinstance(entry, FrameBatch) else 0

    def close(self) -> None:
        """Forget everything: it has ended."""
        with self._condition:
            self._entries = deque([StreamEnd(None)])
            self._size = self._held = 0
            if self._spill is not None:
                self._spill.close()
            self._condition.notify()


@final
class SpillFile:
    """Batches in a file without a name, first in, first out."""

    def __init__(self, spill: Spill) -> None:
        self._spill = spill
        self._file: BinaryIO | None = None
        self._read_at = 0
        self._write_at = 0
        # Of a batch, how many bytes it has there, and what; others are not in the file.
        self.entries: deque[tuple[int, type[FrameBatch[Frame]]] | Gap | StreamEnd]
        self.entries = deque()

    @property
    def room(self) -> bool:
        """Whether the file may grow."""
        return self._write_at < self._spill.most

    def write(self, batch: FrameBatch[Frame]) -> None:
        """Append a batch.

        Raises:
            StorageError: The disk does not take it.
        """
        of_events = bool(batch.frames) and isinstance(batch.frames[0], ServerEvent)
        data = msgspec.msgpack.encode(batch)
        try:
            if self._file is None:
                folder = self._spill.folder
                self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it outlives this call
            self._file.seek(self._write_at)
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            raise StorageError(f"spilling to disk: {error.strerror or error}") from error
        self._write_at += len(data)
        self.entries.append(
            (len(data), FrameBatch[ServerEvent] if of_events else FrameBatch[bytes])
        )

    def read(self) -> Entry | None:
        """Return the oldest entry; None where there is nothing.

        Raises:
            StorageError: The disk does not give it back.
        """
        if not self.entries or self._file is None:
            return None
        entry = self.entries.popleft()
        if not isinstance(entry, tuple):
            return entry
        size, kind = entry
        try:
            self._file.seek(self._read_at)
            data = self._file.read(size)
        except OSError as error:
            raise StorageError(f"reading back what was spilled: {error}") from error
        self._read_at += size
        if self._read_at == self._write_at:
            self._file.truncate(0)
            self._read_at = self._write_at = 0
        return msgspec.msgpack.decode(data, type=kind)

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self.entries.clear()
