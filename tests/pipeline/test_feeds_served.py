"""Feeds of a real server: its pages, its streams and what its calls return."""

from __future__ import annotations

import json
from pathlib import Path

from tests.pipeline.test_feeds import landed

from penstock import Api, Get
from penstock.http import LinkHeader, PageFeed
from penstock.pipeline import Pipeline
from penstock.simulator import Simulator, SimulatorSettings
from penstock.store import LocalStore
from penstock.streaming import Stream, StreamFeed


def test_what_api_get_returns_lands_as_it_came(tmp_path: Path) -> None:
    """Every key failed: `Encoding objects of type Record is unsupported`."""
    with Simulator(SimulatorSettings(users=5)) as server, LocalStore(tmp_path) as store:
        api = Api(server.url)
        report = Pipeline(range(5)).in_threads(lambda n: api.get(f"/users/{n}.json")).land(store)
        assert (report.landed, report.failed) == (5, 0)
        fetched = api.call(Get("/users/3.json")).body
        assert json.loads(store.get(3) or b"") == json.loads(fetched)


def test_pages_land_from_python_and_are_keys_of_calls(tmp_path: Path) -> None:
    with Simulator(SimulatorSettings(users=50, pages=20)) as server:
        api = Api(server.url)
        feed = PageFeed(api, "/pages/link-header", LinkHeader())
        with LocalStore(tmp_path / "rows") as store:
            assert Pipeline(feed).land(store).landed == 50
        with LocalStore(tmp_path / "calls") as store:
            fetching = Pipeline(feed).fetch(api, lambda n: Get(f"/users/{n}.json"))
            assert fetching.land(store).landed == 50
            assert store.get(7) == api.call(Get("/users/7.json")).body
        with LocalStore(tmp_path / "calls") as store:
            asked = server.truth()["requests"]
            assert fetching.land(store).landed == 0
            assert store.skipped == 50
        assert server.truth()["requests"] == asked + 3  # the pages alone


def test_a_stream_lands_from_python_and_goes_on(tmp_path: Path) -> None:
    with Simulator() as server:
        for wanted in (30, 50):
            with (
                LocalStore(tmp_path) as store,
                Stream(
                    server.url + "/stream/sse;messages=90", preset="sse", into=bytes, id="id"
                ) as stream,
            ):
                report = Pipeline(StreamFeed(stream, most=wanted)).land(store)
                assert (report.landed, store.again) == (wanted, 0)
        assert landed(tmp_path) == list(range(1, 81))


def test_a_stream_without_cursors_tells_from_python_too_what_it_may_have_missed(
    tmp_path: Path,
) -> None:
    with Simulator() as server:
        url = server.url + "/stream/crlf;messages=40;resume=none"
        for seconds in (None, 0.2):
            with LocalStore(tmp_path) as store, Stream(url, preset="twitter") as stream:
                Pipeline(StreamFeed(stream, most=5, seconds=seconds)).land(store)
        with LocalStore(tmp_path) as store:
            assert [gap.reason for gap in store.gaps()] == ["no-resume"]
