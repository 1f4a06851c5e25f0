"""Batches: sized anew each time, drawn lazily, nothing lost on the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.clock import FakeClock
from penstock.errors import InputError
from penstock.pipeline import batches


@given(st.lists(st.integers()), st.integers(1, 9), st.lists(st.integers(-2, 12), max_size=60))
def test_nothing_is_lost_doubled_or_moved(items: list[int], size: int, allowed: list[int]) -> None:
    told = iter([*allowed, *[size] * (len(items) + 1)])
    made = list(batches(items, size, sizer=lambda: next(told), clock=FakeClock()))
    assert [item for batch in made for item in batch] == items
    assert all(1 <= len(batch) <= size for batch in made)


@given(st.integers(0, 40), st.integers(1, 9), st.lists(st.integers(0, 12), max_size=20))
def test_stopping_leaves_the_rest_in_the_source(count: int, size: int, allowed: list[int]) -> None:
    """The item after the last batch used to be drawn and dropped."""
    source = iter(range(count))
    told = iter([*allowed, 0])
    made = list(batches(source, size, sizer=lambda: next(told, 0), empty="stop"))
    taken = [item for batch in made for item in batch]
    assert [*taken, *source] == list(range(count))


@pytest.mark.parametrize("empty", ["wait", "stop"])
def test_an_item_is_drawn_when_its_batch_is_asked_for(empty: Literal["wait", "stop"]) -> None:
    drawn: list[int] = []

    def source() -> Iterator[int]:
        for n in range(10):
            drawn.append(n)
            yield n

    made = batches(source(), 4, empty=empty)
    assert drawn == []
    next(made)
    assert drawn == [0, 1, 2, 3]


def test_zero_waits_as_long_as_the_sizer_says() -> None:
    clock = FakeClock()

    class Sizer:
        def available(self) -> int:
            return 3 if clock.monotonic() >= 7.0 else 0

        def renewed_in(self) -> float:
            return 7.0 - clock.monotonic()

    assert list(batches("abcd", 5, sizer=Sizer(), clock=clock)) == [["a", "b", "c"], ["d"]]
    assert clock.monotonic() == 7.0


def test_nobody_waits_when_the_items_are_out() -> None:
    clock = FakeClock()
    told = iter([2])
    assert list(batches("ab", 2, sizer=lambda: next(told), clock=clock)) == [["a", "b"]]
    assert clock.monotonic() == 0.0


def test_an_error_of_the_sizer_reaches_the_caller() -> None:
    def broken() -> int:
        raise RuntimeError("no status today")

    with pytest.raises(RuntimeError, match="no status today"):
        next(batches("ab", 2, sizer=broken))


@pytest.mark.parametrize(
    ("size", "empty", "words"),
    [
        (0, "wait", "at least 1 item"),
        (-3, "wait", "at least 1 item"),
        (lambda: 5, "wait", "a function goes into sizer="),
        (2.5, "wait", "size is a number"),
        (2, "sleep", "write 'wait' or 'stop'"),
    ],
)
def test_wrong_calls_show_the_right_one(size: object, empty: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        batches("ab", size, empty=empty)  # type: ignore[arg-type] # wrong on purpose
