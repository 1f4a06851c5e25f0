"""Directories that somebody else made: what stands in them is a file, or nothing is done."""

from __future__ import annotations

import os
import socket
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from penstock.cli.main import penstock
from penstock.destinations import export
from penstock.errors import InputError, PenstockError, StorageError
from penstock.files import open_regular
from penstock.locks import LockerRoom
from penstock.pipeline import Landing
from penstock.store import LocalStore, open_readonly

NAMES: tuple[str, ...] = (
    "ledger.sqlite",
    "ledger.sqlite-wal",
    "ledger.sqlite-shm",
    "ledger.sqlite-journal",
)
NAMES += ("segment-000001.jsonl", "segment-000002.jsonl", "lock")
READING = [
    ["verify", "{store}"],
    ["status", "{store}", "--json"],
    ["backup", "{store}", "{copy}"],
    ["query", "{store}", "SELECT * FROM landed"],
]
SHELL = b"alias ls=ls\n" * 40


def landed(directory: Path) -> Path:
    with LocalStore(directory) as store:
        for key in store.claim(range(3)):
            store.settle([Landing(key, b'{"a":"$(touch OWNED)"}')], durable=lambda _: None)
    return directory


def replaced(kind: str, path: Path, victim: Path) -> None:
    path.unlink(missing_ok=True)
    if kind == "symlink":
        path.symlink_to(victim)
    elif kind == "hard link":
        path.hardlink_to(victim)
    elif kind == "circle":
        path.symlink_to(path.name)
    elif kind == "directory":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(os.path.relpath(path))
    else:
        os.mkfifo(path)


KINDS = ["symlink", "hard link", "fifo", "circle", "directory", "socket"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_a_strangers_store_leads_nowhere(
    tmp_path: Path, name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    victim = tmp_path / "bashrc"
    victim.write_bytes(SHELL)
    directory = landed(tmp_path / "store")
    replaced(kind, directory / name, victim)
    with pytest.raises((StorageError, InputError)):
        landed(directory)
    if kind != "hard link":
        with pytest.raises((StorageError, InputError)), open_readonly(directory) as reader:
            list(reader.records())
    for command in READING:
        words = [word.format(store=directory, copy=tmp_path / "copy") for word in command]
        done = CliRunner().invoke(penstock, words)
        assert done.exception is None or isinstance(done.exception, SystemExit | PenstockError)
    assert victim.read_bytes() == SHELL


@pytest.mark.parametrize("name", ["locks.sqlite", "locks.sqlite-wal", "guard", "wake"])
def test_a_strangers_lock_directory_leads_nowhere(tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(SHELL)
    directory = tmp_path / "locks"
    directory.mkdir()
    (directory / name).symlink_to(victim)
    with pytest.raises((StorageError, InputError)):
        LockerRoom(directory).try_lock("a")
    assert victim.read_bytes() == SHELL


@pytest.mark.parametrize("address", ["../../victim", "victim", "../victim", "/{absolute}", ".", ""])
def test_a_waiters_address_is_a_fifo_of_the_lock_directory(tmp_path: Path, address: str) -> None:
    victims = [tmp_path / "victim", tmp_path / "locks" / "wake" / "victim"]
    directory = tmp_path / "locks"
    with LockerRoom(directory) as room, room.lock_and_release("a"):
        pass
    for victim in victims:
        victim.write_bytes(SHELL)
    waiter = (
        '{"token":1,"capacity":1,"holders":[{"id":"h","owner":"h","process":"1.1.1","lease":1e9,'
        '"until":1e18,"token":1}],"waiters":[{"id":"w","owner":"w","process":"","lease":30.0,'
        f'"address":"{address.format(absolute=victims[0])}"'
        "}]}"
    )
    with closing(sqlite3.connect(directory / "locks.sqlite")) as database, database:
        database.execute("INSERT OR REPLACE INTO lock VALUES ('a', ?)", (waiter,))
    with LockerRoom(directory) as room:
        room.force("a")
    for victim in victims:
        assert victim.read_bytes() == SHELL


def test_what_is_ours_is_nobody_elses(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = landed(tmp_path / "store")
        with LockerRoom(tmp_path / "locks") as room, room.lock_and_release("a"):
            modes = {
                str(path): stat.S_IMODE(path.stat().st_mode)
                for place in (store, tmp_path / "locks")
                for path in (place, *place.rglob("*"))
            }
    finally:
        os.umask(before)
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}


def test_a_directory_that_a_group_may_write_to_is_shared(tmp_path: Path) -> None:
    directory = tmp_path / "store"
    directory.mkdir()
    directory.chmod(0o2770)
    landed(directory)
    assert {oct(stat.S_IMODE(path.stat().st_mode)) for path in directory.iterdir()} == {"0o660"}


def test_a_file_that_is_there_is_opened_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "a").chmod(0o644)
    os.close(open_regular(tmp_path / "a", os.O_RDWR | os.O_CREAT))
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


def test_a_segments_number_that_is_a_path_is_damage(tmp_path: Path) -> None:
    directory = landed(tmp_path / "store")
    with closing(sqlite3.connect(directory / "ledger.sqlite")) as database, database:
        database.execute("UPDATE item SET segment = '../../victim'")
    with open_readonly(directory) as reader, pytest.raises(StorageError, match="damaged"):
        reader.get(1)


def everything(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        path.name: (path.stat().st_mode, path.stat().st_mtime_ns, path.read_bytes())
        for path in directory.iterdir()
    }


def test_a_store_at_rest_is_read_without_a_write(tmp_path: Path) -> None:
    directory = landed(tmp_path / "store")
    before = everything(directory)
    with open_readonly(directory) as reader:
        assert reader.status().landed == len(list(reader.records())) == 3
        assert reader.get(1) is not None
        export(reader, "csv", tmp_path / "out.csv")
    assert everything(directory) == before


def test_a_reader_of_a_store_at_rest_sees_the_run_that_begins(tmp_path: Path) -> None:
    directory = landed(tmp_path / "store")
    with open_readonly(directory) as reader:
        assert reader.status().landed == 3
        with LocalStore(directory) as store:
            for key in store.claim(["x", "y"]):
                store.settle([Landing(key, b"{}")], durable=lambda _: None)
            store.flush()
            assert reader.status().landed == 5
        assert reader.get("y") == b"{}"
        with LocalStore(directory) as store:
            store.settle([Landing("z", b"{}")], durable=lambda _: None)
        assert [record.key for record in reader.records()][-1] == "z"
    with open_readonly(directory) as reader, LocalStore(directory) as store:
        store.settle([Landing("u", b"{}")], durable=lambda _: None)
        store.flush()
        assert reader.get("u") == b"{}"
