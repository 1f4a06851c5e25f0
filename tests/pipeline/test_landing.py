"""Landing: what a store is given, when slots come back, and what a broken store does to a run."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from penstock.errors import InputError, PermanentError, StorageError
from penstock.events import Event, Events, Failed, Landed
from penstock.http import Response
from penstock.pipeline import (
    Checkpoint,
    Entry,
    FailedRecord,
    Key,
    LandedRecord,
    Pipeline,
    Result,
    entry_of,
)
from penstock.store import LocalStore


class Keeping:
    """A store in memory, a class of the right shape: safe at each group, or only when told."""

    def __init__(self, *, broken: bool = False, alone: bool = True) -> None:
        self.entries: list[Entry] = []
        self.waiting: list[tuple[int, Callable[[int], object]]] = []
        self.broken, self.alone = broken, alone

    def claim(self, keys: Iterable[Key]) -> Iterator[Key]:
        seen: set[Key] = set()
        for key in keys:
            if key not in seen:
                seen.add(key)
                yield key

    def settle(
        self, entries: Sequence[Entry], durable: Callable[[int], object], *, group: int = 100
    ) -> None:
        if self.broken and self.entries:
            raise StorageError("no space left on device")
        self.entries += entries
        self.waiting.append((len(entries), durable))
        if self.alone and sum(count for count, _ in self.waiting) >= group and not self.broken:
            self.flush()

    def mark(self, name: str) -> str | None:
        return {e.name: e.value for e in self.entries if isinstance(e, Checkpoint)}.get(name)

    def flush(self) -> None:
        waiting, self.waiting = self.waiting, []
        for count, durable in waiting:
            durable(count)


def test_a_key_holds_its_slot_until_it_is_durable() -> None:
    store = Keeping(alone=False)
    begun: list[Key] = []
    steps = Pipeline(range(20)).in_threads(begun.append, threads=4).landing(store)
    for _ in itertools.takewhile(lambda counts: counts.landed < 4, steps):
        pass
    assert len(begun) == 4  # nothing more before these four are safe
    store.flush()
    for _ in itertools.takewhile(lambda counts: counts.landed < 8, steps):
        pass
    assert len(begun) == 8
    steps.close()  # type: ignore[attr-defined] # a generator


def test_a_store_that_cannot_write_ends_the_run_instead_of_hanging_it() -> None:
    """Every slot waited for a durability that was never told, for ever."""
    with pytest.raises(StorageError, match="no space left"):
        Pipeline(range(20)).in_threads(str, threads=2).land(Keeping(broken=True))


@pytest.mark.parametrize("batched", [True, False])
def test_all_keys_end_in_the_store(*, batched: bool) -> None:
    store = Keeping()
    pipeline = Pipeline([*range(25), 3, "3"])
    if batched:
        pipeline.batches(7)
    report = pipeline.in_threads(lambda n: 1 // (int(n) - 5), threads=4).land(store)
    assert (report.landed, report.failed) == (25, 1)
    assert {
        entry.key for entry in store.entries if isinstance(entry, LandedRecord | FailedRecord)
    } == {
        *range(25),
        "3",
    }
    assert store.waiting == []


def test_the_real_store_gives_slots_back_from_its_own_thread(tmp_path: Path) -> None:
    with LocalStore(tmp_path / "s") as store:
        report = Pipeline(range(500)).in_threads(str, threads=3).land(store)
        assert report.landed == 500
        again = Pipeline(range(510)).in_threads(str, threads=3).land(store)
        assert again.landed == 10


def test_events_tell_what_landed_and_what_failed() -> None:
    events, seen = Events(), list[Event]()
    events.subscribe(seen.append)
    Pipeline([1, 0]).in_threads(lambda n: 1 // int(n), threads=1).land(Keeping(), events=events)
    assert sum(e.count for e in seen if isinstance(e, Landed)) == 1
    assert [e.key for e in seen if isinstance(e, Failed)] == [0]


def test_an_ordered_stage_is_not_landed() -> None:
    with pytest.raises(InputError, match="ordered=True is for reading"):
        Pipeline([1]).in_threads(str, ordered=True).land(Keeping())


class Answer:
    def __init__(self, body: bytes) -> None:
        self.body = body


@pytest.mark.parametrize(
    ("value", "body"),
    [
        (Answer(b'{"a": 1}'), b'{"a": 1}'),
        (Answer(b'{"a":\r\n [1,\n2]}'), b'{"a":[1,2]}'),
        (Answer(b""), b"null"),
        (Answer(b" \n"), b"null"),
        ({"a": [1, None]}, b'{"a":[1,null]}'),
        (None, b"null"),
    ],
)
def test_a_value_lands_as_one_line_of_json(value: object, body: bytes) -> None:
    assert entry_of(Result(7, value)) == LandedRecord(7, body)


def test_a_value_that_is_no_json_is_kept_as_failed() -> None:
    entry = entry_of(Result(7, threading.Lock()))
    assert isinstance(entry, FailedRecord)
    assert entry.error == "TypeError"


def test_a_body_of_bytes_that_is_no_json_is_kept_as_failed_too() -> None:
    """A line break in it used to raise, and so one answer ended the whole run."""
    for body in (b"<html>\n</html>", b"a,b\r\n1,2\r\n", b'{"a":\n'):
        entry = entry_of(Result(7, Answer(body)))
        assert isinstance(entry, FailedRecord), body


def test_what_failed_keeps_what_is_needed_to_understand_it() -> None:
    error = PermanentError("GET /7: 404 Not Found")
    error.status, error.excerpt = 404, "no such user"
    assert entry_of(Result(7, None, error, 3)) == FailedRecord(
        7, "PermanentError", "GET /7: 404 Not Found", 404, 3, "no such user"
    )


@pytest.mark.parametrize("body", [b"<html>", b'{"a":', b'"\xff"', b"<a>\n</a>"])
def test_an_answer_that_is_no_json_never_reaches_a_segment(body: bytes) -> None:
    response = Response(200, "https://x.example/a", b"", body, 0.0)
    entry = entry_of(Result(7, response))
    assert isinstance(entry, FailedRecord)
    assert "not JSON" in entry.message


def test_a_body_that_was_changed_after_it_was_looked_at_is_looked_at_again() -> None:
    answer = Response(200, "http://a/1", b"", b'{"id":1}', 0.0)
    answer.note_json()
    assert isinstance(entry_of(Result(1, answer)), LandedRecord)
    answer.body = b"<html>"
    assert isinstance(entry_of(Result(1, answer)), FailedRecord)
