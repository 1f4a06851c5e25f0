"""What each service says within its stream: messages, notices, gaps, and what is asked of us."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
import pytest

from penstock.errors import InputError
from penstock.http import Get, Post, Record
from penstock.streaming import (
    PRESETS,
    Action,
    Backfill,
    BodyRevision,
    ControlMessage,
    Gap,
    Item,
    LastEventId,
    Message,
    NoResume,
    QueryCursor,
    ServerEvent,
    ServerNotice,
    presets,
)
from penstock.streaming.dedup import Recent
from penstock.streaming.messages import Sorter, last_word, newest
from penstock.streaming.presets import Preset

T = TypeVar("T")
NOW = 1_800_000_000.0


def packed(*values: object) -> list[bytes]:
    return [json.dumps(value).encode() for value in values]


class Sorted(Generic[T]):
    """A sorter whose items are lists."""

    def __init__(self, preset: Preset, into: type[T] | None, cursor: str | None) -> None:
        self.sorter: Sorter[T] = Sorter(preset, into, cursor)

    def items(self, frames: Sequence[bytes | ServerEvent], connection: int = 1) -> list[Item[T]]:
        return list(self.sorter.items(frames, connection, NOW))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sorter, name)


def sorter(name: str) -> Sorted[Record]:
    return Sorted(PRESETS[name], None, None)


def kinds(items: Sequence[Any]) -> list[str]:
    return [item.kind for item in items]


# Twitter v1.1


def test_a_tweet_is_a_message_with_its_id_as_a_text() -> None:
    (item,) = sorter("twitter").items(packed({"id": 2**53 + 1, "id_str": "9007199254740993"}))
    assert isinstance(item, Message)
    assert (item.id, item.kind, item.value.id) == ("9007199254740993", "data", 2**53 + 1)
    assert item.body == b'{"id": 9007199254740993, "id_str": "9007199254740993"}'


def test_limit_notices_are_running_totals_and_gaps_are_their_differences() -> None:
    sort = sorter("twitter")
    said = [{"limit": {"track": n}} for n in (10, 25, 25, -1)]
    items = sort.items(packed(*said))
    assert kinds(items) == ["limit", "gap", "limit", "gap", "limit", "limit", "gap"]
    assert [item.count for item in items if isinstance(item, Gap)] == [10, 15, None]
    again = sort.items(packed({"limit": {"track": 4}}), 2)
    assert [item.count for item in again if isinstance(item, Gap)] == [4]  # counted anew


def test_what_twitter_says_beside_tweets() -> None:
    sort = sorter("twitter")
    items = sort.items(
        packed(
            {"delete": {"status": {"id": 7, "id_str": "7", "user_id": 3}}},
            {"warning": {"code": "FALLING_BEHIND", "message": "slow", "percent_full": 60}},
            {"scrub_geo": {"user_id": 1}},
            {"status_withheld": {"id": 1}},
            {"brand_new": {"x": 1}},
            {"disconnect": {"code": 4, "reason": "stall"}},
        )
    )
    expected = ["delete", "warning", "scrub_geo", "status_withheld", "unknown", "disconnect"]
    assert kinds(items) == expected
    assert isinstance(items[0], ServerNotice)
    assert items[0].id == "7"
    assert [item.text for item in items if isinstance(item, ServerNotice)][1] == "slow"
    (verdict,) = sort.verdicts
    assert (verdict[0], verdict[1].then, verdict[1].text) == (1, Action.AGAIN, "stall")


def test_a_tweet_that_talks_of_limits_is_a_tweet() -> None:
    tweet = {"created_at": "now", "id_str": "1", "text": '{"limit":{"track":5}}', "limit": 1}
    assert kinds(sorter("twitter").items(packed(tweet))) == ["data"]


# The others


def test_x_ends_for_credentials_and_comes_again_for_the_rest() -> None:
    sort = sorter("x")
    data, again = {"data": {"id": "5", "text": "t"}}, {"errors": [{"detail": "drained"}]}
    stop = {"errors": [{"disconnect_type": "UserNotAuthorized", "detail": "no"}]}
    issue = {"title": "ConnectionException", "detail": "too many", "connection_issue": "TooMany"}
    items = sort.items(packed(data, data, again, stop, issue))
    assert kinds(items) == ["data", "error", "error", "error"]
    assert (sort.duplicates, sort.cursor) == (1, "1800000000.000")
    assert [v.then for _, v in sort.verdicts] == [Action.AGAIN, Action.STOP, Action.AGAIN]


def test_mastodon_events_by_their_types() -> None:
    events = [
        ServerEvent(b'{"id":"10","content":"x"}', "update"),
        ServerEvent(b"10", "delete"),
        ServerEvent(b'{"id":"3","type":"follow"}', "notification"),
        ServerEvent(b"", "filters_changed"),
    ]
    items = sorter("mastodon").items(events)
    assert kinds(items) == ["update", "delete", "notification"]  # nothing to read in the last
    ids = [item.id for item in items if not isinstance(item, Gap)]
    assert ids == ["10", "10", "notification:3"]  # two count for themselves


def test_wikimedia_canaries_are_signs_of_life_and_nothing_else() -> None:
    sort = sorter("eventstreams")
    canary = ServerEvent(b'{"meta":{"domain":"canary","id":"c"}}', "message", "[1]")
    change = ServerEvent(b'{"meta":{"domain":"en.wikipedia.org","id":"e"}}', "message", "[2]")
    items = sort.items([canary, change, change])
    assert [(i.id, i.cursor) for i in items if isinstance(i, Message)] == [("e", "[2]")]
    assert (sort.keepalives, sort.duplicates, sort.cursor) == (1, 1, "[2]")


def test_couchdb_goes_on_after_each_change() -> None:
    sort = sorter("couchdb")
    items = sort.items(packed({"seq": 3, "id": "d", "changes": []}, {"seq": "4-x", "id": "d"}))
    assert [(i.id, i.cursor) for i in items if isinstance(i, Message)] == [("d", "3"), ("d", "4-x")]
    assert kinds(sort.items(packed({"last_seq": 5}))) == ["last_seq"]
    assert sort.verdicts[0][1].then is Action.AGAIN


def test_a_change_that_deletes_is_a_message_unless_messages_are_told_apart_by_document() -> None:
    gone = packed({"seq": 9, "id": "d", "changes": [], "deleted": True})
    assert kinds(sorter("couchdb").items(gone)) == ["data"]
    by_document = dataclasses.replace(PRESETS["couchdb"], id=("id",))
    for into in (None, bytes):
        (notice,) = Sorted(by_document, into, None).items(gone)
        assert isinstance(notice, ServerNotice)
        assert (notice.kind, notice.id, notice.cursor) == ("delete", "d", "9")


def kube(type_: str, version: str, **more: object) -> dict[str, object]:
    object_ = {"metadata": {"uid": "u", "resourceVersion": version}, **more}
    return {"type": type_, "object": object_}


def test_kubernetes_watches_with_bookmarks_and_410_in_the_stream() -> None:
    sort = sorter("kubernetes")
    gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}
    items = sort.items(packed(kube("ADDED", "7"), kube("BOOKMARK", "9"), gone))
    assert kinds(items) == ["ADDED", "bookmark", "error", "gap"]
    assert [item.cursor for item in items[:2] if not isinstance(item, Gap)] == ["7", "9"]
    assert items[3] == Gap("9", None, "cursor-too-old")
    assert sort.cursor is None
    assert sort.verdicts[0][1].then is Action.TOO_OLD


def etcd(*revisions: int, **more: object) -> dict[str, object]:
    events = [{"kv": {"key": "a", "mod_revision": str(n)}} for n in revisions]
    return {"result": {"header": {"revision": "900"}, "events": events, **more}}


def test_etcd_goes_on_after_the_last_event_and_not_after_the_header() -> None:
    sort = sorter("etcd")
    created = {"result": {"header": {"revision": "900"}, "created": True}}
    compacted = {"result": {"canceled": True, "compact_revision": "50", "cancel_reason": "old"}}
    items = sort.items(packed(created, etcd(3, 4, 5), etcd()))
    assert kinds(items) == ["created", "data", "unknown"]
    assert (items[1].id, items[1].cursor) == (None, "5")  # type: ignore[union-attr] # a message
    assert kinds(sort.items(packed(compacted))) == ["canceled", "gap"]
    assert sort.verdicts[0][1].then is Action.TOO_OLD


def test_jetstream_ids_are_of_two_parts() -> None:
    items = sorter("jetstream").items(packed({"did": "d:1", "time_us": 5, "kind": "commit"}))
    assert [(i.id, i.cursor, i.kind) for i in items if isinstance(i, Message)] == [
        ("d:1:5", "5", "commit")
    ]


# Values


class Tweet(msgspec.Struct):
    id_str: str
    text: str


@dataclass
class Plain:
    id: int


def test_a_type_of_ones_own_is_decoded_in_part() -> None:
    sort = Sorted(PRESETS["twitter"], Tweet, None)
    bodies = packed({"id_str": "1", "text": "t", "user": {"deep": [1]}}, {"limit": {"track": 1}})
    items = sort.items([*bodies, b'{"id_str": "2", "text": 5}'])
    assert isinstance(items[0], Message)
    assert items[0].value == Tweet("1", "t")
    assert kinds(items) == ["data", "limit", "gap", "unreadable"]


def test_a_dataclass_records_and_bytes() -> None:
    plain = PRESETS["plain"]
    body = b'{"id": 3, "more": [1]}'
    assert [i.value for i in Sorted(plain, Plain, None).items([body])] == [Plain(3)]  # type: ignore[union-attr] # messages
    assert [i.value for i in Sorted(plain, bytes, None).items([body])] == [body]  # type: ignore[union-attr] # messages
    (item,) = Sorted(plain, Record, None).items([body])
    assert isinstance(item, Message)
    assert (item.value.id, item.value.more) == (3, [1])
    with pytest.raises(InputError, match="cannot be decoded into"):
        Sorter(plain, 3, None)  # type: ignore[arg-type] # that is the point


def test_what_is_not_json_is_a_notice_and_ends_nothing() -> None:
    items = sorter("plain").items([b"{}", b"<html>", b"[1]", b"7"])
    assert kinds(items) == ["data", "unreadable", "data", "data"]
    assert items[1].body == b"<html>"  # type: ignore[union-attr] # a notice


def test_messages_without_the_members_looked_for_pass_all_the_same() -> None:
    odd = packed([1, 2], 7, {"object": 3}, {"object": {"metadata": None}})
    for into in (None, bytes):
        assert kinds(Sorted(PRESETS["kubernetes"], into, None).items(odd)) == ["data"] * 4


def test_the_same_items_whether_decoded_whole_in_part_or_not_at_all() -> None:
    said = packed(kube("ADDED", "1"), kube("BOOKMARK", "2"), kube("MODIFIED", "3"))
    found = [
        [(i.kind, i.cursor) for i in Sorted(PRESETS["kubernetes"], into, None).items(said)]  # type: ignore[union-attr] # no gaps
        for into in (None, bytes, msgspec.Raw)
    ]
    assert found[0] == found[1] == found[2]


def test_an_id_of_ones_own_choice() -> None:
    mine = dataclasses.replace(PRESETS["plain"], id=("user.id",))
    assert [i.id for i in Sorted(mine, bytes, None).items(packed({"user": {"id": 4}}))] == [4]  # type: ignore[union-attr] # messages


# What the last words of a connection ask for


def test_the_last_words_of_a_connection() -> None:
    frames = packed({"id_str": "1"}, {"disconnect": {"reason": "bye"}})
    word = last_word(PRESETS["twitter"], reversed(frames))
    assert word is not None
    assert (word.then, word.text) == (Action.AGAIN, "bye")
    assert last_word(PRESETS["twitter"], packed({"id_str": "1"})) is None
    assert last_word(PRESETS["plain"], frames) is None
    assert last_word(PRESETS["mastodon"], [ServerEvent(b"7", "delete")]) is None


def test_the_last_cursor_of_a_connection() -> None:
    frames = packed({"seq": 1}, {"seq": 2}, {"other": 1})
    of_couch = newest(PRESETS["couchdb"])
    assert of_couch([*frames, b"no json", b'{"seq":null}'], 0.0) == "2"
    assert of_couch(packed({"seq": [3, "x"]}), 0.0) == '[3,"x"]'
    assert of_couch([], 0.0) is None
    assert newest(PRESETS["twitter"])(frames, 0.0) is None
    assert newest(PRESETS["x"])(frames, 7.0) == "7.000"


# Going on


def test_ways_to_go_on() -> None:
    url = "https://x.example/s"
    asked = Get(url, headers={"A": "b"})
    assert LastEventId().request(asked, "straße", 0.0) is asked
    assert QueryCursor("since", "seq").request(asked, "7-x", 0.0).query == {"since": "7-x"}
    assert QueryCursor("cursor", "t", rewind=5).request(asked, "7", 0.0).query == {"cursor": "2"}
    assert Backfill().request(asked, "1000", 1061.0).query == {"backfill_minutes": 2}
    assert Backfill().request(asked, "1000", 9999.0).query == {"backfill_minutes": 5}
    assert NoResume().request(asked, "7", 0.0) is asked


def test_the_body_of_an_etcd_watch_is_not_changed_in_place() -> None:
    body = {"create_request": {"key": "YQ=="}}
    resume = BodyRevision("p", "create_request.start_revision")
    there = resume.request(Post("https://x.example/v3/watch", json=body), "41", 0.0)
    assert there.json == {"create_request": {"key": "YQ==", "start_revision": 42}}
    assert body == {"create_request": {"key": "YQ=="}}
    with pytest.raises(InputError, match="no object 'create_request'"):
        resume.request(Post("https://x.example/", json=[]), "41", 0.0)


def test_a_cursor_of_another_kind_is_refused() -> None:
    with pytest.raises(InputError, match="cursor 'x' is not a whole number"):
        QueryCursor("cursor", "t", rewind=5).request(Get("/"), "x", 0.0)
    with pytest.raises(InputError, match="not a time in seconds"):
        Backfill().request(Get("/"), "x", 0.0)


def test_what_remains_missing() -> None:
    away = Gap("1970-01-01T00:00:07.000Z", "1970-01-01T00:00:09.000Z", "no-resume")
    assert NoResume().gap("7", 7.0, 9.0) == away
    assert LastEventId().gap("7", 7.0, 9.0) is None
    assert LastEventId().gap(None, 7.0, 9.0) == away
    assert Backfill().gap(None, 7.0, 9.0) == away
    assert Backfill().gap("1000", 0.0, 1299.0) is None
    lost = Gap("1970-01-01T00:16:40.000Z", "1970-01-01T00:16:41.000Z", "backfill")
    assert Backfill().gap("1000", 0.0, 1301.0) == lost


# Presets


def test_an_unknown_preset_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'twitter'"):
        presets.by_name("twiter")
    with pytest.raises(InputError, match="there are plain, twitter"):
        presets.by_name("?")


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_presets_are_whole(preset: Preset) -> None:
    assert preset.service
    assert all(sign.then is not Action.LIMIT or sign.count for sign in preset.signs)
    deletes = [sign for sign in preset.signs if sign.then is Action.DELETE]
    assert all(sign.id is not None or sign.by for sign in deletes)
    assert not preset.unknown or preset.id
    assert not preset.resume.overlaps or preset.id, "what overlaps is told apart by ids"


def test_a_sign_may_have_to_equal_something() -> None:
    strict = ControlMessage(kind="x", path="a", equals=(1,), then=Action.NOTICE)
    mine = dataclasses.replace(PRESETS["plain"], signs=(strict,))
    assert kinds(Sorted(mine, None, None).items(packed({"a": 1}, {"a": 2}))) == ["x", "data"]


def test_what_is_remembered_of_messages_is_bounded() -> None:
    recent = Recent(100)
    assert not any(recent.saw(n, b"x") for n in range(1000))
    assert all(recent.saw(n, b"x") for n in range(901, 1000))
    assert not recent.saw(999, b"y")


def test_progress_without_events_moves_the_newest_cursor() -> None:
    of_etcd = newest(PRESETS["etcd"])
    progress = {"result": {"header": {"revision": "7"}}}
    event = {"result": {"header": {"revision": "9"}, "events": [{"kv": {"mod_revision": "6"}}]}}
    assert of_etcd(packed(event, progress), 0.0) == "7"
    assert of_etcd(packed(progress, event), 0.0) == "6"
    assert (
        newest(PRESETS["couchdb"])(packed({"result": {"header": {"revision": "7"}}}), 0.0) is None
    )


def test_events_without_data_are_counted_as_signs_of_life() -> None:
    sort = sorter("plain")
    assert sort.items([b"", b"  ", b'{"a":1}'])
    assert sort.keepalives == 2
