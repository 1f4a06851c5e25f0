"""The same id with other content: what each service means by it, and what becomes of it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.http.wire import wire
from tests.streaming.test_odd_messages import sends
from tests.streaming.test_stream import QUICK

from penstock import Pipeline
from penstock.errors import InputError
from penstock.http import Post
from penstock.pipeline import Landing
from penstock.store import LocalStore
from penstock.streaming import PRESETS, OnSame, Stream, StreamFeed


def rows(*values: object) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def pod(kind: str, version: str, content: int) -> object:
    named = {"uid": "u", "name": "p", "namespace": "n:s", "resourceVersion": version}
    return {"type": kind, "object": {"metadata": named, "content": content}}


def etcd(version: int, content: int, **type_: str) -> object:
    pair = {"key": "aw==", "mod_revision": version, "content": content}
    return {"result": {"header": {"revision": version}, "events": [{"kv": pair, **type_}]}}


def post(operation: str, at: int, content: int) -> object:
    named = {"collection": "app.like", "rkey": "self", "content": content}
    return {"did": "did:plc:a", "time_us": at, "commit": {"operation": operation, **named}}


def event(kind: str, data: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


class Service(NamedTuple):
    """Content 1, then 2 twice under one id; then it is deleted, and given again as 3."""

    preset: str
    id: str | tuple[str, ...] | None
    key: str
    body: bytes
    each: str | None = None


PODS = rows(
    *(pod("ADDED", "1", 1), pod("MODIFIED", "2", 2), pod("MODIFIED", "2", 2)),
    *(pod("DELETED", "3", 2), pod("ADDED", "4", 3)),
)
NAMES = ("object.metadata.namespace", "object.metadata.name")
CHANGES = rows(
    *({"seq": "1", "id": "d", "content": 1}, {"seq": "2", "id": "d", "content": 2}),
    *({"seq": "2", "id": "d", "content": 2}, {"seq": "3", "id": "d", "deleted": True}),
    {"seq": "4", "id": "d", "content": 3},
)
PAIRS = rows(etcd(1, 1), etcd(2, 2), etcd(2, 2), etcd(3, 0, type="DELETE"), etcd(4, 3))
POSTS = rows(
    *(post("create", 1, 1), post("update", 2, 2), post("update", 2, 2)),
    *(post("delete", 3, 0), post("create", 4, 3)),
)
SERVICES = {
    "kubernetes by uid": Service("kubernetes", "object.metadata.uid", "u", PODS),
    "kubernetes by name": Service("kubernetes", NAMES, "n:s:p", PODS),
    "couchdb": Service("couchdb", "id", "d", CHANGES),
    "etcd": Service("etcd", "kv.key", "aw==", PAIRS, "result.events"),
    "jetstream": Service(
        *("jetstream", ("did", "commit.collection", "commit.rkey")),
        *("did:plc:a:app.like:self", POSTS),
    ),
}


def land(service: Service, folder: Path, on_same: OnSame, *, deletes: bool) -> list[int]:
    """Return the contents that are there at last."""
    records = landed(service, folder, on_same, deletes=deletes)
    if on_same != "keep":
        assert {record.key for record in records} <= {service.key, "notification:7"}
    return [content(record.body) for record in records]


def landed(
    service: Service, folder: Path, on_same: OnSame | None, *, deletes: bool = False
) -> list[Landing]:
    preset = dataclasses.replace(PRESETS[service.preset], policy=QUICK, websocket=False, once=True)
    preset = dataclasses.replace(preset, framing=preset.framing or "lf", each=service.each)
    preset = dataclasses.replace(preset, unknown=False)
    kind = b"text/event-stream" if preset.framing == "sse" else b"application/json"
    with wire(sends(kind, service.body)) as server, LocalStore(folder) as store:
        if on_same in ("replace", "history"):
            store.keep(on_same)
        request = Post(server.url, json={}) if service.preset == "etcd" else server.url
        with Stream(request, preset=preset, into=bytes, id=service.id) as stream:
            feed = StreamFeed(stream, deletes=deletes, on_same=on_same)
            Pipeline(feed).land(store)
        store.flush()
        assert store.verify() == len(list(store.versions()))
        return list(store.records())


def content(body: bytes) -> int:
    _, _, found = body.partition(b'"content": ')
    return int(found[:1])


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_feed_of_changes_is_what_it_says_at_last(service: Service, tmp_path: Path) -> None:
    assert land(service, tmp_path / "a", "first", deletes=False) == [1]
    assert land(service, tmp_path / "b", "replace", deletes=False) == [3]
    assert land(service, tmp_path / "c", "history", deletes=False) == [3]
    assert land(service, tmp_path / "d", "keep", deletes=False) == [1, 2, 3]
    assert land(service, tmp_path / "e", "first", deletes=True) == [3]
    assert land(service, tmp_path / "f", "replace", deletes=True) == [3]


BEGAN_AGAIN = rows({"seq": "1", "id": "e"}, {"seq": "1", "id": "d", "content": 9})


@pytest.mark.parametrize(
    ("preset", "body", "each", "key"),
    [
        ("couchdb", CHANGES + BEGAN_AGAIN, None, "d"),
        ("kubernetes", PODS + rows(pod("ADDED", "1", 9)), None, "u"),
        ("etcd", PAIRS + rows(etcd(1, 9)), None, ""),
        ("etcd", PAIRS + rows(etcd(1, 9)), "result.events", "aw=="),
    ],
)
def test_without_an_id_no_change_is_lost(
    preset: str, body: bytes, each: str | None, key: str, tmp_path: Path
) -> None:
    """A position is no id: a database that was made again and counts from 1 loses nothing."""
    sent = list(dict.fromkeys(body.splitlines()))  # each once, and deletions as others are
    records = landed(Service(preset, None, "", body, each), tmp_path, None)
    assert len(records) == len(sent)
    assert {str(record.key).partition("#")[0] for record in records} <= {key, "e"}
    if each is None:
        assert [record.body for record in records] == sent


def test_deletes_in_a_feed_of_changes_want_an_id_of_the_stream_s_own() -> None:
    with pytest.raises(InputError, match=r"Stream\(id=...\)"):
        StreamFeed(Stream("http://127.0.0.1", preset="couchdb"), deletes=True)


def test_an_edit_is_the_post_as_it_is_now_and_a_notification_another_thing(tmp_path: Path) -> None:
    old, new = {"id": "7", "content": 1}, {"id": "7", "content": 2}
    body = event("update", old) + event("status.update", new) + event("status.update", new)
    body += event("notification", {"id": "7", "content": 5})
    service = Service("mastodon", None, "7", body)
    assert land(service, tmp_path / "a", "first", deletes=True) == [1, 5]
    assert land(service, tmp_path / "b", "replace", deletes=True) == [2, 5]
    gone = service._replace(body=body + b"event: delete\ndata: 7\n\n" + event("update", old))
    assert land(gone, tmp_path / "c", "replace", deletes=True) == [5]  # for good


def test_other_content_is_counted_apart_also_in_a_later_run(tmp_path: Path) -> None:
    for content_, changed, again in ((1, 0, 0), (1, 0, 1), (2, 1, 1)):
        body = rows({"id": 7, "content": content_})
        with wire(sends(b"application/x-ndjson", body)) as server:
            with LocalStore(tmp_path / "s") as store, Stream(server.url, id="id") as stream:
                Pipeline(StreamFeed(stream, most=1, seconds=0.5)).land(store)
                assert (store.changed, store.again) == (changed, again)


def test_keys_of_several_paths_are_never_mixed_up(tmp_path: Path) -> None:
    body = rows({"a": "x:y", "b": "z"}, {"a": "x", "b": "y:z"}, {"a": "x", "b": "y%3Az"})
    with wire(sends(b"application/x-ndjson", body)) as server, LocalStore(tmp_path) as store:
        once = dataclasses.replace(PRESETS["plain"], once=True)
        with Stream(server.url, preset=once, id=("a", "b"), into=bytes) as stream:
            Pipeline(StreamFeed(stream)).land(store)
        assert [one.key for one in store.records()] == ["x:y:z", "x:y%3Az", "x:y%253Az"]
