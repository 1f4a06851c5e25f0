"""The examples are sound: `penstock check` takes each file, and the Python one harvests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from penstock.simulator import Simulator, SimulatorSettings
from penstock.store import open_readonly

EXAMPLES = Path(__file__).parents[2] / "examples"
STREAM = EXAMPLES / "stream.toml"
FILES = sorted(file for file in EXAMPLES.glob("*.toml") if file != STREAM)
PENSTOCK = [sys.executable, "-m", "penstock.cli.main"]


def told_by_check(file: Path, **variables: str) -> dict[str, object]:
    out = subprocess.run(
        [*PENSTOCK, "check", str(file), "--json"],
        env={**os.environ, **variables},
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    told: dict[str, object] = json.loads(out)
    return told


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_check_accepts_it_and_has_no_warning_once_its_secrets_are_set(file: Path) -> None:
    auth = tomllib.loads(file.read_text(encoding="utf-8"))["api"].get("auth", {})
    names = [v.removeprefix("env:") for v in auth.values() if v.startswith("env:")]
    told = told_by_check(file, **dict.fromkeys(names, "not-a-real-one"))
    assert str(told["example"]).startswith("GET https://")
    assert told["warnings"] == []


def test_there_is_one_by_link_header_one_by_cursor_and_bearer_and_one_by_ids() -> None:
    files = [tomllib.loads(file.read_text(encoding="utf-8")) for file in FILES]
    styles = {
        (f["source"].get("style", f["source"]["kind"]), f["api"].get("auth", {}).get("kind"))
        for f in files
    }
    assert styles == {("link-header", "bearer"), ("cursor", "bearer"), ("range", None)}


def test_a_forgotten_secret_is_told_before_the_run() -> None:
    file = EXAMPLES / "slack-users.toml"
    told = told_by_check(file, SLACK_TOKEN="")
    words = "api.auth.token: environment variable SLACK_TOKEN is not set"
    assert told["warnings"] == [f"{file}:22: {words}"]


def test_stream_toml_lands_each_message_once_though_every_connection_breaks(tmp_path: Path) -> None:
    with Simulator() as server:
        text = STREAM.read_text(encoding="utf-8").replace("rate=50", "rate=0")
        text = text.replace("random@200", "reset@150,truncate@100,hold")
        text = text.replace("http://127.0.0.1:8080", server.url)
        (tmp_path / "stream.toml").write_text(text, encoding="utf-8")
        told = told_by_check(tmp_path / "stream.toml")
        assert (told["preset"], told["warnings"]) == ("CouchDB continuous changes", [])
        words = [*PENSTOCK, "run", str(tmp_path / "stream.toml"), "--max-messages", "400", "--json"]
        out = subprocess.run(words, capture_output=True, check=True, text=True).stdout
    summary = json.loads(out)
    assert (summary["gaps"], summary["failed"]) == (0, 0)
    assert summary["reconnects"] >= 1
    with open_readonly(tmp_path / "messages") as store:
        numbers = [int(str(record.key).removeprefix("doc-")) for record in store.records()]
    assert numbers == list(range(1, 401))


def test_harvest_py_prints_every_user_once_through_limit_and_faults() -> None:
    settings = SimulatorSettings(limit=60, window=1.0, faults=0.2, mix=(("500", 1), ("error", 1)))
    with Simulator(settings) as server:
        out = subprocess.run(
            [sys.executable, str(EXAMPLES / "harvest.py"), server.url],
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        truth = server.truth()
    keys = sorted(int(line.partition(":")[0]) for line in out.splitlines())
    assert keys == list(range(40))
    assert truth["served"] == 40
    lowest = [key["lowest_remaining"] for key in truth["per_key"].values()]
    assert all(left is not None and left >= 10 for left in lowest)
