"""How a process on this machine is told that it holds the lock: a FIFO for each waiting thread.

The word carries the grant itself, so that whoever is told need not ask the store. A FIFO without
a reader says that its process has ended. While it waits, a thread also watches the processes
before it in the queue, and learns of their end from the kernel.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import stat
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import final

import msgspec

from penstock.files import file_mode
from penstock.locks.backend import Granted, Reply
from penstock.locks.process_identity import elapsed, has_ended, myself, watch
from penstock.locks.state import LockState, QueuePlace

__all__ = ["Ear", "swept", "tell"]

_CAREFULLY = os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_NUDGE = b"\n"
_LARGEST = 65536
_ADDRESS = re.compile(r"[0-9A-Za-z][\w.-]{0,127}", re.ASCII)
_WATCHED = 64  # processes a waiter watches at most; the end of others is found by asking again
_DECODER = msgspec.json.Decoder(QueuePlace)
_ENCODER = msgspec.json.Encoder()


def tell(folder: Path, place: QueuePlace | None, address: str) -> bool:
    """Tell a waiter that it holds the lock, or with None that it should look; False: it is gone.

    The address comes out of the database, which anybody may have written: a name, and of a FIFO.
    """
    words = _NUDGE if place is None else _ENCODER.encode(place) + b"\n"
    if not _ADDRESS.fullmatch(address):
        return False
    try:
        fifo = os.open(f"{folder}/{address}", os.O_WRONLY | _CAREFULLY)
    except OSError:  # ENXIO: nobody reads; ENOENT: it was removed; ELOOP: a link
        return False
    try:
        if not stat.S_ISFIFO(os.fstat(fifo).st_mode):
            return False
        # Less than PIPE_BUF, so that it is written whole or, in a full FIFO, not at all.
        os.write(fifo, words)
    except BlockingIOError:
        pass  # 64 KB of words nobody has read: whoever reads them will look
    except BrokenPipeError:
        return False
    finally:
        os.close(fifo)
    return True


def swept(folder: Path) -> None:
    """Remove the FIFOs of processes that ended without removing them."""
    for fifo in folder.iterdir():
        if has_ended(fifo.name.rpartition("-")[0]):
            fifo.unlink(missing_ok=True)


@final
class Ear:
    """A FIFO to be told by. Used again and again, by one waiting thread at a time.

    Args:
        folder: Where the FIFO is made.
    """

    def __init__(self, folder: Path) -> None:
        self.address = f"{myself()}-{uuid.uuid4().hex[:12]}"
        self._path = folder / self.address
        os.mkfifo(self._path, 0o600)
        self._path.chmod(file_mode(folder))
        self._reads = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        # Held open by ourselves, or the end of one writer would read as the end of all.
        self._writes = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def expect(self, place_id: str) -> None:
        """A FIFO keeps what is said until it is read: there is nothing to do."""

    def wait(self, reply: Reply, place_id: str, timeout: float) -> Granted | frozenset[str] | None:
        """Return what happened: a grant, the processes that ended, or None when time is over."""
        until = time.monotonic() + timeout
        with _watching(reply.state, place_id) as (watched, ended):
            if ended:
                return ended
            poll = select.poll()
            for descriptor in (self._reads, *watched):
                poll.register(descriptor, select.POLLIN)
            while (left := until - time.monotonic()) > 0:
                ready = {descriptor for descriptor, _ in poll.poll(left * 1000.0)}
                if self._reads in ready and (heard := self._heard(place_id)) is not None:
                    return heard
                if dead := ready & set(watched):
                    return frozenset(watched[descriptor] for descriptor in dead)
            return None

    def _heard(self, place_id: str) -> Granted | frozenset[str] | None:
        """Read what was said; words for somebody who used this ear before are passed over."""
        heard: Granted | frozenset[str] | None = None
        for word in os.read(self._reads, _LARGEST).split(b"\n")[:-1]:
            if not word:
                heard = heard or frozenset()
                continue
            try:
                place = _DECODER.decode(word)
            except msgspec.MsgspecError:  # somebody else wrote it: look at the store instead
                heard = heard or frozenset()
                continue
            if place.id == place_id:
                return Granted(place, elapsed())
        return heard

    def nudge(self) -> None:
        """Make :meth:`wait` return, from any thread."""
        os.write(self._writes, _NUDGE)

    def close(self) -> None:
        """Remove the FIFO."""
        os.close(self._reads)
        os.close(self._writes)
        with contextlib.suppress(OSError):
            self._path.unlink()


@contextlib.contextmanager
def _watching(state: LockState, place_id: str) -> Iterator[tuple[dict[int, str], frozenset[str]]]:
    """Give descriptors of the processes to watch, and those that have ended already."""
    watched: dict[int, str] = {}
    ended = set()
    try:
        for process in _before(state, place_id):
            if process == myself():
                continue
            descriptor = watch(process)
            if has_ended(process):
                ended.add(process)
            if descriptor is not None:
                watched[descriptor] = process
        yield watched, frozenset(ended)
    finally:
        for descriptor in watched:
            os.close(descriptor)


def _before(state: LockState, place_id: str) -> list[str]:
    """Return the processes whose end concerns a waiter.

    With one holder at a time it is the one directly before: what is before that is its concern,
    and it stays there, first as waiter, then as holder, until it tells us. With several holders
    it is everybody before.
    """
    ahead = []
    for place in state.places():
        if place.id == place_id:
            break
        ahead.append(place.process)
    if state.capacity == 1:
        return ahead[-1:]
    return list(dict.fromkeys(ahead))[:_WATCHED]
