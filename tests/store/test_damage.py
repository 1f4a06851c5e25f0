"""Damaged, foreign, newer, locked: each is one clear line with the right exit code."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from penstock.errors import InputError, PenstockError, StorageError, StoreInUse
from penstock.pipeline.result import Failing, Landing
from penstock.store import LocalStore, open_readonly, repair_store, verify_store
from penstock.store.ledger import FORMAT, LEDGER
from penstock.store.segments import segment_path

HOLD = """
import os, sys
from penstock.errors import PenstockError
from penstock.store import LocalStore
try:
    with LocalStore(sys.argv[1]):
        print("open", flush=True)
        sys.stdin.read()
except PenstockError as error:
    print(error, flush=True)
    sys.exit(error.exit_code)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store of three segments with two records each."""
    store = tmp_path / "store"
    with LocalStore(store, segment_bytes=1) as opened:
        for key in range(0, 6, 2):
            opened.settle([Landing(key, b"{}"), Landing(key + 1, b"[]")], lambda _: None)
            opened.flush()
    return store


def refused(path: Path) -> PenstockError:
    with pytest.raises(PenstockError) as caught:
        LocalStore(path)
    assert "\n" not in str(caught.value)
    return caught.value


def holder(path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLD, str(path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def let_go(process: subprocess.Popen[str]) -> int:
    with process:
        process.communicate()
    return process.returncode


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("damage", ["shortened", "deleted"])
def test_a_segment_that_lost_data_is_refused(path: Path, number: int, damage: str) -> None:
    segment = segment_path(path, number)
    if damage == "deleted":
        segment.unlink()
    else:
        segment.write_bytes(segment.read_bytes()[:-1])
    error = refused(path)
    assert isinstance(error, StorageError)
    assert segment.name in str(error)
    # Refusing changed nothing, and the lock is free again for who mends it.
    assert type(refused(path)) is StorageError
    with open_readonly(path) as reader, pytest.raises(StorageError, match=segment.name):
        reader.verify()


def flips(segment: Path) -> Iterator[bytes]:
    """Every way of damaging one byte of a segment (one changed bit each)."""
    data = segment.read_bytes()
    for index in range(len(data)):
        yield data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]


def test_any_changed_byte_is_found(path: Path) -> None:
    segment = segment_path(path, 2)
    with open_readonly(path) as reader:
        for damaged in flips(segment):
            segment.write_bytes(damaged)
            with pytest.raises(StorageError, match=r"segment-000002\.jsonl: the line at byte \d+"):
                list(reader.records())


def test_a_damaged_record_is_not_given_out(path: Path) -> None:
    segment = segment_path(path, 1)
    segment.write_bytes(segment.read_bytes().replace(b"[]", b"{}"))
    with open_readonly(path) as reader:
        assert reader.get(0) == b"{}"
        with pytest.raises(StorageError, match=r"segment-000001\.jsonl: the line at byte \d+"):
            reader.get(1)
        with pytest.raises(StorageError):
            reader.verify()


def test_a_row_without_a_line_is_found(path: Path) -> None:
    with closing(sqlite3.connect(path / LEDGER)) as ledger, ledger:
        ledger.execute("INSERT INTO item VALUES (99, 'landed', 1, 0, 10, 0, 1.0)")
    with open_readonly(path) as reader, pytest.raises(StorageError, match="overlap at byte 0"):
        reader.verify()


def test_a_newer_format_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path / LEDGER)) as ledger, ledger:
        ledger.execute(f"PRAGMA user_version = {FORMAT + 1}")
    error = refused(path)
    assert type(error) is InputError
    assert "pip install --upgrade penstock-data" in str(error)
    with pytest.raises(InputError, match="newer"):
        open_readonly(path)


def test_a_file_is_not_a_store(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("id\n")
    assert type(refused(file)) is InputError
    assert type(refused(file / "store")) is InputError
    with pytest.raises(InputError):
        open_readonly(file)


def test_a_directory_with_other_things_is_not_a_store(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    assert "holds other files" in str(refused(tmp_path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["photo.jpg"]


def test_segments_without_their_ledger_are_not_touched(path: Path) -> None:
    (path / LEDGER).unlink()
    assert "penstock repair" in str(refused(path))
    with pytest.raises(StorageError, match="penstock repair"):
        open_readonly(path)
    assert segment_path(path, 1).stat().st_size > 0


def test_a_ledger_that_is_none_is_refused(path: Path) -> None:
    (path / LEDGER).write_bytes(b"not a database" * 100)
    assert type(refused(path)) is StorageError
    with pytest.raises(StorageError, match=r"not a penstock ledger.*penstock repair"):
        open_readonly(path)


def test_a_damaged_ledger_is_an_error_of_storage(path: Path) -> None:
    content = bytearray((path / LEDGER).read_bytes())
    content[100:4096] = bytes(3996)
    (path / LEDGER).write_bytes(content)
    assert type(refused(path)) is StorageError


def test_opening_a_reader_keeps_the_locks_of_the_writer(path: Path) -> None:
    # A POSIX lock goes when any descriptor of its file is closed; another process would then
    # take itself for the last one, and delete the log that this one writes to.
    with LocalStore(path) as store:
        open_readonly(path).close()
        list(store.claim([100]))
        code = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT 1 FROM item')"
        subprocess.run([sys.executable, "-c", code, str(path / LEDGER)], check=True)
        store.settle([Landing(100, b"{}")], lambda _: None)
        store.flush()
        assert (path / f"{LEDGER}-wal").stat().st_size > 0
        with open_readonly(path) as reader:
            assert reader.state(100) == "landed"


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / LEDGER)) as other:
        other.execute("CREATE TABLE item (key)")
    assert "another program" in str(refused(tmp_path))


def test_reading_where_there_is_no_store(tmp_path: Path) -> None:
    for missing in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(InputError, match="is not a penstock store"):
            open_readonly(missing)


def test_reading_changes_nothing(path: Path) -> None:
    def content() -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in path.iterdir() if "-shm" not in file.name}

    before = content()
    with open_readonly(path) as reader:
        assert reader.verify() == 6
    assert {name: data for name, data in content().items() if data} == before


def test_a_store_in_use_names_its_holder(path: Path) -> None:
    process = holder(path)
    assert said(process) == "open\n"
    error = refused(path)
    assert isinstance(error, StoreInUse)
    assert f"process {process.pid}:" in str(error)
    assert error.exit_code == 3
    with open_readonly(path) as reader:
        assert reader.status().landed == 6
    assert let_go(process) == 0
    LocalStore(path).close()


def test_the_same_process_cannot_open_it_twice(path: Path) -> None:
    with LocalStore(path):
        assert isinstance(refused(path), StoreInUse)


def test_of_many_that_open_at_once_one_gets_it(tmp_path: Path) -> None:
    processes = [holder(tmp_path / "new") for _ in range(4)]
    answers = [said(process) for process in processes]
    codes = [let_go(process) for process in processes]
    assert sorted(codes) == [0, 3, 3, 3]
    assert answers.count("open\n") == 1
    assert all("is in use by process" in answer for answer in answers if answer != "open\n")


def test_a_killed_holder_leaves_no_lock(path: Path) -> None:
    process = holder(path)
    assert said(process) == "open\n"
    process.kill()
    let_go(process)
    with LocalStore(path) as store:
        assert store.verify() == 6


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not")
def test_a_store_that_may_not_be_read_or_written(path: Path) -> None:
    path.chmod(0o700)
    os.seteuid(65534)
    try:
        errors = [refused(path), refused(path.parent / "new")]
        with pytest.raises(InputError, match="Permission denied"):
            open_readonly(path)
    finally:
        os.seteuid(0)
    assert [type(error) for error in errors] == [InputError, InputError]


def test_keys_that_cannot_be_kept_are_refused_when_read(path: Path) -> None:
    with LocalStore(path) as store:
        for key in (2**63, "\ud800"):
            for call in (store.get, store.state, lambda key: store.retry_failed([key])):
                with pytest.raises(InputError, match="a key is a"):
                    call(key)


def test_new_directories_are_made_on_the_way(tmp_path: Path) -> None:
    with LocalStore(str(tmp_path / "a" / "b" / "c")) as store:
        assert store.status().path == str(tmp_path / "a" / "b" / "c")


ODD = [
    "UPDATE item SET offset = NULL WHERE key = 3",
    "UPDATE item SET offset = -5 WHERE key = 3",
    "UPDATE item SET length = 99999999999 WHERE key = 3",
    "UPDATE item SET segment = 'x' WHERE key = 3",
    "UPDATE item SET key = x'00ff' WHERE key = 3",
    "UPDATE item SET at = 'soon'",
    "UPDATE segment SET size = 'big'",
    "UPDATE segment SET at = 'x'",
    "UPDATE fact SET value = 'soon' WHERE name = 'started'",
    "UPDATE fact SET value = 'many' WHERE name = 'expected'",
    "DELETE FROM fact",
    "DROP TABLE item",
    "UPDATE failure SET at = 'x'",
    "UPDATE failure SET attempts = 'x'",
    "CREATE TRIGGER t AFTER INSERT ON item BEGIN DELETE FROM item WHERE key = NEW.key; END",
    "CREATE TRIGGER t BEFORE INSERT ON item BEGIN SELECT RAISE(IGNORE); END",
    "CREATE VIEW v AS SELECT * FROM item",
    "ALTER TABLE item ADD COLUMN more",
    "PRAGMA user_version = 1",
]


@pytest.mark.parametrize("statement", ODD)
def test_what_no_ledger_of_ours_says_is_named_and_mended(path: Path, statement: str) -> None:
    with LocalStore(path) as store:
        store.settle([Failing(9, "PermanentError", "404")], lambda _: None)
    with closing(sqlite3.connect(path / LEDGER)) as ledger:
        ledger.executescript(statement)

    def look() -> None:
        with open_readonly(path) as reader:
            reader.status()
            list(reader.failures())
            list(reader.whole_records(lambda _: None))

    with suppress(PenstockError):
        look()
    with suppress(PenstockError):
        LocalStore(path).close()
    with suppress(StorageError):
        assert verify_store(path).damages
    repair_store(path)
    assert not verify_store(path).damages
    with open_readonly(path) as reader:
        assert {record.key for record in reader.records()} == set(range(6))
