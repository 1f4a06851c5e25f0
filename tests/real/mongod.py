"""Replica sets of three real nodes that all tests of a checkout share, whatever number of workers.

A set costs three processes, so there are two, in ``.envs``, each started by the first who asks and
stopped by the last who leaves. A test takes one of two fixtures and gets a database of its own:

- ``mongo``: the set is whole, and no other test fails its nodes. (Fail points are fine where they
  name the test's own ``appName``.)
- ``failing_mongo``: nobody else uses this set meanwhile, so that nodes may be killed, paused or
  stepped down; it is healed afterwards.

A suite gets them by importing the three fixtures in its conftest.
"""

from __future__ import annotations

import fcntl
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pymongo
import pytest

from penstock.mongo.dev import DevSet

__all__ = ["Mongo", "failing_mongo", "mongo", "mongo_set"]

ENVS = Path(__file__).parents[2] / ".envs"


@dataclass(frozen=True)
class Mongo:
    """The set, and the database of one test.

    Attributes:
        uri: Of the set, without a database: ``mongodb://host,host,host/?replicaSet=...``.
        database: A name that no other test has; dropped after the test.
        dev: What kills, pauses and heals nodes; only with ``failing_mongo``.
    """

    uri: str
    database: str
    dev: DevSet

    @property
    def with_database(self) -> str:
        """The URI with the test's database in it."""
        return self.uri.replace("/?", f"/{self.database}?")


@contextmanager
def held(name: str) -> Iterator[None]:
    """Hold a lock that only one worker has at a time."""
    with (ENVS / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def shared(name: str) -> Iterator[DevSet]:
    """The set of that name: running, until the last who has it leaves."""
    ENVS.mkdir(exist_ok=True)
    with (ENVS / f"{name}.users").open("w") as users:
        with held(f"{name}.starting"):
            fcntl.flock(users, fcntl.LOCK_SH)
            started = DevSet.start(ENVS / name)
        yield started
        with held(f"{name}.starting"):
            fcntl.flock(users, fcntl.LOCK_UN)
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # somebody else is still at work, and will stop it
            started.stop(remove=True)


OPENED = ExitStack()  # what ends with this worker


@pytest.fixture(scope="session")
def mongo_set() -> Iterator[DevSet]:
    """The set that stays whole."""
    with OPENED:
        yield OPENED.enter_context(shared("mongo-set"))


@cache
def failing_set() -> DevSet:
    """The set whose nodes are failed."""
    return OPENED.enter_context(shared("mongo-failing"))


def a_database(dev: DevSet) -> Mongo:
    return Mongo(uri=dev.uri, database=f"test-{uuid.uuid4().hex[:12]}", dev=dev)


def drop(mongo: Mongo) -> None:
    with pymongo.MongoClient[dict[str, object]](mongo.uri) as client:
        client.drop_database(mongo.database)


@pytest.fixture
def mongo(mongo_set: DevSet) -> Iterator[Mongo]:
    """The set that is whole, with a database of the test's own."""
    given = a_database(mongo_set)
    yield given
    drop(given)


@pytest.fixture
def failing_mongo(mongo_set: DevSet) -> Iterator[Mongo]:
    """A set for this test alone, to fail its nodes; it is healed afterwards."""
    del mongo_set  # its end is the end of both
    with held("mongo-failing.faults"):
        given = a_database(failing_set())
        yield given
        given.dev.heal()
        drop(given)
