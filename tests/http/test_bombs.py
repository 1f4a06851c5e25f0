"""Answers that are more than they seem, or never end: bounded, and said."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable

import pytest
from tests.http.wire import Peer, answer, answering, wire

from penstock.errors import InputError, PermanentError, RetryableError
from penstock.http import Api, Get, Profile
from penstock.http.handle import Handle
from penstock.resilience import RetryPolicy

ONCE = RetryPolicy(attempts=1)
BOMB = gzip.compress(b'"' + b"a" * 24_000_000 + b'"')
ZIPPED = "Content-Encoding: gzip"


def chunked(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{ZIPPED}\r\n\r\n"
    return head.encode() + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


@pytest.mark.parametrize("made", [chunked, lambda body: answer(body, 200, ZIPPED)])
def test_a_small_answer_that_becomes_large_is_refused(made: Callable[[bytes], bytes]) -> None:
    with wire(answering(lambda _: made(BOMB))) as server:
        with pytest.raises(PermanentError, match=r"by decompression: more than max_ratio=200"):
            Api(server.url, retry=ONCE).get("/")
        api = Api(server.url, retry=ONCE, profile=Profile(max_ratio=2000))
        assert len(api.call(Get("/")).body) == 24_000_002


def test_what_merely_is_well_compressed_comes() -> None:
    body = b"[" + b",".join(b'{"id":%d,"name":"user"}' % n for n in range(800_000)) + b"]"
    with wire(answering(lambda _: answer(gzip.compress(body, 6), 200, ZIPPED))) as server:
        assert len(body) > 16 * 1024 * 1024
        assert Api(server.url, retry=ONCE).call(Get("/")).body == body


def test_all_bodies_under_way_are_bounded_together() -> None:
    profile = Profile(max_bodies=40_000_000)
    handles = [Handle(profile) for _ in range(3)]
    try:
        taken = [handle._write(b"1" * 16_000_000) for handle in handles]
        assert taken == [16_000_000, 16_000_000, 0]
        assert "the bodies under way hold 48,000,000 bytes" in handles[2]._too_much
        handles[0].close()
        handles[2].close()
        assert handles[1]._write(b"1" * 16_000_000)
    finally:
        for handle in handles:
            handle.close()


def test_an_answer_that_drips_does_not_hold_its_place() -> None:
    stop = threading.Event()

    def drip(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not stop.wait(0.02):
            peer.send(b"1")

    with wire(drip) as server:
        profile = Profile(stall=0.3, least_rate=10_000)
        with pytest.raises(RetryableError, match=r"answer drips: .* less than least_rate=10000"):
            Api(server.url, retry=ONCE, profile=profile).get("/")
        stop.set()


@pytest.mark.parametrize("name", ["max_body", "max_bodies", "max_ratio", "least_rate"])
def test_bounds_are_numbers_above_nothing(name: str) -> None:
    with pytest.raises(InputError, match=name):
        Profile(**{name: 0})  # type: ignore[arg-type] # on purpose


def test_a_coding_that_was_not_asked_for_is_named_and_not_asked_for_again() -> None:
    """It was "damaged", and called again and again."""
    body = b"\x28\xb5\x2f\xfd\x04\x00"
    with wire(answering(lambda _: answer(body, 200, "Content-Encoding: compress"))) as server:
        with pytest.raises(PermanentError, match="compressed with compress, which was not asked"):
            Api(server.url).get("/")
        assert len(server.asked) <= 2
