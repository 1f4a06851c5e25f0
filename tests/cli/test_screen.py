"""Nothing foreign steers a terminal, whichever command: every one is driven with hostile names."""

from __future__ import annotations

import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.http.wire import Asked, Wire, answer, answering, wire

from penstock.cli.main import penstock as penstock_group
from penstock.locks import LockerRoom
from penstock.pipeline import FailedRecord, Landing
from penstock.store import LocalStore
from penstock.visible import visible

EVIL = "\x1b]0;OWNED\x07\x1b[31337J\x9b2J\x7f\u202eevil\u2066[red]\r"
NAME = EVIL.replace("\x00", "")
STEERING = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]|\xe2\x81[\xa6-\xa9]"
)
# What rich and a terminal's own line discipline write: styles, and the end of a line.
OURS = re.compile(rb"\x1b\[[?]?(?:[0-9]{0,4};?)*[A-Za-z]|\r\r?\n|\r")


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


def epub(text: str) -> dict[str, str]:
    """Return the files of a book that says ``text`` everywhere."""
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        '<dc:identifier id="i">x</dc:identifier>'
        f"<dc:title>{text}</dc:title><dc:creator>{text}</dc:creator><dc:language>en</dc:language>"
        '</metadata><manifest><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>'
        '</manifest><spine><itemref idref="a"/></spine></package>'
    )
    page = (
        f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>{text}</title></head><body>'
        f"<h1>{text}</h1><p>{text}</p></body></html>"
    )
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0">'
        '<rootfiles><rootfile full-path="o.opf" media-type="application/oebps-package+xml"/>'
        "</rootfiles></container>"
    )
    return {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": container,
        "o.opf": package,
        "a.xhtml": page,
    }


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
    (folder / "good.toml").write_text(
        'store = "store"\n[source]\nkind = "lines"\npath = "keys.txt"\n'
        '[api]\nbase = "http://127.0.0.1:1"\n[request]\npath = "/{key}"\n[retry]\nattempts = 1\n',
        encoding="utf-8",
    )
    (folder / "keys.txt").write_text(NAME[:-1] + "\n", encoding="utf-8")
    (folder / "stream.toml").write_text(
        '[source]\nkind = "stream"\nurl = "http://127.0.0.1:1/{}"\n'.replace("{}", visible(EVIL)),
        encoding="utf-8",
    )
    (folder / "store.json").write_text(json.dumps({EVIL: EVIL}) + "\n", encoding="utf-8")
    (folder / "broken").mkdir()
    (folder / "broken/ledger.sqlite").write_bytes(EVIL.encode() * 99)
    head = json.dumps({"__metadata__": {EVIL: EVIL, "penstock": EVIL}}).encode()
    (folder / "evil.safetensors").write_bytes(len(head).to_bytes(8, "little") + head)
    text = "".join(f"&#{ord(c)};" if c.isprintable() or ord(c) > 127 else "" for c in EVIL)
    with zipfile.ZipFile(folder / "book.epub", "w") as book:
        for name, content in epub(text).items():
            book.writestr(name, content)
    with zipfile.ZipFile(folder / "evil.epub", "w") as book:
        for name, content in epub(EVIL).items():
            book.writestr(name, content)
        book.writestr(NAME, EVIL)
    pq.write_table(pa.table({EVIL: [EVIL]}), folder / "evil.parquet")
    (folder / "data.bin").write_bytes(len(EVIL.encode()).to_bytes(2, "big") + EVIL.encode())
    return folder


# What a stranger made, read by each command; a text to wait for and the keys to type then.
MADE: dict[str, list[tuple[str, ...]]] = {
    "acknowledge": [("store", NAME), ("store", "c")],
    "backup": [("store", "copy")],
    "check": [("bad.toml",), ("good.toml",)],
    "export": [
        ("store", "--to", "jsonl", "-o", f"{NAME}/x"),
        ("store", "--to", "csv", "-o", "-"),
        ("store", "--to", "jsonl", "-o", "-", "--failed"),
        ("store", "--to", "sqlite", "-o", f"{NAME}.db"),
    ],
    "init": [("store.json",), (NAME,), ("http://127.0.0.1:1/" + NAME,)],
    "javadata check": [
        ("data.bin", "--schema", "name: utf"),
        ("data.bin", "--schema", "a: double"),
    ],
    "javadata dump": [("data.bin", "--schema", "name: utf")],
    "javadata from-json": [("store.json", "--schema", "name: utf", "-o", "out.bin")],
    "javadata from-parquet": [("evil.parquet", "--schema", "name: utf", "-o", "out.bin")],
    "javadata head": [("data.bin", "--schema", "name: utf"), ("data.bin", "--schema", "guess")],
    "javadata to-parquet": [
        ("data.bin", "--schema", f"x: {NAME}"),
        ("data.bin", "--schema", "a: int"),
    ],
    "lock list": [("--store", "locks"), ("--store", "locks", "--json")],
    "lock migrate": [("--store", "locks")],
    "lock release": [("--store", "locks", NAME)],
    "lock run": [("--store", "locks", "-n", NAME, "true"), ("--store", "locks", "b", NAME)],
    "lock status": [("--store", "locks", NAME), ("--store", "locks", NAME, "--json")],
    "lock watch": [("--store", "locks", "--changes", "1"), ("--store", "locks", "--json")],
    "mongo status": [(f"mongodb://{NAME}:p@127.0.0.1:1/", "--timeout", "0.1")],
    "mongo drill": [(f"mongodb://{NAME}:p@127.0.0.1:1/",)],
    "neural predict": [("evil.safetensors", "prices.csv"), ("prices.csv", "prices.csv")],
    "neural study": [("prices.csv", "--label", "day"), ("prices.csv", "--label", NAME)],
    "neural train": [("prices.csv", "--label", f"{NAME}a"), ("prices.csv", "--label", "day")],
    "portfolio explain": [("prices.csv", "--weights", f"{NAME}a=1"), ("prices.csv",)],
    "portfolio frontier": [("prices.csv",)],
    "portfolio risk": [("prices.csv", "--weights", "equal"), ("prices.csv", "--weights", "a=1")],
    "portfolio weights": [("prices.csv",), ("prices.csv", "--json")],
    "query": [
        ("store", f'SELECT 1 AS "{NAME}"'),
        ("store", "SELECT * FROM landed", "--json"),
        ("store", NAME),
    ],
    "read make": [("book.txt", "--to", "text", "-o", "-"), ("evil.epub", "-o", "x.epub")],
    "read open": [("book.epub",), ("evil.epub",)],
    "read today": [("book.txt", "evil.epub", NAME, "-o", ".")],
    "read unmake": [("evil.epub", "-o", "x.epub")],
    "repair": [("store",), ("broken",)],
    "retry-failed": [("good.toml", NAME)],
    "run": [("bad.toml",), ("good.toml",), ("good.toml", "-v")],
    "status": [("store",), ("store", "--json"), ("broken",)],
    "stream": [("stream.toml",)],
    "verify": [("store",), ("broken",)],
    "watch": [("store",), ("broken",)],
    "work": [("bad.toml",), ("good.toml",)],
}
# Commands that read nothing foreign but their arguments.
OWN = {
    "completion": "a file of the shell's, made from our own words",
    "dashboard": "a page, not a terminal: tests/dashboard",
    "demo": "our own server and data",
    "javadata core": "takes nothing",
    "portfolio sample": "a file of our own",
    "schema": "takes nothing",
    "simulate": "what clients send is counted, not shown",
    **{
        f"mongo dev {name}": "servers of our own"
        for name in ("kill", "pause", "restart", "resume", "start", "status", "stepdown", "stop")
    },
}
KEYS = {"read open": ("", "q"), "watch": ("\x1b[1m", "\x03"), "lock watch": ('"locked"', "\x03")}


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every command there is, with the words that call it."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        else:
            yield " ".join((*path, name)), command


ALL = dict(commands(penstock_group))


def with_hostile_words(command: click.Command) -> Iterator[list[str]]:
    """Yield hostile words for each argument and each option, one option at a time."""
    needed: list[str] = []
    for one in command.params:
        if isinstance(one, click.Argument):
            needed += [NAME] * bool(one.required)
        elif one.required:
            needed += [one.opts[0], NAME]
    yield [f"--{NAME}"]
    if needed:
        yield needed
    for one in command.params:
        free = isinstance(one.type, click.Path | click.types.StringParamType)
        if isinstance(one, click.Option) and not one.is_flag and needed and free:
            yield [*needed, one.opts[0], NAME]


@pytest.fixture(scope="module")
def screens(place: Path) -> dict[str, list[tuple[list[str], bytes, int]]]:
    """What each command wrote to a terminal, over all that is asked of it."""
    asked = [(path, [*words]) for path in MADE for words in MADE[path]]
    asked += [(path, words) for path, one in ALL.items() for words in with_hostile_words(one)]
    lines = []
    for path, words in asked:
        until, keys = KEYS.get(path, ("", ""))
        first, *others = path.split()
        group = words[:2] if words[:1] == ["--store"] else []  # an option of the group
        called = [first, *group, *others, *words[len(group) :]]
        lines.append(json.dumps({"words": called, "until": until, "keys": keys}))
    command = [sys.executable, str(Path(__file__).with_name("terminals.py"))]
    environment = os.environ | {"XDG_STATE_HOME": str(place), "HOME": str(place)}
    done = subprocess.run(
        command,
        cwd=place,
        input="\n".join(lines),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=environment,
    )
    found: dict[str, list[tuple[list[str], bytes, int]]] = {}
    for (path, words), line in zip(asked, done.stdout.splitlines(), strict=True):
        seen, code = json.loads(line)
        found.setdefault(path, []).append((words, OURS.sub(b"", seen.encode("latin-1")), code))
    return found


def test_every_command_is_driven() -> None:
    assert sorted({*MADE, *OWN}) == sorted(ALL)
    assert not set(MADE) & set(OWN)


@pytest.mark.parametrize("path", ALL)
def test_no_command_lets_a_stranger_steer(
    path: str, screens: dict[str, list[tuple[list[str], bytes, int]]]
) -> None:
    for words, seen, code in screens[path]:
        assert STEERING.findall(seen) == [], (words, seen)
        assert b"Traceback" not in seen, (words, seen.decode())
        assert code in {*range(6), 126, 127}, (words, seen)


def test_the_pipeline_with_hostile_keys_is_run(
    screens: dict[str, list[tuple[list[str], bytes, int]]],
) -> None:
    """A file that is refused would show nothing."""
    assert [code for words, _, code in screens["check"] if words == ["good.toml"]] == [0]
    assert 2 not in [code for words, _, code in screens["run"] if words[0] == "good.toml"]


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


PLUGIN_KINDS = ("sources", "stages", "destinations", "auth", "styles", "locks", "budgets")


@pytest.mark.parametrize(
    "words",
    [
        ["check", "bad.toml"],
        ["run", "good.toml"],
        ["export", "store", "--to", NAME],
        ["lock", "list"],
    ],
)
def test_no_environment_and_no_package_steers(
    place: Path, tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package's kinds are named where one is not known; variables where they are used."""
    info = tmp_path / "evil-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: e\x1b[2Jvil\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "".join(f"[penstock.{kind}]\n{NAME[:-1]} = no.such\x1b[2J:x\n" for kind in PLUGIN_KINDS)
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for name in ("PENSTOCK_LOCK_STORE", "SSL_CERT_FILE", "XDG_STATE_HOME", "TERM", "COLUMNS"):
        monkeypatch.setenv(name, NAME)
    monkeypatch.setenv("http_proxy", f"http://{NAME}")
    seen, code = penstock(*words, cwd=place)
    assert STEERING.findall(seen) == []
    assert b"Traceback" not in seen
    assert code in range(6)


@given(st.text())
def test_what_is_visible_is_itself_in_json(text: str) -> None:
    shown = visible(json.dumps(text, ensure_ascii=False))
    assert json.loads(shown) == text
    assert STEERING.findall(shown.encode()) == []
