"""The program over a store in MongoDB: run, status, export, retry-failed; no password anywhere."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pymongo
import pytest
from tests.real.mongod import Mongo

from penstock.pipeline.result import Entry, Failing, Landing
from penstock.simulator import Simulator, SimulatorSettings
from penstock.store import LocalStore, MongoStore

PASSWORD = "open-sesame"
PIPELINE = """
{store}
[source]
kind = "range"
stop = 20
[api]
base = "{url}"
[request]
path = "/users/{{key}}.json"
"""
ENTRIES: list[Entry] = [
    Landing(1, b'{"a":{"b":1},"n": 1.50}'),
    Landing(2, b'{"a":{"b":2}}'),
    Failing(3, "PermanentError", "404 Not Found", 404, 1, "no"),
]


def penstock(
    *words: str | Path, folder: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "penstock.cli.main", *map(str, words)]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    return done


@pytest.fixture
def store(mongo: Mongo) -> str:
    with MongoStore(mongo.with_database) as opened:
        opened.expect(10)
        opened.settle(ENTRIES, lambda _: None)
    return mongo.with_database


@pytest.fixture
def secret_store(mongo: Mongo) -> Iterator[str]:
    """The address of the test's store with a user and a password in it, which are checked."""
    with pymongo.MongoClient[dict[str, object]](mongo.uri) as client:
        database = client[mongo.database]
        database.command("createUser", "ada", pwd=PASSWORD, roles=["readWrite"])
        yield mongo.with_database.replace("://", f"://ada:{PASSWORD}@")
        database.command("dropUser", "ada")


def test_status_in_words_and_for_programs(store: str) -> None:
    in_words = penstock("status", store).stdout
    for word in ("landed", "failed", "pending", "last activity", "PermanentError", "404", "7"):
        assert word in in_words
    assert "segment" not in in_words
    told = json.loads(penstock("status", store, "--json").stdout)
    assert (told["landed"], told["failed"], told["pending"], told["expected"]) == (2, 1, 7, 10)
    assert told["failures"] == [
        {"error": "PermanentError", "status": 404, "count": 1, "acknowledged": 0}
    ]
    assert told["path"] == store
    assert told["bytes"] > 0


@pytest.mark.parametrize("to", ["csv", "jsonl"])
def test_an_export_is_that_of_a_local_store(store: str, to: str, tmp_path: Path) -> None:
    with LocalStore(tmp_path / "local") as local:
        local.settle(ENTRIES, lambda _: None)
    here = penstock("export", tmp_path / "local", "--to", to, "-o", "-", "--flatten").stdout
    assert penstock("export", store, "--to", to, "-o", "-", "--flatten").stdout == here
    assert here.count("\n") == (3 if to == "csv" else 2)
    letters = penstock("export", store, "--to", "csv", "-o", "-", "--failed").stdout
    (letter,) = csv.DictReader(letters.splitlines())
    assert (letter["key"], letter["error"], letter["status"]) == ("3", "PermanentError", "404")


def test_failed_keys_are_put_back(store: str) -> None:
    assert json.loads(penstock("retry-failed", store, "--json").stdout) == {"put_back": 1}
    assert json.loads(penstock("status", store, "--json").stdout)["failed"] == 0


def test_a_damaged_document_is_named_and_left_out_and_what_mongodb_does_itself_is_said(
    mongo: Mongo, store: str, tmp_path: Path
) -> None:
    assert penstock("verify", store).returncode == 0
    with pymongo.MongoClient[dict[str, object]](mongo.with_database) as client:
        found = {"_id": 2, "body.a.b": 2}
        records = client[mongo.database].records
        assert records.update_one(found, {"$set": {"body.a.b": 3}}).modified_count
    verified = penstock("verify", store, "--json")
    assert verified.returncode == 1
    told = json.loads(verified.stdout)
    assert (told["lines"], [damage["key"] for damage in told["damages"]]) == (1, [2])
    assert "penstock repair" not in penstock("verify", store).stdout
    out = ("--to", "csv", "-o", tmp_path / "x.csv")
    assert penstock("export", store, *out).returncode == 4
    assert penstock("export", store, "--skip-damaged", *out).returncode == 1
    assert (tmp_path / "x.csv").read_text().count("\n") == 2
    for words in (("repair", store), ("repair", store, "--dry-run"), ("backup", store, "copy")):
        done = penstock(*words, folder=tmp_path)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert "is in MongoDB" in done.stderr
    assert not (tmp_path / "copy").exists()


def test_a_pipeline_lands_where_its_variable_says(secret_store: str, tmp_path: Path) -> None:
    shown = secret_store.replace(f"ada:{PASSWORD}@", "")
    with Simulator(SimulatorSettings(users=20, deleted=2)) as server:
        file = tmp_path / "users.toml"
        file.write_text(PIPELINE.format(store='store = "env:STORE"', url=server.url))
        unset = json.loads(penstock("check", file, "--json", STORE="").stdout)
        assert unset["warnings"] == [f"{file}:2: store: environment variable STORE is not set"]
        plan = penstock("check", file, "--json", STORE=secret_store)
        assert json.loads(plan.stdout)["store"] == "env:STORE"
        ran = penstock(
            "run", file, "--log", tmp_path / "log", "--json", "--quiet", STORE=secret_store
        )
        assert ran.returncode == 1
        told = json.loads(ran.stdout)
        assert (told["landed"], told["failed"], told["store"]) == (18, 2, shown)
        again = penstock("run", file, "--quiet", STORE=secret_store)
        assert "0 landed" in again.stdout
        assert f"penstock status '{shown}'" in again.stdout
        retried = penstock("retry-failed", file, "--quiet", "--json", STORE=secret_store)
        assert json.loads(retried.stdout)["failed"] == 2
    told = json.loads(penstock("status", "env:STORE", "--json", STORE=secret_store).stdout)
    assert (told["landed"], told["failed"], told["path"]) == (18, 2, shown)
    assert PASSWORD not in (tmp_path / "log").read_text()


def test_a_password_in_a_pipeline_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "users.toml"
    for line in ('store = "{}"', 'store = {{ path = "{}" }}'):
        place = line.format(f"mongodb://ada:{PASSWORD}@host/x")
        file.write_text(PIPELINE.format(store=place, url="http://127.0.0.1:1"))
        for command in ("check", "run"):
            done = penstock(command, file)
            assert (done.returncode, done.stderr.count("\n")) == (2, 1)
            assert (
                ': the address carries credentials: write "env:NAME" or "file:PATH"' in done.stderr
            )


@pytest.mark.parametrize("command", [("status",), ("export", "--to", "csv", "-o", "x.csv")])
def test_no_store_there_is_one_line_and_exit_2(mongo: Mongo, command: tuple[str, ...]) -> None:
    done = penstock(*command, mongo.with_database)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"penstock: {mongo.with_database} is not a penstock store")


def test_a_scheme_that_nothing_lands_at_is_refused_behind_a_variable_too(tmp_path: Path) -> None:
    file = tmp_path / "users.toml"
    file.write_text(PIPELINE.format(store='store = "env:STORE"', url="http://127.0.0.1:1"))
    for command in ("check", "run"):
        done = penstock(command, file, STORE=f"redis://ada:{PASSWORD}@host/0")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert "redis://" in done.stderr


def test_a_wrong_password_is_one_line_and_exit_2(secret_store: str) -> None:
    done = penstock("status", secret_store.replace(PASSWORD, "wrong-one"))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "password" in done.stderr
    assert "wrong-one" not in done.stderr
