"""Penstock's side: ours.py KIND URL MESSAGES FOLDER, a kind of those that main() tells apart.

Prints what peers.py prints.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import msgspec

from penstock.pipeline.result import Landing, Mark
from penstock.store import LocalStore
from penstock.streaming import Message, ReconnectPolicy, Stream

LATE: list[float] = []


class User(msgspec.Struct):
    id: int
    screen_name: str


class Tweet(msgspec.Struct):
    id: int
    text: str
    created_at: str
    lang: str
    user: User


def stream(url: str, into: type | None, **more: object) -> Stream:
    # A clean end is the end here: no second connection.
    return Stream(url, framing="crlf", into=into, policy=ReconnectPolicy(attempts=1), **more)


def counted(source: Stream, wanted: int) -> int:
    count = 0
    for items in source.batches():
        count += sum(1 for item in items if type(item) is Message)
        if count >= wanted:
            break
    return count


def one_by_one(source: Stream, wanted: int) -> int:
    count = 0
    for _ in source.messages():
        count += 1
        if count >= wanted:
            break
    return count


def latency(url: str, wanted: int) -> int:
    with stream(url, dict) as source:
        for message in source.messages():
            LATE.append((time.monotonic_ns() - message.value["at"]) / 1e6)
            if len(LATE) >= wanted:
                break
    return len(LATE)


def idle(url: str, streams: int) -> int:
    """Hold so many streams that say nothing; note the bytes of each, and a core's share of all."""
    empty = memory()
    with ExitStack() as held:
        many = [held.enter_context(stream(url, bytes)) for _ in range(streams)]
        going = [source.batches(0) for source in many]
        for one in going:
            next(one)
        while any(source.status.state != "live" for source in many):
            time.sleep(0.1)
        LATE.append((memory() - empty) / streams)
        before = time.process_time()
        time.sleep(10)
        LATE.append((time.process_time() - before) / 10)
        for source in many:
            source.stop()
        os.write(1, json.dumps({"messages": streams, "seconds": 0, "late": LATE}).encode())
        os._exit(0)  # to end each in good order takes longer than the measurement


def memory() -> int:
    """Return the bytes that are resident."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def to_file(url: str, wanted: int, folder: Path) -> int:
    count = unsafe = 0
    with stream(url, bytes, id="id_str") as source, (folder / "plain.jsonl").open("wb") as file:
        for items in source.batches():
            bodies = [item.body for item in items if type(item) is Message]
            file.write(b"\n".join(bodies) + b"\n" if bodies else b"")
            count, unsafe = count + len(bodies), unsafe + len(bodies)
            if unsafe >= 1000 or count >= wanted:
                file.flush()
                os.fdatasync(file.fileno())
                unsafe = 0
            if count >= wanted:
                break
    return count


def to_store(url: str, wanted: int, folder: Path) -> int:
    count = 0
    with LocalStore(folder / "store") as store, stream(url, bytes, id="id_str") as source:
        for items in source.batches():
            landed = [Landing(item.id, item.body) for item in items if type(item) is Message]
            count += len(landed)
            store.settle([*landed, Mark("stream", str(count))], lambda _: None, group=2000)
            if count >= wanted:
                break
        store.flush()
        assert store.status().landed == wanted, store.status()
    return count


def main(kind: str, url: str, wanted: int, folder: Path) -> int:
    match kind:
        case "full" | "typed":  # the loop that everybody writes
            with stream(url, None if kind == "full" else Tweet) as source:
                return one_by_one(source, wanted)
        case "full-batches" | "raw" | "id":
            more = {"id": "id_str"} if kind == "id" else {}
            with stream(url, None if kind == "full-batches" else bytes, **more) as source:
                return counted(source, wanted)
        case "latency":
            return latency(url, wanted)
        case "idle":
            return idle(url, wanted)
        case "file":
            return to_file(url, wanted, folder)
        case _:
            return to_store(url, wanted, folder)


if __name__ == "__main__":
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    messages = main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"messages": messages, "seconds": seconds, "cpu": cpu, "late": LATE}))
