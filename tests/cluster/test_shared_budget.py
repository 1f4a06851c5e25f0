"""A shared budget over SQLite and MongoDB, with real processes and by the server's own count."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import cast

import pymongo
import pytest
from tests.real.mongod import Mongo
from tests.waiting import until

from penstock.address import is_address
from penstock.clock import FakeClock
from penstock.cluster import SharedBudget
from penstock.errors import InputError, StorageError
from penstock.resilience import Budget, Hints, Limit, Quota, Reset, Ticket
from penstock.simulator import (
    Dialect,
    LimiterKind,
    SimulatorProcess,
    SimulatorSettings,
    simulator_process,
)

CALLER = Path(__file__).with_name("caller.py")
KEYS = 160


def start(
    simulator: SimulatorProcess, at: str, first: int, last: int, limits: str = "[]"
) -> "subprocess.Popen[str]":
    words = [sys.executable, str(CALLER), simulator.url, at, str(first), str(last), "10", limits]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def settled(gate: SharedBudget, left: int) -> Ticket:
    ticket = gate.take(time.monotonic())
    assert isinstance(ticket, Ticket)
    quota = Quota("w", limit=100, remaining=left, reset=Reset(3600, exact=True))
    gate.settle(ticket, time.monotonic(), Hints((quota,)))
    return ticket


def test_what_one_learns_all_know(at: str) -> None:
    one, two = (SharedBudget("key", at, reserve=reserve) for reserve in (0, 90))
    settled(one, 99)
    assert (one.available(), two.available()) == (9, 9)
    assert two.view(time.monotonic()).limit == 100
    other = SharedBudget("another", at)
    assert other.available() == 1  # the call that finds out
    for gate in (one, two, other):
        gate.close()
        gate.close()


def test_together_they_spend_one_limit(at: str) -> None:
    gates = [SharedBudget("key", at, limits=[Limit(10, per=3600)]) for _ in range(3)]
    settled_one = gates[0].take(time.monotonic())
    assert isinstance(settled_one, Ticket)
    gates[0].settle(settled_one, time.monotonic())
    gates[0].available()  # tells what there is to tell
    taken = 1
    for _ in range(20):
        for gate in gates:
            answer = gate.take(time.monotonic())
            if isinstance(answer, Ticket):
                gate.settle(answer, time.monotonic())
                gate.available()
                taken += 1
    assert taken == 10
    for gate in gates:
        gate.close()


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["draft-8", "none"])
def test_four_processes_keep_one_reserve_though_one_is_killed(at: str, dialect: str) -> None:
    limits = "[[100, 2.0]]" if dialect == "none" else "[]"
    settings = SimulatorSettings(users=KEYS, limit=100, window=2.0, dialect=dialect)  # type: ignore[arg-type]
    with simulator_process(settings) as simulator:
        part = KEYS // 4
        callers = [start(simulator, at, n * part, (n + 1) * part, limits) for n in range(4)]
        until(lambda: simulator.truth()["accepted"] >= 10, callers[3])
        callers[3].kill()
        landed = [json.loads(caller.communicate()[0])["landed"] for caller in callers[:3]]
        callers[3].communicate()
        truth = simulator.truth()
    assert landed == [part] * 3
    assert truth["rejected"] == 0
    (key,) = truth["per_key"].values()
    assert (key["lowest_remaining"] or 0) >= 10


EVERY = bool(os.environ.get("PENSTOCK_CHAOS"))
DIALECTS = ["draft-8", "draft-7", "draft-6", "legacy", "retry-after", "none"]
MATRIX = [
    (count, dialect, limiter)
    for count in (1, 2, 4, 8)
    for dialect in DIALECTS
    for limiter in ("fixed", "sliding", "bucket")
    if EVERY
    or (count, dialect, limiter)
    in {(8, "legacy", "fixed"), (2, "retry-after", "fixed"), (4, "draft-8", "sliding")}
]


@pytest.mark.slow
@pytest.mark.parametrize(("count", "dialect", "limiter"), MATRIX)
def test_nothing_is_refused_after_the_first_window(
    tmp_path: Path, count: int, dialect: str, limiter: str
) -> None:
    """By the server's own count. One that tells nothing is told of in the file."""
    bucket = limiter == "bucket"
    limits = "[[20, 0.4]]" if bucket else "[[100, 2.0]]"
    keys = 160
    settings = SimulatorSettings(
        users=keys,
        limit=100,
        window=2.0,
        dialect=cast("Dialect", dialect),
        limiter=cast("LimiterKind", limiter),
        burst=20,
    )
    told = limits if dialect == "none" or bucket else "[]"
    with simulator_process(settings) as simulator:
        part = keys // count
        bounds = [(n * part, (n + 1) * part) for n in range(count)]
        callers = [start(simulator, str(tmp_path), *ends, told) for ends in bounds]
        landed = [json.loads(caller.communicate()[0])["landed"] for caller in callers]
        (key,) = simulator.truth()["per_key"].values()
    assert landed == [part] * count
    refused = [window["rejected"] for window in key["windows"]]
    met = next((number for number, count in enumerate(refused) if count), 0)
    assert not any(refused[met + 1 :])  # behind the window in which the limit was met
    if dialect != "retry-after" and not bucket:
        assert key["rejected"] == 0
        assert (key["lowest_remaining"] or 0) >= 10


def test_who_is_suspended_past_his_lease_keeps_nobody_waiting(tmp_path: Path) -> None:
    """His leave is taken back, and what he tells of it later changes nothing."""
    clock = FakeClock()
    gone, here = (
        SharedBudget("key", tmp_path, limits=[Limit(5, per=3600)], clock=clock) for _ in range(2)
    )
    first, held = (gone.take(clock.monotonic()) for _ in range(2))
    assert isinstance(first, Ticket)
    assert not isinstance(held, Ticket)  # the first call finds out
    clock.advance(61)
    assert isinstance(here.take(clock.monotonic()), Ticket)
    gone.settle(first, clock.monotonic(), status=429)
    assert here.view(clock.monotonic()).rate is None


def test_a_dead_process_holds_nothing(tmp_path: Path) -> None:
    caller = (
        "import sys, time; from penstock import Budget;"
        "gate = Budget.shared('key', at=sys.argv[1]); print(gate.take(time.monotonic()).number);"
        "sys.stdout.flush(); time.sleep(600)"
    )
    words = [sys.executable, "-c", caller, str(tmp_path)]
    probing = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert probing.stdout is not None
    assert probing.stdout.readline() == "1\n"
    gate = SharedBudget("key", tmp_path)
    assert not isinstance(gate.take(time.monotonic()), Ticket)  # the probe is another's
    os.kill(probing.pid, signal.SIGKILL)
    probing.communicate()
    gate = SharedBudget("key", tmp_path)
    assert isinstance(gate.take(time.monotonic()), Ticket)


def test_a_child_process_is_a_holder_of_its_own(tmp_path: Path) -> None:
    gate = SharedBudget("key", tmp_path)
    settled(gate, 99)
    child = os.fork()
    if not child:
        settled(gate, 98)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert gate.available() == 98


def test_it_survives_pickling(tmp_path: Path) -> None:
    gate = SharedBudget("key", tmp_path, reserve=90)
    settled(gate, 99)
    assert pickle.loads(pickle.dumps(gate)).available() == 9


@pytest.mark.parametrize(
    ("name", "at", "message"),
    [
        ("", "budgets", "has a name"),
        ("\ud800", "budgets", "half a character"),
        ("x" * 1001, "budgets", "at most 1000 bytes"),
        ("key", "redis://host", "cannot keep a budget at redis"),
        ("key", "env:NOWHERE", "NOWHERE is not set"),
        ("key", "file", "is a file"),
    ],
)
def test_a_bad_place_is_one_line(tmp_path: Path, name: str, at: str, message: str) -> None:
    (tmp_path / "file").write_text("")
    place = str(tmp_path / at) if ":" not in at else at
    with pytest.raises(InputError, match=message):
        Budget.shared(name, at=place)


def test_files_of_another_program_are_refused(tmp_path: Path) -> None:
    (tmp_path / "budgets.sqlite").write_bytes(b"something else altogether" * 100)
    with pytest.raises(InputError, match="does not hold budgets"):
        SharedBudget("key", tmp_path)


def test_who_has_a_budget_that_was_deleted_goes_on_with_none(at: str) -> None:
    """Whoever came next began with the whole limit, while those before went on with theirs."""
    gate = SharedBudget("key", at, limits=[Limit(5, per=3600)])
    if is_address(at):
        with pymongo.MongoClient[dict[str, object]](at) as client:
            client.get_default_database()["penstock.budgets"].delete_one({"_id": "key"})
    else:
        (Path(at) / "budgets.sqlite").unlink()
    other = SharedBudget("key", at, limits=[Limit(5, per=3600)])
    with pytest.raises(StorageError, match="who"):
        gate.take(time.monotonic())
    with pytest.raises(StorageError, match="who"):
        gate.close()
    assert isinstance(other.take(time.monotonic()), Ticket)
    other.close()


@pytest.mark.parametrize("change", [{"version": "x"}, {"version": None}, {"by": 3}, {"shared": 1}])
def test_a_budgets_document_that_is_none_is_one_line(
    mongo: Mongo, change: dict[str, object]
) -> None:
    SharedBudget("key", mongo.with_database).close()
    with pymongo.MongoClient[dict[str, object]](mongo.with_database) as client:
        budgets = client.get_default_database()["penstock.budgets"]
        budgets.update_one({"_id": "key"}, {"$set": change})
    with pytest.raises(StorageError, match="written by something else"):
        SharedBudget("key", mongo.with_database)
