"""Laws of the concurrent stage, held by fetch and in_threads alike."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import ExecutorFailed, GaveUp, InputError
from penstock.pipeline import Pipeline, Slots, fetch, in_threads
from penstock.pipeline.workers import Workers, itself
from penstock.store import LocalStore


@settings(deadline=None, max_examples=40)
@given(
    keys=st.lists(st.integers(0, 20) | st.text(max_size=3), max_size=40),
    threads=st.integers(1, 8),
    ordered=st.booleans(),
)
def test_every_key_has_its_result_repeated_keys_included(
    keys: list[int | str],
    threads: int,
    ordered: bool,
) -> None:
    results = list(in_threads(keys, lambda key: (key, key), threads=threads, ordered=ordered))
    assert all(result.value == (result.key, result.key) for result in results)
    got = [result.key for result in results]
    assert (got == keys) if ordered else (Counter(got) == Counter(keys))


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("window", [1, 3, 10])
def test_the_window_is_never_exceeded_and_keys_are_drawn_lazily(
    window: int, *, ordered: bool
) -> None:
    lock = threading.Lock()
    under_way, most, drawn, yielded = 0, 0, 0, 0

    def source() -> Iterator[int]:
        nonlocal drawn
        for n in range(60):
            drawn += 1
            assert drawn - yielded <= 2 * window  # under way, and in the reader's hands
            yield n

    def work(key: int | str) -> int | str:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        with lock:
            under_way -= 1
        return key

    for _ in in_threads(source(), work, threads=window, ordered=ordered):
        yielded += 1
    assert yielded == 60
    assert 1 <= most <= window


def test_nothing_is_drawn_before_the_first_result_is_asked_for() -> None:
    drawn: list[int] = []

    def source() -> Iterator[int]:
        for n in range(5):
            drawn.append(n)
            yield n

    results = in_threads(source(), itself, threads=2)
    assert drawn == []
    next(results)
    assert 1 <= len(drawn) <= 4


def test_a_slow_call_holds_nobody_back_when_unordered() -> None:
    """Slots were filled again only after the next result: one slow call stopped a window of 2."""
    gate = threading.Event()
    results = in_threads([0, 1, 2, 3], lambda n: gate.wait(30) if n == 0 else True, threads=2)
    first = [next(results).key for _ in range(3)]
    gate.set()
    assert first == [1, 2, 3]
    assert next(results).key == 0


def test_ordered_waits_for_the_slow_one_but_never_beyond_a_window() -> None:
    gate = threading.Event()
    started: list[int | str] = []

    def work(key: int | str) -> int | str:
        started.append(key)
        if key == 0:
            assert gate.wait(30)
        if key == 3:
            gate.set()  # the last one that the window of 4 lets in
        return key

    results = in_threads(range(12), work, threads=4, ordered=True)
    assert next(results).key == 0
    assert set(started) <= set(range(8))
    assert [result.key for result in results] == list(range(1, 12))


def test_an_exception_is_its_own_item_s_result() -> None:
    results = {r.key: r for r in in_threads(range(5), lambda n: 10 // (int(n) - 2), threads=3)}
    assert isinstance(results[2].error, ZeroDivisionError)
    assert [results[n].value for n in (0, 1, 3, 4)] == [-5, -10, 10, 5]
    with pytest.raises(ZeroDivisionError):
        results[2].unwrap()


def test_a_request_that_cannot_be_made_is_its_own_item_s_result() -> None:
    def request(key: int | str) -> int | str:
        if key == 1:
            raise ValueError("no such page")
        return key

    results = {r.key: r for r in fetch([0, 1, 2], Workers(itself, None), request, concurrency=2)}
    assert str(results[1].error) == "no such page"
    assert results[1].attempts == 0
    assert (results[0].value, results[2].value) == (0, 2)


@pytest.mark.parametrize("ordered", [False, True])
def test_a_source_that_raises_ends_after_what_was_under_way(*, ordered: bool) -> None:
    def source() -> Iterator[int]:
        yield from range(5)
        raise OSError("the file is gone")

    got: list[object] = []
    results = in_threads(source(), itself, threads=3, ordered=ordered)
    with pytest.raises(OSError, match="the file is gone"):
        got.extend(result.key for result in results)
    got.extend(result.key for result in results)
    assert sorted(map(str, got)) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("ordered", [False, True])
def test_closing_early_ends_the_threads_and_the_source(*, ordered: bool) -> None:
    closed = threading.Event()
    before = set(threading.enumerate())  # others' threads may end meanwhile

    def source() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.set()

    results = in_threads(source(), itself, threads=5, ordered=ordered)
    next(results)
    results.close()  # type: ignore[attr-defined] # a generator
    gc.collect()
    assert closed.is_set()
    assert set(threading.enumerate()) <= before


def test_closing_early_cancels_what_a_shared_executor_has_not_begun() -> None:
    gate, begun = threading.Event(), []

    def work(key: int | str) -> int | str:
        begun.append(key)
        assert gate.wait(30)
        return key

    with ThreadPoolExecutor(1) as executor:
        gate.set()
        results = in_threads(range(100), work, threads=8, executor=executor)
        next(results)
        gate.clear()
        results.close()  # type: ignore[attr-defined] # a generator
        gate.set()
    assert len(begun) < 100  # and leaving the block did not hang
    assert executor.submit is not None


def test_the_caller_s_executor_is_left_running() -> None:
    with ThreadPoolExecutor(2) as executor:
        assert len(list(in_threads(range(5), itself, threads=2, executor=executor))) == 5
        assert executor.submit(itself, 7).result() == 7


def test_a_process_pool_runs_the_stage() -> None:
    with ProcessPoolExecutor(2) as executor:
        results = in_threads([1, -2, 3], str, threads=2, executor=executor, ordered=True)
        assert [result.value for result in results] == ["1", "-2", "3"]


def test_an_executor_that_refuses_ends_the_run() -> None:
    executor: Executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(ExecutorFailed, match="shutdown") as caught:
        list(in_threads(range(7), itself, threads=3, executor=executor))
    assert caught.value.exit_code == 4


def _seven_kills(key: int | str) -> int | str:
    if key == 70:
        os.kill(os.getpid(), signal.SIGKILL)
    return key


def _lands_until_the_executor_is_gone(
    path: Path, executor: Executor, function: Callable[[int | str], object]
) -> tuple[int, int]:
    """Return how many keys landed, and how many failed."""
    with LocalStore(path) as store:
        with pytest.raises(ExecutorFailed):
            Pipeline(range(200)).in_threads(function, threads=8, executor=executor).land(store)
        store.flush()
        status = store.status()
    with LocalStore(path) as store:  # the rest is still to do: the next run takes it up
        report = Pipeline(range(200)).in_threads(itself, threads=8).land(store)
        assert report.landed == 200 - status.landed
    return status.landed, status.failed


def test_a_killed_worker_of_a_process_pool_leaves_its_keys_to_do(tmp_path: Path) -> None:
    """All keys still to do became dead letters, and the run ended well."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        landed, failed = _lands_until_the_executor_is_gone(tmp_path, executor, _seven_kills)
    assert failed == 0
    assert 70 - 2 * 8 <= landed < 200


def test_a_thread_pool_shut_down_in_the_middle_leaves_its_keys_to_do(tmp_path: Path) -> None:
    executor = ThreadPoolExecutor(4)

    def work(key: int | str) -> int | str:
        if key == 100:
            executor.shutdown(wait=False, cancel_futures=True)
        return key

    landed, failed = _lands_until_the_executor_is_gone(tmp_path, executor, work)
    assert failed == 0
    assert 100 - 8 <= landed < 200


class _Refusing(ThreadPoolExecutor):
    """A cluster's client that has lost its scheduler."""

    def submit(self, *arguments: Any, **more: Any) -> Any:
        if arguments[1] >= 50:
            raise ConnectionError("scheduler is gone")
        return super().submit(*arguments, **more)


def test_an_executor_whose_submit_raises_leaves_its_keys_to_do(tmp_path: Path) -> None:
    with _Refusing(4) as executor:
        landed, failed = _lands_until_the_executor_is_gone(tmp_path, executor, itself)
    assert (landed, failed) == (50, 0)


def _gives_up(key: int | str) -> int | str:
    if key == 3:
        raise GaveUp("tried five times", attempts=5)
    return key


def test_an_error_with_arguments_of_its_own_passes_a_process_pool() -> None:
    """It could not be unpickled: the pool broke, and every later key failed."""
    with ProcessPoolExecutor(2) as executor:
        results = list(in_threads(range(20), _gives_up, threads=4, executor=executor))
    (failed,) = [result for result in results if not result.ok]
    assert isinstance(failed.error, GaveUp)
    assert (failed.error.attempts, failed.attempts, len(results)) == (5, 5, 20)


def test_an_interrupt_in_a_thread_ends_the_whole_run() -> None:
    def work(key: int | str) -> None:
        if key == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(in_threads(range(10), work, threads=2))


def test_a_window_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="concurrency=0"):
        Slots(0)
    with pytest.raises(InputError, match="concurrency=0"):
        in_threads([1], itself, threads=0)


def test_a_pipeline_finishes_each_batch_before_the_next_is_sized() -> None:
    done: list[object] = []
    seen: list[int] = []

    def sizer() -> int:
        seen.append(len(done))
        return 4

    stage = Pipeline(range(10)).batches(6, sizer=sizer).in_threads(itself, threads=3)
    done.extend(result.key for result in stage)
    assert sorted(map(int, map(str, done))) == list(range(10))
    stage = Pipeline(range(10)).batches(6, sizer=sizer).in_threads(itself, threads=3)
    for result in stage:
        done.append(result.key)  # noqa: PERF401 - the sizer looks at it in between
    assert [n % 10 for n in seen[-3:]] == [0, 4, 8]


@given(st.lists(st.integers(-3, 3), max_size=30))
def test_slots_are_never_negative_nor_lost(steps: list[int]) -> None:
    slots, held, wakes = Slots(4), 0, 0

    def wake() -> None:
        nonlocal wakes
        wakes += 1

    slots.on_return(wake)
    for step in steps:
        if step > 0:
            held += sum(slots.take() for _ in range(step))
        elif step < 0 and held:
            back = min(held, -step)
            slots.returned(back)
            held -= back
        assert slots.free == 4 - held
        assert 0 <= held <= 4
