"""A store looked at again and again: what a page or a terminal shows of it."""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import final

from penstock.address import hide
from penstock.assembly import Heartbeat, Signs, together
from penstock.errors import PenstockError
from penstock.pipeline import Rate
from penstock.store import Failure, StoreReader, StoreStatus, open_readonly, open_store, store_place

__all__ = ["Watch"]

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
        self._reader: StoreReader | None = None
        self._rate: Rate | None = None
        self._points: deque[tuple[int, float, float | None]] = deque(maxlen=_POINTS)
        self._latest: tuple[int, list[dict[str, object]]] = (-1, [])
        self._signs = Signs(self.place)
        self._again, self._seen = 0.0, dict[str, object]()

    def look(self) -> dict[str, object]:
        """Return how it is now; a store that is slow to look at is looked at less often."""
        start = time.monotonic()
        if start >= self._again:
            busy = time.thread_time()
            self._seen = self._looked()
            self._again = start + (time.thread_time() - busy) * _SHARE
        return self._seen

    def _looked(self) -> dict[str, object]:
        name = hide(str(self.place))
        try:
            reader = self._reader = self._reader or open_readonly(self.place)
            status = reader.status()
            return {"name": name, **self._facts(reader, status)}
        except PenstockError as error:
            self.close()  # it may be another one when it is back
            return {"name": name, "state": "unreadable", "reason": "", "problem": str(error)}

    def close(self) -> None:
        """Let go of it."""
        if self._reader is not None:
            self._reader.close()
        self._reader = None
        self._signs.close()

    def _facts(self, reader: StoreReader, status: StoreStatus) -> dict[str, object]:
        now, done = self._wall(), status.landed + status.failed
        self._rate = self._rate or Rate(done)
        rate, beats = self._rate.at(done), self._signs.seen()
        beat = together(beats)
        state, reason = _state(status, beat, now, rate)
        self._points.append((int(now), rate, None if beat is None else beat.remaining))
        if self._latest[0] != status.landed:
            self._latest = (status.landed, _records(reader))
        seen = dataclasses.asdict(status)
        kept = ("landed", "failed", "acknowledged", "expected", "pending", "gaps", "missed")
        return {
            **{key: seen[key] for key in kept},
            "failures": seen["failures"],
            "problem": status.problem,
            "state": state,
            "reason": reason,
            "age": now - status.updated,
            "rate": rate,
            "eta": status.pending / rate if rate and status.pending is not None else None,
            "beat": None if beat is None else dataclasses.asdict(beat),
            "workers": [
                {**dataclasses.asdict(one), "lost": one.lost(now)} for one in beats if one.worker
            ],
            "latest": self._latest[1],
            "points": list(self._points),
        }

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


def _state(status: StoreStatus, beat: Heartbeat | None, now: float, rate: float) -> tuple[str, str]:
    """Return a word for how the run is, and why."""
    if beat is not None:
        if beat.lost(now):
            return "lost", ""
        return ("waiting", beat.reason) if beat.waiting > 1 else ("running", "")
    if rate:
        return "running", ""
    return ("done" if status.pending == 0 else "idle"), ""


def _records(reader: StoreReader) -> list[dict[str, object]]:
    return [
        {"key": record.key, "body": record.body[:_SHOWN].decode("utf-8", "replace")}
        for record in reader.latest(_RECORDS)
    ]
