"""What is read at once is what is read record by record."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

from hypothesis import example, given
from hypothesis import strategies as st

from penstock.pipeline import LandedRecord
from penstock.store import layout, read_arrow

NUMBERS = ("0", "-0", "1", "-7", "9007199254740992", "9007199254740993", "9223372036854775808")
FLOATS = ("0.0", "-0.0", "1.5", "1e2", "1e17", "5e-324", "1e-400", "1e400", "1.000000000000000005")
TEXTS = (
    '""',
    '"a\\u00e9"',
    '"\\ud83d\\ude00"',
    '"\\ud800"',
    '"\\u0000"',
    '"€"',
    '"e-400"',
    '"\\""',
)
TIMES = (
    *('"2024-05-01"', '"2024-02-30"', '"0099-01-01"', '"2024-05-01T10:00:00Z"'),
    *('"2024-05-01T10:00:00.5+02:00"', '"2024-05-01 10:00:00"', '"2024-05-01T10:00:60Z"'),
    *('"2024-05-01T10:00:00"', '"2024-05-01T24:00:00"', '"2024-05-01T10:00:00.1234567Z"'),
)
NESTED = ('{"x":1}', '{"x":1.5}', '{"x":null,"y":"a"}', "{}", "[]", "[1]", '["a"]', "[null]")
LITERALS = (
    "null",
    "true",
    *NUMBERS,
    *FLOATS,
    *TEXTS,
    *TIMES,
    *NESTED,
    '[{"x":[1]}]',
    '{"x":1,"x":2}',
)


class Rows:
    """Records in memory."""

    def __init__(self, bodies: list[str]) -> None:
        self.bodies = bodies

    def records(self) -> Iterator[LandedRecord]:
        return (LandedRecord(key, body.encode()) for key, body in enumerate(self.bodies))


@st.composite
def alike(draw: st.DrawFn) -> list[str]:
    """Return records whose fields are of one kind for the most part."""
    pools = draw(st.lists(st.lists(st.sampled_from(LITERALS), min_size=1, max_size=2), max_size=3))
    return draw(
        st.lists(
            st.tuples(*(st.none() | st.sampled_from(pool) for pool in pools)).map(
                lambda cells: (
                    "{" + ",".join(f'"f{at}":{cell}' for at, cell in enumerate(cells) if cell) + "}"
                )
            )
            | st.sampled_from(["null", "[1]", '{"f0":1,"f0":2}']),
            max_size=12,
        )
    )


@given(alike())
@example(['{"f0":1}', '{"f0":2}', '{"f0":9007199254740993}', '{"f0":1.5}'])
@example(['{"f0":{"x":0.5}}', '{"f0":{"x":1e-400}}'])
def test_what_is_read_at_once_is_what_is_read_one_by_one(bodies: list[str]) -> None:
    rows = Rows(bodies)
    with mock.patch.object(layout, "_BLOCK", 16):
        at_once = read_arrow(rows).read_all()  # type: ignore[arg-type] # it has no moments
        with mock.patch.object(layout, "read_block", return_value=None):
            one_by_one = read_arrow(rows).read_all()  # type: ignore[arg-type] # likewise
    assert at_once.schema == one_by_one.schema
    assert str(at_once.to_pylist()) == str(one_by_one.to_pylist())  # -0.0 is not 0.0


def test_alike_records_are_read_at_once() -> None:
    rows = Rows(['{"n":1,"at":"2024-05-01T10:00:00Z","in":{"x":[0.5]}}'] * 9)
    with (
        mock.patch.object(layout, "_BLOCK", 150),
        mock.patch.object(layout.Layout, "columns", side_effect=AssertionError),
    ):
        assert read_arrow(rows).read_all().num_rows == 9  # type: ignore[arg-type] # likewise
