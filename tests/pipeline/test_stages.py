"""Stages between fetch and landing: one result for each, and nothing is held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from penstock.errors import InputError
from penstock.pipeline import Key, Pipeline, Result, each, through
from penstock.store import LocalStore


def test_stages_follow_each_other_and_what_they_make_lands(tmp_path: Path) -> None:
    numbers = Pipeline(range(50)).in_threads(lambda n: int(n) * 2, threads=4)
    staged = numbers.through(each(lambda n: n + 1)).through(each(lambda n: {"odd": n}))
    with LocalStore(tmp_path / "store") as store:
        report = staged.land(store)
        assert (report.landed, report.failed) == (50, 0)
        assert store.get(20) == b'{"odd":41}'
        assert store.verify() == 50


def test_an_exception_in_a_stage_of_each_is_that_items_failure(tmp_path: Path) -> None:
    numbers = Pipeline(range(-5, 5)).in_threads(int, threads=3)
    staged = numbers.through(each(lambda n: 60 // n)).through(each(str))
    assert {r.key: r.value for r in staged if r.ok}[-2] == "-30"
    with LocalStore(tmp_path / "store") as store:
        report = staged.land(store)
        assert (report.landed, report.failed) == (9, 1)
        (failure,) = store.failures()
    assert (failure.key, failure.error) == (0, "ZeroDivisionError")


def test_a_failure_goes_through_every_stage_as_it_is() -> None:
    def fail(key: Key) -> int:
        raise LookupError(key)

    (result,) = Pipeline([7]).in_threads(fail).through(each(lambda n: n * 2))
    assert isinstance(result.error, LookupError)
    assert (result.value, result.attempts) == (None, 1)


def test_a_stage_sees_what_came_together_and_holds_nothing_back() -> None:
    seen: list[int] = []

    def stage(results: Sequence[Result[Key, int]]) -> Sequence[Result[Key, int]]:
        seen.append(len(results))
        return results

    def chunks() -> Iterator[Sequence[Result[Key, int]]]:
        yield [Result(1, 1), Result(2, 2)]
        yield []
        yield [Result(3, 3)]

    staged = through(chunks(), stage)
    assert [result.key for result in next(staged)] == [1, 2]
    assert seen == [2]
    assert [list(chunk) for chunk in staged] == [[], [Result(3, 3)]]
    assert seen == [2, 1]


@pytest.mark.parametrize("change", ["drop", "add", "rename", "turn"])
def test_a_stage_that_loses_or_renames_a_result_is_stopped(change: str) -> None:
    def stage(results: Sequence[Result[Key, int]]) -> Sequence[Result[Key, int]]:
        if change == "drop":
            return results[1:]
        if change == "add":
            return [*results, Result(99, 1)]
        if change == "turn":
            return results[::-1]
        return [Result(f"{result.key}", result.value) for result in results]

    chunk = [Result[Key, int](1, 1), Result[Key, int](2, 2)]
    with pytest.raises(InputError, match="return one for each"):
        list(through([chunk], stage))


def test_what_a_stage_raises_ends_the_run_and_what_landed_before_is_safe(tmp_path: Path) -> None:
    def stage(results: Sequence[Result[Key, int]]) -> Sequence[Result[Key, int]]:
        if any(result.key == 15 for result in results):
            raise InputError("no more of that")
        return results

    def run() -> None:
        with LocalStore(tmp_path / "store") as store:
            Pipeline(range(30)).in_threads(int, threads=2).through(stage).land(store)

    with pytest.raises(InputError, match="no more of that"):
        run()
    with LocalStore(tmp_path / "store") as store:
        before = store.status().landed
        assert 0 < before < 30
        assert store.verify() == before
        report = Pipeline(range(30)).in_threads(lambda n: n, threads=2).land(store)
        assert report.landed == 30 - before
