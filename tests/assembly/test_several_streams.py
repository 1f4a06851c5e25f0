"""Files with several `[[stream]]`: each lands in a store of its own, and none waits for another."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.waiting import until

from penstock.assembly import StreamsFile, parts, read_several
from penstock.errors import InputError, PenstockError
from penstock.simulator import Simulator, SimulatorSettings
from penstock.store import open_readonly

PENSTOCK = [sys.executable, "-m", "penstock.cli.main"]

TWO = """\
store = "store"
[[stream]]
name = "a"
url = "{url}/stream/lf;messages=60{a}"
id = "id"
[[stream]]
name = "b"
url = "{url}/stream/sse;messages=60"
preset = "sse"
id = "id"
"""


@pytest.fixture
def server() -> Iterator[Simulator]:
    with Simulator(SimulatorSettings(limit=0)) as simulator:
        yield simulator


def write(folder: Path, server: Simulator, **changes: str) -> Path:
    text = TWO.format(url=server.url, a="")
    for old, new in changes.items():
        text = text.replace(old, new)
    (folder / "f.toml").write_text(text)
    return folder / "f.toml"


def penstock(*words: str | Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*PENSTOCK, *words], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done


def landed(folder: Path) -> bool:
    with suppress(PenstockError), open_readonly(folder) as store:  # it may not be made yet
        return store.status().landed > 0
    return False


def ids(folder: Path) -> list[int]:
    with open_readonly(folder) as store:
        return [json.loads(record.body)["id"] for record in store.records()]


def test_each_lands_by_itself_and_goes_on_where_it_was(tmp_path: Path, server: Simulator) -> None:
    file = write(tmp_path, server)
    for most, there in (("20", 20), ("15", 35)):
        done = penstock("run", file, "--max-messages", most, "--json", "--quiet")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)["streams"]
        assert [told[name]["landed"] for name in "ab"] == [there, there]
    assert ids(tmp_path / "store" / "b") == [*range(1, 36)]
    named = penstock("status", tmp_path / "store", "--json")
    assert sorted(json.loads(named.stdout)["resources"]) == ["a", "b"]
    done = penstock("export", tmp_path / "store", "--resource", "b", "--to", "jsonl", "-o", "-")
    assert done.stdout.count("\n") == 35
    assert sorted(json.loads(penstock("check", file, "--json").stdout)["streams"]) == ["a", "b"]


def test_each_is_kept_elsewhere_and_counted_by_its_name(tmp_path: Path, server: Simulator) -> None:
    file = write(tmp_path, server)
    kept = '[[destination]]\nto = "sqlite://kept.db"\ntable = "of_{name}"\n'
    file.write_text(file.read_text() + kept)
    metrics = tmp_path / "m.prom"
    done = penstock("run", file, "--max-messages", "20", "--quiet", "--metrics-file", metrics)
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(tmp_path / "kept.db")) as database:
        for name in "ab":
            assert database.execute(f"select count(*) from of_{name}").fetchone() == (20,)
            assert f'penstock_landed_total{{stream="{name}"}} 20.0' in metrics.read_text()
    done = penstock("run", file, "--max-messages", "5", "--quiet", "--metrics-file", metrics)
    assert done.returncode == 0, done.stderr


def test_one_that_fails_stops_no_other(tmp_path: Path, server: Simulator) -> None:
    file = write(tmp_path, server, **{"/stream/lf;": "/no/such/stream"})
    done = penstock("run", file, "--max-messages", "20", "--quiet")
    assert done.returncode == 2
    assert "penstock: a: GET" in done.stderr
    assert "404" in done.stderr
    assert len(ids(tmp_path / "store" / "b")) == 20


def test_what_is_stopped_ends_all_of_them_and_keeps_what_came(
    tmp_path: Path, server: Simulator
) -> None:
    file = write(tmp_path, server)
    going = subprocess.Popen(
        [*PENSTOCK, "run", file], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until(lambda: all(landed(tmp_path / "store" / name) for name in "ab"), going)
    going.send_signal(signal.SIGTERM)
    out, err = going.communicate(timeout=30)
    assert going.returncode == 3, err
    assert "run again to go on" in err
    assert "a:\n" in out, err
    assert "b:\n" in out


def test_one_of_them_is_watched_by_its_name(tmp_path: Path, server: Simulator) -> None:
    file = write(tmp_path, server)
    done = penstock("stream", file, "--name", "b", "--max-messages", "3")
    assert (done.returncode, done.stdout.count("\n")) == (0, 3)
    done = penstock("stream", file)
    assert (done.returncode, "--name a|b" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "a"\n', "", "stream 1: of several, each needs name"),
        ('name = "a"', 'name = "b"', "there are two of that name"),
        ('name = "a"', 'name = "a/b"', "letters, digits"),
        ('preset = "sse"', 'preset = "ssee"', "preset 'ssee' is not known: did you mean 'sse'?"),
        (
            "[[stream]]\nname",
            '[[destination]]\nto = "sqlite://kept.db"\n[[stream]]\nname',
            "a and b would both write to the table record: put {name} in it",
        ),
    ],
)
def test_what_is_wrong_is_one_line(
    old: str, new: str, words: str, tmp_path: Path, server: Simulator
) -> None:
    file = write(tmp_path, server)
    file.write_text(file.read_text().replace(old, new, 1))
    done = penstock("check", file)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert words in done.stderr


def test_a_program_gets_them_one_by_one(tmp_path: Path, server: Simulator) -> None:
    file = read_several(write(tmp_path, server))
    assert isinstance(file, StreamsFile)
    assert [(part.name, part.file.store.path) for part in parts(file)] == [  # type: ignore[union-attr] # each has its own
        ("a", "store/a"),
        ("b", "store/b"),
    ]
    with pytest.raises(InputError):
        parts(type(file)(stream=[file.stream[0], file.stream[0]], store="s"))
