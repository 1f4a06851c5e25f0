"""Following a store: from any position on, over segments, beside a run, each record once."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.errors import InputError
from penstock.pipeline import Landing
from penstock.store import LocalStore, StoreReader, open_readonly


def land(store: LocalStore, *keys: int) -> None:
    store.settle([Landing(key, b'{"n":%d}' % key) for key in keys], durable=str)
    store.flush()


def test_from_every_position_the_rest_follows(tmp_path: Path) -> None:
    with LocalStore(tmp_path, segment_bytes=300) as store:
        for start in range(0, 40, 4):
            land(store, *range(start, start + 4))
        assert store.status().segments > 2
        whole = list(store.follow())
        assert [record for record, _ in whole] == list(store.records())
        for number, (_, position) in enumerate(whole, 1):
            assert list(store.follow(position)) == whole[number:]


def test_what_lands_later_follows_a_position_kept_before(tmp_path: Path) -> None:
    with LocalStore(tmp_path, segment_bytes=200) as store, open_empty(store) as reader:
        taken: list[int | str] = []
        position = ""
        for start in range(0, 30, 3):
            land(store, *range(start, start + 3))
            for record, behind in reader.follow(position):
                taken.append(record.key)
                position = behind
        assert taken == list(range(30))
    with open_readonly(tmp_path) as reader:
        assert list(reader.follow(position)) == []


def open_empty(store: LocalStore) -> StoreReader:
    """Return a reader of its own beside the run, of a store with nothing in it yet."""
    reader = open_readonly(store.path)
    assert list(reader.follow()) == []
    return reader


@pytest.mark.parametrize("position", ["7:0", "1:100000", "x", "1", ":", "-1:3"])
def test_a_position_of_another_store_is_refused(tmp_path: Path, position: str) -> None:
    with LocalStore(tmp_path) as store:
        land(store, 1, 2)
        with pytest.raises(InputError, match="is no position of this store"):
            list(store.follow(position))
