"""Any key and any JSON text come back as they went in."""

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.pipeline.result import Key, Landing
from penstock.store import LocalStore, open_readonly

Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
Keys = st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"]))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(Keys, Json, st.booleans()), max_size=20, unique_by=lambda item: item[0]),
    st.integers(1, 7),
    st.integers(1, 500),
)
def test_what_lands_comes_back(
    items: list[tuple[Key, object, bool]], group: int, segment_bytes: int
) -> None:
    bodies = {
        key: json.dumps(value, ensure_ascii=ascii_only).encode() for key, value, ascii_only in items
    }
    with tempfile.TemporaryDirectory() as folder:
        with LocalStore(folder, segment_bytes=segment_bytes) as store:
            for key in store.claim(list(bodies)):
                store.settle([Landing(key, bodies[key])], lambda _: None, group=group)
        with open_readonly(folder) as store:
            assert [(record.key, record.body) for record in store.records()] == [*bodies.items()]
            assert {key: store.get(key) for key in bodies} == bodies
            assert store.verify() == len(bodies)
            size = sum(path.stat().st_size for path in Path(folder).glob("segment-*.jsonl"))
            assert store.status().bytes == size
