"""Slots, groups and uses at their boundaries: what a run holds, hands over and finishes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, field

import pytest

from penstock.clock import FakeClock
from penstock.errors import Absent, ExecutorFailed, InputError
from penstock.events import Event, Events, Landed, RunEnded
from penstock.pipeline import (
    Checkpoint,
    Entry,
    FailedRecord,
    Key,
    LandedRecord,
    Lot,
    Pipeline,
    Position,
    Result,
    RowFeed,
    Slots,
    Used,
    batches,
    fetch,
    fetch_chunks,
    in_threads,
    position_in,
)
from penstock.pipeline import feeds as feeds_module
from penstock.pipeline.async_steps import asynchronous


class Memory:
    """A store in memory that makes safe at once, and notes how it was used."""

    takes_again = False

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.groups: list[object] = []

    def claim(self, keys: Iterable[Key]) -> Iterator[Key]:
        settled = {e.key for e in self.entries if isinstance(e, LandedRecord | FailedRecord)}
        for key in keys:
            if key not in settled:
                yield key

    def settle(
        self, entries: Sequence[Entry], durable: Callable[[int], object], *, group: int = 100
    ) -> None:
        self.entries += entries
        self.groups.append(group)
        durable(len(entries))

    def mark(self, name: str) -> str | None:
        return {e.name: e.value for e in self.entries if isinstance(e, Checkpoint)}.get(name)

    def flush(self) -> None:
        """All is safe already."""


class Loop:
    """Calls that end when they are collected, and note how long nothing was to do."""

    def __init__(self) -> None:
        self.done: list[Result[Key, str]] = []
        self.idled: list[float] = []

    def calls(self, concurrency: int = 1) -> Loop:
        del concurrency
        return self

    @property
    def pending(self) -> int:
        return len(self.done)

    def submit(self, key: Key, request: str) -> None:
        self.done.append(Result(key, request))

    def send(self) -> float:
        return 0.0

    def collect(self) -> Sequence[Result[Key, str]]:
        done, self.done = self.done, []
        return done

    def idle(self, seconds: float) -> None:
        self.idled.append(seconds)

    def wake(self) -> None:
        """Nobody waits."""

    def close(self) -> None:
        self.done = []


def odd(key: Key) -> str:
    """Make a request, but not for an even number."""
    if not int(key) % 2:
        raise ValueError(key)
    return f"{key}"


@pytest.mark.timeout(20)  # a slot that never comes back is waited for without end
def test_a_key_whose_request_cannot_be_made_gives_its_slot_back() -> None:
    failed = list(fetch([2, 4, 6, 8, 10], Loop(), odd, concurrency=2))
    assert [type(result.error) for result in failed] == [ValueError] * 5
    both = {result.key: result.ok for result in fetch(range(9), Loop(), odd, concurrency=2)}
    assert both == {key: key % 2 == 1 for key in range(9)}


@pytest.mark.parametrize("keys", [(2, 4, 6), (1, 3, 5)])
def test_a_held_result_keeps_its_slot(keys: tuple[int, ...]) -> None:
    loop, slots = Loop(), Slots(2)
    chunks = fetch_chunks(iter(keys), loop, odd, slots, hold=True)
    held = 0
    while not held:
        held += len(next(chunks))
    assert (held, slots.free) == (2, 0)
    for _ in range(3):
        assert next(chunks) == []  # a chance to say that the store has failed
    assert loop.idled != []
    assert set(loop.idled) == {0.5}
    waited = len(loop.idled)
    slots.release(2)
    rest = [result.key for chunk in chunks for result in chunk]
    assert (rest, slots.free) == ([keys[2]], 1)
    assert len(loop.idled) == waited


def test_slots_are_counted() -> None:
    slots = Slots(2)
    woken: list[int] = []
    slots.on_return(lambda: woken.append(slots.free))
    assert [slots.take() for _ in range(3)] == [True, True, False]
    slots.release(1)
    slots.returned(1)
    assert woken == [2]
    with pytest.raises(InputError, match="at least 1 call"):
        Slots(0)


@pytest.mark.parametrize(("threads", "group"), [(1, 1), (3, 2), (40, 30), (400, 100)])
def test_so_many_become_safe_together(threads: int, group: int) -> None:
    store = Memory()
    report = Pipeline([1]).fetch(Loop(), str, concurrency=threads).land(store)
    assert (report.landed, report.complete) == (1, True)
    assert {repr(given) for given in store.groups} == {repr(group)}


def gone(key: Key) -> str:
    if key == 2:
        raise Absent("404")
    if key in (3, 5):
        raise LookupError
    return f"{key}"


def test_what_is_absent_has_not_failed() -> None:
    told: list[Event] = []
    events, store = Events(), Memory()
    events.subscribe(told.append)
    report = Pipeline([1, 2, 3, 4, 5]).in_threads(gone, threads=1).land(store, events=events)
    assert (report.landed, report.failed) == (2, 2)
    assert sum(event.count for event in told if isinstance(event, Landed)) == 2
    reasons = {e.key: e.message for e in store.entries if isinstance(e, FailedRecord)}
    assert reasons == {2: "404", 3: "LookupError", 5: "LookupError"}
    ended = told[-1]
    assert isinstance(ended, RunEnded)
    assert (ended.landed, ended.failed, ended.error) == (2, 2, None)
    assert 0 <= ended.seconds < 60
    assert 0 <= report.seconds < 60


def test_the_end_of_a_run_says_what_ended_it() -> None:
    told: list[Event] = []
    events = Events()
    events.subscribe(told.append)

    def keys() -> Iterator[int]:
        yield 1
        raise RuntimeError

    with pytest.raises(RuntimeError):
        Pipeline(keys()).in_threads(str).land(Memory(), events=events)
    ended = told[-1]
    assert isinstance(ended, RunEnded)
    assert ended.error == "RuntimeError"


@pytest.mark.parametrize(("words", "said"), [("no memory", "no memory"), ("", "BrokenExecutor")])
def test_an_executor_that_broke_says_why(words: str, said: str) -> None:
    def work(key: Key) -> str:
        del key
        raise BrokenExecutor(words)

    with pytest.raises(ExecutorFailed, match=f"the executor broke: {said};"):
        list(in_threads([1], work))


def test_a_plain_generator_is_followed_a_step_at_a_time() -> None:
    async def all_of(items: Iterable[int]) -> list[int]:
        return [item async for item in asynchronous(items)]

    assert asyncio.run(all_of(iter([0, 1, 2]))) == [0, 1, 2]
    assert asyncio.run(all_of([])) == []


# Uses


@dataclass
class Noting:
    """A use that notes when it was called; it may be unable to finish."""

    describes: str
    hands: Hands
    problem: str = ""
    caught_up: list[float] = field(default_factory=list)
    finished: int = 0

    def catch_up(self, store: Memory) -> None:
        del store
        self.caught_up.append(self.hands.now)

    def finish(self, store: Memory) -> Used:
        self.finished += 1
        if self.problem:
            raise InputError(self.problem)
        return Used(self.describes, "done", len(store.entries))


class Hands:
    """The module ``time`` with a clock that is set by hand."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


class Timed:
    """A feed of empty lots, each at a time of its own."""

    name = source = "timed"

    def __init__(self, hands: Hands, times: Sequence[float]) -> None:
        self.hands, self.times = hands, times

    def lots(self, position: Position | None) -> Iterator[Lot]:
        del position
        for now in self.times:
            self.hands.now = now
            yield Lot([])


def test_uses_catch_up_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    hands = Hands()
    monkeypatch.setattr("penstock.pipeline.flow.time", hands)
    one, two = Noting("one", hands), Noting("two", hands)
    feed = Timed(hands, [0.5, 1.0, 1.5, 2.0, 2.5, 3.25])
    report = Pipeline(feed).use(one).use(two).land(Memory())
    assert one.caught_up == two.caught_up == [1.0, 2.0, 3.25]
    assert [used.kind for used in report.uses] == ["one", "two"]
    assert report.seconds == 3.25


def test_every_use_finishes_and_the_first_trouble_is_raised() -> None:
    uses = [
        Noting(name, Hands(), problem) for name, problem in zip("abc", ("", "x", "y"), strict=True)
    ]
    pipeline = Pipeline(RowFeed("pq", key=str))
    for use in uses:
        pipeline = pipeline.use(use)
    store = Memory()
    with pytest.raises(InputError, match="use b: x; what landed is safe") as raised:
        pipeline.land(store)
    assert "x" in str(raised.value.__context__ or raised.value)
    assert [use.finished for use in uses] == [1, 1, 1]
    assert [type(entry) for entry in store.entries] == [LandedRecord] * 2


@pytest.mark.parametrize(("again", "landed"), [(False, 2), (True, 4)])
def test_settled_rows_are_passed_over_unless_the_store_takes_them_again(
    again: bool, landed: int
) -> None:
    store = Memory()
    store.takes_again = again
    for _ in range(2):
        Pipeline(RowFeed("pq", key=str)).land(store)
    assert len(store.entries) == landed


# Rows


def sizes(monkeypatch: pytest.MonkeyPatch, times: Iterable[float]) -> list[int]:
    hands = Hands()
    monkeypatch.setattr(feeds_module, "time", hands)

    def rows() -> Iterator[int]:
        for number, now in enumerate(times):
            hands.now = now
            yield number

    return [len(lot.items) for lot in RowFeed(rows(), key=int).lots(None)]


def test_rows_come_in_growing_lots_and_singly_where_they_are_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert sizes(monkeypatch, [0.0] * 300) == [1, 2, 4, 8, 16, 32, 64, 100, 73]
    patience = 0.01
    assert sizes(monkeypatch, [patience, patience * 2, patience * 2]) == [1, 2]
    assert sizes(monkeypatch, [0.0, 0.0, 0.5, 0.5, 0.5, 1.0]) == [1, 2, 1, 2]


@pytest.mark.parametrize(
    ("text", "position"),
    [
        (None, None),
        ("", None),
        ('""', None),
        ("7", 7),
        ('{"source":"rows","position":7}', 7),
        ('{"source":"rows","position":""}', None),
        ('{"source":"elsewhere","position":""}', None),  # at its beginning it may be anybody's
        ('{"source":"elsewhere","position":null}', None),
    ],
)
def test_a_checkpoint_tells_where_to_go_on(text: str | None, position: Position | None) -> None:
    assert position_in(text, RowFeed("", key=str)) == position


# Batches


@pytest.mark.parametrize(("renewed", "waited"), [(0.0, 0.01), (7.0, 7.0), (None, 1.0)])
def test_an_empty_allowance_is_waited_for(renewed: float | None, waited: float) -> None:
    clock = FakeClock()

    class Sizer:
        def available(self) -> int:
            return 2 if clock.monotonic() else 0

        def renewed_in(self) -> float:
            return renewed or 0.0

    sizer = Sizer()
    given = sizer.available if renewed is None else sizer
    assert list(batches("abc", 3, sizer=given, clock=clock)) == [["a", "b"], ["c"]]
    assert clock.monotonic() == waited


@pytest.mark.parametrize(
    ("allowed", "made"),
    [(1, [1, 1, 1]), (2, [2, 1]), (2.5, [2, 1]), (3, [3]), (4, [3]), (float("inf"), [3])],
)
def test_a_batch_is_never_larger_than_allowed(allowed: int, made: list[int]) -> None:
    for empty in ("wait", "stop"):
        sized = batches("abc", 3, sizer=lambda: allowed, empty=empty)
        assert [len(batch) for batch in sized] == made
    assert [*batches("abc", 3, sizer=lambda: -1, empty="stop")] == []
