"""What is not a crash of ours (cut, swapped, edited, old, missing) destroys nothing."""

import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from penstock.cli.main import main
from penstock.clock import FakeClock
from penstock.errors import InputError, PenstockError, StorageError
from penstock.pipeline import Deletion, Entry, Failing, LandedGap, Landing, Mark
from penstock.store import (
    LocalStore,
    Verified,
    backup_store,
    last_token,
    ledger,
    open_readonly,
    repair_store,
    verify_store,
)
from penstock.store.ledger import LEDGER
from penstock.store.lock import LOCK
from penstock.store.segments import segment_path

WAYS = int(os.environ.get("PENSTOCK_DAMAGES", "60"))


def body(key: int) -> bytes:
    return b'{"n":%d,"x":"%b"}' % (key, b"x" * (key * 37 % 90))


def land(path: Path, keys: range, *, group: int = 7) -> None:
    with LocalStore(path, segment_bytes=1500) as store:
        for start in range(keys.start, keys.stop, group):
            entries = [
                Failing(key, "E", "m") if key % 10 == 9 else Landing(key, body(key))
                for key in range(start, min(start + group, keys.stop))
            ]
            store.settle([*entries, Mark("last", str(start))], lambda _: None)
            store.flush()


class Stores:
    """A store at several moments of its life, all of its files as bytes."""

    def __init__(self, folder: Path) -> None:
        self.moments: list[dict[str, bytes]] = []
        self.known: list[object] = []
        path = folder / "made"
        for stop in (20, 40, 60):
            land(path, range(stop - 20, stop))
            self._keep(path)
        with LocalStore(path, segment_bytes=1500) as store:
            # As `kill -9` leaves it: the log is not written back.
            groups: list[list[Entry]] = [
                [Deletion(3), Deletion(41)],
                [Landing(key, body(key)) for key in range(60, 70)],
                [Failing(70, "E", "m"), LandedGap("1", "2", "limit", 5), Deletion(12)],
            ]
            for entries in groups:
                store.settle(entries, lambda _: None)
                store.flush()
                self._keep(path)
        other = folder / "other"
        land(other, range(1000, 1050))
        self._keep(other)

    def _keep(self, path: Path) -> None:
        names = [p for p in path.iterdir() if p.is_file() and not p.name.endswith("-shm")]
        self.moments.append({p.name: p.read_bytes() for p in names})
        self.known.append(known(path))


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    return Stores(tmp_path_factory.mktemp("stores"))


def write(path: Path, files: dict[str, bytes]) -> None:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    for name, data in files.items():
        (path / name).write_bytes(data)


def flip(files: dict[str, bytes], name: str, rng: random.Random) -> None:
    data = bytearray(files[name])
    if data:
        for _ in range(rng.choice([1, 1, 5])):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    files[name] = bytes(data)


def known(path: Path) -> object:
    """Return all that a store promises to know."""
    with open_readonly(path) as reader:
        states = {key: reader.state(key) for key in range(80)}
        return states, len(list(reader.failures())), len(list(reader.gaps()))


EDITS = (
    "DELETE FROM item WHERE key = 5",
    "UPDATE item SET offset = offset + 1 WHERE key = 7",
    "UPDATE item SET key = 999 WHERE key = 7",
    "UPDATE item SET key = 999 WHERE key = 9",
    "UPDATE item SET key = '7' WHERE key = 7",
    "UPDATE item SET crc32 = 0 WHERE key = 7",
    "UPDATE item SET state = 'failed' WHERE key = 7",
    "UPDATE item SET state = 'deleted' WHERE key = 12",
    "UPDATE item SET segment = 2 WHERE key = 7",
    "UPDATE item SET segment = NULL WHERE key = 7",
    "UPDATE item SET length = length - 1 WHERE key = 7",
    "DELETE FROM item WHERE state = 'failed'",
    "DELETE FROM item WHERE state = 'deleted'",
    "DELETE FROM failure",
    "DELETE FROM failure WHERE key = 19",
    "UPDATE failure SET current = 0",
    "DELETE FROM gap",
    "DELETE FROM segment WHERE number = 1",
    "DELETE FROM segment",
    "UPDATE segment SET size = size - 1",
    "UPDATE segment SET size = size + 1 WHERE number = 1",
    "UPDATE segment SET landed = 0",
    "UPDATE segment SET number = number + 1 WHERE number = (SELECT max(number) FROM segment)",
    "DELETE FROM fact",
    "DROP TABLE gap",
    "DROP TABLE failure",
)


def edited(files: dict[str, bytes], statement: str) -> None:
    """Change the ledger as somebody with a database browser does."""
    with tempfile.TemporaryDirectory() as folder:
        for name in (LEDGER, f"{LEDGER}-wal"):
            if name in files:
                (Path(folder) / name).write_bytes(files.pop(name))
        with closing(sqlite3.connect(Path(folder) / LEDGER)) as ledger, ledger:
            ledger.execute(statement)
        for path in Path(folder).iterdir():
            if not path.name.endswith("-shm"):
                files[path.name] = path.read_bytes()


def relined(
    files: dict[str, bytes], name: str, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    lines = files[name].splitlines(keepends=True)
    if lines and lines[-1].endswith(b"\n"):
        files[name] = b"".join(change(lines))


def damaged(stores: Stores, rng: random.Random) -> tuple[str, dict[str, bytes], object]:
    """Return a store that something happened to, what, and what it knew where that can be told."""
    base = rng.choice([2, 4, 5, 5])
    files = dict(stores.moments[base])
    older = stores.moments[rng.choice([0, 1, 3, 6])]
    segments = [name for name in files if name.endswith(".jsonl")]
    some = rng.choice(segments)
    ways: dict[str, Callable[[], object]] = {
        "cut": lambda: files.update({some: files[some][: rng.randrange(len(files[some]))]}),
        "flip": lambda: flip(files, some, rng),
        "flip in the ledger": lambda: flip(files, LEDGER, rng),
        "swap": lambda: files.update({some: files[segments[0]], segments[0]: files[some]}),
        "remove": lambda: files.pop(some),
        "old ledger": lambda: [
            files.pop(f"{LEDGER}-wal", None),
            files.update({LEDGER: older[LEDGER]}),
        ],
        "old segment": lambda: files.update({some: older.get(some, b"")}),
        "log lost": lambda: files.pop(f"{LEDGER}-wal", None),
        "log cut": lambda: files.update(
            {f"{LEDGER}-wal": files.get(f"{LEDGER}-wal", b"")[: rng.randrange(30000)]}
        ),
        "log left behind": lambda: files.update({LEDGER: older[LEDGER]}),
        "ledger lost": lambda: [files.pop(LEDGER), files.pop(f"{LEDGER}-wal", None)],
        "ledger empty": lambda: [files.update({LEDGER: b""}), files.pop(f"{LEDGER}-wal", None)],
        "appended": lambda: files.update(
            {some: files[some] + rng.choice([b"hello\n", b"x", files[some]])}
        ),
        "inserted": lambda: files.update({some: b"hello\n" + files[some]}),
        "copied": lambda: files.update(
            {f"segment-{len(segments) + rng.choice([1, 2]):06d}.jsonl": files[some]}
        ),
        "stray": lambda: files.update({"segment-000001 (1).jsonl": files[some]}),
        "log of earlier": lambda: files.update(
            {f"{LEDGER}-wal": stores.moments[3][f"{LEDGER}-wal"]}
        ),
        "lock of earlier": lambda: files.update({LOCK: older[LOCK]}),
        "edit": lambda: edited(files, rng.choice(EDITS)),
        "CRLF": lambda: files.update({some: files[some].replace(b"\n", b"\r\n")}),
        "sorted": lambda: relined(files, some, sorted),
        "line twice": lambda: relined(files, some, lambda lines: [lines[0], *lines]),
        "line removed": lambda: relined(files, some, lambda lines: lines[:2] + lines[3:]),
        "blank line": lambda: relined(files, some, lambda lines: [*lines[:2], b"\n", *lines[2:]]),
        "segment zero": lambda: files.update({"segment-000000.jsonl": files[some]}),
        "zeros": lambda: files.update({some: files[some][:99] + bytes(80) + files[some][179:]}),
    }
    chosen = rng.sample(list(ways), rng.choice([1, 1, 2]))
    for way in chosen:
        try:
            ways[way]()
        except (KeyError, ValueError, sqlite3.Error):
            continue
    told = stores.known[base] if base != 2 or "log of earlier" not in chosen else None
    if rng.random() < 0.3 or "lock of earlier" in chosen:
        files.pop(LOCK, None)
        told = None  # two witnesses are left: what only the ledger knew may be gone with its log
    return " and ".join(chosen), files, told


def whole_lines(files: dict[str, bytes]) -> dict[int, bytes]:
    """Return what the segments hold of the first store's keys, read by nothing of ours."""
    found = {}
    for name, data in files.items():
        if name.endswith(".jsonl"):
            for key in range(70):
                line = b'"body":' + body(key) + b"}\n"
                if b'{"key":%d,' % key in data and line in data:
                    found[key] = body(key)
    return found


def kept_anywhere(path: Path, data: bytes) -> bool:
    return any(data in file.read_bytes() for file in path.rglob("*") if file.is_file())


def refusal(path: Path) -> PenstockError | None:
    try:
        LocalStore(path, segment_bytes=1500).close()
    except PenstockError as error:
        return error
    return None


def test_no_damage_destroys_a_line_and_all_of_it_is_found(stores: Stores, tmp_path: Path) -> None:
    start = random.randrange(2**32)
    for number in range(WAYS):
        look_at(stores, f"{start + number}", tmp_path / "store")


def look_at(stores: Stores, seed: str, path: Path) -> str:
    """Damage a store, look at it, repair it, go on with it; return what was done to it.

    Raises:
        AssertionError: A line was destroyed, or a damage was not found, named or mended.
    """
    what, files, told = damaged(stores, random.Random(seed))
    case = f"{seed}: {what}"
    write(path, files)
    there = whole_lines(files)
    before = {name: data for name, data in files.items() if name.endswith(".jsonl")}
    error = refusal(path)
    if error is not None:
        assert error.exit_code == 4, (case, error)
        assert "\n" not in str(error), case
        now = {name: (path / name).read_bytes() for name in before}
        assert now == before, case
    for data in there.values():
        assert kept_anywhere(path, data) or data in (body(3), body(12), body(41)), case
    wrong = found_wrong(path)
    if not wrong:
        assert all(state(path, key) != "pending" for key in there), case
        assert told is None or known(path) == told, case
    mended(path, case, there, wrong=wrong)
    return what


def mended(path: Path, case: str, there: dict[int, bytes], *, wrong: bool) -> None:
    """Repair a store and go on with it."""
    done = repair_store(path)
    assert done.changed == wrong, case
    verified = verify_store(path)
    assert not verified.damages, (case, verified)
    for key, data in there.items():
        if key not in (3, 12, 41):
            assert kept_anywhere(path, data), (case, key)
    with LocalStore(path, segment_bytes=1500) as store:
        keys = {int(record.key): record.body for record in store.records()}
        assert all(data == body(key) for key, data in keys.items() if key < 70), case
        hurt = {*case.split()} & {"flip", "zeros", "cut", "stray", "zero", "removed", "CRLF"}
        assert hurt or set(there) <= {*keys, 3, 12, 41}, case


def state(path: Path, key: int) -> str:
    with open_readonly(path) as reader:
        return reader.state(key)


def found_wrong(path: Path) -> bool:
    try:
        return bool(verify_store(path).damages)
    except StorageError:
        return True


def test_a_damaged_line_is_named_left_out_put_aside_and_to_do_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "store"
    land(path, range(30))
    segment = segment_path(path, 1)
    segment.write_bytes(segment.read_bytes().replace(b'"n":4', b'"n":5', 1))
    assert command("verify", str(path)) == 1
    assert "of key 4" in capfd.readouterr().out
    out = ["--to", "csv", "-o", str(tmp_path / "x.csv")]
    assert command("export", str(path), *out) == 4
    assert command("export", str(path), "--skip-damaged", *out) == 1
    assert "1 damaged records were left out" in capfd.readouterr().err
    assert len((tmp_path / "x.csv").read_text().splitlines()) == 27
    assert command("repair", str(path), "--dry-run") == 1
    assert "first of them: 4" in capfd.readouterr().out
    assert not (path / "aside").exists()
    assert command("repair", str(path)) == 1
    assert command("repair", str(path)) == 0
    assert command("verify", str(path)) == 0
    (kept,) = (path / "aside").glob("segment-*")
    assert b'"n":5' in kept.read_bytes()
    with LocalStore(path) as store:
        assert list(store.claim(range(30))) == [4]
    with open_readonly(path) as reader:
        assert reader.status().verified is not None
        assert (reader.status().free or 0) > 0


def command(*words: str) -> int:
    """Call the program as a shell does; return its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["penstock", *words])
        try:
            main()
        except SystemExit as ended:
            return int(ended.code or 0)
    return 0


def test_what_others_do_to_the_files_of_an_open_store_stops_it(tmp_path: Path) -> None:
    def append(path: Path) -> None:
        with segment_path(path, 1).open("ab") as file:
            file.write(b"hello\n")

    ways: list[Callable[[Path], object]] = [
        append,
        lambda path: os.truncate(segment_path(path, 1), 100),
        lambda path: segment_path(path, 1).unlink(),
        lambda path: segment_path(path, 1).rename(path / "moved"),
        lambda path: (path / LOCK).unlink(),
        lambda path: (path / LEDGER).rename(path / "moved"),
        lambda path: os.truncate(path / f"{LEDGER}-wal", 0),
        lambda path: path.rename(path.with_name("moved")),
    ]
    for number, way in enumerate(ways):
        path = tmp_path / str(number) / "store"
        store = LocalStore(path)
        store.settle([Landing(key, body(key)) for key in range(9)], lambda _: None)
        store.flush()
        way(path)
        store.settle([Landing(9, body(9))], lambda _: None)
        with pytest.raises(StorageError):
            store.flush()
        with pytest.raises(StorageError):
            store.close()


def test_a_segment_that_is_gone_at_the_end_is_noticed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    store.settle([Landing(1, b"1")], lambda _: None)
    store.flush()
    segment_path(tmp_path / "store", 1).unlink()
    with pytest.raises(StorageError, match="but the ledger knows"):
        store.close()


def test_what_the_next_opening_would_refuse_ends_the_run_that_it_happened_to(
    tmp_path: Path,
) -> None:
    """It ended with exit code 0: only the last segment was looked at meanwhile."""

    def append(path: Path) -> None:
        with segment_path(path, 1).open("ab") as file:
            file.write(b"hello\n")

    def older(path: Path) -> None:
        for file in (tmp_path / "older").iterdir():
            shutil.copyfile(file, path / file.name)

    def edit(path: Path) -> None:
        with closing(sqlite3.connect(path / LEDGER)) as ledger:
            ledger.execute(
                "CREATE TRIGGER t AFTER INSERT ON item BEGIN DELETE FROM item WHERE key = 29; END"
            )

    land(tmp_path / "older", range(10))
    for way in (append, older, edit):
        path = tmp_path / f"{way.__name__} run"
        land(path, range(20))
        store = LocalStore(path, segment_bytes=1)
        way(path)
        store.settle([Landing(30, body(30))], lambda _: None)
        with pytest.raises(StorageError, match="penstock repair"):
            store.close()
        repair_store(path)
        land(path, range(40))


def test_a_relative_store_stays_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "one")
    with LocalStore("store") as store:
        monkeypatch.chdir(tmp_path / "two")
        store.settle([Landing(1, b"1")], lambda _: None)
        store.flush()
        store.expect(1)
        assert store.verify() == 1
    assert not (tmp_path / "two" / "store").exists()
    assert open_readonly(tmp_path / "one" / "store").verify() == 1


def test_a_run_that_died_in_its_first_moments_is_begun_again(tmp_path: Path) -> None:
    for number, content in enumerate([b"", bytes(4096)]):
        path = tmp_path / str(number)
        path.mkdir()
        (path / LEDGER).write_bytes(content)
        assert last_token(path, "any") == 0
        with pytest.raises(InputError, match="not a penstock store"):
            open_readonly(path)
        with LocalStore(path) as store:
            store.settle([Landing(1, b"1")], lambda _: None)
        assert verify_store(path).lines == 1


def test_live_backups_open_and_verify(tmp_path: Path) -> None:
    path, target = tmp_path / "store", tmp_path / "backup"
    with LocalStore(path, segment_bytes=3000) as store:
        for round_ in range(12):
            for key in range(round_ * 20, round_ * 20 + 20):
                store.settle([Landing(key, body(key))], lambda _: None)
                if key % 15 == 14:
                    store.settle([Deletion(key - 7)], lambda _: None)
            done = backup_store(path, target)
            assert verify_store(target) == Verified(done.landed, done.bytes, ())
    done = backup_store(path, target)
    assert backup_store(path, target).copied == 0
    assert done.landed == open_readonly(path).status().landed
    with LocalStore(target) as copy:
        assert list(copy.claim(range(242))) == [240, 241]
    with pytest.raises(InputError, match="was written to since"):
        backup_store(path, target)
    with pytest.raises(InputError, match="the store itself"):
        backup_store(path, path)


def test_a_line_of_an_earlier_version_is_read_and_repaired(tmp_path: Path) -> None:
    path = tmp_path / "store"
    path.mkdir()
    lines = b"".join(b'{"key":%d,"at":1.500,"body":%b}\n' % (key, body(key)) for key in range(5))
    gone = b'{"key":5,"at":1.500,"body":null   }\n'
    segment_path(path, 1).write_bytes(lines + gone)
    assert repair_store(path).landed == 5
    with LocalStore(path) as store:
        assert store.get(3) == body(3)
        assert store.state(5) == "deleted"
        assert list(store.claim(range(7))) == [6]


def test_a_key_that_was_given_again_is_there_after_verify_and_repair(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with LocalStore(path) as store:
        store.settle([Landing("d", b"[1]"), Deletion("d", final=False)], lambda _: None)
        store.settle([Landing("d", b"[2]"), Landing("e", b"[3]")], lambda _: None)
        store.flush()
        assert store.verify() == 2
    for _ in range(2):
        repair_store(path)
        with LocalStore(path) as store:
            assert [one.body for one in store.records()] == [b"[2]", b"[3]"]
            assert store.verify() == 2
    (path / "ledger.sqlite").unlink()
    repair_store(path)
    with LocalStore(path) as store:
        assert [one.body for one in store.records()] == [b"[2]", b"[3]"]


@pytest.mark.parametrize("way", ["ledger lost", "line damaged"])
def test_a_key_that_was_freed_and_landed_again_stays_landed(tmp_path: Path, way: str) -> None:
    path = tmp_path / "store"
    with LocalStore(path) as store:
        for entry in (Landing(1, body(1)), Landing(2, body(2)), Deletion(1, final=False)):
            store.settle([entry], lambda _: None)
            store.flush()
        store.settle([Landing(1, body(7))], lambda _: None)
    if way == "ledger lost":
        (path / LEDGER).unlink()
    else:
        segment = segment_path(path, 1)
        segment.write_bytes(segment.read_bytes().replace(b'"n":2', b'"n":3'))
    repair_store(path)
    assert verify_store(path).damages == ()
    with open_readonly(path) as reader:
        assert reader.get(1) == body(7)


def test_a_freed_key_in_a_group_that_a_crash_cut_off_is_to_do_again(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with LocalStore(path) as store:
        store.settle([Landing(1, body(1)), Landing(2, body(2))], lambda _: None)
        store.settle([Deletion(1, final=False)], lambda _: None)
        store.flush()
        line = segment_path(path, 1).read_bytes().splitlines(keepends=True)[1]
    with segment_path(path, 1).open("ab") as segment:
        segment.write(line.replace(b'{"key":2,', b'{"key":1,'))  # as torn as it comes
    with LocalStore(path) as store:
        assert store.verify() == 1


def test_an_export_or_a_backup_never_goes_over_a_store(tmp_path: Path) -> None:
    path = tmp_path / "store"
    land(path, range(20))
    (tmp_path / "link.csv").symlink_to(segment_path(path, 1))
    before = {file: file.read_bytes() for file in path.iterdir()}
    for name in (LEDGER, segment_path(path, 1).name, LOCK, f"{LEDGER}-wal", "../link.csv"):
        for to in ("csv", "sqlite"):
            words = ["--to", to, "--force", "-o", str(path / name)]
            assert command("export", str(path), *words) == 2, (name, to)
    assert command("export", str(path), "--to", f"sqlite://{path / LEDGER}") == 2
    assert command("backup", str(path), str(path / "sub")) == 2
    assert {file: file.read_bytes() for file in before} == before


def test_failures_and_gaps_lost_with_the_log_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "store"
    land(path, range(9))
    before = (path / LEDGER).read_bytes()
    with LocalStore(path) as store:
        store.settle([Failing(9, "E", "m"), LandedGap("1", "2", "limit")], lambda _: None)
    (path / LEDGER).write_bytes(before)
    with pytest.raises(StorageError, match="older than the last group"):
        LocalStore(path)
    assert repair_store(path).landed == 9
    LocalStore(path).close()


def test_a_clock_that_goes_back_fetches_nothing_twice(tmp_path: Path) -> None:
    def landed(now: float, refresh: float) -> list[object]:
        clock = FakeClock(epoch=now)
        done: list[object] = []
        with LocalStore(tmp_path / "store", clock=clock) as store:
            store.keep("replace")
            store.refresh(refresh)
            for key in store.claim([1, 2, 1, 2]):
                done.append(key)
                clock.advance(-3600)
                store.settle([Landing(key, b"1")], lambda _: None)
                store.flush()
        return done

    assert landed(1e9, 1e12) == [1, 2]
    assert landed(1e9 - 1e6, 1.0) == [1, 2]  # they are of the future: due again
    assert landed(2e9, 1.0) == []


def test_what_sqlite_says_of_a_damaged_schema_is_one_line(tmp_path: Path) -> None:
    """It quotes the damaged name as it stands: one of some thousand damages had a line break."""
    with pytest.raises(StorageError) as caught, ledger.translated(tmp_path):
        raise sqlite3.DatabaseError("malformed database schema (i\nem)")
    assert "schema (i em);" in str(caught.value)
