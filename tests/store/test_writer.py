"""The writing thread: groups, order, waiting, and what happens after a failure."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from penstock.clock import FakeClock, SystemClock
from penstock.errors import StorageError
from penstock.pipeline.result import Entry, Landing
from penstock.store import LocalStore
from penstock.store.writer import Writer


def landings(*keys: int) -> list[Landing]:
    return [Landing(key, b"{}") for key in keys]


class StandingClock:
    """Time that stands still; waiting with a timeout waits for a notification."""

    def monotonic(self) -> float:
        return 0.0

    def time(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)

    def wait(self, condition: threading.Condition, timeout: float | None) -> None:
        condition.wait(None if timeout is None else 600)


def test_a_group_is_due_when_it_is_full() -> None:
    groups: list[int] = []
    full = threading.Event()

    def commit(entries: Sequence[Entry]) -> None:
        groups.append(len(entries))
        full.set()

    writer = Writer(commit, StandingClock())
    writer.settle(landings(1, 2), lambda _: None, 4)
    writer.settle(landings(3), lambda _: None, 4)
    writer.settle(landings(4), lambda _: None, 4)
    assert full.wait(30)
    writer.close()
    assert groups == [4]


def test_a_group_is_due_after_8_ms() -> None:
    committed = threading.Event()
    clock = FakeClock()  # jumps over every wait that has an end
    writer = Writer(lambda _: committed.set(), clock)
    writer.settle(landings(1), lambda _: None, 100)
    assert committed.wait(30)
    assert clock.monotonic() == pytest.approx(0.008)
    writer.close()


def test_after_a_failure_nothing_is_committed_and_every_call_says_why() -> None:
    committed: list[int] = []
    durable: list[int] = []

    def commit(entries: Sequence[Entry]) -> None:
        committed.append(len(entries))
        if len(committed) == 2:
            raise StorageError("disk full")

    writer = Writer(commit, SystemClock())
    writer.settle(landings(1), durable.append, 1)
    writer.flush()
    writer.settle(landings(2, 3), durable.append, 1)
    for call in (writer.flush, writer.flush, writer.close, writer.close):
        with pytest.raises(StorageError, match="disk full"):
            call()
    with pytest.raises(StorageError, match="disk full"):
        writer.settle(landings(4), durable.append, 1)
    assert (committed, durable) == ([1, 2], [1])


def test_a_failing_callback_stops_the_store_and_is_told(tmp_path: Path) -> None:
    def broken(count: int) -> None:
        raise ZeroDivisionError(count)

    store = LocalStore(tmp_path)
    store.settle(landings(1), broken)
    with pytest.raises(StorageError, match="ZeroDivisionError"):
        store.flush()
    with pytest.raises(StorageError, match="ZeroDivisionError"):
        store.close()
    with LocalStore(tmp_path) as again:
        assert again.state(1) == "landed"


def test_the_error_of_a_block_is_not_hidden_by_the_store(tmp_path: Path) -> None:
    def broken(count: int) -> None:
        raise ZeroDivisionError(count)

    def block() -> None:
        with LocalStore(tmp_path) as store:
            store.settle(landings(1), broken)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        block()


def test_a_caller_that_is_too_quick_waits_for_the_disk() -> None:
    go_on = threading.Event()
    most = 0

    def commit(entries: Sequence[Entry]) -> None:
        nonlocal most
        most = max(most, len(entries))
        assert go_on.wait(30)

    writer = Writer(commit, SystemClock())

    def settle_many() -> None:
        for key in range(1000):
            writer.settle(landings(key), lambda _: None, 2)

    quick = threading.Thread(target=settle_many)
    quick.start()
    go_on.set()
    quick.join()
    writer.close()
    assert most <= 64


def test_many_threads_settle_at_once(tmp_path: Path) -> None:
    counts = [0] * 4

    def work(store: LocalStore, number: int) -> None:
        def durable(count: int) -> None:
            counts[number] += count

        for key in range(number, 2000, 4):
            store.settle(landings(key), durable, group=5)

    with LocalStore(tmp_path, segment_bytes=5000) as store:
        threads = [threading.Thread(target=work, args=(store, number)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        store.flush()
        assert counts == [500] * 4
        assert store.verify() == 2000
        assert store.status().segments > 5
