"""Feeds: whatever brings data lands once, goes on where it was cut, and refuses another's note."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock import Api, Get
from penstock.errors import InputError
from penstock.events import Event, Events, Failed, Landed
from penstock.http import Offset, PageFeed, PageNumber
from penstock.pipeline import (
    Checkpoint,
    Deletion,
    Entry,
    Key,
    LandedGap,
    LandedRecord,
    Lot,
    Pipeline,
    Position,
    Report,
    Result,
    RowFeed,
    Use,
    Used,
    each,
)
from penstock.store import LocalStore, StoreReader


class Lists:
    """Lists of keys as a feed; the position is the number of the list."""

    name = "lists"

    def __init__(self, lists: Sequence[Sequence[int]], source: str = "here") -> None:
        self.lists = lists
        self.source = source
        self.read: list[int] = []

    def lots(self, position: Position | None) -> Iterator[Lot]:
        for number in range(int(position or 0), len(self.lists)):
            self.read.append(number)
            rows = [Result[int, object](key, {"n": key}) for key in self.lists[number]]
            yield Lot(rows, number + 1 if number + 1 < len(self.lists) else "")


def landed(folder: Path) -> list[object]:
    with LocalStore(folder) as store:
        assert store.verify() == store.status().landed
        return [record.key for record in store.records()]


@given(
    st.lists(st.lists(st.integers(0, 30), max_size=6), min_size=1, max_size=6),
    st.lists(st.integers(1, 12), max_size=5),
    st.sampled_from(["rows", "calls", "calls in batches"]),
)
@settings(max_examples=25, deadline=None)
def test_a_feed_that_is_cut_off_anywhere_lands_every_key_once(
    lists: list[list[int]], cuts: list[int], how: str
) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "store"
        for cut in [*cuts, None]:
            pipeline: Pipeline = Pipeline(Lists(lists))
            if how != "rows":
                if how == "calls in batches":
                    pipeline.batches(2)
                pipeline = pipeline.in_threads(str, threads=3)
            with LocalStore(folder) as store:
                for _ in itertools.islice(pipeline.landing(store), cut):
                    pass
        keys = landed(folder)
    assert sorted(keys, key=str) == sorted({k for part in lists for k in part}, key=str)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=8))
@settings(max_examples=12, deadline=None)
def test_keys_that_a_batch_left_undrawn_keep_their_lots_checkpoint_back(
    allowed: list[int],
) -> None:
    """The page was noted as done although the budget had stopped before its last keys."""
    lists = [[1, 2, 3], [4, 5], [6, 7, 8, 9]]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "store"
        report = Report(landed=0, failed=0, seconds=0.0)
        for count in [*allowed, 100]:
            left = iter([count, 0] * 20 if count < 100 else itertools.repeat(100))
            pipeline = Pipeline(Lists(lists)).batches(4, sizer=lambda: next(left), empty="stop")  # noqa: B023 - called at once
            with LocalStore(folder) as store:
                report = pipeline.in_threads(str).land(store)
        assert report.complete
        assert sorted(landed(folder), key=str) == list(range(1, 10))


def test_a_lot_is_noted_only_with_all_of_it(tmp_path: Path) -> None:
    feed = Lists([[1, 2], [3, 4], [5]])
    with LocalStore(tmp_path) as store:
        steps = Pipeline(feed).landing(store)
        next(steps), next(steps)
        store.flush()
        assert json.loads(store.mark("lists") or "") == {"source": "here", "position": 2}
        assert store.state(5) == "pending"
    with LocalStore(tmp_path) as store:
        report = Pipeline(feed).land(store)
        assert (report.landed, feed.read) == (1, [0, 1, 2])
        assert json.loads(store.mark("lists") or "")["position"] == ""


@pytest.mark.parametrize("source", ["GET https://a.example/b #1", "elsewhere"])
def test_a_checkpoint_of_another_source_is_refused(tmp_path: Path, source: str) -> None:
    with LocalStore(tmp_path) as store:
        for _ in itertools.islice(Pipeline(Lists([[1], [2]], source)).landing(store), 1):
            store.flush()
        with pytest.raises(InputError, match="--restart") as caught:
            Pipeline(Lists([[1], [2], [3]], "GET https://a.example/b #2")).land(store)
        assert str(caught.value).startswith(
            f"the checkpoint 'lists' in the store belongs to {source}"
        )
        assert store.state(3) == "pending"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", [0, 1, 2]),
        ('""', [0, 1, 2]),
        ("1", [1, 2]),
        ('{"source":"here","position":2}', [2]),
        ('{"source":"here","position":null}', [0, 1, 2]),
    ],
)
def test_a_checkpoint_of_an_older_penstock_is_accepted(
    tmp_path: Path, text: str, read: list[int]
) -> None:
    feed = Lists([[1], [2], [3]], "here #0123")
    with LocalStore(tmp_path) as store:
        store.settle([Checkpoint("lists", text)], str)
        store.flush()
        Pipeline(feed).land(store)
    assert feed.read == read


def test_a_checkpoint_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with LocalStore(tmp_path) as store:
        store.settle([Checkpoint("lists", "{")], str)
        store.flush()
        with pytest.raises(InputError, match="cannot be read"):
            Pipeline(Lists([[1]])).land(store)


def test_every_part_of_a_request_is_part_of_what_a_checkpoint_belongs_to() -> None:
    api, other = Api("https://a.example"), Api("https://b.example")
    style = PageNumber(size=10)
    feeds = [
        PageFeed(api, "/users", style),
        PageFeed(other, "/users", style),
        PageFeed(api, "/groups", style),
        PageFeed(api, Get("/users", query={"since": 1}), style),
        PageFeed(api, Get("/users", headers={"Tenant": "7"}), style),
        PageFeed(api, "/users", PageNumber(size=20)),
        PageFeed(api, "/users", Offset(size=10)),
        PageFeed(api, "/users", style, items="data"),
        PageFeed(api, "/users", style, key="name"),
    ]
    assert len({feed.source for feed in feeds}) == len(feeds)
    assert PageFeed(api, "/users", style, concurrency=9).source == feeds[0].source
    assert PageFeed(api, Get("/users?key=hidden"), style).source.startswith(
        "GET https://a.example/users #"
    )


def test_entries_pass_stages_where_they_are_records(tmp_path: Path) -> None:
    class Mixed:
        name = source = "mixed"

        def lots(self, position: Position | None) -> Iterator[Lot]:
            items: list[Result[Key, object] | Entry] = [
                LandedRecord(1, b'{"x":1}'),
                LandedGap("a", "b", "lost"),
                LandedRecord(2, b'{"y":2}'),
            ]
            yield Lot([*items, Result(3, {"x": 3}), Deletion(1)])

    def x(value: object) -> object:
        record = value.body if isinstance(value, LandedRecord) else json.dumps(value)
        return {"doubled": json.loads(record)["x"] * 2}

    told: list[Event] = []
    events = Events()
    events.subscribe(told.append)
    with LocalStore(tmp_path) as store:
        report = Pipeline(Mixed()).through(each(x)).land(store, events=events)
        assert (report.landed, report.failed) == (2, 1)
        assert [store.state(key) for key in (1, 2, 3)] == ["deleted", "failed", "landed"]
        assert store.get(3) == b'{"doubled":6}'
        assert [failure.excerpt for failure in store.failures()] == ['{"y":2}']  # all of it
        assert [gap.reason for gap in store.gaps()] == ["lost"]
    assert told[1:-1] == [Failed(key=2, reason="'x'", error="KeyError"), Landed(count=2)]


class Counting:
    """A use that counts what landed."""

    describes = "counts"

    def catch_up(self, store: StoreReader) -> None:
        """Nothing meanwhile."""

    def finish(self, store: StoreReader) -> Used:
        return Used("count", "counted", sum(1 for _ in store.records()))


def test_a_use_follows_whatever_lands(tmp_path: Path) -> None:
    counting: Use[StoreReader] = Counting()
    with LocalStore(tmp_path) as store:
        first = Pipeline(RowFeed("abc", key=str)).use(counting).land(store)
        second = Pipeline([1, 2]).in_threads(str).use(counting).land(store)
    assert [use.taken for report in (first, second) for use in report.uses] == [3, 5]


@pytest.mark.parametrize(
    ("rows", "key"),
    [([{"a": 1}], "id"), ([3], "id"), ([{"id": True}], "id"), ([{"id": None}], "id")],
)
def test_a_row_without_a_key_ends_the_run_with_its_number(
    tmp_path: Path, rows: list[object], key: str
) -> None:
    with LocalStore(tmp_path) as store, pytest.raises(InputError, match="row 1"):
        Pipeline(RowFeed(rows, key=key)).land(store)


def test_keys_alone_are_refused_with_what_to_add(tmp_path: Path) -> None:
    with LocalStore(tmp_path) as store, pytest.raises(InputError, match="RowFeed"):
        Pipeline(range(3)).land(store)


def test_new_is_what_this_object_made_safe(tmp_path: Path) -> None:
    with LocalStore(tmp_path) as store:
        store.settle([LandedRecord(1, b"1"), LandedRecord(2, b"2"), LandedRecord(1, b"3")], str)
        store.flush()
        store.settle([Deletion(1), LandedRecord(3, b"3"), LandedRecord(2, b"2")], str)
        store.flush()
        assert (store.new, store.again, store.status().landed) == (3, 2, 2)
    with LocalStore(tmp_path) as store:
        assert store.new == 0
