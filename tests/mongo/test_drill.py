"""The drill finds what it is there to find, and finds nothing where nothing is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pymongo
import pytest
from tests.real.mongod import Mongo

from penstock.clock import SystemClock
from penstock.mongo.drill.kinds import NOTHING, Db, DrillKind, write_kinds
from penstock.mongo.drill.reading import read_kinds

NUMBERS = range(1, 6)
KINDS = ["insert_one", "update_one", "find_one_and_update", "bulk_write", "update_many"]
KINDS += ["bulk_write of several documents", "delete_many", "command", "transaction"]
KINDS += ["aggregate $out", "aggregate $merge", "find_one", "count_documents", "cursor", "watch"]


def kind_of(name: str) -> DrillKind:
    (kind,) = [k for k in (*write_kinds(), *read_kinds(SystemClock())) if k.name == name]
    return kind


def test_there_are_fifteen_kinds_each_with_a_name_of_its_own() -> None:
    assert [kind.name for kind in (*write_kinds(), *read_kinds(SystemClock()))] == KINDS
    assert len(set(KINDS)) == 15


def done(mongo: Mongo, name: str, spoil: Callable[[Db], object] | None = None) -> tuple[int, ...]:
    """Return what the kind finds after five steps, and after what ``spoil`` did."""
    kind = kind_of(name)
    with pymongo.MongoClient[dict[str, Any]](mongo.uri) as client:
        database = client[mongo.database]
        rows = kind.rows(database)
        kind.prepare(rows)
        for n in NUMBERS:
            found = kind.step(rows, n) or NOTHING
            assert (found.lost, found.duplicated, found.torn) == (0, 0, 0)
        if spoil is not None:
            spoil(database)
        findings = kind.audit(rows, NUMBERS)
    return findings.lost, findings.duplicated, findings.torn


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_that_was_left_alone_has_nothing_to_find(mongo: Mongo, name: str) -> None:
    assert done(mongo, name) == (0, 0, 0)


def forget(name: str, n: int, *, only: int | None = None) -> Callable[[Db], object]:
    """Take the number out of the documents that noted it, or out of ``only`` one of them."""
    wanted = {} if only is None else {"_id": only}
    return lambda database: database[name].update_many(wanted, {"$pull": {"seen": n}})


def again(name: str, n: int) -> Callable[[Db], object]:
    return lambda database: database[name].update_many({"_id": 0}, {"$push": {"seen": n}})


@pytest.mark.parametrize(
    ("name", "spoil", "found"),
    [
        ("insert_one", lambda d: d.insert_one.delete_one({"n": 2}), (1, 0, 0)),
        ("insert_one", lambda d: d.insert_one.insert_one({"n": 2}), (0, 1, 0)),
        ("update_one", forget("update_one", 3), (1, 0, 0)),
        ("update_one", again("update_one", 3), (0, 1, 0)),
        ("find_one_and_update", again("find_one_and_update", 5), (0, 1, 0)),
        ("bulk_write", lambda d: d.bulk_write.delete_one({"n": 4}), (1, 0, 0)),
        ("bulk_write", again("bulk_write", 4), (0, 1, 0)),
        ("update_many", forget("update_many", 1, only=2), (1, 0, 1)),
        ("update_many", again("update_many", 1), (0, 1, 0)),
        ("bulk_write of several documents", again(KINDS[5], 1), (0, 1, 0)),
        ("delete_many", lambda d: d.delete_many.insert_one({"n": 3}), (1, 0, 0)),
        ("command", forget("command", 2), (1, 0, 0)),
        ("transaction", lambda d: d.transaction.delete_one({"n": 2}), (1, 0, 1)),
        (
            "aggregate $out",
            lambda d: d["out"].update_one({"_id": 3}, {"$set": {"n": 1}}),
            (0, 0, 1),
        ),
        ("aggregate $out", lambda d: d["out"].update_many({}, {"$set": {"n": 4}}), (1, 0, 0)),
        ("aggregate $merge", lambda d: d.merged.delete_one({"_id": 5}), (1, 0, 0)),
    ],
)
def test_what_is_spoiled_is_found(
    mongo: Mongo, name: str, spoil: Callable[[Db], object], found: tuple[int, int, int]
) -> None:
    assert done(mongo, name, spoil) == found


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_drill_with_a_crash_shows_nothing_through_the_proxy(failing_mongo: Mongo) -> None:
    words = ["--dir", str(failing_mongo.dev.directory), "--seconds", "1", "--faults", "kill"]
    command = [sys.executable, "-m", "penstock.cli.main", "mongo", "drill", failing_mongo.uri]
    ran = subprocess.run([*command, *words, "--json"], capture_output=True, text=True, check=False)
    told = json.loads(ran.stdout.splitlines()[-1])
    proxy = {name: told["proxy"][name] for name in ("errors", "lost", "duplicated", "torn")}
    assert proxy == {"errors": 0, "lost": 0, "duplicated": 0, "torn": 0}, told
    assert ran.returncode == 0
    assert (told["faults"], told["by_fault"]) == (1, {"kill": 1})
    assert told["proxy"]["operations"] > 15
    assert told["plain"]["operations"] > 15
    assert told["plain"]["longest_stall"] > 0
    with pymongo.MongoClient[dict[str, Any]](failing_mongo.uri) as client:
        names = client.list_database_names()
    assert [name for name in names if name.startswith("penstock-drill")] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nowhere",), "not an address of MongoDB"),
        (("mongodb://127.0.0.1:1", "--faults", "kill,flood"), "choose from kill, stepdown, pause"),
        (("mongodb://127.0.0.1:1", "--seconds", "0"), "more than 0"),
        (("mongodb://127.0.0.1:1", "--dir", "none-here"), "no MongoDB here"),
    ],
)
def test_what_makes_no_drill_is_one_line_and_exit_2(words: tuple[str, ...], message: str) -> None:
    command = [sys.executable, "-m", "penstock.cli.main", "mongo", "drill", *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert message in ran.stderr
