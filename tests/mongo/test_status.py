"""`penstock mongo status`: members, roles, and where reads would go, of a real set."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import Any

import pymongo
import pytest
from tests.real.mongod import Mongo

from penstock.mongo.read_from import MODES
from penstock.mongo.status import cluster_status


def penstock(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "penstock.cli.main", "mongo", "status", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done


def test_every_member_has_its_role_and_its_round_trip(mongo: Mongo) -> None:
    told: dict[str, Any] = {"members": []}
    while not told["members"] or any(member["lag"] is None for member in told["members"]):
        # A member of a set that has just begun is not known to the others at once.
        told = json.loads(penstock(mongo.uri, "--json").stdout)
    assert (told["kind"], told["name"], told["version"][:2]) == ("replica set", "penstock", "6.")
    members = {member["host"]: member for member in told["members"]}
    assert sorted(m["role"] for m in members.values()) == ["primary", "secondary", "secondary"]
    assert members[told["primary"]]["role"] == "primary"
    assert all(0 < member["ping"] < 5 for member in members.values())
    assert members[told["primary"]]["lag"] == 0


def test_every_mode_says_where_it_would_read(mongo: Mongo) -> None:
    now = cluster_status(f"{mongo.uri}&localThresholdMS=60000")
    secondaries = {member.host for member in now.members if member.role == "secondary"}
    assert tuple(now.reads) == tuple(MODES)
    assert now.reads["primary"] == now.reads["primaryPreferred"] == (now.primary,)
    assert set(now.reads["secondary"]) == set(now.reads["secondaryPreferred"]) == secondaries
    assert set(now.reads["nearest"]) == secondaries | {now.primary}


def test_tags_of_the_address_are_minded(mongo: Mongo) -> None:
    uri = f"{mongo.uri}&readPreference=nearest&readPreferenceTags=place:nowhere"
    reads = cluster_status(uri).reads
    assert {mode: bool(hosts) for mode, hosts in reads.items()} == {
        "primary": True,
        "primaryPreferred": True,
        "secondary": False,
        "secondaryPreferred": True,
        "nearest": False,
    }


def test_a_member_that_does_not_answer_is_told(failing_mongo: Mongo) -> None:
    (dead,) = failing_mongo.dev.kill("secondary")
    host = failing_mongo.dev.status().nodes[dead - 1].host
    now = cluster_status(failing_mongo.uri, timeout=2)
    (member,) = [member for member in now.members if member.host == host]
    assert (member.role, member.ping) == ("unreachable", None)
    assert member.error is not None
    assert host not in now.reads["secondary"]
    in_words = penstock(failing_mongo.uri).stdout
    assert "unreachable" in in_words
    assert "secondaryPreferred" in in_words


def test_credentials_are_never_shown_and_wrong_ones_said(mongo: Mongo) -> None:
    with pymongo.MongoClient[dict[str, object]](mongo.uri) as client:
        client.admin.command("createUser", "ada", pwd="right-one", roles=["root"])
    try:
        hosts = mongo.uri.removeprefix("mongodb://")
        done = penstock(f"mongodb://ada:wrong-one@{hosts}")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"penstock: {mongo.uri}: the user or the password is wrong\n"
        right = penstock(f"mongodb://ada:right-one@{hosts}", "--json")
        assert json.loads(right.stdout)["uri"] == mongo.uri
        assert "right-one" not in right.stdout + right.stderr
    finally:
        with pymongo.MongoClient[dict[str, object]](mongo.uri) as client:
            client.admin.command("dropUser", "ada")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("users", "not an address of MongoDB: write mongodb://host:port"),
        ("mongodb://", "not an address that MongoDB's drivers understand"),
        ("mongodb://me:a/b:c@host/", "not an address that MongoDB's drivers understand"),
        ("mongodb://one,two/?directConnection=true", "directConnection"),
        ("env:NO_SUCH_VARIABLE", "NO_SUCH_VARIABLE"),
    ],
)
def test_what_is_no_address_is_one_line_and_exit_2(uri: str, message: str) -> None:
    done = penstock(uri)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr
    assert "a/b:c" not in done.stderr


def test_nobody_there_is_one_line_and_exit_4() -> None:
    with socket.socket() as taken:  # bound and not listening: whoever connects is refused
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        done = penstock(f"mongodb://ada:secret@127.0.0.1:{port}/", "--timeout", "0.5")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (4, "", 1)
    assert f"penstock: mongodb://127.0.0.1:{port}/: no answer within 0.5 s" in done.stderr
    assert "secret" not in done.stderr
