"""`penstock run` and `penstock stream` as programs, against streams that go wrong."""

from __future__ import annotations

import json
import os
import pty
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penstock.assembly import Run, RunStatus, StreamFile, build_stream, read_any
from penstock.neural import Linear, Model, Network
from penstock.neural.checkpoint import save_model
from penstock.pipeline.result import Landing, Mark
from penstock.simulator import (
    CREDENTIALS,
    Simulator,
    SimulatorSettings,
    StreamTruth,
    stream_message,
)
from penstock.store import LocalStore, open_readonly

PENSTOCK = [sys.executable, "-m", "penstock.cli.main"]
KILLS = 10

Start = Callable[..., Simulator]


@pytest.fixture
def simulate() -> Iterator[Start]:
    with ExitStack() as stack:

        def start(**settings: Any) -> Simulator:
            return stack.enter_context(Simulator(SimulatorSettings(**settings)))

        yield start


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "s.toml"


def describe(file: Path, simulator: Simulator, path: str, more: str = "") -> str:
    """Write a pipeline file for a stream; return the stream's name in the truth."""
    url = f"{simulator.url}/stream/{path}"
    file.write_text(f'[stream]\nurl = "{url}"\n{more}\n[store]\npath = "store"\n')
    return f"/stream/{path}".partition("?")[0]


def told(simulator: Simulator, name: str) -> StreamTruth:
    return simulator.truth(ids=True)["streams"][name]


def run(*words: str | Path, command: str = "run") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*PENSTOCK, command, *words], capture_output=True, text=True, check=False, timeout=60
    )
    assert "Traceback" not in done.stderr
    return done


def landed(file: Path, *words: str) -> dict[str, Any]:
    done = run(file, "--json", *words)
    assert (done.returncode, done.stderr) == (0, "")
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return summary


def kept(file: Path) -> list[str]:
    with open_readonly(file.parent / "store") as store:
        assert store.verify() == store.status().landed
        return [str(record.key) for record in store.records()]


def test_a_stream_lands_byte_by_byte_and_ends_with_the_counts(simulate: Start, file: Path) -> None:
    simulator = simulate()
    describe(file, simulator, "sse;messages=300;beat=0.05", 'preset = "sse"\nid = "id"')
    summary = landed(file, "--max-messages", "300")
    keys = ("landed", "duplicates", "gaps", "reconnects", "keepalives", "seconds")
    assert list(summary)[:6] == list(keys)
    assert [summary[key] for key in keys[:4]] == [300, 0, 0, 0]
    with open_readonly(file.parent / "store") as store:
        for record in store.records():
            message = stream_message(simulator.settings, "tweets", int(record.key))
            assert record.body == message.replace(b"\n", b" ")


@pytest.mark.parametrize("framing", ["crlf", "lf", "length", "json-seq", "concatenated", "chunk"])
@pytest.mark.parametrize("gzip", ["off", "sync"])
def test_every_framing_lands(simulate: Start, file: Path, framing: str, gzip: str) -> None:
    path = f"{framing};messages=200;gzip={gzip}"
    describe(file, simulate(), path, f'framing = "{framing}"\nid = "id"')
    summary = landed(file, "--max-messages", "200")
    assert (summary["landed"], summary["failed"], summary["gaps"]) == (200, 0, 0)
    assert kept(file) == [str(n) for n in range(1, 201)]


def test_exactly_the_messages_that_are_wanted_and_then_the_next(
    simulate: Start, file: Path
) -> None:
    simulator = simulate()
    name = describe(file, simulator, "sse;messages=100", 'preset = "sse"\nid = "id"')
    assert landed(file, "--max-messages", "40")["landed"] == 40
    assert landed(file, "--max-messages", "25")["new"] == 25
    assert kept(file) == [str(n) for n in range(1, 66)]
    assert told(simulator, name)["connects"] == 2


def test_a_time_ends_it_too(simulate: Start, file: Path) -> None:
    describe(file, simulate(), "lf;messages=5", 'id = "id"\nframing = "lf"')
    summary = landed(file, "--for", "3s")
    assert (summary["landed"], summary["ended"]) == (5, False)


def test_breaks_of_every_kind_lose_nothing_where_the_source_can_go_on(
    simulate: Start, file: Path
) -> None:
    simulator = simulate()
    ends = "reset@70,truncate@90,character@60,close@80,hold"
    path = f"lf;shape=couchdb;messages=400;overlap=7;ends={ends}"
    name = describe(file, simulator, path, 'preset = "couchdb"\nid = "id"')
    summary = landed(file, "--max-messages", "400")
    assert kept(file) == [f"doc-{n}" for n in range(1, 401)]
    assert (summary["landed"], summary["gaps"], summary["reconnects"]) == (400, 0, 4)
    assert summary["duplicates"] == told(simulator, name)["told_total"] - 400


def test_what_the_source_cannot_give_again_is_a_gap(simulate: Start, file: Path) -> None:
    path = "crlf;messages=300;resume=none;missed=5;limits=100;ends=close@150,hold"
    describe(file, simulate(), path, 'preset = "twitter"')
    done = run(file, "--json", "--max-messages", "295")
    summary = json.loads(done.stdout)
    assert (summary["landed"], summary["reconnects"], summary["lost"]) == (295, 1, 3)
    assert done.returncode == 1
    assert "messages are missing for good, in 3 gaps" in done.stderr
    with open_readonly(file.parent / "store") as store:
        reasons = [(gap.reason, gap.count) for gap in store.gaps()]
    assert reasons.count(("no-resume", None)) == 1
    assert reasons.count(("limit", 7)) == 2


def test_between_two_runs_of_a_source_that_cannot_go_on_is_a_gap(
    simulate: Start, file: Path
) -> None:
    describe(file, simulate(), "crlf;messages=100;resume=none", 'preset = "twitter"')
    assert landed(file, "--max-messages", "40")["gaps"] == 0
    later = landed(file, "--for", "0.2s")  # with exit code 0: nobody ran it meanwhile
    assert (later["gaps"], later["lost"]) == (1, 0)
    with open_readonly(file.parent / "store") as store:
        (gap,) = store.gaps()
    assert gap.reason == "no-resume"
    assert gap.until is not None
    assert gap.since < gap.until


def test_a_cursor_that_is_too_old_is_a_gap_and_the_stream_goes_on(
    simulate: Start, file: Path
) -> None:
    path = "lf;shape=kubernetes;messages=200;floor=120"
    describe(file, simulate(), path, 'preset = "kubernetes"\ngaps = "accept"')
    described = read_any(file)
    assert isinstance(described, StreamFile)
    with build_stream(described) as stream:
        source = stream.source
    with LocalStore(file.parent / "store") as store:
        mark = Mark("stream", json.dumps({"source": source, "position": "3"}))
        store.settle([Landing("uid-3:3", b"{}"), mark], lambda _: None)
    summary = landed(file, "--max-messages", "80")
    assert (summary["landed"], summary["gaps"]) == (81, 1)
    with open_readonly(file.parent / "store") as reader:
        (gap,) = reader.gaps()
    assert (gap.since, gap.reason) == ("3", "cursor-too-old")
    assert str(kept(file)[1]).startswith("uid-121#")


def test_deletes_are_honoured_only_where_it_is_asked_for(simulate: Start, file: Path) -> None:
    for deletes, wanted in (("false", 61), ("true", 41)):
        simulator = simulate()
        path = f"crlf;messages=61;deletes=3;name={deletes}"
        describe(file, simulator, path, f'preset = "twitter"\ndeletes = {deletes}')
        file.write_text(file.read_text().replace('"store"', f'"{deletes}"'))
        landed(file, "--max-messages", "61")
        with open_readonly(file.parent / deletes) as store:
            assert store.status().landed == wanted
            assert store.state("2") == ("landed" if wanted == 61 else "deleted")


def test_messages_without_an_id_land_under_a_hash(simulate: Start, file: Path) -> None:
    path = "lf;messages=20;overlap=3;ends=close@10,hold"
    describe(file, simulate(), path, 'framing = "lf"\ngaps = "accept"')
    summary = landed(file, "--max-messages", "20")
    assert summary["unidentified"] >= 20
    assert len(kept(file)) == 20
    assert all(key.startswith("#") and len(key) == 33 for key in kept(file))


# Bad input


@pytest.mark.parametrize(
    ("options", "settings", "words", "code"),
    [
        ("", {"auth": "bearer"}, "401", 2),
        (";refuse=403*9", {}, "403", 2),
        (";refuse=404*9", {}, "404", 2),
        (";refuse=406*9", {}, "406", 2),
        (";refuse=html*9", {}, "text/html", 2),
    ],
)
def test_what_the_server_refuses_is_one_line(
    simulate: Start, file: Path, options: str, settings: dict[str, str], words: str, code: int
) -> None:
    describe(file, simulate(**settings), f"crlf;messages=9{options}", 'preset = "twitter"')
    done = run(file, "--json")
    assert done.returncode == code
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_a_clock_that_is_off_is_told(
    simulate: Start, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = CREDENTIALS["oauth1"]
    monkeypatch.setenv("CONSUMER_SECRET", keys["consumer_secret"])
    monkeypatch.setenv("TOKEN_SECRET", keys["token_secret"])
    auth = (
        f'[stream.auth]\nkind = "oauth1"\nclient_key = "{keys["consumer_key"]}"\n'
        f'client_secret = "env:CONSUMER_SECRET"\ntoken = "{keys["token"]}"\n'
        'token_secret = "env:TOKEN_SECRET"'
    )
    preset = 'preset = "twitter"\nmethod = "POST"\nform = { track = "iphone,ipad" }\n'
    describe(file, simulate(auth="oauth1"), "crlf;messages=5", preset + auth)
    assert landed(file, "--max-messages", "5")["landed"] == 5
    describe(file, simulate(auth="oauth1", date_skew=3600.0), "crlf;messages=5", preset + auth)
    done = run(file, "--json")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert re.search(r"this machine's clock is 3[56]\d\d s behind", done.stderr)
    assert keys["token_secret"] not in done.stderr


def test_a_cursor_of_another_stream_is_refused_and_nothing_is_lost(
    simulate: Start, file: Path
) -> None:
    simulator = simulate()
    describe(file, simulator, "sse;messages=9;name=one", 'preset = "sse"\nid = "id"')
    landed(file, "--max-messages", "9")
    describe(file, simulator, "sse;messages=9;name=two", 'preset = "sse"\nid = "id"')
    done = run(file, "--json")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "name=one" in done.stderr
    assert "--restart" in done.stderr
    assert len(kept(file)) == 9
    summary = landed(file, "--restart", "--for", "1s")
    assert (summary["new"], summary["landed"], summary["gaps"]) == (0, 9, 1)


def test_stages_and_uses_stand_beside_a_stream_too(simulate: Start, file: Path) -> None:
    """What a stage cannot take is kept whole, for a stream does not give it again."""
    model = Model(
        network=Network(1, (Linear(1),)), weights=np.array([[2.0, 0.0]]), features=("height",)
    )
    save_model(file.parent / "net.safetensors", model)
    more = '[[stage]]\nkind = "label"\nmodel = "net.safetensors"\nfield = "twice"\n'
    more += '[[use]]\nkind = "javadata"\nschema = "schema.txt"\npath = "ids.bin"\n'
    (file.parent / "schema.txt").write_text("id: long, twice: double")
    describe(file, simulate(), "sse;messages=20", f'preset = "sse"\nid = "id"\n{more}')
    done = run(file, "--json", "--for", "1s")
    summary = json.loads(done.stdout)
    assert (done.returncode, summary["landed"], summary["failed"]) == (1, 0, 20)
    save_model(file.parent / "net.safetensors", replace(model, features=("id",)))
    tried = run(file, "--json", command="retry-failed")
    assert tried.returncode == 0
    again = json.loads(tried.stdout)
    assert (again["landed"], again["failed"], again["gaps"]) == (20, 0, 0)
    assert again["uses"][0]["taken"] == 20
    with open_readonly(file.parent / "store") as store:
        assert json.loads(store.get(7) or b"")["twice"] == 14.0


def test_a_run_says_how_it_is_doing_while_it_goes_on(simulate: Start, file: Path) -> None:
    describe(file, simulate(), "sse;messages=50", 'preset = "sse"\nid = "id"')
    work = Run(read_any(file), file.parent)
    seen: list[RunStatus] = []
    work.events.subscribe(lambda _: seen.append(work.look()))
    with work.opened() as store:
        summary = work.go(store, messages=50)
    assert summary.fields()["landed"] == 50
    assert seen[-1].progress.done == 50
    assert (seen[-1].counters.messages, seen[-1].status.state) == (50, "live")


# Ends that nobody asked for


def start(file: Path, *words: str) -> subprocess.Popen[str]:
    command: list[str | Path] = [*PENSTOCK, "run", file, "--json", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until_told(simulator: Simulator, name: str, count: int) -> None:
    """Return when the server has told so many messages in all."""
    pause = threading.Event()
    for _ in range(20_000):
        stream = simulator.truth()["streams"].get(name)
        if stream is not None and stream["told_total"] >= count:
            return
        pause.wait(0.002)
    pytest.fail(f"never {count}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_a_cursor_to_go_on_from(
    simulate: Start, file: Path, number: signal.Signals
) -> None:
    simulator = simulate()
    name = describe(file, simulator, "sse;messages=500;rate=300", 'preset = "sse"\nid = "id"')
    with start(file) as process:
        wait_until_told(simulator, name, 40)
        process.send_signal(number)
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 3
    summary = json.loads(out)
    assert errors.count("\n") == 1
    assert "run again to go on" in errors
    assert summary["landed"] == len(kept(file))
    assert landed(file, "--max-messages", str(500 - summary["landed"]))["landed"] == 500
    assert kept(file) == [str(n) for n in range(1, 501)]
    assert told(simulator, name)["connects"] == 2


@pytest.mark.timeout(300)
def test_killed_at_many_moments_no_message_is_lost_or_twice(simulate: Start, file: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    simulator = simulate()
    path = "sse;messages=4000;rate=2000;overlap=9;ends=random@900"
    name = describe(file, simulator, path, 'preset = "sse"\nid = "id"')
    before: list[str] = []
    for _ in range(KILLS):
        stream = simulator.truth()["streams"].get(name)
        so_far = stream["told_total"] if stream else 0
        with start(file) as process:
            if so_far < 4000:
                wait_until_told(simulator, name, so_far + rng.randint(1, 300))
            process.kill()
        if (file.parent / "store").exists():
            with LocalStore(file.parent / "store") as store:  # cuts back what was not safe
                now = [str(record.key) for record in store.records()]
                mark = store.mark("stream")
            assert now[: len(before)] == before
            assert now == [str(n) for n in range(1, len(now) + 1)]
            assert (mark is not None) == bool(now)
            assert mark is None or json.loads(mark)["position"] == now[-1]
            before = now
    if len(before) < 4000:
        landed(file, "--max-messages", str(4000 - len(before)))
    assert kept(file) == [str(n) for n in range(1, 4001)]
    with open_readonly(file.parent / "store") as reader:
        assert list(reader.gaps()) == []


# Watching


def test_watching_prints_messages_and_lands_nothing(simulate: Start, file: Path) -> None:
    simulator = simulate()
    describe(file, simulator, "crlf;messages=30;limits=10", 'preset = "twitter"')
    done = run(file, "--max-messages", "30", command="stream")
    assert done.returncode == 0
    assert [json.loads(line)["id"] for line in done.stdout.split("\n")[:-1]] == [*range(1, 31)]
    assert done.stderr.count("penstock: gap from") == 2
    assert not (file.parent / "store").exists()


def test_on_a_terminal_the_numbers_and_the_last_messages_are_shown(
    simulate: Start, file: Path
) -> None:
    path = "crlf;messages=40;limits=20;resume=none;ends=close@25,hold"
    describe(file, simulate(), path, 'preset = "twitter"\ntime = "created_at"')
    child, terminal = pty.fork()
    if child == 0:
        os.environ["COLUMNS"] = "110"
        os.execv(sys.executable, [*PENSTOCK, "stream", str(file), "--max-messages", "40"])
    shown = b""
    with suppress(OSError):  # the terminal is gone: it has ended
        while part := os.read(terminal, 65536):
            shown += part
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    text = shown.decode()
    assert '"id":40' in text
    last = text.strip().rpartition("s: ")[2]
    assert "40 messages" in last
    assert "reconnects 1" in last
    assert re.search(r"lag \d", last)


# WebSocket


def test_a_websocket_lands_and_goes_on_where_its_last_run_ended(
    simulate: Start, file: Path
) -> None:
    simulator = simulate()
    path = "websocket;shape=jetstream;messages=200;beat=0.05;ends=truncate@60,close@50,hold"
    name = describe(file, simulator, path, 'preset = "jetstream"')
    file.write_text(file.read_text().replace("http://", "ws://"))
    assert landed(file, "--max-messages", "150")["landed"] == 150
    summary = landed(file, "--max-messages", "50")
    assert (summary["landed"], summary["gaps"]) == (200, 0)
    numbers = [int(key.rpartition(":")[2]) // 1000 % 1000 for key in kept(file)]
    assert numbers == list(range(1, 201))
    assert told(simulator, name)["too_old"] == 0
