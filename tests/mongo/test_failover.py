"""Fifteen kinds of operations at work while primaries are killed, stepped down and paused."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from tests.mongo.kinds import KINDS, Workload, audit, prepare
from tests.real.mongod import Mongo

from penstock.mongo import connect, counters
from penstock.mongo.dev import DevSet


def kill(dev: DevSet) -> None:
    dev.kill("primary")


def step_down(dev: DevSet) -> None:
    dev.step_down("primary", seconds=3)


def pause(dev: DevSet) -> None:
    dev.pause("primary")


@pytest.mark.slow
@pytest.mark.parametrize("fault", [kill, step_down, pause])
def test_no_error_nothing_lost_nothing_twice(
    failing_mongo: Mongo, fault: Callable[[DevSet], None]
) -> None:
    with connect(failing_mongo.uri) as client:
        db = client[failing_mongo.database]
        prepare(db)
        work = Workload(db, time.monotonic)
        threads = list(work.run())
        work.until(rounds=2)
        before = primary_of(failing_mongo.dev)
        fault(failing_mongo.dev)
        work.reads_until(lambda: client.primary not in {None, before})
        failing_mongo.dev.heal()
        work.until(rounds=3)
        work.stopping.set()
        for thread in threads:
            thread.join(60)
        assert {name: one.errors for name, one in work.outcomes.items() if one.errors} == {}
        assert counters(client).gave_up == 0
        for name in KINDS:
            found = audit(db, name, work.outcomes[name].rounds)
            assert (found.lost, found.duplicated, found.torn) == (0, 0, 0), name


def primary_of(dev: DevSet) -> tuple[str, int]:
    status = dev.status()
    host = next(node.host for node in status.nodes if node.number == status.primary)
    name, _, port = host.partition(":")
    return name, int(port)
