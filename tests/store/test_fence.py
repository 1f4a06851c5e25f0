"""A coordinator that stood still cannot land anything after another took its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.store.fenced import Run, land, lands_nothing_any_more, started

from penstock.errors import StoreInUse
from penstock.pipeline.result import Mark
from penstock.store import Fence, LocalStore, last_token

Start = Callable[[Path, int], Run]


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:
        yield lambda place, token: started(stack, place, token)


def test_a_paused_run_is_replaced_and_lands_nothing_any_more(tmp_path: Path, start: Start) -> None:
    before = start(tmp_path, 7)
    assert before.land("a") == "safe"
    before.pause()
    before.say("b")  # waits for it when it goes on
    with LocalStore(tmp_path, fence=Fence("lock", 8)) as store:
        lands_nothing_any_more(before, store)
        assert store.verify() == 3
    assert before.land("e").startswith("StoreInUse")
    with LocalStore(tmp_path) as store:
        assert store.verify() == 3


def test_what_it_had_written_and_not_committed_is_cut_off(tmp_path: Path, start: Start) -> None:
    before = start(tmp_path, 7)
    assert before.land("a") == "safe"
    before.pause()
    with (tmp_path / "segment-000001.jsonl").open("ab") as torn:
        torn.write(b'{"key":"b","at":1.0,"bo')
    with LocalStore(tmp_path, fence=Fence("lock", 8)) as store:
        land(store, "c")
        assert store.verify() == 2


def test_only_a_larger_token_takes_over(tmp_path: Path, start: Start) -> None:
    start(tmp_path, 7).pause()
    for fence in (Fence("lock", 7), Fence("lock", 6), None):
        with pytest.raises(StoreInUse, match="is in use by process"):
            LocalStore(tmp_path, fence=fence)


def test_one_without_a_token_is_never_pushed_aside(tmp_path: Path) -> None:
    with LocalStore(tmp_path) as store:
        with pytest.raises(StoreInUse, match="is in use by process"):
            LocalStore(tmp_path, fence=Fence("lock", 8))
        land(store, "a")


def test_a_run_that_was_paused_before_it_opened_the_store_comes_too_late(tmp_path: Path) -> None:
    with LocalStore(tmp_path, fence=Fence("lock", 8)) as store:
        land(store, "a")
    with pytest.raises(StoreInUse, match="its token is 8, ours 7"):
        LocalStore(tmp_path, fence=Fence("lock", 7))
    assert last_token(tmp_path, "lock") == 8
    assert last_token(tmp_path, "another lock") == 0
    assert last_token(tmp_path / "nowhere", "lock") == 0


def test_tokens_of_another_lock_are_not_compared(tmp_path: Path) -> None:
    with LocalStore(tmp_path, fence=Fence("lock", 8)) as store:
        land(store, "a")
    with LocalStore(tmp_path, fence=Fence("another", 1)) as store:
        land(store, "b")
        assert store.status().landed == 2


def test_after_a_takeover_the_store_is_still_locked_for_others(
    tmp_path: Path, start: Start
) -> None:
    before = start(tmp_path, 7)
    before.pause()
    with LocalStore(tmp_path, fence=Fence("lock", 8)):
        with pytest.raises(StoreInUse):
            LocalStore(tmp_path)
        before.popen.kill()
        before.popen.wait()
        with pytest.raises(StoreInUse):
            LocalStore(tmp_path)
    LocalStore(tmp_path).close()


def test_a_replaced_run_can_neither_put_failures_back_nor_expect_nor_mark(tmp_path: Path) -> None:
    """Two objects of one process stand for two runs; the kernel tells their locks apart as well."""
    first = LocalStore(tmp_path, fence=Fence("lock", 7))
    with LocalStore(tmp_path, fence=Fence("lock", 8)) as second:
        for act in (lambda: first.expect(5), first.retry_failed):
            with pytest.raises(StoreInUse, match="taken this store over"):
                act()
        first.settle([Mark("page", "2")], lambda _: None)
        with pytest.raises(StoreInUse, match="taken this store over"):
            first.close()
        assert second.mark("page") is None
        assert second.status().expected is None
