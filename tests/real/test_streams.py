"""Streams of servers that nobody here wrote: nginx with nchan, and etcd."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pytest

from penstock.http import Post
from penstock.store import open_readonly
from penstock.streaming import Gap, Message, ServerNotice, Stream

pytestmark = pytest.mark.timeout(600)  # the first of them installs the servers

AWKWARD = "line\u2028sep \u0085 é 🌊"


def publish(nchan: str, channel: str, numbers: Sequence[int]) -> None:
    for number in numbers:
        body = json.dumps({"n": number, "text": AWKWARD}, ensure_ascii=False).encode()
        request = urllib.request.Request(f"{nchan}/publish?channel={channel}", body, method="POST")
        urllib.request.urlopen(request, timeout=20).close()


def bodies(stream: Stream[bytes], count: int) -> list[dict[str, object]]:
    return [json.loads(message.body) for message in islice(stream.messages(), count)]


# nginx with nchan


def test_nchan_s_events_are_resumed_exactly_where_they_were_left(nchan: str) -> None:
    publish(nchan, "resume", range(300))
    url = f"{nchan}/events?channel=resume"
    with Stream(url, preset="sse", into=bytes) as stream:
        first = bodies(stream, 130)
        assert [body["n"] for body in first] == list(range(130))
        assert all(body["text"] == AWKWARD for body in first)
    with Stream(url, preset="sse", into=bytes) as stream:
        messages = list(islice(stream.messages(), 130))
        cursor = messages[-1].cursor
    assert cursor is not None
    with Stream(url, preset="sse", into=bytes, cursor=cursor) as stream:
        assert [body["n"] for body in bodies(stream, 170)] == list(range(130, 300))
        assert (stream.counters.gaps, stream.counters.connects) == (0, 1)


def test_nchan_s_pings_are_no_messages_and_keep_the_connection(nchan: str) -> None:
    publish(nchan, "pings", [1])
    with Stream(f"{nchan}/events?channel=pings", preset="sse", into=bytes) as stream:
        seen = 0
        for _ in stream.batches(0.05):  # a ping is an event without data, once a second
            seen = seen or stream.counters.wire_bytes
            if seen and stream.counters.wire_bytes >= seen + 2 * len("event: ping\n\n"):
                break
        assert (stream.counters.messages, stream.counters.connects) == (1, 1)


def test_nchan_s_raw_stream_ends_with_its_connection_and_is_never_late(nchan: str) -> None:
    publish(nchan, "raw", range(20))
    url = f"{nchan}/raw?channel=raw"
    with Stream(url, framing="crlf", id="n", into=bytes) as stream:
        items = stream.messages()
        assert [json.loads(next(items).body)["n"] for _ in range(20)] == list(range(20))
        for number in range(20, 40):  # each is there before the next is sent
            publish(nchan, "raw", [number])
            message = next(items)
            assert (message.id, json.loads(message.body)["n"]) == (number, number)


def test_nchan_s_chunks_are_the_messages(nchan: str) -> None:
    publish(nchan, "chunks", range(50))
    url = f"{nchan}/chunks?channel=chunks"
    with Stream(url, framing="chunk", headers={"TE": "chunked"}, into=bytes) as stream:
        assert [body["n"] for body in bodies(stream, 50)] == list(range(50))


# etcd


def call(etcd: str, path: str, **body: object) -> dict[str, object]:
    data = json.dumps(body).encode()
    with urllib.request.urlopen(etcd + path, data, timeout=20) as answer:
        found: dict[str, object] = json.load(answer)
    return found


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def put(etcd: str, key: str, value: str) -> None:
    call(etcd, "/v3/kv/put", key=coded(key), value=coded(value))


def watching(etcd: str, cursor: str | None = None) -> Stream[bytes]:
    wanted = {"create_request": {"key": coded("k"), "range_end": coded("l")}}
    request = Post(f"{etcd}/v3/watch", json=wanted)
    return Stream(request, preset="etcd", into=bytes, cursor=cursor)


def events(messages: Iterator[Message[bytes]], count: int) -> list[tuple[str, int]]:
    """Return (key, length of the value) of so many events: a line may hold many."""
    found: list[tuple[str, int]] = []
    while len(found) < count:
        for event in json.loads(next(messages).body)["result"]["events"]:
            pair = event["kv"]
            value = base64.b64decode(pair.get("value", ""))
            found.append((base64.b64decode(pair["key"]).decode(), len(value)))
    return found


def test_etcd_s_watch_goes_on_after_its_revision(etcd: str) -> None:
    put(etcd, "k0", "first")
    with watching(etcd, cursor="1") as stream:
        messages = stream.messages()
        assert events(messages, 1) == [("k0", 5)]
        for number in range(1, 30):
            put(etcd, f"k{number}", "x" * number)
        assert events(messages, 29) == [(f"k{number}", number) for number in range(1, 30)]
        cursor = stream.cursor
    assert cursor is not None
    for number in range(30, 60):
        put(etcd, f"k{number}", "")
    with watching(etcd, cursor=cursor.position) as stream:
        found = events(stream.messages(), 30)
        assert found == [(f"k{number}", 0) for number in range(30, 60)]
        assert stream.counters.gaps == 0


def test_a_line_of_etcd_s_may_have_two_megabytes(etcd: str) -> None:
    for number in range(2):
        put(etcd, f"k{number}", "x" * 1_400_000)
    with watching(etcd, cursor="1") as stream:
        assert events(stream.messages(), 2) == [("k0", 1_400_000), ("k1", 1_400_000)]


def test_what_etcd_has_compacted_is_a_gap_and_the_watch_goes_on(etcd: str) -> None:
    for number in range(40):
        put(etcd, "k", str(number))  # revisions 2 to 41
    call(etcd, "/v3/kv/compaction", revision="30")
    with watching(etcd, cursor="5") as stream:
        gaps: list[Gap] = []
        for item in stream:
            if isinstance(item, Gap):
                gaps.append(item)
            elif isinstance(item, ServerNotice) and item.kind == "created" and gaps:
                put(etcd, "k", "after")
            elif isinstance(item, Message) and b"YWZ0ZXI=" in item.body:  # "after" in Base64
                break
        (gap,) = gaps
        assert (gap.since, gap.reason) == ("5", "cursor-too-old")


def test_etcd_s_watch_lands_through_a_pipeline_file(etcd: str, tmp_path: Path) -> None:
    put(etcd, "k0", "a")
    file = tmp_path / "watch.toml"
    file.write_text(
        f'[stream]\nurl = "{etcd}/v3/watch"\npreset = "etcd"\nmethod = "POST"\n'
        f'json = {{ create_request = {{ key = "{coded("k")}", range_end = "{coded("l")}", '
        'start_revision = "1" } }\n[store]\npath = "watched"\n'
    )
    words = [sys.executable, "-m", "penstock.cli.main", "run", str(file), "--max-messages", "1"]
    done = subprocess.run([*words, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["landed"] == 1
    for number in range(1, 5):
        put(etcd, f"k{number}", "b")
    done = subprocess.run([*words[:-1], "1"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with open_readonly(tmp_path / "watched") as store:
        seen = [
            base64.b64decode(event["kv"]["key"]).decode()
            for record in store.records()
            for event in json.loads(record.body)["result"]["events"]
        ]
        assert seen[:2] == ["k0", "k1"]
        assert list(store.gaps()) == []
