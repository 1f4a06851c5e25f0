"""The kinds of operation of a drill that read: what they give is compared with what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection as Numbers
from functools import partial
from typing import Any, final

from pymongo.change_stream import CollectionChangeStream

from penstock.clock import Clock
from penstock.mongo.drill.kinds import DrillKind, Rows, audited
from penstock.mongo.drill.values import Findings

__all__ = ["read_kinds"]

_ROWS = 200
_BATCH = 10
_PAUSE = 0.01  # seconds between two batches, so that a walk is often under way when a fault comes
_PATIENCE = 20.0  # seconds that an event of a change stream may take


def _halves(rows: Rows) -> None:
    """Put documents there that nobody changes."""
    rows.insert_many([{"_id": i, "half": i // 2} for i in range(_ROWS)])


def _find_one(rows: Rows, n: int) -> Findings:
    wanted = n % _ROWS
    found = rows.find_one({"_id": wanted})
    return Findings(lost=int(found != {"_id": wanted, "half": wanted // 2}))


def _count(rows: Rows, n: int) -> Findings:
    count = rows.count_documents({"half": n % (_ROWS // 2)})
    return Findings(lost=int(count < 2), duplicated=int(count > 2))


def _walk(clock: Clock, rows: Rows, _: int) -> Findings:
    """Walk in the order of a field that two documents share each, slowly."""
    times: Counter[int] = Counter()
    for place, row in enumerate(rows.find(batch_size=_BATCH).sort("half")):
        times[row["_id"]] += 1
        if place % _BATCH == 0:
            clock.sleep(_PAUSE)
    return Findings(lost=_ROWS - len(times), duplicated=sum(count > 1 for count in times.values()))


@final
class _Watch:
    """A change stream: whatever was inserted comes out of it, once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stream: CollectionChangeStream[dict[str, Any]] | None = None
        self._token: Any = None
        self._seen: list[int] = []

    def prepare(self, rows: Rows) -> None:
        """Have a collection to watch, so that none of its events can be missed."""
        rows.database.create_collection(rows.name)
        with rows.watch() as stream:
            self._token = stream.resume_token

    def step(self, rows: Rows, n: int) -> None:
        rows.insert_one({"n": n})
        try:
            self._read_until(rows, n)
        except BaseException:
            # As a careful program does it: opened again behind the last event.
            self._close()
            raise

    def _read_until(self, rows: Rows, n: int) -> None:
        latest = self._clock.monotonic() + _PATIENCE
        if self._stream is None:
            self._stream = rows.watch(resume_after=self._token, max_await_time_ms=200)
        while n not in self._seen[-3:] and self._clock.monotonic() < latest:
            event = self._stream.try_next()
            if event is not None:
                self._seen.append(event["fullDocument"]["n"])
                self._token = event["_id"]

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def audit(self, rows: Rows, done: Numbers[int]) -> Findings:
        self._close()
        inserted = [document["n"] for document in rows.find()]
        return audited(done, inserted) + audited(done, self._seen)


def read_kinds(clock: Clock) -> list[DrillKind]:
    """Return the kinds that read, fresh."""
    watch = _Watch(clock)
    return [
        DrillKind("find_one", _find_one, prepare=_halves),
        DrillKind("count_documents", _count, prepare=_halves),
        DrillKind("cursor", partial(_walk, clock), prepare=_halves),
        DrillKind("watch", watch.step, watch.audit, watch.prepare),
    ]
