"""Nothing foreign steers a terminal, whichever command: every one is driven with hostile names."""

from __future__ import annotations

import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.http.wire import Asked, Wire, answer, answering, wire

from penstock.locks import LockerRoom
from penstock.pipeline import FailedRecord, Landing
from penstock.store import LocalStore
from penstock.visible import visible

EVIL = "\x1b]0;OWNED\x07\x1b[2J\x9b2J\x7f\u202eevil\u2066[red]\r"
STEERING = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]|\xe2\x81[\xa6-\xa9]"
)
# What rich and a terminal's own line discipline write: styles, and the end of a line.
OURS = re.compile(rb"\x1b\[[0-9;]*m|\r\r?\n|\x1b\[\?25[hl]|\x1b\[[0-9]*[AKG]|\x1b\[2K|\r")


def penstock(*words: str, cwd: Path, terminal: bool = False) -> tuple[bytes, int]:
    """Run the program; return all it wrote, and its exit code."""
    command = [sys.executable, "-m", "penstock", *words]
    if not terminal:
        done = subprocess.run(command, cwd=cwd, capture_output=True, check=False)
        return done.stdout + done.stderr, done.returncode
    master, slave = pty.openpty()
    process = subprocess.Popen(command, cwd=cwd, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    seen = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    os.close(master)
    return OURS.sub(b"", seen), process.wait()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store, locks and files of somebody hostile."""
    folder: Path = tmp_path_factory.mktemp("hostile")
    with LocalStore(folder / "store") as store:
        for key in store.claim([EVIL, "b", "c"]):
            entry = (
                FailedRecord(key, EVIL, EVIL, 404, 1, EVIL)
                if key == "c"
                else Landing(key, json.dumps({EVIL: EVIL}, ensure_ascii=False).encode())
            )
            store.settle([entry], durable=lambda _: None)
    with LockerRoom(folder / "locks") as room, room.lock_and_release("a"):
        pass
    with closing(sqlite3.connect(folder / "locks/locks.sqlite")) as database, database:
        holder = {"id": "h", "owner": EVIL, "lease": 1e9, "until": 1e9, "token": 1}
        state = json.dumps({"token": 1, "holders": [holder]})
        database.execute("INSERT OR REPLACE INTO lock VALUES (?, ?)", (EVIL, state))
    (folder / "prices.csv").write_text(
        f"day,{EVIL}a,{EVIL}b\n" + "".join(f"{n},{100 + n},{90 + n % 3}\n" for n in range(1, 60)),
        encoding="utf-8",
    )
    (folder / "bad.toml").write_text(f'[source]\nkind = "{visible(EVIL)}"\n', encoding="utf-8")
    (folder / "book.txt").write_text(f"A {EVIL} word.\n\nAnd {EVIL} more.\n", encoding="utf-8")
    (folder / "data.bin").write_bytes(len(EVIL.encode()).to_bytes(2, "big") + EVIL.encode())
    return folder


COMMANDS: list[tuple[str, ...]] = [
    ("status", "store"),
    ("status", "store", "--json"),
    ("status", f"no[/]store{visible('x')}"),
    ("verify", "store"),
    ("lock", "--store", "locks", "list"),
    ("lock", "--store", "locks", "list", "--json"),
    ("lock", "--store", "locks", "status", "a"),
    ("check", "bad.toml"),
    ("portfolio", "weights", "prices.csv"),
    ("portfolio", "risk", "prices.csv"),
    ("read", "check", "book.txt"),
    ("read", "make", "book.txt", "--to", "text", "-o", "-"),
    ("javadata", "cat", "data.bin", "--schema", "name: utf"),
    ("neural", "train", "prices.csv"),
    (EVIL.replace("\x00", ""),),
    ("export", "store", "--to", "jsonl", "-o", EVIL.replace("\x00", "") + "/x"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: visible(" ".join(words))[:40])
def test_no_command_lets_a_stranger_steer(place: Path, words: tuple[str, ...]) -> None:
    seen, code = penstock(*words, cwd=place, terminal="--json" not in words)
    assert b"Traceback" not in seen, seen.decode()
    assert code in range(5)
    assert STEERING.findall(seen) == [], seen


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_an_export_to_a_terminal_is_shown_and_to_a_pipe_is_left(place: Path, form: str) -> None:
    words = ("export", "store", "--to", form, "-o", "-")
    seen, _ = penstock(*words, cwd=place, terminal=True)
    assert STEERING.findall(seen) == []
    assert b"\\u001b" in seen
    piped, _ = penstock(*words, cwd=place)
    assert "\u202e".encode() in piped


def run_file(place: Path, server: Wire, auth: str) -> Path:
    file = place / "run.toml"
    file.write_text(
        'store = "harvest"\n[source]\nkind = "range"\nstop = 1\n'
        f'[api]\nbase = "{server.url}"\n{auth}'
        '[request]\npath = "/{key}"\n[retry]\nattempts = 1\n',
        encoding="utf-8",
    )
    return file


TOKEN = """[api.auth]
kind = "oauth2"
token_url = "{}/token"
client_id = "me"
client_secret = "env:KEY"
"""


@pytest.mark.parametrize(
    ("auth", "reply"),
    [
        ("", lambda _: answer(EVIL.encode(), 401)),
        ("", lambda _: answer(EVIL.encode(), 404)),
        ("", lambda _: answer(b"", 302, "Location: http://127.0.0.1:1/\x9b2J\x1b[2J")),
        (TOKEN, lambda _: answer(b"KEY is s3cret-key-0f-mine " + EVIL.encode(), 400)),
        (TOKEN, lambda _: answer(b'{"access_token":"\x1b[2J"}')),
    ],
)
def test_no_answer_steers_a_run(
    tmp_path: Path, auth: str, reply: Callable[[Asked], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "s3cret-key-0f-mine")
    with wire(answering(reply)) as server:
        file = run_file(tmp_path, server, auth.format(server.url))
        seen, _ = penstock("run", str(file), "--log", "log", cwd=tmp_path, terminal=True)
    assert b"Traceback" not in seen, seen.decode()
    assert STEERING.findall(seen) == [], seen
    assert b"s3cret-key-0f-mine" not in seen
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"s3cret-key-0f-mine" not in kept
    assert (tmp_path / "log").stat().st_mode & 0o077 == 0


@given(st.text())
def test_what_is_visible_is_itself_in_json(text: str) -> None:
    shown = visible(json.dumps(text, ensure_ascii=False))
    assert json.loads(shown) == text
    assert STEERING.findall(shown.encode()) == []
