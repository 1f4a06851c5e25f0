"""The server that keeps a cursor's place dies while its reader works with the last batch.

PyMongo then waits for that very server, for as long as a server may take to be selected: here
longer than a test may run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from tests.mongo.test_failover import primary_of
from tests.real.mongod import Mongo

from penstock.clock import SystemClock
from penstock.mongo import connect, counters

COUNT = 1000
FOR_EVER = "&serverSelectionTimeoutMS=600000"

pytestmark = pytest.mark.timeout(200)


def kill_primary(mongo: Mongo, client: Any) -> None:
    """Kill it, and return when the client has seen that it is gone and another one is there."""
    before = primary_of(mongo.dev)
    mongo.dev.kill("primary")
    clock = SystemClock()
    while True:
        found = client.topology_description.server_descriptions()
        roles = {where: server.server_type_name for where, server in found.items()}
        if roles[before] == "Unknown" and "RSPrimary" in roles.values():
            return
        clock.sleep(0.02)


@pytest.fixture
def filled(failing_mongo: Mongo) -> Iterator[Mongo]:
    with connect(failing_mongo.uri) as client:
        client[failing_mongo.database].walked.insert_many([{"_id": n} for n in range(COUNT)])
    yield failing_mongo
    failing_mongo.dev.heal()


WALKS: dict[str, Callable[[Any], Any]] = {
    "find": lambda walked: walked.find({}, batch_size=100),
    "sorted": lambda walked: walked.find({"_id": {"$gte": 0}}, batch_size=100).sort("_id", 1),
    "aggregate": lambda walked: walked.aggregate([{"$sort": {"_id": 1}}], batchSize=100),
}


@pytest.mark.slow
@pytest.mark.parametrize("walk", WALKS.values(), ids=list(WALKS))
def test_a_walk_goes_on_elsewhere(filled: Mongo, walk: Callable[[Any], Any]) -> None:
    with connect(filled.uri + FOR_EVER) as client:
        cursor = walk(client[filled.database].walked)
        seen = [next(cursor)["_id"] for _ in range(250)]
        kill_primary(filled, client)
        seen += [document["_id"] for document in cursor]
        assert sorted(seen) == [*range(COUNT)]
        assert counters(client).resumed == 1


@pytest.mark.slow
def test_a_walk_goes_on_elsewhere_in_asyncio(filled: Mongo) -> None:
    async def walked() -> list[int]:
        async with connect(filled.uri + FOR_EVER, asynchronous=True) as client:
            cursor = client[filled.database].walked.find({}, batch_size=100)
            seen = [(await anext(cursor))["_id"] for _ in range(250)]
            await asyncio.to_thread(kill_primary, filled, client)
            seen += [document["_id"] async for document in cursor]
            return seen

    assert sorted(asyncio.run(walked())) == [*range(COUNT)]


@pytest.mark.slow
def test_a_change_stream_goes_on_elsewhere(filled: Mongo) -> None:
    with connect(filled.uri + FOR_EVER) as client:
        events = client[filled.database].events
        with closing(events.watch(batch_size=2)) as changes:
            events.insert_many([{"_id": n} for n in range(10)])
            seen = [changes.next()["documentKey"]["_id"]]
            kill_primary(filled, client)
            while len(seen) < 10:
                seen.append(changes.next()["documentKey"]["_id"])
        assert seen == [*range(10)]
