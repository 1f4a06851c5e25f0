"""The kinds of operation of a drill that read: what they give is compared with what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection as Numbers
from typing import Any, final

from pymongo.change_stream import CollectionChangeStream

from penstock.clock import Clock
from penstock.mongo.drill.kinds import NOTHING, Db, Kind, audited
from penstock.mongo.drill.values import Findings

__all__ = ["read_kinds"]

_ROWS = 200
_BATCH = 10
_PAUSE = 0.01  # seconds between two batches, so that a walk is often under way when a fault comes
_PATIENCE = 20.0  # seconds that an event of a change stream may take


class _Rows:
    """Reads of a collection that nobody changes."""

    name = ""

    def prepare(self, database: Db) -> None:
        database[self.name].insert_many([{"_id": i, "half": i // 2} for i in range(_ROWS)])

    def audit(self, database: Db, done: Numbers[int]) -> Findings:
        return NOTHING


@final
class _FindOne(_Rows):
    name = "find_one"

    def step(self, database: Db, n: int) -> Findings:
        wanted = n % _ROWS
        found = database[self.name].find_one({"_id": wanted})
        return Findings(lost=int(found != {"_id": wanted, "half": wanted // 2}))


@final
class _Count(_Rows):
    name = "count_documents"

    def step(self, database: Db, n: int) -> Findings:
        count = database[self.name].count_documents({"half": n % (_ROWS // 2)})
        return Findings(lost=int(count < 2), duplicated=int(count > 2))


@final
class _Walk(_Rows):
    """A cursor in the order of a field that two documents share each, slowly."""

    name = "cursor"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def step(self, database: Db, n: int) -> Findings:
        times: Counter[int] = Counter()
        for place, row in enumerate(database[self.name].find(batch_size=_BATCH).sort("half")):
            times[row["_id"]] += 1
            if place % _BATCH == 0:
                self._clock.sleep(_PAUSE)
        return Findings(
            lost=_ROWS - len(times), duplicated=sum(count > 1 for count in times.values())
        )


@final
class _Watch:
    """A change stream: whatever was inserted comes out of it, once."""

    name = "watch"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stream: CollectionChangeStream[dict[str, Any]] | None = None
        self._token: Any = None
        self._seen: list[int] = []

    def prepare(self, database: Db) -> None:
        """Have a collection to watch, so that none of its events can be missed."""
        database.create_collection(self.name)
        with database[self.name].watch() as stream:
            self._token = stream.resume_token

    def step(self, database: Db, n: int) -> Findings:
        database[self.name].insert_one({"n": n})
        try:
            self._read_until(database, n)
        except BaseException:
            # As a careful program does it: opened again behind the last event.
            self._close()
            raise
        return NOTHING

    def _read_until(self, database: Db, n: int) -> None:
        latest = self._clock.monotonic() + _PATIENCE
        if self._stream is None:
            self._stream = database[self.name].watch(
                resume_after=self._token, max_await_time_ms=200
            )
        while n not in self._seen[-3:] and self._clock.monotonic() < latest:
            event = self._stream.try_next()
            if event is not None:
                self._seen.append(event["fullDocument"]["n"])
                self._token = event["_id"]

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def audit(self, database: Db, done: Numbers[int]) -> Findings:
        self._close()
        inserted = [document["n"] for document in database[self.name].find()]
        return audited(done, inserted) + audited(done, self._seen)


def read_kinds(clock: Clock) -> list[Kind]:
    """Return the kinds that read, fresh."""
    return [_FindOne(), _Count(), _Walk(clock), _Watch(clock)]
