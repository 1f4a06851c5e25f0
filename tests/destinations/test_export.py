"""Exports are read back by programs that are not ours: csv, json, sqlite3 and pyarrow."""

import csv
import io
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from penstock.destinations import Content, Exported, Format, export
from penstock.destinations.text_files import write_csv
from penstock.errors import InputError, MissingExtra, PenstockError, StorageError
from penstock.pipeline.result import Entry, Failing, Key, Landing
from penstock.store import Column, LocalStore, open_readonly

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
FORMATS: Sequence[Format] = get_args(Format)
RECORDS: dict[Key, object] = {
    1: {"name": 'Ada "Lace"', "size": 1, "tags": ["x"], "address": {"city": "London", "at": [1]}},
    2: {"name": "", "size": 2.5, "active": True, "address": {}},
    3: {"name": None, "size": None, "active": False, "big": 2**70, "long": 2**62},
    4: {"name": "a,b\r\nc", "extra": "größer 😀", "mixed": 1, "big": 7, "long": 1},
    5: {"name": " padded ", "mixed": "one", "active": None},
}


def land(path: Path, records: dict[Key, object], *others: Entry) -> Path:
    with LocalStore(path) as store:
        bodies = [Landing(key, json.dumps(record).encode()) for key, record in records.items()]
        store.settle([*bodies, *others], lambda _: None)
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return land(
        tmp_path / "store", RECORDS, Failing(9, "GaveUp", "no answer", None, 4, '<p class="x">')
    )


def exported(
    store: Path, to: Format, *, flatten: bool = False, content: Content = "records"
) -> Exported:
    with open_readonly(store) as reader:
        output = store.parent / f"out.{to}"
        return export(reader, to, output, content=content, flatten=flatten, force=True)


def kinds(done: Exported) -> dict[str, str]:
    return {column.name: column.kind for column in done.columns}


@pytest.mark.parametrize("to", FORMATS)
def test_the_columns_are_the_union_in_order_of_appearance(store: Path, to: Format) -> None:
    done = exported(store, to)
    assert done.rows == 5
    assert kinds(done) == {
        "key": "int",
        "name": "text",
        "size": "float",
        "tags": "nested" if to in {"parquet", "arrow"} else "json",
        "address": "nested" if to in {"parquet", "arrow"} else "json",
        "active": "bool",
        "big": "digits",
        "long": "int",
        "extra": "text",
        "mixed": "json",
    }
    assert list(kinds(exported(store, to, flatten=True)))[4:8] == [
        "address.city",
        "address.at",
        "active",
        "address",
    ]


def test_csv_is_rfc_4180(store: Path) -> None:
    text = Path(exported(store, "csv").output).read_bytes().decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["name"] for row in rows] == ['Ada "Lace"', "", "", "a,b\r\nc", " padded "]
    assert [row["size"] for row in rows] == ["1", "2.5", "", "", ""]
    assert [row["active"] for row in rows] == ["", "true", "false", "", ""]
    assert [row["mixed"] for row in rows] == ["", "", "", "1", '"one"']
    assert [row["big"] for row in rows] == ["", "", str(2**70), "7", ""]
    assert json.loads(rows[0]["address"]) == {"city": "London", "at": [1]}
    lines = text.split("\r\n")
    assert lines[0] == "key,name,size,tags,address,active,big,long,extra,mixed"
    # The empty text and null are told apart.
    assert lines[2].startswith('2,"",2.5,')
    assert lines[3].startswith("3,,,")


def test_jsonl_keeps_records_as_they_are(store: Path) -> None:
    lines = Path(exported(store, "jsonl").output).read_text().splitlines()
    read = [json.loads(line) for line in lines]
    assert read == [
        {"key": key, **record} for key, record in RECORDS.items() if isinstance(record, dict)
    ]


def test_sqlite_has_typed_columns(store: Path) -> None:
    with closing(sqlite3.connect(exported(store, "sqlite", flatten=True).output)) as database:
        types = {row[1]: row[2] for row in database.execute("PRAGMA table_info(record)")}
        assert types["key"] == types["long"] == "INTEGER"
        assert types["size"] == "REAL"
        assert types["address.city"] == types["big"] == "TEXT"
        query = 'SELECT key, name, size, active, big, long, "address.city" FROM record ORDER BY key'
        assert database.execute(query).fetchall() == [
            (1, 'Ada "Lace"', 1.0, None, None, None, "London"),
            (2, "", 2.5, 1, None, None, None),
            (3, None, None, 0, str(2**70), 2**62, None),
            (4, "a,b\r\nc", None, None, "7", 1, None),
            (5, " padded ", None, None, None, None, None),
        ]
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_parquet_has_typed_columns(store: Path) -> None:
    table = parquet.read_table(exported(store, "parquet").output)
    types = {field.name: str(field.type) for field in table.schema}
    assert types["key"] == types["long"] == "int64"
    assert (types["size"], types["active"], types["big"]) == ("double", "bool", "string")
    assert table.column("name").to_pylist() == ['Ada "Lace"', "", None, "a,b\r\nc", " padded "]
    assert table.column("active").to_pylist() == [None, True, False, None, None]
    assert table.column("long").to_pylist() == [None, None, 2**62, 1, None]
    assert table.column("extra").to_pylist()[3] == "größer 😀"


def test_a_field_called_key_moves_the_key_aside(tmp_path: Path) -> None:
    records: dict[Key, object] = {1: {"key": "a", "_key": 2}, 2: {"KEY": "b"}}
    path = land(tmp_path / "store", records)
    assert list(kinds(exported(path, "csv"))) == ["__key", "key", "_key", "KEY"]
    # SQLite takes names that differ in case for the same.
    assert list(kinds(exported(path, "sqlite"))) == ["__key", "key", "_key", "KEY_2"]


def test_keys_of_two_types_stay_apart(tmp_path: Path) -> None:
    path = land(tmp_path / "store", {7: {"a": 1}, "7": {"a": 2}})
    with closing(sqlite3.connect(exported(path, "sqlite").output)) as database:
        assert database.execute("SELECT key, a FROM record").fetchall() == [("7", 1), ('"7"', 2)]


def test_records_that_are_no_objects_are_a_value(tmp_path: Path) -> None:
    path = land(tmp_path / "store", {1: 5, 2: [1, 2], 3: None, 4: "x", 5: {"value": {"a": 1}}})
    lines = Path(exported(path, "csv").output).read_text().splitlines()
    assert lines[1:] == ["1,5", '2,"[1, 2]"', "3,", '4,"""x"""', '5,"{""a"": 1}"']


def test_flattened_names_that_meet_are_numbered(tmp_path: Path) -> None:
    path = land(tmp_path / "store", {1: {"a": {"b": 1}, "a.b": 2}})
    done = exported(path, "csv", flatten=True)
    assert list(kinds(done)) == ["key", "a.b", "a.b_2"]
    assert Path(done.output).read_text().splitlines() == ["key,a.b,a.b_2", "1,1,2"]


@pytest.mark.parametrize("to", FORMATS)
def test_odd_names_and_texts_survive(tmp_path: Path, to: Format) -> None:
    odd = {
        "": 1,
        'q"uote': 2,
        "nul\0": "a\0b",
        "line\nfeed": 3,
        "drop table": 4,
        "half\ud83d": "\ud83d",
    }
    done = exported(land(tmp_path / "store", {1: odd}), to)
    assert done.rows == 1
    assert len(done.columns) == 7
    assert done.columns[-1].name == "half\\ud83d"


def test_very_deep_objects_are_not_flattened_for_ever(tmp_path: Path) -> None:
    body = b'{"a":' * 500 + b"1" + b"}" * 500
    with LocalStore(tmp_path / "store") as store:
        store.settle([Landing(1, body)], lambda _: None)
    done = exported(tmp_path / "store", "jsonl", flatten=True)
    assert [column.kind for column in done.columns] == ["int", "json"]
    assert done.columns[1].name == ".".join("a" * 33)


def test_a_record_that_is_not_json_is_named(tmp_path: Path) -> None:
    with LocalStore(tmp_path / "store") as store:
        store.settle([Landing(1, b'{"a":')], lambda _: None)
    with pytest.raises(StorageError, match="not JSON"):
        exported(tmp_path / "store", "csv")
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


@pytest.mark.parametrize("to", FORMATS)
def test_an_empty_store_gives_an_empty_table(tmp_path: Path, to: Format) -> None:
    done = exported(land(tmp_path / "store", {}), to)
    assert (done.rows, [column.name for column in done.columns]) == (0, ["key"])


@pytest.mark.parametrize("to", FORMATS)
def test_the_failures_can_be_exported(store: Path, to: Format) -> None:
    done = exported(store, to, content="failed")
    assert done.rows == 1
    names = "key error message status attempts excerpt at replayed acknowledged"
    assert [column.name for column in done.columns] == names.split()
    if to == "jsonl":
        letter = json.loads(Path(done.output).read_text())
        assert (letter["key"], letter["status"], letter["excerpt"]) == (9, None, '<p class="x">')


def test_a_file_is_replaced_only_when_told(store: Path) -> None:
    output = store.parent / "mine.csv"
    output.write_text("precious")
    with open_readonly(store) as reader:
        with pytest.raises(InputError, match="--force"):
            export(reader, "csv", output)
        assert output.read_text() == "precious"
        export(reader, "csv", output, force=True)
    assert output.read_text().startswith("key,name")


def test_what_cannot_be_written_is_said(store: Path) -> None:
    with open_readonly(store) as reader:
        for output in (store, store / "nothing" / "out.csv", Path("/dev/null")):
            with pytest.raises(InputError):
                export(reader, "csv", output, force=True)
        with pytest.raises(InputError, match="needs a file"):
            export(reader, "sqlite", "-")
        with pytest.raises(InputError, match="the formats are csv"):
            export(reader, "xlsx", "-")  # type: ignore[arg-type] # what a caller may try


def test_too_many_columns_for_sqlite(tmp_path: Path) -> None:
    path = land(tmp_path / "store", {1: {f"field{number}": 1 for number in range(2001)}})
    with pytest.raises(InputError, match="2000"):
        exported(path, "sqlite")
    assert exported(path, "parquet").rows == 1


def test_progress_counts_both_passes(store: Path) -> None:
    seen: list[tuple[int, int]] = []
    with open_readonly(store) as reader:
        export(reader, "csv", store.parent / "x", progress=lambda *at: seen.append(at))
    assert seen[-1] == (10, 10)


def test_what_lands_meanwhile_is_left_to_the_next_export(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with LocalStore(path) as store:
        store.settle([Landing(key, b'{"a":1}') for key in range(3000)], lambda _: None)
        store.flush()

        def land_more(done: int, total: int) -> None:
            store.settle([Landing(f"{done}/{total}", b'{"b":1}')], lambda _: None)
            store.flush()

        done = export(store, "csv", tmp_path / "x.csv", progress=land_more)
        assert store.status().landed > 3000
    assert (done.rows, len(done.columns)) == (3000, 2)
    assert len((tmp_path / "x.csv").read_text().splitlines()) == 3001


LIMITED = """
import sys
from penstock.errors import PenstockError
from penstock.destinations import export
from penstock.store import open_readonly
try:
    with open_readonly(sys.argv[1]) as reader:
        export(reader, sys.argv[2], sys.argv[3])
except PenstockError as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.mark.parametrize("to", FORMATS)
def test_a_full_disk_leaves_nothing_half(tmp_path: Path, to: Format) -> None:
    # Texts that do not compress, so that parquet needs room as well.
    records: dict[Key, object] = {
        key: {"text": f"{hash((key, 'x')) ** 40:x}"} for key in range(500)
    }
    path = land(tmp_path / "store", records)

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        os.environ.pop("COVERAGE_PROCESS_CONFIG", None)  # its file has no room either

    command = [sys.executable, "-c", LIMITED, str(path), to, str(tmp_path / "out")]
    child = subprocess.run(command, preexec_fn=limited, capture_output=True, text=True, check=False)
    assert (child.returncode, child.stderr) == (StorageError.exit_code, "")
    assert child.stdout.count("\n") == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["store"]


WITHOUT_PYARROW = """
import sys
sys.modules["pyarrow"] = None
from penstock.errors import MissingExtra
from penstock.destinations import export
from penstock.store import open_readonly
try:
    with open_readonly(sys.argv[1]) as reader:
        export(reader, "parquet", sys.argv[2])
except MissingExtra as error:
    print(error)
"""


def test_parquet_without_its_library_says_what_to_install(store: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_PYARROW, str(store), str(store.parent / "x")]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "pip install 'penstock-data[parquet]'" in out
    assert issubclass(MissingExtra, PenstockError)


def test_importing_the_store_imports_nothing_heavy() -> None:
    code = "import sys, penstock.store; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"pyarrow", "rich", "click", "pycurl"} & set(out.stdout.split())


@given(TEXTS, TEXTS)
def test_a_safe_csv_has_no_formula(name: str, value: str) -> None:
    columns = [Column(f"={name}", "text"), Column("b", "int")]
    starts = ("=", "+", "-", "@", " =", "x")
    rows = [[json.dumps(start + value).encode(), b"-1"] for start in starts]
    file = io.BytesIO()
    write_csv(rows, columns, file, safe=True)
    for row in csv.reader(io.StringIO(file.getvalue().decode(), newline="")):
        assert row[0].lstrip()[:1] not in ("=", "+", "-", "@")
        assert row[1] in ("b", "-1")
