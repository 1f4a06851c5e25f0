"""``penstock run``: harvest, resume, retry, stop."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.waiting import until

from penstock.pipeline import Checkpoint
from penstock.simulator import Simulator, user_json
from penstock.store import LocalStore, open_readonly

from .conftest import PROGRAM, Files, Penstock

Simulators = Callable[..., Simulator]


def test_everything_lands_and_running_again_calls_nothing(
    penstock: Penstock, simulator: Simulators, pipeline: Files
) -> None:
    server = simulator(users=50, limit=0)
    file = pipeline(server.url)
    first = penstock("run", file, "--json")
    assert first.code == 0
    summary = first.last
    assert {k: summary[k] for k in ("landed", "failed", "pending")} == {
        "landed": 50,
        "failed": 0,
        "pending": 0,
    }
    assert isinstance(summary["seconds"], float)
    asked = server.truth()["requests"]
    again = penstock("run", file, "--json").last
    assert (again["landed"], again["new"], again["skipped"]) == (50, 0, 50)
    assert server.truth()["requests"] == asked
    with open_readonly(file.parent / "store") as store:
        assert all(store.get(i) == user_json(1, i) for i in range(50))


def test_failed_keys_are_kept_with_their_reason_and_can_be_tried_again(
    penstock: Penstock, simulator: Simulators, pipeline: Files
) -> None:
    server = simulator(users=40, limit=0, deleted=3)
    file = pipeline(server.url, stop=42)
    ended = penstock("run", file, "--json")
    assert ended.code == 1
    assert (ended.last["landed"], ended.last["failed"]) == (37, 5)
    asked = server.truth()["requests"]
    retried = penstock("retry-failed", file, "--json")
    assert retried.code == 1
    assert (retried.last["landed"], retried.last["failed"], retried.last["new"]) == (37, 5, 0)
    assert server.truth()["requests"] == asked + 5
    with open_readonly(file.parent / "store") as store:
        failures = list(store.failures())
    assert {f.status for f in failures} == {404}
    assert all("404 Not Found" in f.message and f.replayed == 1 for f in failures)
    only = penstock("retry-failed", file, "41", "--json")
    assert server.truth()["requests"] == asked + 6
    assert only.last["failed"] == 5


def test_retry_failed_on_a_store_puts_keys_back_for_the_next_run(
    penstock: Penstock, simulator: Simulators, pipeline: Files
) -> None:
    server = simulator(users=10, limit=0)
    file = pipeline(server.url, stop=12)
    assert penstock("run", file).code == 1
    assert penstock("retry-failed", file.parent / "store", "--json").last == {"put_back": 2}
    assert penstock("status", file.parent / "store", "--json").last["pending"] == 2
    assert penstock("run", file, "--json").last["failed"] == 2


def test_a_key_that_repeats_in_the_source_is_fetched_once(
    penstock: Penstock, simulator: Simulators, pipeline: Files, tmp_path: Path
) -> None:
    server = simulator(users=10, limit=0)
    (tmp_path / "ids.txt").write_text("1\n2\n\n# no\n2\n1\n3\n")
    file = pipeline(server.url, '[source]\nkind = "lines"\npath = "ids.txt"\n')
    summary = penstock("run", file, "--json").last
    assert (summary["landed"], summary["repeated"], summary["pending"]) == (3, 2, 0)
    assert server.truth()["requests"] == 3


@pytest.mark.parametrize(
    "given",
    [
        ("ids.csv", "name;id\nada;4\nbob;5\n", 'kind = "csv"\ncolumn = "id"\ndelimiter = ";"'),
        ("ids.jsonl", '{"u":{"id":4}}\n\n{"u":{"id":5}}\n', 'kind = "jsonl"\nfield = "u.id"'),
        ("ids.txt", "4\n5\n", 'kind = "lines"'),
    ],
)
def test_keys_come_from_files(
    penstock: Penstock,
    simulator: Simulators,
    pipeline: Files,
    tmp_path: Path,
    given: tuple[str, str, str],
) -> None:
    name, content, source = given
    server = simulator(users=10, limit=0)
    (tmp_path / name).write_text(content)
    file = pipeline(server.url, f'[source]\n{source}\npath = "{name}"\n')
    assert penstock("run", file, "--json").last["landed"] == 2
    assert sorted(server.truth(ids=True)["ids"]) == ["4", "5"]


def test_keys_come_from_standard_input(
    penstock: Penstock, simulator: Simulators, pipeline: Files
) -> None:
    server = simulator(users=10, limit=0)
    file = pipeline(server.url, '[source]\nkind = "stdin"\n')
    assert penstock("run", file, "--json", stdin="7\n8\n").last["landed"] == 2


def test_rows_of_pages_land_themselves_and_running_again_adds_only_what_is_new(
    penstock: Penstock, simulator: Simulators, pipeline: Files
) -> None:
    server = simulator(users=120, limit=0, pages=50)
    source = '[source]\nkind = "pages"\npath = "/pages/link-header"\nstyle = "link-header"\n'
    file = pipeline(server.url, source + '[request]\npath="/users/{key}.json"\n')
    file.write_text(file.read_text().replace('[request]\npath="/users/{key}.json"\n', ""))
    first = penstock("run", file, "--json")
    assert first.last["landed"] == 120, first.err
    again = penstock("run", file, "--json").last
    assert (again["landed"], again["new"], again["skipped"]) == (120, 0, 120)


def test_pages_of_another_request_are_refused_until_they_are_begun_again(
    penstock: Penstock, simulator: Simulators, pipeline: Files
) -> None:
    """A changed filter went on from the other one's page; the rows before were never asked for."""
    server = simulator(users=120, limit=0, pages=50)
    source = '[source]\nkind = "pages"\npath = "/pages/link-header"\n'
    file = pipeline(server.url, source + '[request]\npath="/users/{key}.json"\n')
    file.write_text(file.read_text().replace('[request]\npath="/users/{key}.json"\n', ""))
    assert penstock("run", file, "--json").last["landed"] == 120
    with LocalStore(file.parent / "store") as store:
        noted = json.loads(store.mark("pages") or "")
        noted["position"] = f"{server.url}/pages/link-header?page=2"
        store.settle([Checkpoint("pages", json.dumps(noted))], str)
    file.write_text(file.read_text().replace('header"\n', 'header"\nquery = { since = 1 }\n', 1))
    refused = penstock("run", file)
    assert refused.code == 2
    assert "/pages/link-header #" in refused.line
    assert "--restart" in refused.line
    summary = penstock("run", file, "--json", "--restart").last
    assert (summary["new"], summary["skipped"], summary["landed"]) == (0, 120, 120)
    assert penstock("run", file, "--json").code == 0


def test_keys_of_another_request_are_refused_until_it_is_told_that_they_may_land_beside(
    penstock: Penstock, simulator: Simulators, pipeline: Files
) -> None:
    """A copied file with another path and the same store passed over all keys, with exit code 0."""
    server = simulator(users=10, limit=0)
    file = pipeline(server.url, stop=10)
    assert penstock("run", file, "--json").last["landed"] == 10
    first = file.read_text()
    file.write_text(first.replace("/users/{key}.json", "/users/{key}.json?full=1"))
    for command in ("run", "retry-failed"):
        refused = penstock(command, file)
        assert (refused.code, "/users/{key}.json #" in refused.line) == (2, True)
        assert "--restart" in refused.line
    file.write_text(first.replace("stop = 10", "stop = 10\nstart = 5"))
    assert penstock("run", file, "--json").last["skipped"] == 5  # other keys are no other request
    file.write_text(first.replace("/users/{key}.json", "/users/{key}.json?full=1"))
    assert penstock("run", file, "--json", "--restart").last["skipped"] == 10
    assert penstock("run", file, "--json").code == 0
    file.write_text(first)
    assert penstock("run", file).code == 2


def test_rows_of_pages_can_be_the_keys_of_requests(
    penstock: Penstock, simulator: Simulators, pipeline: Files
) -> None:
    server = simulator(users=30, limit=0, pages=10)
    source = '[source]\nkind = "pages"\npath = "/users/ids.json"\nstyle = "cursor"\nitems = "ids"\n'
    file = pipeline(server.url, source)
    assert penstock("run", file, "--json").last["landed"] == 30
    with open_readonly(file.parent / "store") as store:
        assert store.get(7) == user_json(1, 7)


def test_batches_stop_when_the_budget_is_out_and_the_next_run_goes_on(
    penstock: Penstock, simulator: Simulators, pipeline: Files
) -> None:
    server = simulator(users=40, limit=20, window=3600.0)
    file = pipeline(
        server.url, '[budget]\nreserve = 5\n[batch]\nsize = 6\nempty = "stop"\n', stop=40
    )
    ended = penstock("run", file, "--json")
    assert ended.code == 3
    summary = ended.last
    assert (summary["landed"], summary["pending"], summary["complete"]) == (15, 25, False)
    assert [k["lowest_remaining"] for k in server.truth()["per_key"].values()] == [5]


def _started(file: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, "run", str(file), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_for(server: Simulator, requests: int) -> None:
    until(lambda: server.truth()["requests"] >= requests)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_soon_with_one_line_and_nothing_lost(
    penstock: Penstock, simulator: Simulators, pipeline: Files, number: signal.Signals
) -> None:
    server = simulator(users=2000, limit=0, latency=0.02)
    file = pipeline(server.url, stop=2000)
    run = _started(file)
    _wait_for(server, 100)
    run.send_signal(number)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 3
    assert err.count("\n") == 1
    assert number.name in err
    assert "run again to go on" in err
    before = server.truth()["requests"]
    with open_readonly(file.parent / "store") as store:
        landed = store.status().landed
        assert store.verify() == landed > 0
    assert f"{landed:,} landed" in err
    assert before - landed <= 8
    done = penstock("run", file, "--json").last
    assert (done["landed"], done["pending"]) == (2000, 0)


def test_kill_9_costs_at_most_a_window_of_calls_and_no_record(
    penstock: Penstock, simulator: Simulators, pipeline: Files
) -> None:
    server = simulator(users=600, limit=0, latency=0.005)
    file = pipeline(server.url, stop=600)
    kills = 0
    for at in (30, 90, 170, 260, 380, 500):
        run = _started(file, "--quiet")
        _wait_for(server, at + 8 * kills)
        run.kill()
        run.communicate()
        kills += 1
    done = penstock("run", file, "--json")
    assert (done.last["landed"], done.last["pending"]) == (600, 0)
    truth = server.truth(ids=True)
    fetched_again = truth["requests"] - 600
    assert fetched_again <= 8 * kills
    with open_readonly(file.parent / "store") as store:
        assert store.verify() == 600
        assert all(store.get(i) == user_json(1, i) for i in range(600))


def test_two_runs_of_one_store_at_once_are_refused(
    penstock: Penstock, simulator: Simulators, pipeline: Files
) -> None:
    file = pipeline(simulator(users=10, limit=0).url)
    with LocalStore(file.parent / "store"):
        ended = penstock("run", file)
    assert ended.code == 3
    assert "in use by process" in ended.line


def test_events_are_logged_as_json_lines(
    penstock: Penstock, simulator: Simulators, pipeline: Files, tmp_path: Path
) -> None:
    server = simulator(users=60, limit=0, faults=0.5, mix=(("500", 1.0),))
    file = pipeline(server.url, "[retry]\nattempts = 50\nbase = 0.001\n")
    log = tmp_path / "events.jsonl"
    assert penstock("run", file, "--log", log).code == 0
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert {"retry", "landed"} <= {event["event"] for event in events}
    assert all(isinstance(event["at"], float) for event in events)
    retry = next(event for event in events if event["event"] == "retry")
    assert retry["status"] == 500
