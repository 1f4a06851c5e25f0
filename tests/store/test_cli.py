"""`penstock status` and `penstock export` as programs: output, exit codes, never a traceback."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.pipeline.result import Failing, Landing
from penstock.store import LocalStore
from penstock.store.ledger import FORMAT


def penstock(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "penstock.cli.main", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "users"
    with LocalStore(path) as opened:
        opened.expect(10)
        opened.settle([Landing(1, b'{"a":{"b":1}}'), Landing(2, b'{"a":{"b":2}}')], lambda _: None)
        opened.settle([Failing(3, "PermanentError", "404 Not Found", 404, 1, "no")], lambda _: None)
    return path


def test_status_in_words(store: Path) -> None:
    done = penstock("status", store)
    assert done.returncode == 0
    for word in ("landed", "failed", "pending", "last activity", "PermanentError", "404", "7"):
        assert word in done.stdout


def test_status_for_programs(store: Path) -> None:
    told = json.loads(penstock("status", store, "--json").stdout)
    assert (told["landed"], told["failed"], told["pending"], told["expected"]) == (2, 1, 7, 10)
    assert told["failures"] == [
        {"error": "PermanentError", "status": 404, "count": 1, "acknowledged": 0}
    ]
    assert told["version"] == FORMAT - 1  # the third is for stores that keep versions
    assert told["path"] == str(store)


def test_status_during_a_run(store: Path) -> None:
    with LocalStore(store) as opened:
        opened.settle([Landing(4, b"{}")], lambda _: None)
        opened.flush()
        assert json.loads(penstock("status", store, "--json").stdout)["landed"] == 3


@pytest.mark.parametrize("command", [("status",), ("export", "--to", "csv", "-o", "x.csv")])
def test_no_store_is_one_line_and_exit_2(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "file").touch()
    for missing in (tmp_path / "missing", tmp_path, tmp_path / "file"):
        done = penstock(*command, missing)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith(f"penstock: {missing} is not a penstock store")


def test_export_to_a_file(store: Path, tmp_path: Path) -> None:
    output = tmp_path / "users.csv"
    done = penstock("export", store, "--to", "csv", "-o", output, "--flatten")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"2 rows of 2 columns in {output}\n"
    with output.open(newline="") as file:
        assert list(csv.reader(file)) == [["key", "a.b"], ["1", "1"], ["2", "2"]]
    again = penstock("export", store, "--to", "csv", "-o", output)
    assert again.returncode == 2
    assert "--force" in again.stderr
    assert penstock("export", store, "--to", "csv", "-o", output, "--force").returncode == 0


def test_export_to_the_standard_output(store: Path) -> None:
    done = penstock("export", store, "--to", "jsonl", "-o", "-", "--json")
    assert [json.loads(line)["key"] for line in done.stdout.splitlines()] == [1, 2]
    assert json.loads(done.stderr)["rows"] == 2


def test_export_for_programs(store: Path, tmp_path: Path) -> None:
    done = penstock("export", store, "--to", "sqlite", "-o", tmp_path / "x.db", "--json")
    assert json.loads(done.stdout) == {
        "output": str(tmp_path / "x.db"),
        "rows": 2,
        "columns": [{"name": "key", "kind": "int"}, {"name": "a", "kind": "json"}],
    }


def test_export_of_the_failures(store: Path) -> None:
    done = penstock("export", store, "--to", "csv", "-o", "-", "--failed")
    header, row = csv.reader(done.stdout.splitlines())
    letter = dict(zip(header, row, strict=True))
    assert (letter["key"], letter["error"], letter["status"]) == ("3", "PermanentError", "404")


def test_an_unknown_format_is_refused(store: Path) -> None:
    done = penstock("export", store, "--to", "xlsx", "-o", "x")
    assert done.returncode == 2
    assert "'xlsx' is not one of csv, parquet, sqlite, jsonl, arrow, javadata" in done.stderr


def test_damage_is_exit_4(store: Path) -> None:
    segment = store / "segment-000001.jsonl"
    segment.write_bytes(segment.read_bytes().replace(b'"b":2', b'"b":3'))
    done = penstock("export", store, "--to", "csv", "-o", "-")
    assert done.returncode == 4
    assert "segment-000001.jsonl: the line at byte" in done.stderr
