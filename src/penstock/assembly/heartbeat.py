"""Signs of life beside a store: what only a run knows of itself, for those who watch."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, final

import msgspec

from penstock.address import scheme_of
from penstock.cluster import Beats
from penstock.errors import PenstockError
from penstock.files import open_regular
from penstock.locks import has_ended, myself

_FILE = "lock-beat.json"
_IN_MONGO = ("mongodb", "mongodb+srv")
_EVERY = 0.5  # seconds between two beats
_MOST = 1 << 16  # bytes of a beat
_STALE = 15.0  # seconds without one after which a process that is still there counts as lost


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What a run said last. Times are seconds.

    Attributes:
        pid: Its process.
        host: Its machine.
        at: When it said so, since 1970 UTC.
        remaining: What the server still allows, or None.
        limit: Of how many, or None.
        reset: Until that is renewed, or None.
        waiting: For how long nothing may be sent.
        reason: What closed the gate, or the state of a stream.
        retries: Calls made again after a failure.
        refused: Calls refused for lack of quota.
        group: Which workers it is one of, where they were started together.
        worker: What it is called among those who work on one run; ``""`` where it is alone.
        block: The block of keys it works on, or None.
        landed: Records it has landed.
        failed: Keys that failed in it.
        rate: Keys a second, of late.
        permits: Leave it holds of a shared budget.
        process: Its process, by a name that no later one gets; ``""`` where it did not say.
        reserve: Of its budget: what is never spent.
        lag: How old the newest message of its stream is, or None.
        takes: How often its block was taken up without going forward.
    """

    pid: int
    host: str
    at: float
    remaining: float | None = None
    limit: float | None = None
    reset: float | None = None
    waiting: float = 0.0
    reason: str = ""
    retries: int = 0
    refused: int = 0
    group: str = ""
    worker: str = ""
    block: int | None = None
    landed: int = 0
    failed: int = 0
    rate: float = 0.0
    permits: int = 0
    process: str = ""
    reserve: float = 0.0
    lag: float | None = None
    takes: int = 0

    def lost(self, now: float) -> bool:
        """Return whether the run is gone without a word."""
        here = self.host == socket.gethostname()
        if here and (has_ended(self.process) or not (self.process or self._is_there())):
            return True
        return now - self.at > _STALE

    def _is_there(self) -> bool:
        """Return whether a process of its number is there: earlier versions say no more."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except (OSError, OverflowError):
            pass  # it is there, and somebody else's; or nobody knows
        return True


@contextmanager
def beating(
    place: Path | str, facts: Callable[[], dict[str, object]], group: str = ""
) -> Iterator[threading.Event]:
    """Leave a heartbeat with ``facts`` in a store, once a second or twice, while the block runs.

    Args:
        place: The store: a directory, or an address of MongoDB.
        facts: What to say.
        group: Who is asked to stop together.

    Yields:
        What is set when somebody asks to stop.
    """
    over, stop = threading.Event(), threading.Event()
    every = _EVERY if isinstance(place, Path) else 2 * _EVERY
    beat, end = _kept_in(place) if isinstance(place, Path) else _kept_at(place, group)

    def keep() -> None:
        while True:
            # Where it cannot be written (a full disk), nobody sees it: landing comes first.
            with contextlib.suppress(OSError, PenstockError):
                if beat({"pid": os.getpid(), "process": myself(), **facts()}):
                    stop.set()
            if over.wait(every):
                return

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield stop
    finally:
        over.set()
        thread.join()
        with contextlib.suppress(OSError, PenstockError):
            end()


_Kept: TypeAlias = tuple[Callable[[dict[str, object]], bool], Callable[[], None]]


def _kept_in(place: Path) -> _Kept:
    file, draft, host = place / _FILE, place / f"{_FILE}.new", socket.gethostname()

    def beat(facts: dict[str, object]) -> bool:
        said = json.dumps({"host": host, "at": time.time(), **facts})
        with os.fdopen(open_regular(draft, os.O_WRONLY | os.O_CREAT), "w", encoding="utf-8") as new:
            new.truncate(0)
            new.write(said)
        draft.replace(file)
        return False

    return beat, file.unlink


def _kept_at(place: str, group: str) -> _Kept:
    if scheme_of(place) not in _IN_MONGO:
        return lambda _facts: False, lambda: None
    made: list[Beats] = []
    me = uuid.uuid4().hex

    def beat(facts: dict[str, object]) -> bool:
        if not made:  # an election may be going on: landing waits for longer than a beat does
            made.append(Beats(place))
        return made[0].say(me, {"group": group, **facts})

    def end() -> None:
        for beats in made:
            with contextlib.closing(beats):
                beats.leave(me)

    return beat, end


@final
class Signs:
    """What each who works on a store said last.

    Times are those of our own clock: two machines' differ, and people set theirs.

    Args:
        place: The store: a directory, or an address of MongoDB.
        wall: Seconds since 1970 UTC.
    """

    def __init__(self, place: Path | str, wall: Callable[[], float] = time.time) -> None:
        self._place, self._wall = place, wall
        self._beats: Beats | None = None
        self._renewed: tuple[float, float] | None = None

    def seen(self) -> list[Heartbeat]:
        """Return it; whoever ended well has taken it away, and where nobody answers, it is none."""
        place = self._place
        try:
            if isinstance(place, Path):
                return [self._in_file(place / _FILE)]
            if scheme_of(place) not in _IN_MONGO:
                return []
            self._beats = self._beats or Beats(place)
            return beats_of(self._beats, self._wall)
        except (OSError, msgspec.MsgspecError, PenstockError):
            return []

    def _in_file(self, file: Path) -> Heartbeat:
        with os.fdopen(open_regular(file, os.O_RDONLY), "rb") as found:
            beat = msgspec.json.decode(found.read(_MOST), type=Heartbeat)
            written = os.fstat(found.fileno()).st_mtime
        now = time.monotonic()
        if self._renewed is None:  # the disk's clock is nearer to ours than that of whoever beats
            self._renewed = beat.at, now - max(0.0, time.time() - written)
        elif self._renewed[0] != beat.at:
            self._renewed = beat.at, now
        return dataclasses.replace(beat, at=self._wall() - (now - self._renewed[1]))

    def close(self) -> None:
        """Let go of the connections, which the next look makes again."""
        if self._beats is not None:
            self._beats.close()
        self._beats = None


def last_beats(place: Path | str) -> list[Heartbeat]:
    """Return what each who works on the store at ``place`` said last."""
    with contextlib.closing(Signs(place)) as signs:
        return signs.seen()


def beats_of(beats: Beats, wall: Callable[[], float] = time.time) -> list[Heartbeat]:
    """Return what each said last, with times of our own clock."""
    now, seen = wall(), beats.seen()
    told = [{**beat, "at": now - beat["age"], "worker": beat["_id"]} for beat in seen]
    return [msgspec.convert(beat, Heartbeat) for beat in told]


def together(beats: Sequence[Heartbeat]) -> Heartbeat | None:
    """Return what several said as one: the newest of it, with the counts of all; None for none."""
    if not beats:
        return None
    counts = {
        name: sum(getattr(beat, name) for beat in beats)
        for name in ("landed", "failed", "rate", "permits", "retries", "refused")
    }
    return dataclasses.replace(max(beats, key=lambda beat: beat.at), **counts)
