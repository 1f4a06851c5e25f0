"""The backends under test. A further one is plugged into the same suite by one more entry here."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from tests.real.mongod import Mongo, failing_mongo, mongo, mongo_set

from penstock.store import Fence, LocalStore, MongoStore, WritableStore

__all__ = ["failing_mongo", "mongo", "mongo_set"]

OpenStore: TypeAlias = Callable[[], WritableStore]
"""Opens the same store each time it is called; the test closes it."""


def local_backend(request: pytest.FixtureRequest) -> OpenStore:
    path: Path = request.getfixturevalue("tmp_path")
    return lambda: LocalStore(path / "store")


def mongo_backend(request: pytest.FixtureRequest) -> OpenStore:
    given: Mongo = request.getfixturevalue("mongo")
    return lambda: MongoStore(given.with_database)


def fenced_backend(request: pytest.FixtureRequest) -> OpenStore:
    given: Mongo = request.getfixturevalue("mongo")
    tokens = itertools.count(1)
    return lambda: MongoStore(given.with_database, fence=Fence("lock", next(tokens)))


BACKENDS: dict[str, Callable[[pytest.FixtureRequest], OpenStore]] = {
    "local": local_backend,
    "mongo": mongo_backend,
    "mongo, fenced": fenced_backend,
}


@pytest.fixture(params=list(BACKENDS))
def open_store(request: pytest.FixtureRequest) -> OpenStore:
    return BACKENDS[request.param](request)
