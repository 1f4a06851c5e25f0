"""A stream that nobody holds any more ends, at whatever moment the garbage collector comes."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import TYPE_CHECKING

import pytest
from tests.http.wire import Peer, wire
from tests.streaming.test_stream import begin, chunked, ends, quick

from penstock.http import engine
from penstock.streaming import Spill, Stream, backlog, driver

if TYPE_CHECKING:
    from _typeshed import TraceFunction

WATCHED = {backlog.__file__, driver.__file__}
THREADS = ("penstock-io", "penstock-stream")


def plain(stream: Stream[object]) -> Iterator[object]:
    return stream.batches(0.0)


def within_a_block(stream: Stream[object]) -> Iterator[object]:
    with stream:
        yield from stream.batches(0.0)


class Dropping:
    """Drops what it holds at a moment that it has not met before, within the watched code."""

    def __init__(self) -> None:
        self.holds = threading.Event()
        self.held: list[Iterator[object]] = []
        self.cut: set[str] = set()
        self.met: set[tuple[CodeType, int, str]] = set()

    def serve(self, peer: Peer) -> None:
        """Cut the first connection, and end the second one in good order."""
        target = begin(peer).target
        self.holds.wait(20)
        again = target in self.cut
        self.cut.add(target)
        for number in range(4):
            peer.send(chunked(b'{"id":%d}\n' % number))
        if again:
            ends(peer)
            peer.gone()

    def trace(self, frame: FrameType, _event: str, _value: object) -> TraceFunction | None:
        code, thread = frame.f_code, threading.current_thread().name
        is_watched = code.co_filename in WATCHED or code.co_qualname.startswith("Condition.")
        return self.line if is_watched and thread in THREADS else None

    def line(self, frame: FrameType, _event: str, _value: object) -> TraceFunction:
        moment = (frame.f_code, frame.f_lineno, threading.current_thread().name)
        if self.held and moment not in self.met:
            self.met.add(moment)
            self.held.pop()  # nobody has it any more: it is closed, here and now
        return self.line


@pytest.mark.parametrize("read", [plain, within_a_block])
def test_a_stream_may_be_dropped_at_every_moment(
    read: Callable[[Stream[object]], Iterator[object]],
) -> None:
    """Within a lock of its own it waited for that lock, for good, and the I/O thread with it."""
    preset = dataclasses.replace(quick("plain"), once=True)
    dropping = Dropping()
    engine().close()  # the next one begins under our eyes
    threading.settrace(dropping.trace)
    try:
        with wire(dropping.serve) as server:
            while not dropping.held:
                url = f"{server.url}/{len(dropping.met)}"
                dropping.holds.clear()
                stream: Stream[object] = Stream(url, preset=preset, overflow=Spill(9))
                iterator = read(stream)
                next(iterator)
                dropping.held.append(iterator)
                del iterator
                dropping.holds.set()
                thread = stream._driver._thread
                thread.join(20)
                assert not thread.is_alive()
    finally:
        threading.settrace(None)
        engine().close()
    assert len(dropping.met) > 100
