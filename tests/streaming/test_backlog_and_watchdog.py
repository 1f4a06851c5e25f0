"""Content codings, watchdogs and the backlog, each by itself."""

from __future__ import annotations

import gzip
import itertools
import zlib
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.clock import FakeClock
from penstock.errors import InputError, PermanentError, RetryableError, StorageError
from penstock.streaming import Block, DropOldest, Ending, Gap, Overflow, ServerEvent, Spill
from penstock.streaming.backlog import Backlog, Dropped, FrameBatch, StreamEnd
from penstock.streaming.content_encoding import decoder
from penstock.streaming.watchdog import SilenceWatch

DATA = b'{"text":"\xc3\xa9 and more"}\n' * 50


def decoded(coding: str, pieces: list[bytes]) -> bytes:
    taker = decoder(coding)
    assert taker is not None
    return b"".join(part for piece in pieces for part in taker.decode(piece))


@settings(deadline=None, max_examples=60)
@given(places=st.lists(st.integers(0, 400), max_size=6), members=st.integers(1, 4))
def test_gzip_of_any_members_cut_anywhere(places: list[int], members: int) -> None:
    data = (gzip.compress(DATA) + b"\0\0") * members
    edges = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(edges)]
    assert decoded("gzip", pieces) == DATA * members


def test_every_coding_that_servers_call_deflate() -> None:
    bare = zlib.compressobj(wbits=-15)
    for data in (zlib.compress(DATA), bare.compress(DATA) + bare.flush()):
        assert decoded("deflate", [data[n : n + 7] for n in range(0, len(data), 7)]) == DATA
    assert decoded("", [DATA]) == decoded("Identity", [DATA]) == DATA
    assert decoded("x-gzip", [gzip.compress(DATA)]) == DATA
    assert decoder("br") is None


def test_what_was_flushed_is_there_at_once() -> None:
    packer = zlib.compressobj(wbits=31)
    taker = decoder("gzip")
    assert taker is not None
    for n in range(5):
        message = b"%d\n" % n
        flushed = packer.compress(message) + packer.flush(zlib.Z_SYNC_FLUSH)
        assert b"".join(taker.decode(flushed)) == message


@settings(deadline=None, max_examples=60)
@given(places=st.lists(st.integers(0, 90), max_size=6), frames=st.integers(1, 3))
def test_zstd_of_any_frames_cut_anywhere(places: list[int], frames: int) -> None:
    data = zstandard.compress(DATA) * frames
    edges = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(edges)]
    assert decoded("zstd", pieces) == DATA * frames


def test_zstd_that_was_flushed_is_there_at_once() -> None:
    packer = zstandard.ZstdCompressor().compressobj()
    taker = decoder("zstd")
    assert taker is not None
    for n in range(5):
        flushed = packer.compress(b"%d\n" % n) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        assert b"".join(taker.decode(flushed)) == b"%d\n" % n
    with pytest.raises(RetryableError, match="damaged"):
        list(taker.decode(b"no zstd" * 100))


def test_damage_is_an_error_after_which_one_comes_again() -> None:
    taker = decoder("gzip")
    assert taker is not None
    data = bytearray(gzip.compress(DATA))
    data[-6] ^= 255  # its checksum
    with pytest.raises(RetryableError, match="damaged"):
        list(taker.decode(bytes(data)))


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_little_that_stands_for_a_lot_comes_in_pieces(coding: str) -> None:
    bomb = b"\0" * (64 << 20)
    taker = decoder(coding)
    assert taker is not None
    packed = gzip.compress(bomb) if coding == "gzip" else zstandard.compress(bomb)
    pieces = list(map(len, taker.decode(packed)))
    assert sum(pieces) == len(bomb)
    assert max(pieces) <= 17 << 20


# Watchdogs


def test_bytes_keep_a_connection_up_and_silence_ends_it() -> None:
    watch = SilenceWatch(wire_stall=90, decoded_stall=40)
    for second in range(0, 1000, 30):
        assert watch.look(second, second, float(second)) is None
    assert watch.look(990, 990, 1080.0) is None
    assert watch.look(990, 990, 1080.1) is Ending.STALLED


def test_compressed_bytes_from_which_nothing_comes_are_held_back() -> None:
    watch = SilenceWatch(wire_stall=90, decoded_stall=40)
    assert watch.look(100, 0, 0.0) is None
    assert watch.look(200, 0, 39.0) is None
    assert watch.look(201, 0, 40.0) is Ending.UNFLUSHED


def test_a_header_alone_is_no_message_held_back_until_silence_says_so() -> None:
    watch = SilenceWatch(wire_stall=90, decoded_stall=40)
    assert watch.look(10, 0, 0.0) is None
    assert watch.look(10, 0, 89.0) is None
    assert watch.look(10, 0, 91.0) is Ending.UNFLUSHED


def test_heartbeats_that_can_be_decoded_are_all_it_takes() -> None:
    watch = SilenceWatch(wire_stall=90, decoded_stall=40)
    for beat in range(100):
        assert watch.look(100 + 10 * beat, 2 * beat, 30.0 * beat) is None


# The backlog


def batch(number: int, count: int = 1, size: int = 10) -> FrameBatch[bytes]:
    return FrameBatch([b"%d" % number] * count, 1, float(number), size * count)


def backlog(overflow: Overflow) -> tuple[Backlog, list[str]]:
    room: list[str] = []
    return Backlog(overflow, FakeClock(), lambda: room.append("room")), room


def test_a_full_backlog_says_so_and_calls_when_half_of_it_is_free() -> None:
    waiting, room = backlog(Block(100))
    assert [waiting.put(batch(n)) for n in range(10)] == [True] * 9 + [False]
    assert len(waiting.take(None)) == 10
    assert not waiting.room  # what was taken is still worked on
    waiting.release(50)
    assert room == []
    waiting.release(10)
    assert room == ["room"]
    waiting.release(40)
    assert room == ["room"]  # once is enough


def test_taking_again_means_that_what_was_taken_is_done() -> None:
    waiting, room = backlog(Block(100))
    waiting.put(batch(1, 11))
    waiting.take(None)
    assert room == []
    assert waiting.take(0.0) == []
    assert room == ["room"]


def test_the_oldest_go_first_and_leave_a_mark_with_their_count() -> None:
    waiting, _ = backlog(DropOldest(100))
    for n in range(30):
        assert waiting.put(batch(n))
    mark, *kept = waiting.take(None)
    assert mark == Dropped(20, 0.0, 19.0)
    assert [entry.at for entry in kept if isinstance(entry, FrameBatch)] == [
        float(n) for n in range(20, 30)
    ]
    assert waiting.dropped == 20


def test_a_gap_among_what_is_dropped_stays() -> None:
    waiting, _ = backlog(DropOldest(100))
    gap = Gap("a", "b", "no-resume")
    waiting.put(batch(1, 5))
    waiting.tell(gap)
    waiting.put(batch(2, 5))
    waiting.put(batch(3, 9))
    found = list(waiting.take(None))
    assert found[:2] == [gap, Dropped(10, 1.0, 2.0)]


def test_what_is_spilled_comes_back_in_order_with_what_was_told_between(tmp_path: Path) -> None:
    waiting, _ = backlog(Spill(30, folder=tmp_path))
    gap = Gap("a", "b", "no-resume")
    for n in range(20):
        assert waiting.put(batch(n))
        if n == 9:
            waiting.tell(gap)
    waiting.tell(StreamEnd(None))
    found: list[object] = []
    while not found or not isinstance(found[-1], StreamEnd):
        found += waiting.take(None)
    assert [e.at for e in found if isinstance(e, FrameBatch)] == [float(n) for n in range(20)]
    assert found.index(gap) == 10
    assert len(found) == 22
    waiting.close()


def test_spilled_events_stay_events(tmp_path: Path) -> None:
    waiting, _ = backlog(Spill(1, folder=tmp_path))
    event = ServerEvent(b"data", "type", "7")
    for n in range(3):
        waiting.put(FrameBatch([event], n, 0.0, 4))
    found: list[object] = []
    while len(found) < 3:
        found += waiting.take(None)
    assert [e.frames for e in found if isinstance(e, FrameBatch)] == [[event]] * 3
    waiting.close()


def test_a_full_disk_is_told_as_such() -> None:
    waiting, _ = backlog(Spill(1, folder=Path("/no/such/folder")))
    waiting.put(batch(1))
    with pytest.raises(StorageError, match="spilling to disk"):
        waiting.put(batch(2))


def test_the_file_is_bounded_as_well(tmp_path: Path) -> None:
    waiting, room = backlog(Spill(10, folder=tmp_path, most=100))
    n = 0
    while waiting.put(batch(n)):
        n += 1
    assert 3 < n < 20
    taken = 0
    while taken <= n:
        taken += len(waiting.take(None))
    assert list(waiting.take(0.0)) == []
    assert room == ["room"]
    waiting.close()


def test_buffers_hold_something() -> None:
    for kind in (Block, Spill, DropOldest):
        with pytest.raises(InputError, match="at least 1 byte"):
            kind(0)


def test_a_zstd_window_beyond_all_measure_is_named() -> None:
    """It was "damaged", and the stream was asked for again."""
    wide = zstandard.ZstdCompressionParameters(window_log=28, write_content_size=False)
    made = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    taker = decoder("zstd")
    assert taker is not None
    with pytest.raises(PermanentError, match="a window of more than 128 MiB"):
        list(taker.decode(made.compress(b"{}") + made.flush()))
