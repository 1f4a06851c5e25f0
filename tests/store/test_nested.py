"""Objects and lists as structs and lists: nothing is lost that is not said to be."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from penstock.pipeline import LandedRecord
from penstock.store import LocalStore, read_arrow

FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | FLOATS
VALUES = st.recursive(
    SCALARS | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3)
    ),
    max_leaves=12,
)


class Rows:
    """Records in memory."""

    def __init__(self, values: list[object]) -> None:
        self.values = values

    def records(self) -> list[LandedRecord]:
        return [
            LandedRecord(key, json.dumps({"v": value}).encode())
            for key, value in enumerate(self.values)
        ]


def same(found: object, wanted: object) -> bool:
    """Return whether a value came back; null is absent in a struct, and JSON text is JSON."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return all(same(one, wanted.get(name)) for name, one in found.items()) and set(
            wanted
        ) <= set(found)
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(same, found, wanted))
    if isinstance(found, str) and found != wanted:
        return bool(json.loads(found) == wanted)
    return found == wanted and isinstance(found, bool) == isinstance(wanted, bool)


@given(st.lists(VALUES, max_size=4))
def test_what_is_nested_comes_back(values: list[object]) -> None:
    table = read_arrow(Rows(values), nested=True).read_all()  # type: ignore[arg-type] # likewise
    rows = table.to_pylist()
    assert len(rows) == len(values)
    for row, value in zip(rows, values, strict=True):
        del row["key"]
        cells = [cell for cell in row.values() if cell is not None]
        assert [True] * len(cells) == [same(cell, value) for cell in cells]
        assert len(cells) == (value is not None)


def test_a_list_of_objects_is_a_list_of_structs(tmp_path: Path) -> None:
    body = b'{"tags":[{"a":1},{"a":2.5,"b":"x"}],"odd":[1,"x"],"none":[]}'
    with LocalStore(tmp_path / "s") as store:
        store.settle([LandedRecord(1, body)], lambda _count: None)
        store.flush()
        table = store.to_arrow(nested=True).read_all()
    assert table.schema.field("tags").type == pa.list_(
        pa.struct([("a", pa.float64()), ("b", pa.string())])
    )
    assert table.to_pylist() == [
        {
            "key": 1,
            "tags": [{"a": 1.0, "b": None}, {"a": 2.5, "b": "x"}],
            "odd": ["1", '"x"'],
            "none": [],
        }
    ]
