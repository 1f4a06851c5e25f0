"""The set for the desk, as a program: what it prints, what its commands do to real nodes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pymongo
import pytest
from tests.real.mongod import Mongo

from penstock.clock import SystemClock
from penstock.mongo.dev import DevSet
from penstock.mongo.dev.process import Process, condition, identify, send


def penstock(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "penstock.cli.main", "mongo", "dev", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done


def told(folder: Path) -> dict[str, object]:
    answer: dict[str, object] = json.loads(penstock("status", "--json", "--dir", folder).stdout)
    return answer


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A set of one node, which is enough for what concerns one node only."""
    folder = tmp_path_factory.mktemp("single") / "set"
    done = penstock("start", "--nodes", "1", "--dir", folder)
    assert done.returncode == 0, done.stderr
    yield folder
    penstock("stop", "--remove", "--dir", folder)


def test_start_prints_the_uri_last_and_leaves_the_set_running(single: Path) -> None:
    done = penstock("start", "--nodes", "1", "--dir", single)  # again: it is running already
    uri = done.stdout.splitlines()[-1]
    assert uri == told(single)["uri"]
    with pymongo.MongoClient[dict[str, object]](uri) as client:
        client.desk.things.insert_one({"_id": 1})
        assert client.desk.things.count_documents({}) == 1


def test_data_and_ports_stay_over_stop_and_start(single: Path) -> None:
    dev = DevSet(single)
    with pymongo.MongoClient[dict[str, object]](dev.uri) as client:
        client.desk.kept.replace_one({"_id": 1}, {"n": 2}, upsert=True)
    assert penstock("stop", "--dir", single).returncode == 0
    assert [node.process for node in dev.status().nodes] == ["dead"]
    again = penstock("start", "--nodes", "1", "--dir", single).stdout.splitlines()[-1]
    assert again == dev.uri
    with pymongo.MongoClient[dict[str, object]](again) as client:
        assert client.desk.kept.find_one({"_id": 1}) == {"_id": 1, "n": 2}


def test_fail_points_are_there(single: Path) -> None:
    with pymongo.MongoClient[dict[str, object]](DevSet(single).uri, appname="me") as client:
        client.admin.command(
            "configureFailPoint",
            "failCommand",
            mode={"times": 1},
            data={"errorCode": 2, "failCommands": ["count"], "appName": "me"},
        )
        with pytest.raises(pymongo.errors.OperationFailure, match="failCommand"):
            client.desk.command("count", "things")


@pytest.mark.slow
def test_a_killed_primary_is_replaced_and_comes_back(failing_mongo: Mongo) -> None:
    folder, dev = failing_mongo.dev.directory, failing_mongo.dev
    before = dev.status().primary
    assert penstock("kill", "primary", "--dir", folder).stdout == f"killed: node {before}\n"
    with pymongo.MongoClient[dict[str, object]](failing_mongo.uri) as client:
        client[failing_mongo.database].things.insert_one({"_id": 1})
    now = dev.status()
    assert now.primary not in (None, before)
    assert {node.process for node in now.nodes if node.number == before} == {"dead"}
    assert penstock("restart", "primary", "--dir", folder).stdout == f"restarted: node {before}\n"
    dev.wait()
    assert sorted(str(n.role) for n in dev.status().nodes) == ["primary", "secondary", "secondary"]


@pytest.mark.slow
def test_a_paused_primary_is_replaced_and_goes_on(failing_mongo: Mongo) -> None:
    folder, dev = failing_mongo.dev.directory, failing_mongo.dev
    before = dev.status().primary
    assert penstock("pause", "primary", "--dir", folder).stdout == f"paused: node {before}\n"
    assert penstock("pause", str(before), "--dir", folder).returncode == 2
    (paused,) = [node for node in dev.status().nodes if node.number == before]
    assert (paused.process, paused.role) == ("paused", None)
    with pymongo.MongoClient[dict[str, object]](failing_mongo.uri, connectTimeoutMS=500) as client:
        client[failing_mongo.database].things.insert_one({"_id": 1})
    assert dev.status().primary not in (None, before)
    assert penstock("resume", "primary", "--dir", folder).stdout == f"resumed: node {before}\n"
    dev.wait()


def test_a_primary_steps_down(failing_mongo: Mongo) -> None:
    folder, dev = failing_mongo.dev.directory, failing_mongo.dev
    before = dev.status().primary
    assert (
        penstock("stepdown", "primary", "--dir", folder).stdout == f"stepped down: node {before}\n"
    )
    dev.wait()
    assert dev.status().primary != before


def test_a_standalone_server_has_no_role_to_give_up(tmp_path: Path) -> None:
    with DevSet.start(tmp_path / "one", nodes=1, standalone=True) as dev:
        with pymongo.MongoClient[dict[str, object]](dev.uri) as client:
            assert "setName" not in client.admin.command("hello")
        assert dev.status().nodes[0].role == "standalone"
        done = penstock("stepdown", "primary", "--dir", dev.directory)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        dev.pause()
        dev.stop()
        assert dev.status().nodes[0].process == "dead"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("status",), "no MongoDB here; penstock mongo dev start --dir"),
        (("start", "--nodes", "8"), "1 to 7 nodes"),
        (("start", "--nodes", "0"), "1 to 7 nodes"),
        (("start", "--nodes", "1", "--arbiters", "1"), "one with data"),
        (("start", "--election", "0"), "0.1 to 60 seconds"),
    ],
)
def test_what_makes_no_set_is_one_line_and_exit_2(
    tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    done = penstock(*words, "--dir", tmp_path / "new")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert not (tmp_path / "new").exists()


def test_an_unknown_node_is_refused_with_those_there_are(single: Path) -> None:
    done = penstock("kill", "7", "--dir", single)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "no node '7': primary, secondary, all, or one of 1" in done.stderr


def test_another_set_in_the_same_folder_is_refused(single: Path) -> None:
    done = penstock("start", "--nodes", "3", "--dir", single)
    assert done.returncode == 2
    assert "there is a set of member here already" in done.stderr


def test_removing_leaves_what_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    DevSet.start(tmp_path, nodes=1, standalone=True).stop(remove=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "mine"]


def test_a_number_that_another_process_has_now_is_never_hit() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        stale = Process(other.pid, "born at another time")
        assert condition(stale) == "dead"
        assert not send(stale, signal.SIGKILL)
        assert condition(identify(other.pid)) == "running"
        other.communicate(b"\n")
        assert other.returncode == 0


def test_a_process_that_ended_is_dead_also_before_its_parent_has_noticed() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = identify(child.pid)
        assert process is not None
        assert child.stdin is not None
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert condition(process) == "dead"
        assert identify(child.pid) is None
        assert not send(process, signal.SIGKILL)


ENDING = """
import ctypes, os, platform, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0))).start()
print("ready", flush=True)
ctypes.CDLL(None).syscall(60 if platform.machine() == "x86_64" else 93, 0)  # ends this thread only
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows a thread that ended before")
def test_a_process_whose_first_thread_has_ended_is_not_dead_yet() -> None:
    """As a killed mongod for a moment: the threads that are left hold its port."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", ENDING], stdin=pipe, stdout=pipe) as popen:
        assert popen.stdin is not None
        assert popen.stdout is not None
        assert popen.stdout.readline() == b"ready\n"
        process = identify(popen.pid)
        clock = SystemClock()
        while Path(f"/proc/{popen.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            clock.sleep(0.005)
        assert condition(process) == "running"
        popen.stdin.close()
        popen.wait()
        assert condition(process) == "dead"
