"""The contract of destinations."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Iterable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

from penstock.destinations import Batch, Destination, Keeper
from penstock.errors import InputError, PenstockError, StorageError
from penstock.pipeline import Deletion, Key, LandedRecord
from penstock.store import LocalStore
from penstock.testing.refused import refused

__all__ = ["DestinationContract"]

Open: TypeAlias = Callable[[], Destination]
Rows: TypeAlias = Callable[..., Iterable[dict[str, object]]]


def _land(store: LocalStore, records: dict[Key, object]) -> None:
    entries = [LandedRecord(key, json.dumps(record).encode()) for key, record in records.items()]
    store.settle(entries, lambda _count: None)
    store.flush()


def _same(found: object, wanted: object) -> bool:
    """Return whether a value is what a cell of JSON says, in the type that a destination has."""
    if isinstance(found, dt.datetime) and isinstance(wanted, str):
        asked = dt.datetime.fromisoformat(wanted)
        return found.replace(tzinfo=found.tzinfo or asked.tzinfo) == asked
    if isinstance(found, dt.date):
        return found.isoformat() == wanted
    if isinstance(found, dict) and isinstance(wanted, dict):
        return all(_same(one, wanted.get(name)) for name, one in found.items())
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_same, found, wanted))
    if isinstance(found, str) and found != wanted:
        return bool(json.loads(found) == wanted)  # text that was kept as it came
    return found == wanted or (
        isinstance(found, float) and isinstance(wanted, float) and math.isclose(found, wanted)
    )


class DestinationContract:
    """Fixtures: ``open_destination()`` opens the same place each time, with no table in it.

    ``read_table()`` returns the rows of the table ``users``, ``read_table("users__tags")`` those of
    another one, as they are seen by another program: dictionaries by the names of columns, in any
    order.
    """

    def test_a_new_table_has_no_state(self, open_destination: Open) -> None:
        with closing(open_destination()) as destination:
            assert destination.state("users") is None

    def test_each_record_is_there_once_over_many_visits(
        self, open_destination: Open, read_table: Rows, tmp_path: Path
    ) -> None:
        with LocalStore(tmp_path / "store") as store:
            for start in (0, 3, 6):
                _land(store, {key: {"n": key} for key in range(start, start + 3)})
                for expected in (3, 0):
                    with closing(open_destination()) as destination:
                        assert Keeper(destination, "users").catch_up(store) == expected
        assert sorted((row["key"], row["n"]) for row in read_table()) == [(n, n) for n in range(9)]

    def test_columns_appear_and_what_does_not_fit_has_its_own(
        self, open_destination: Open, read_table: Rows, tmp_path: Path
    ) -> None:
        said: list[str] = []
        records: dict[Key, dict[str, object]] = {
            1: {"a": 1, "at": "2024-05-01T10:00:00Z", "text": 'x "y",\r\n', "empty": None},
            2: {"a": 2, "day": "2024-05-01", "inner": {"x": [1, {"y": None}]}, "yes": True},
            3: {"a": 2.5, "at": "soon", "empty": 3, "odd": "\0", "big": 2**70},
            4: {"a": "text", "at": "2024-05-01T12:30:00.5+02:00", "yes": 1, "text": ""},
        }
        with LocalStore(tmp_path / "store") as store, closing(open_destination()) as destination:
            keeper = Keeper(destination, "users", said=said.append)
            for one in ({1, 2}, {3}, {4}):
                _land(store, {key: records[key] for key in sorted(one)})
                assert keeper.catch_up(store) == len(one)
        assert len(said) == len(set(said))
        rows = {row["key"]: row for row in read_table()}
        assert set(rows) == set(records)
        for key, record in records.items():
            for name, value in record.items():
                found = [
                    cell
                    for column, cell in rows[key].items()
                    if (column == name or column.startswith(f"{name}__")) and cell is not None
                ]
                wanted = [] if value is None else [value]
                assert len(found) == len(wanted), (name, found)
                assert all(map(_same, found, wanted)), (name, found, wanted)

    def test_what_is_nested_grows_and_what_does_not_fit_has_its_own_column(
        self, open_destination: Open, read_table: Rows, tmp_path: Path
    ) -> None:
        values: dict[Key, object] = {
            1: {"a": 1, "in": {"none": None, "no": [], "it's": True}},
            2: {"a": 2.5, "b": "x"},
            9: None,
            3: {"in": {"none": [{"x": 2**53 + 1}], "no": ["y"]}, "more": {"%": [[1]]}},
            4: {"a": "text"},
            5: {"a": 2**60, "A": 1},
            6: {},
            8: ["list"],
        }
        with LocalStore(tmp_path / "store") as store, closing(open_destination()) as destination:
            for key, value in values.items():
                _land(store, {key: {"v": value}})
                assert Keeper(destination, "users").catch_up(store) == 1
            wanted = destination.holds_structs
            if not wanted:
                with refused(InputError, "structs"):
                    Keeper(destination, "users", structs=True)
        for row in read_table():
            cells = [cell for name, cell in row.items() if name != "key" and cell is not None]
            value = values[int(str(row["key"]))]
            assert len(cells) == (value is not None), cells
            assert all(_same(cell, value) for cell in cells), (cells, value)
            assert not wanted or row["key"] not in {1, 2} or isinstance(cells[0], dict)

    def test_names_that_a_place_has_for_itself_are_kept(
        self, open_destination: Open, read_table: Rows, tmp_path: Path
    ) -> None:
        names = ["ctid", "rowid", "XMIN", 'a"b', "a", "A", "a.b", "select", "", "%s", "?", "é" * 40]
        with LocalStore(tmp_path / "store") as store, closing(open_destination()) as destination:
            for key in (1, 2):
                _land(store, {key: {name: key if spot else "x" for spot, name in enumerate(names)}})
                assert Keeper(destination, "users").catch_up(store) == 1
            for name in ("", "..", "a/../b", "n\0", "_penstock"):
                with refused(InputError, "name another"):
                    Keeper(destination, name)
        for row in read_table():
            assert len([cell for cell in row.values() if cell is not None]) == len(names) + 1

    def test_a_deletion_takes_the_row_away(
        self, open_destination: Open, read_table: Rows, tmp_path: Path
    ) -> None:
        with LocalStore(tmp_path / "store") as store, closing(open_destination()) as destination:
            keeper = Keeper(destination, "users")
            _land(store, {key: {"n": key, "text": 'a\r\n"b'} for key in range(4)})
            keeper.catch_up(store)
            store.settle([Deletion(1), Deletion(2), Deletion(99)], lambda _count: None)
            _land(store, {4: {"n": 4}})
            assert keeper.catch_up(store) == 1
            store.settle([Deletion(3)], lambda _count: None)
            store.flush()
            assert keeper.catch_up(store) == 0
        assert sorted(row["key"] for row in read_table()) == [0, 4]  # type: ignore[type-var] # ints

    def test_a_key_that_was_deleted_and_came_again_is_there_once(
        self, open_destination: Open, read_table: Rows, tmp_path: Path
    ) -> None:
        with LocalStore(tmp_path / "store") as store, closing(open_destination()) as destination:
            keeper = Keeper(destination, "users")
            _land(store, {1: {"n": 1}, 2: {"n": 2}})
            keeper.catch_up(store)
            for key in (1, 2):
                store.settle([Deletion(key, final=False)], lambda _count: None)
            _land(store, {1: {"n": 10}})
            assert keeper.catch_up(store) == 1
        assert [(row["key"], row["n"]) for row in read_table()] == [(1, 10)]

    def test_a_record_that_took_the_place_of_another_is_there_once(
        self, open_destination: Open, read_table: Rows, tmp_path: Path
    ) -> None:
        with LocalStore(tmp_path / "store") as store:
            store.keep("replace")
            for n in range(3):
                for key in range(n, 4):
                    _land(store, {key: {"n": n}})
                with closing(open_destination()) as destination:
                    assert Keeper(destination, "users").catch_up(store) == 4 - n
        assert sorted((row["key"], row["n"]) for row in read_table()) == [
            (0, 0),
            (1, 1),
            (2, 2),
            (3, 2),
        ]

    def test_versions_follow_one_another(
        self, open_destination: Open, read_table: Rows, tmp_path: Path
    ) -> None:
        with LocalStore(tmp_path / "store") as store, closing(open_destination()) as destination:
            if not destination.holds_versions:
                with refused(InputError, "the newest one"):
                    Keeper(destination, "users", versions=True)
                return
            store.keep("history")
            for visit in ((0, 1), (2,), (3,)):
                for n in visit:
                    _land(store, {key: {"n": n, "valid_to": "x"} for key in range(3 - n % 2)})
                Keeper(destination, "users", versions=True).catch_up(store)
            store.settle([Deletion(1)], lambda _count: None)
            store.flush()
            Keeper(destination, "users", versions=True).catch_up(store)
        rows = sorted(read_table(), key=lambda row: (row["key"], row["n"]))
        assert [(row["key"], row["n"]) for row in rows] == [
            *((0, n) for n in range(4)),
            *((2, n) for n in (0, 2)),
        ]
        for earlier, later in pairwise([list(row.values()) for row in rows]):
            assert earlier[2] == (later[1] if later[0] == earlier[0] else None)

    def test_lists_are_rows_of_tables_beside(
        self, open_destination: Open, read_table: Rows, tmp_path: Path
    ) -> None:
        with LocalStore(tmp_path / "store") as store, closing(open_destination()) as destination:
            if not destination.holds_children:
                with refused(InputError, "nested tables"):
                    Keeper(destination, "users", children=True)
                return
            store.keep("replace")
            _land(store, {1: {"n": 1, "tags": ["a", "b"]}, 2: {"o": {"tags": [{"x": [1, 2]}]}}})
            assert Keeper(destination, "users", children=True).catch_up(store) == 2
            _land(store, {1: {"n": 10, "tags": ["c", None]}, 3: {"tags": ["d"], "more": [[5]]}})
            assert Keeper(destination, "users", children=True).catch_up(store) == 2
            store.settle([Deletion(3)], lambda _count: None)
            store.flush()
            Keeper(destination, "users", children=True).catch_up(store)
            with refused(InputError, "with nested tables"):
                Keeper(destination, "users", flatten=True).catch_up(store)
            with refused(InputError, "name another"):
                Keeper(destination, "users__tags").catch_up(store)

        def rows(table: str, *names: str) -> list[tuple[object, ...]]:
            return sorted(tuple(row[name] for name in names) for row in read_table(table))

        assert rows("users", "key") == [(1,), (2,)]
        assert rows("users__tags", "key", "position", "value") == [(1, 0, "c"), (1, 1, None)]
        assert rows("users__o__tags", "key", "position") == [(2, 0)]
        places = ("key", "position", "position_2", "value")
        assert rows("users__o__tags__x", *places) == [(2, 0, 0, 1), (2, 0, 1, 2)]
        assert rows("users__more__value", "key") == []

    def test_two_that_keep_one_table_do_not_double_a_row(
        self, open_destination: Open, read_table: Rows, tmp_path: Path
    ) -> None:
        with LocalStore(tmp_path / "store") as store:
            _land(store, {1: {"n": 1}})
            with closing(open_destination()) as destination:
                Keeper(destination, "users").catch_up(store)
                before = destination.state("users")
                _land(store, {2: {"n": 2}})
                Keeper(destination, "users").catch_up(store)
                fields = Batch(table="users", before=before, after=b"{}", fields=(), rows=())
                with refused(StorageError, "another process"):
                    destination.commit(fields)
        assert sorted(row["key"] for row in read_table()) == [1, 2]  # type: ignore[type-var] # ints

    def test_a_table_of_another_store_is_refused(
        self, open_destination: Open, tmp_path: Path
    ) -> None:
        for name in ("one", "two"):
            with LocalStore(tmp_path / name) as store, closing(open_destination()) as destination:
                _land(store, {1: {"n": 1}})
                if name == "one":
                    Keeper(destination, "users").catch_up(store)
                else:
                    with refused(InputError, "another store"):
                        Keeper(destination, "users").catch_up(store)

    def test_keys_of_two_kinds_stay_apart(
        self, open_destination: Open, read_table: Rows, tmp_path: Path
    ) -> None:
        with LocalStore(tmp_path / "store") as store, closing(open_destination()) as destination:
            _land(store, {7: {"n": 1}, "7": {"n": 2}})
            assert Keeper(destination, "users").catch_up(store) == 2
        assert sorted(row["n"] for row in read_table()) == [1, 2]  # type: ignore[type-var] # ints

    def test_a_key_that_does_not_fit_is_refused_and_nothing_of_its_batch_is_there(
        self, open_destination: Open, read_table: Rows, tmp_path: Path
    ) -> None:
        with LocalStore(tmp_path / "store") as store, closing(open_destination()) as destination:
            keeper = Keeper(destination, "users")
            _land(store, {1: {"n": 1}})
            keeper.catch_up(store)
            _land(store, {2: {"n": 2}, "x": {"n": 3}})
            with refused(PenstockError, "does not fit"):
                keeper.catch_up(store)
        assert [row["key"] for row in read_table()] == [1]
