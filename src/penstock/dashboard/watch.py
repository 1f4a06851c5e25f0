"""A store looked at again and again: what a page or a terminal shows of it."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import final

from penstock.address import hide
from penstock.assembly import Heartbeat, Signs, room_beside, together
from penstock.errors import PenstockError
from penstock.locks import LockerRoom
from penstock.pipeline import Rate
from penstock.store import Failure, StoreReader, StoreStatus, open_readonly, open_store, store_place

__all__ = ["UNREADABLE", "Watch"]

UNREADABLE: dict[str, object] = {"state": "unreadable", "reason": ""}

_LEDGER = ("ledger.sqlite", "ledger.sqlite-wal")
_REFRESH = 10.0  # seconds after which a store is asked in any case: a segment may be missing
_KEPT = (
    "landed", "failed", "acknowledged", "absent", "expected", "pending", "gaps", "missed",
    "failures", "problem", "updated",
)  # fmt: skip
_POINTS = 600  # of the charts
_RECORDS = 50
_EXAMPLES = 20
_SHOWN = 300  # characters of a record or a message
_SHARE = 50  # a look that takes a second is not repeated within as many


@final
class Watch:
    """One store, seen from outside: nothing of it is locked or written but what is asked for.

    The locks beside it are opened as those who use them open them: after a new start of the machine
    that frees what was held before it.

    Args:
        place: The store.
        wall: Seconds since 1970 UTC.
    """

    def __init__(self, place: str | Path, wall: Callable[[], float] = time.time) -> None:
        self.place = store_place(place)
        self._wall = wall
        self._begin()

    def _begin(self) -> None:
        self._reader: StoreReader | None = None
        self._room: LockerRoom | None = None
        self._signs = Signs(self.place, self._wall)
        self._points: deque[tuple[int, float, float | None]] = deque(maxlen=_POINTS)
        self._meter, self._done = Rate(), 0
        self._latest: tuple[int, list[dict[str, object]]] = (-1, [])
        self._written: tuple[object, ...] = (None,)
        self._again = self._refresh = 0.0
        self._seen: dict[str, object] = {}

    def look(self) -> dict[str, object]:
        """Return how it is now.

        The store is asked where it was written to, and less often where that takes long; who works
        on it, each time.
        """
        try:
            stored = self._stored()
        except PenstockError as error:
            self.close()  # it may be another one when it is back
            return {**UNREADABLE, "name": hide(str(self.place)), "problem": str(error)}
        now, beats, rate = self._wall(), self._signs.seen(), self._meter.at(self._done)
        beat, pending = together(beats), stored["pending"]
        state, reason = _state(pending, beat, now, rate)
        self._point((int(now), rate, None if beat is None else beat.remaining))
        return {
            **stored,
            "state": state,
            "reason": reason,
            "rate": rate,
            "eta": pending / rate if rate and isinstance(pending, int) else None,
            "beat": None if beat is None else _aged(beat, now),
            "workers": [_aged(one, now) for one in beats if one.worker],
            "points": list(self._points),
            **self._locks(),
        }

    def close(self) -> None:
        """Let go of it, and forget what it was."""
        if self._reader is not None:
            self._reader.close()
        if self._room is not None:
            self._room.close()
        self._signs.close()
        self._begin()

    def _stored(self) -> dict[str, object]:
        start, written = time.monotonic(), _written(self.place)
        if written[0] != self._written[0]:
            self.close()  # another store, at the same place
        is_due = written != self._written or written[0] is None or start >= self._refresh
        if start >= self._again and is_due:
            busy = time.thread_time()
            self._reader = self._reader or open_readonly(self.place)
            self._seen = self._facts(self._reader, self._reader.status())
            self._written, self._refresh = written, start + _REFRESH
            self._again = start + (time.thread_time() - busy) * _SHARE
        return self._seen

    def _facts(self, reader: StoreReader, status: StoreStatus) -> dict[str, object]:
        done = self._done = status.landed + status.failed + status.absent
        if not self._seen:
            self._meter = Rate(done)
        if self._latest[0] != status.landed:
            self._latest = (status.landed, _records(reader))
        seen = dataclasses.asdict(status)
        return {
            "name": hide(str(self.place)),
            **{name: seen[name] for name in _KEPT},
            "latest": self._latest[1],
        }

    def _locks(self) -> dict[str, object]:
        """Return the locks beside the store that somebody holds or waits for."""
        try:
            self._room = self._room or room_beside(self.place)
            found = () if self._room is None else self._room.locks()
            plain = [one.plain() for one in found if one.locked or one.waiters]
        except PenstockError as error:
            return {"locks": [], "unlocked": str(error)}
        return {"locks": plain, "unlocked": ""}

    def _point(self, point: tuple[int, float, float | None]) -> None:
        points, nothing = self._points, point[1:] == (0.0, None)
        if points and points[-1][0] > point[0]:
            points.clear()  # the clock was set back
        if not (nothing and points and points[-1][1:] == point[1:]):
            points.append(point)

    def examples(self, error: str, status: int | None) -> list[dict[str, object]]:
        """Return some of the keys that failed with an error and a status."""
        found: list[dict[str, object]] = []
        with open_readonly(self.place) as reader:
            for failure in reader.failures():
                if _is(failure, error, status):
                    found.append({"key": failure.key, "message": failure.message[:_SHOWN]})
                    if len(found) == _EXAMPLES:
                        break
        return found

    def settle(self, error: str, status: int | None, *, again: bool) -> int:
        """Put back to do, or acknowledge, what failed with an error and a status.

        Args:
            error: The error.
            status: The HTTP status, or None.
            again: Whether it is to do again; else that it failed is accepted.

        Returns:
            How many keys there were.

        Raises:
            StoreInUse: A run has the store open.
        """
        with open_store(self.place) as store:
            keys = [one.key for one in store.failures() if _is(one, error, status)]
            return store.retry_failed(keys) if again else store.acknowledge(keys)


def _is(failure: Failure, error: str, status: int | None) -> bool:
    return (failure.error, failure.status) == (error, status)


def _written(place: Path | str) -> tuple[object, ...]:
    """Return what tells a directory from one in its place, then when it was written; else None."""
    if isinstance(place, str):
        return (None,)
    found: list[object] = []
    for name in _LEDGER:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            stat = (place / name).stat()
            found += [stat.st_size, stat.st_mtime_ns]
            found[:0] = [(stat.st_dev, stat.st_ino)] if name == _LEDGER[0] else []
    return tuple(found) or (None,)


def _aged(beat: Heartbeat, now: float) -> dict[str, object]:
    return {**dataclasses.asdict(beat), "age": now - beat.at, "lost": beat.lost(now)}


def _state(pending: object, beat: Heartbeat | None, now: float, rate: float) -> tuple[str, str]:
    """Return a word for how the run is, and why."""
    if beat is not None:
        if beat.lost(now):
            return "lost", ""
        return ("waiting", beat.reason) if beat.waiting > 1 else ("running", "")
    if rate:
        return "running", ""
    return ("done" if pending == 0 else "idle"), ""


def _records(reader: StoreReader) -> list[dict[str, object]]:
    return [
        {"key": record.key, "body": record.body[:_SHOWN].decode("utf-8", "replace")}
        for record in reader.latest(_RECORDS)
    ]
