"""Tables kept up to date by the command and by a pipeline file."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from queue import Queue
from typing import Any

import duckdb
import psycopg
import pytest
from click.testing import CliRunner, Result
from tests.destinations.conftest import postgres_rows

from penstock.assembly import plan, read_text
from penstock.assembly.kept_table import KeptTable
from penstock.assembly.sections import DestinationSection, PipelineFile
from penstock.cli import keep as keeping_command
from penstock.cli.export import export
from penstock.cli.keep import Wanted, keep
from penstock.clock import FakeClock
from penstock.destinations import Keeper, open_destination
from penstock.errors import InputError, StorageError
from penstock.events import Event, Events, Notice
from penstock.pipeline import LandedRecord
from penstock.store import LocalStore, fields, open_readonly, read_given


def land(path: Path, *records: dict[str, object], start: int = 0) -> Path:
    with LocalStore(path) as store:
        entries = [
            LandedRecord(key, json.dumps(one).encode()) for key, one in enumerate(records, start)
        ]
        store.settle(entries, lambda _count: None)
    return path


def rows(path: Path, query: str = "SELECT * FROM users ORDER BY 1") -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def keep_once(store: Path, to: str) -> None:
    keep(str(store), to, Wanted("users", None, flatten=False, follow=False, as_json=False))


def own_schema(request: pytest.FixtureRequest, name: str) -> str:
    """Return the address of a new schema of PostgreSQL."""
    address = f"{request.getfixturevalue('postgres')}&options=-csearch_path%3D{name}"
    with psycopg.connect(address, autocommit=True) as database:
        database.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE".encode())
        database.execute(f"CREATE SCHEMA {name}".encode())
    return address


def run(*words: object) -> Result:
    return CliRunner().invoke(export, [str(word) for word in words])


@pytest.mark.parametrize("place", ["parquet://{}/t", "sqlite://{}/t.db", "duckdb://{}/t"])
def test_a_secret_among_options_that_a_place_does_not_have_is_not_shown(
    tmp_path: Path, place: str
) -> None:
    store = land(tmp_path / "s", {"n": 1})
    told = run(store, "--to", f"{place.format(tmp_path)}?account_key=HIDDEN")
    assert told.exit_code != 0
    assert "HIDDEN" not in told.output + str(told.exception)


def test_the_command_takes_over_what_is_new(tmp_path: Path) -> None:
    store, to = land(tmp_path / "s", {"n": 1}), f"sqlite://{tmp_path}/t.db"
    assert "1 more rows" in run(store, "--to", to, "--table", "users").output
    land(store, {"n": 2}, start=1)
    told = json.loads(run(store, "--to", to, "--table", "users", "--json").output)
    assert told["rows"] == 1
    assert rows(tmp_path / "t.db") == [(0, 1), (1, 2)]


@pytest.mark.parametrize(
    ("kind", "smaller"),
    [("duckdb", "INTEGER"), ("postgresql", "REAL"), ("postgresql", "NUMERIC(9)")],
)
def test_a_column_that_became_a_smaller_one_is_refused(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str, smaller: str
) -> None:
    """DuckDB put 302 where the record had 301.5, and PostgreSQL fewer digits, with exit code 0."""
    to = own_schema(request, "smaller") if kind == "postgresql" else f"duckdb://{tmp_path}/t"
    store = land(tmp_path / "s", {"price": 1.5})
    change = f"ALTER TABLE users ALTER COLUMN price TYPE {smaller}"
    keep_once(store, to)
    if kind == "postgresql":
        with psycopg.connect(to, autocommit=True) as database:
            database.execute(change.encode())
    else:
        with closing(duckdb.connect(str(tmp_path / "t"))) as file:
            file.execute(change)
    land(store, {"price": 301.123456789}, start=1)
    with pytest.raises(StorageError, match=r'column "price" of "users" is .*, it was made'):
        keep_once(store, to)


TRIGGERS = {
    "sqlite": "CREATE TRIGGER no BEFORE INSERT ON users BEGIN SELECT RAISE(IGNORE); END",
    "postgresql": "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER no BEFORE INSERT ON users"
    " FOR EACH ROW EXECUTE FUNCTION no()",
}


@pytest.mark.parametrize("kind", TRIGGERS)
def test_rows_that_a_trigger_takes_away_are_missed(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    store, to = land(tmp_path / "s", {"n": 1}), f"sqlite://{tmp_path}/t"
    if kind == "postgresql":
        to = own_schema(request, "triggers")
    keep_once(store, to)
    if kind == "postgresql":
        with psycopg.connect(to, autocommit=True) as database:
            database.execute(TRIGGERS[kind].encode())
    else:
        with closing(sqlite3.connect(tmp_path / "t")) as file:
            file.execute(TRIGGERS[kind])
    land(store, {"n": 2}, start=1)
    with pytest.raises(StorageError, match="users took 0 of 1 rows"):
        keep_once(store, to)


def test_a_text_that_looks_like_the_end_of_a_copy_is_one(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    texts = ["\\.", "a\n\\.\nb", "", '"', ",", "\\N", " x ", "\r\n", "null"]
    to = own_schema(request, "texts")
    store = tmp_path / "s"
    for start, text in enumerate(texts):
        land(store, {"t": text, "at": None}, start=start)
    keep_once(store, to)
    found = sorted(postgres_rows(to, "users"), key=lambda row: str(row["key"]))
    assert [row["t"] for row in found] == texts


def test_another_name_in_capitals_is_another_table_for_no_database(tmp_path: Path) -> None:
    store, to = land(tmp_path / "s", {"n": 1}), f"duckdb://{tmp_path}/t"
    run(store, "--to", to, "--table", "users")
    done = run(store, "--to", to, "--table", "Users")
    assert isinstance(done.exception, InputError)
    assert "not made by penstock" in str(done.exception)


def test_other_options_than_those_it_was_begun_with_are_refused(tmp_path: Path) -> None:
    """A schema that came later was passed over, and a dataset got folders beside its files."""
    store, to = land(tmp_path / "s", {"n": 1, "p": 0.5, "x": None}), f"parquet://{tmp_path}/t"
    run(store, "--to", to, "--schema", "n: int, x: date, p: float")
    for more in ((to, "--schema", "p: decimal"), (f"{to}?partition=n",)):
        assert isinstance(run(store, "--to", *more).exception, InputError), more
    assert run(store, "--to", to, "--schema", "n: int, x: epoch").exit_code == 0


@pytest.mark.parametrize("place", ["sqlite://:memory:", "duckdb://:memory:", "duckdb://:memory:x"])
def test_a_place_in_memory_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """The rows were gone with the process, with exit code 0."""
    monkeypatch.chdir(tmp_path)
    keep_once(land(tmp_path / "s", {"n": 1}), place)
    assert (tmp_path / place.partition("://")[2]).stat().st_size > 0


@pytest.mark.parametrize(
    "place", ["sqlite://t?mode=ro", "csv://t?partition=n", "parquet://t?parts=n"]
)
def test_options_that_a_place_does_not_have_are_refused(tmp_path: Path, place: str) -> None:
    to = place.replace("://", f"://{tmp_path}/")
    assert isinstance(run(land(tmp_path / "s", {"n": 1}), "--to", to).exception, InputError)


def test_a_schema_for_what_no_record_has_is_said(tmp_path: Path) -> None:
    store = land(tmp_path / "s", {"n": 1, "tags": [{"x": 1}], "at": {"y": 2}})
    to = f"sqlite://{tmp_path}/t"
    for table, options in (("a", ()), ("b", ("--nested", "tables"))):
        wanted = "n: int, m: int, tags.x: float, at.y: float"
        done = run(store, "--to", to, "--table", table, "--schema", wanted, *options)
        said = [line.split(" names ")[1] for line in done.output.splitlines() if " names " in line]
        names = ["m"] if options else ["m", "tags.x", "at.y"]
        assert said == [f"{name}, which no record has by now" for name in names]
    with pytest.raises(InputError, match="n is to be int and float"):
        read_given("n: int, n: float")


def test_records_of_any_depth_are_taken(tmp_path: Path) -> None:
    """A record that Python's stack does not hold was said not to be JSON."""
    deep = b'{"a":%b7%b,"b":"]}"}' % (b'[{"c":' * 2000, b"}]" * 2000)
    with LocalStore(tmp_path / "s") as store:
        store.settle([LandedRecord(1, deep), LandedRecord(2, b'{"a":1}')], lambda _count: None)
    for options in ((), ("--flatten",), ("--nested", "tables")):
        to = tmp_path / f"{len(options)}{options[-1:]}.db"
        assert run(tmp_path / "s", "--to", f"sqlite://{to}", *options).exit_code == 0
        assert rows(to, "SELECT b FROM record WHERE key = 1") == [("]}",)]
    assert run(tmp_path / "s", "--to", "jsonl", "-o", tmp_path / "l").exit_code == 0
    assert (tmp_path / "l").read_bytes().splitlines()[0] == b'{"key":1,' + deep[1:]
    for wrong in (b'{"a":' + b"[" * 2000 + b"]" * 1999 + b"}}", b'{"a":' + b"[" * 2000):
        with pytest.raises(StorageError, match="is not JSON"):
            fields(wrong, flatten=False)


def test_a_module_in_the_folder_is_a_destination(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "from penstock.destinations import open_destination as there\n"
    text += "def open_it(address):\n    return there('sqlite://' + address.partition('/it/')[2])\n"
    (tmp_path / "own_place.py").write_text(text.replace("'/it/'", "'open_it/'"))
    monkeypatch.chdir(tmp_path)
    to = "python://own_place:open_it/t.db"
    assert run(land(tmp_path / "s", {"n": 1}), "--to", to, "--table", "users").exit_code == 0
    assert rows(tmp_path / "t.db") == [(0, 1)]


@pytest.mark.parametrize("kind", ["newer", "nested"])
def test_a_column_of_a_kind_that_is_not_known_is_refused(tmp_path: Path, kind: str) -> None:
    """A newer version had made the table: a traceback."""
    store, to = land(tmp_path / "s", {"n": 1}), f"sqlite://{tmp_path}/t"
    keep_once(store, to)
    with closing(sqlite3.connect(tmp_path / "t")) as database:
        database.execute("UPDATE _penstock SET state = replace(state, ?, ?)", ["int", kind])
        database.commit()
    land(store, {"n": 2}, start=1)
    with pytest.raises(InputError, match=f"n is kept as {kind}, which is not known here"):
        keep_once(store, to)


def test_a_dataset_whose_files_were_removed_is_written_again(tmp_path: Path) -> None:
    """Its manifest alone said that all was there."""
    store, to = land(tmp_path / "s", {"n": 1}), f"parquet://{tmp_path}/t"
    keep_once(store, to)
    (written,) = (tmp_path / "t" / "users").glob("*.parquet")
    written.unlink()
    keep_once(store, to)
    assert written.exists()


def test_a_dropped_table_is_written_again(tmp_path: Path) -> None:
    store, to = land(tmp_path / "s", {"n": 1}), f"sqlite://{tmp_path}/t.db"
    run(store, "--to", to, "--table", "users")
    rows(tmp_path / "t.db", "DROP TABLE users")
    assert "1 more rows" in run(store, "--to", to, "--table", "users").output
    assert rows(tmp_path / "t.db") == [(0, 1)]


def test_a_store_that_was_put_back_is_refused(tmp_path: Path) -> None:
    """Its new lines were as long as those that were lost: the table went on behind them."""
    store, to = land(tmp_path / "s", {"n": 1}), f"sqlite://{tmp_path}/t.db"
    shutil.copytree(store, tmp_path / "backup")
    land(store, {"n": 2}, start=1)
    assert "2 more rows" in run(store, "--to", to, "--table", "users").output
    shutil.rmtree(store)
    shutil.copytree(tmp_path / "backup", store)
    land(store, {"n": 3}, {"n": 4}, start=1)
    failed = run(store, "--to", to, "--table", "users").exception
    assert "was restored or repaired; drop the table" in str(failed)
    rows(tmp_path / "t.db", "DROP TABLE users")
    assert "3 more rows" in run(store, "--to", to, "--table", "users").output


def test_a_table_that_somebody_else_made_is_refused(tmp_path: Path) -> None:
    rows(tmp_path / "t.db", "CREATE TABLE users (x)")
    store = land(tmp_path / "s", {"n": 1})
    failed = run(store, "--to", f"sqlite://{tmp_path}/t.db", "--table", "users").exception
    assert isinstance(failed, InputError)
    assert "not made by penstock" in str(failed)


def test_a_kind_that_was_asked_for_once_stays(tmp_path: Path) -> None:
    store, to = land(tmp_path / "s", {"at": 0}), f"jsonl://{tmp_path}/t.jsonl"
    run(store, "--to", to, "--schema", "at: epoch")
    land(store, {"at": 1}, start=1)
    run(store, "--to", to)
    with closing(open_destination(to)) as there:
        state = json.loads(there.state("record") or b"{}")
    assert [kind for _, _, kind, _ in state["fields"]] == ["long", "epoch"]


def test_following_goes_on_when_the_destination_is_back(tmp_path: Path) -> None:
    store = land(tmp_path / "s", {"n": 1})
    looks = iter(("gone", "back", "end"))

    class Clock:
        monotonic, time, wait = FakeClock().monotonic, FakeClock().time, FakeClock().wait

        def sleep(self, seconds: float) -> None:
            assert seconds == 1.0
            look = next(looks)
            if look == "gone":
                land(store, {"n": 2}, start=1)
                (tmp_path / "t.db").rename(tmp_path / "away.db")
                (tmp_path / "t.db").mkdir()
            elif look == "back":
                (tmp_path / "t.db").rmdir()
                (tmp_path / "away.db").rename(tmp_path / "t.db")
            else:
                raise KeyboardInterrupt

    wanted = Wanted("users", None, flatten=False, follow=True, as_json=False)
    with pytest.raises(KeyboardInterrupt):
        keep(str(store), f"sqlite://{tmp_path}/t.db", wanted, Clock())
    assert rows(tmp_path / "t.db") == [(0, 1), (1, 2)]


def test_a_run_goes_on_without_a_destination_that_does_not_answer(tmp_path: Path) -> None:
    store, told = land(tmp_path / "s", {"n": 1}), list[Event]()
    events = Events()
    events.subscribe(told.append)
    section = DestinationSection(to="sqlite://t.db", table="users")
    table = KeptTable(section, tmp_path, events)
    (tmp_path / "t.db").mkdir()
    with open_readonly(store) as reader:
        table.catch_up(reader)
        table.catch_up(reader)
        assert [type(event) for event in told] == [Notice]
        with pytest.raises(StorageError):
            table.finish(reader)
        (tmp_path / "t.db").rmdir()
        assert table.finish(reader).taken == 1
    assert rows(tmp_path / "t.db") == [(0, 1)]


def test_a_store_that_waits_for_a_writer_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping_command, "_SILENT", 0.0)
    told = Queue[str]()
    with keeping_command._patient("mongodb://me:secret@host/db", told.put):
        words = told.get()
    assert "was killed" in words
    assert "secret" not in words


def test_a_name_with_a_percent_sign_is_kept(postgres: str, tmp_path: Path) -> None:
    """Its driver took it for the place of a parameter."""
    with LocalStore(tmp_path / "store") as store, closing(open_destination(postgres)) as to:
        store.keep("history")
        for n in range(3):
            store.settle([LandedRecord(1, b'{"n":%d}' % n)], str)
            store.flush()
            Keeper(to, "a%sb", versions=True).catch_up(store)
            Keeper(to, "a%b").catch_up(store)
    assert [row["n"] for row in postgres_rows(postgres, '"a%sb" ORDER BY n')] == [0, 1, 2]
    assert [row["n"] for row in postgres_rows(postgres, '"a%b"')] == [2]


FILE = """
source = { kind = "range", stop = 3 }
api = { base = "https://a.example" }
request = { path = "/{key}" }
store = "s"
[[destination]]
to = "TO"
table = "users"
"""


def test_a_plan_names_the_table(tmp_path: Path) -> None:
    file = read_text(FILE.replace("TO", "postgresql://host/db"), "f.toml")
    assert isinstance(file, PipelineFile)
    with pytest.raises(InputError, match="a pipeline file holds no secrets"):
        read_text(FILE.replace("TO", "postgresql://me:secret@host/db"), "f.toml")
    assert plan(file, tmp_path).uses == ("destination: users of postgresql://host/db",)
    file = read_text(FILE.replace("TO", "duckbd://x"), "f.toml")
    with pytest.raises(InputError, match="did you mean 'duckdb'"):
        plan(file, tmp_path)


def test_names_that_databases_confuse_are_numbered_apart(tmp_path: Path) -> None:
    long = "x" * 80
    land(tmp_path / "s", {"Name": 1, "name": 2, "": 3, long: 4, f"{long}y": 5, "KEY": 6})
    with (
        open_readonly(tmp_path / "s") as reader,
        closing(open_destination(f"sqlite://{tmp_path}/t.db")) as there,
    ):
        Keeper(there, "users").catch_up(reader)
    assert len(rows(tmp_path / "t.db")[0]) == 7


def test_a_store_of_versions_fills_a_table_of_versions(tmp_path: Path) -> None:
    for n in (1, 2):
        with LocalStore(tmp_path / "s") as store:
            store.keep("history")
            store.settle([LandedRecord(1, b'{"n":%d}' % n)], lambda _count: None)
    events = Events()
    for to, found in (("sqlite", [(1, 1), (1, 2)]), ("csv", None)):
        section = DestinationSection(to=f"{to}://t.{to}", table="users")
        with open_readonly(tmp_path / "s") as reader:
            KeptTable(section, tmp_path, events, versions=True).finish(reader)
        if found:
            assert rows(tmp_path / "t.sqlite", "SELECT key, n FROM users ORDER BY n") == found
    assert (tmp_path / "t.csv").read_bytes() == b"key,n\r\n1,2\r\n"
    to = f"sqlite://{tmp_path}/t.sqlite"
    failed = run(tmp_path / "s", "--to", to, "--table", "users").exception
    assert "begun with versions: keep to it" in str(failed)


@pytest.mark.parametrize("to", ["csv", "sqlite", "jsonl", "parquet"])
def test_every_version_is_exported(tmp_path: Path, to: str) -> None:
    with LocalStore(tmp_path / "s") as store:
        store.keep("history")
        for n in (1, 2):
            store.settle([LandedRecord(1, b'{"n":%d}' % n)], lambda _count: None)
            store.flush()
    done = run(tmp_path / "s", "--to", to, "-o", tmp_path / "f", "--versions", "--json")
    told = json.loads(done.output.splitlines()[-1])
    assert (told["rows"], [name for name, _ in map(dict.values, told["columns"])]) == (
        2,
        ["key", "_valid_from", "n"],
    )


@pytest.mark.parametrize("value", ["x" * 300, "é" * 60, "__HIVE_DEFAULT_PARTITION__"])
def test_a_value_that_cannot_name_a_folder_is_named(tmp_path: Path, value: str) -> None:
    """It was "File name too long; call again" for good, or came back as null."""
    store = land(tmp_path / "s", {"c": "a/../.."}, {"c": value})
    failed = run(store, "--to", f"parquet://{tmp_path}/t?partition=c", "--table", "u").exception
    assert isinstance(failed, InputError)
    assert "partition=c:" in str(failed)
    assert not list((tmp_path / "t").rglob("*.parquet"))


@pytest.mark.parametrize("change", [b"", b"x", b"position"])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_what_somebody_changed_by_hand_is_named(kind: str, change: bytes, tmp_path: Path) -> None:
    place = tmp_path / "place"
    with (
        LocalStore(tmp_path / "store") as store,
        closing(open_destination(f"{kind}://{place}")) as to,
    ):
        store.keep("replace")
        store.settle([LandedRecord(key, b'{"n":"x"}') for key in range(3)], str)
        store.flush()
        Keeper(to, "users").catch_up(store)
        file = place if kind != "parquet" else next(place.rglob("*.parquet"))
        if change == b"position":
            aside = place / "users/_penstock.json" if kind == "parquet" else f"{place}.position"
            Path(aside).write_bytes(b"{")
        else:
            file.write_bytes(file.read_bytes().replace(b"\n", change).replace(b"PAR1", b""))
        store.settle([LandedRecord(1, b'{"n":"y"}')], str)
        store.flush()
        with pytest.raises(StorageError, match="was changed"):
            Keeper(to, "users").catch_up(store)
        names = {path.name for path in tmp_path.iterdir()}
        assert names <= {"store", "place", "place.position"}


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_row_that_somebody_put_under_a_key_to_come_is_named(kind: str, tmp_path: Path) -> None:
    """In DuckDB, which keeps no index of the keys, the key was there twice."""
    place = tmp_path / "place"
    with LocalStore(tmp_path / "store") as store:
        store.settle([LandedRecord(1, b'{"n":"x"}')], str)
        store.flush()
        with closing(open_destination(f"{kind}://{place}")) as to:
            Keeper(to, "users").catch_up(store)
        connect: Any = sqlite3.connect if kind == "sqlite" else duckdb.connect
        with closing(connect(str(place))) as database:
            database.execute("INSERT INTO users VALUES (2, 'mine')")
            database.commit()
        store.settle([LandedRecord(2, b'{"n":"y"}')], str)
        store.flush()
        named = pytest.raises(StorageError, match="somebody has changed")
        with named, closing(open_destination(f"{kind}://{place}")) as to:
            Keeper(to, "users").catch_up(store)
        with closing(connect(str(place))) as database:
            assert database.execute("SELECT n FROM users WHERE key = 2").fetchall() == [("mine",)]
