"""What is inferred holds every value it was inferred from."""

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from penstock.store import READERS
from penstock.store.cells import fields, text_of
from penstock.store.shape import Shape, free_name, kind_of, published

Numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
Values = st.recursive(
    st.none() | st.booleans() | Numbers | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
Records = st.dictionaries(st.text(max_size=3), Values, max_size=5)


def nested(cells: dict[tuple[str, ...], bytes]) -> dict[str, object]:
    """Undo flattening."""
    record: dict[str, object] = {}
    for path, cell in cells.items():
        inner = record
        for name in path[:-1]:
            inner = inner.setdefault(name, {})  # type: ignore[assignment] # objects by construction
        inner[path[-1]] = json.loads(cell)
    return record


@given(Records, st.booleans())
def test_fields_lose_nothing(record: dict[str, object], flatten: bool) -> None:
    body = json.dumps(record).encode()
    assert nested(fields(body, flatten=flatten)) == record
    if flatten:
        cells = fields(body, flatten=True).values()
        assert not any(isinstance(json.loads(cell), dict) and cell != b"{}" for cell in cells)


@given(st.lists(Values.filter(lambda value: value is not None), min_size=1, max_size=6))
def test_a_column_holds_all_its_values(values: list[object]) -> None:
    shape = Shape()
    for value in values:
        shape.learn({("x",): json.dumps(value).encode()})
    kind = published(shape.kinds()["x",])
    read = READERS[kind]
    for value in values:
        stored = read(json.dumps(value).encode())
        if kind in {"json", "digits"}:
            assert isinstance(stored, str)
            assert json.loads(stored) == value
        else:
            assert stored == value
            if kind == "int":
                assert -(2**63) <= int(stored) < 2**63  # type: ignore[arg-type] # an int column


@given(st.text(st.characters(exclude_categories=["Cs"])), st.booleans())
def test_texts_are_read(text: str, ascii_only: bool) -> None:
    cell = json.dumps(text, ensure_ascii=ascii_only).encode()
    assert text_of(cell) == text
    assert kind_of(cell) == "text"


@given(Numbers)
def test_numbers_are_never_rounded_silently(number: float) -> None:
    kind = kind_of(json.dumps(number).encode())
    if kind == "float":
        assert math.isfinite(float(json.dumps(number)))
    else:
        assert kind in {"int", "long", "digits"}
        assert (kind == "digits") == (not -(2**63) <= number < 2**63)


def test_a_number_beyond_any_float_is_kept_as_text() -> None:
    assert kind_of(b"1e999") == "digits"


@given(st.lists(st.sampled_from(["a", "A", "a_2", "A_2", "b"])))
def test_names_that_are_free_are_distinct(names: list[str]) -> None:
    folded: set[str] = set()
    assert len({free_name(name, folded, str.lower).lower() for name in names}) == len(names)
    taken: set[str] = set()
    assert len({free_name(name, taken) for name in names}) == len(names)
