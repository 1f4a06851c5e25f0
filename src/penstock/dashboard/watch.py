"""A store looked at again and again: what a page or a terminal shows of it."""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import cast, final

from penstock.address import hide
from penstock.assembly import Heartbeat, Signs, room_beside, together
from penstock.errors import PenstockError
from penstock.locks import LockerRoom
from penstock.pipeline import Rate
from penstock.store import Failure, StoreReader, StoreStatus, open_readonly, open_store, store_place

__all__ = ["UNREADABLE", "Watch"]

UNREADABLE: dict[str, object] = {"state": "unreadable", "reason": ""}

_LEDGER = "ledger.sqlite"
_POINTS = 600  # of the charts
_RECORDS = 50
_EXAMPLES = 20
_SHOWN = 300  # characters of a record or a message
_SHARE = 50  # a look that takes a second is not repeated within as many


@final
class Watch:
    """One store, seen from outside: nothing is locked, nothing is written but what is asked for.

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
        self._rate: Rate | None = None
        self._latest: tuple[int, list[dict[str, object]]] = (-1, [])
        self._is: object = None
        self._again, self._seen = 0.0, dict[str, object]()

    def look(self) -> dict[str, object]:
        """Return how it is now.

        What the store says is asked less often where that takes long; who works on it, each time.
        """
        try:
            seen = self._stored()
            now, pending = self._wall(), seen["pending"]
            beats = self._signs.seen()
            beat = together(beats)
            rate = seen["rate"]
            assert isinstance(rate, float)
            state, reason = _state(pending, beat, now, rate)
            self._point((int(now), rate, None if beat is None else beat.remaining))
            return {
                **seen,
                "state": state,
                "reason": reason,
                "age": now - cast("float", seen["updated"]),
                "beat": None if beat is None else _aged(beat, now),
                "workers": [_aged(one, now) for one in beats if one.worker],
                "points": list(self._points),
            }
        except PenstockError as error:
            self.close()  # it may be another one when it is back
            return {**UNREADABLE, "name": hide(str(self.place)), "problem": str(error)}

    def close(self) -> None:
        """Let go of it, and forget what it was."""
        if self._reader is not None:
            self._reader.close()
        if self._room is not None:
            self._room.close()
        self._signs.close()
        self._begin()

    def _stored(self) -> dict[str, object]:
        start = time.monotonic()
        if (found := _identity(self.place)) != self._is:
            self.close()  # another store, at the same place
            self._is = found
        if start >= self._again:
            busy = time.thread_time()
            self._reader = self._reader or open_readonly(self.place)
            self._seen = self._facts(self._reader, self._reader.status())
            self._again = start + (time.thread_time() - busy) * _SHARE
        return self._seen

    def _facts(self, reader: StoreReader, status: StoreStatus) -> dict[str, object]:
        done = status.landed + status.failed + status.absent
        self._rate = self._rate or Rate(done)
        if self._latest[0] != status.landed:
            self._latest = (status.landed, _records(reader))
        seen, rate = dataclasses.asdict(status), self._rate.at(done)
        kept = (
            "landed", "failed", "acknowledged", "absent", "expected", "pending", "gaps", "missed",
            "failures", "problem", "updated",
        )  # fmt: skip
        return {
            "name": hide(str(self.place)),
            **{key: seen[key] for key in kept},
            "rate": rate,
            "eta": status.pending / rate if rate and status.pending is not None else None,
            "latest": self._latest[1],
            **self._locks(),
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


def _identity(place: Path | str) -> object:
    """Return what tells a directory from one that is put in its place."""
    if isinstance(place, str):
        return place
    try:
        found = (place / _LEDGER).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


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
