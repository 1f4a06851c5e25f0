"""Data that comes as it comes: pipes, sockets, growing files, asyncio, pieces of any size."""

from __future__ import annotations

import asyncio
import io
import itertools
import os
import random
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import InputError
from penstock.javadata import (
    DataInputStream,
    EndOfData,
    Schema,
    SchemaMismatch,
    parse_schema,
)
from penstock.javadata.core import Row

from .cores import CORES, Core
from .test_schema import ONE, OTHER, Everything

SMALL = parse_schema("id: int, name: utf")
ROWS = [(n, "é" * (n % 7)) for n in range(50)]


def test_a_record_comes_out_of_a_pipe_when_it_is_there() -> None:
    """Java writes and flushes; the reader must not wait for a full block."""
    read, write = os.pipe()
    with os.fdopen(read, "rb") as ours, os.fdopen(write, "wb", buffering=0) as theirs:
        records = SMALL.records(ours)
        for row in ROWS[:5]:
            theirs.write(SMALL.encode([row]))
            assert next(records) == row
        theirs.write(b"\0\0")
        theirs.close()
        with pytest.raises(EndOfData, match="record 5, field id"):
            next(records)


def test_a_socket_that_times_out_or_would_block_loses_nothing() -> None:
    ours, theirs = socket.socketpair()
    data = SMALL.encode(ROWS[:2])
    with ours, theirs:
        for wait in (0.001, 0.0):
            ours.settimeout(wait)
            records = SMALL.records(ours)
            stream = DataInputStream(ours)
            theirs.sendall(data[:5])
            for _ in range(2):
                with pytest.raises((TimeoutError, BlockingIOError)):
                    next(records)
            theirs.sendall(data[5:])
            assert [next(records), next(records)] == ROWS[:2]
            theirs.sendall(data[:5])
            for _ in range(2):
                with pytest.raises((TimeoutError, BlockingIOError)):
                    SMALL.read(stream)
                with pytest.raises((TimeoutError, BlockingIOError)):
                    stream.read_long()
            theirs.sendall(data[5:])
            assert [SMALL.read(stream), stream.read_int(), stream.read_utf()] == [ROWS[0], *ROWS[1]]


class Reluctant:
    """A source that cannot seek: it gives a few bytes at once, and often none in time."""

    def __init__(self, data: bytes, waits: random.Random) -> None:
        self.file, self.waits = io.BytesIO(data), waits

    def read(self, size: int, /) -> bytes:
        if self.waits.random() < 0.3:
            raise TimeoutError
        return self.file.read(min(size, self.waits.randrange(1, 9)))


def first_of(stream: DataInputStream) -> Row:
    """Return the next record; the stream is left behind it, or where it was."""
    with SMALL.records(stream, count=1) as records:
        return next(records)


READS: list[Callable[[DataInputStream], object]] = [
    DataInputStream.read_int, DataInputStream.read_long, DataInputStream.read_byte,
    DataInputStream.read_utf, DataInputStream.read_line, DataInputStream.at_end, SMALL.read,
    lambda stream: stream.read_fully(7), first_of,
    lambda stream: parse_schema("rest: byte[*]").read(stream), DataInputStream.read,
    lambda stream: stream.read_array("short", 3).tolist(),
]  # fmt: skip


def patiently(call: Callable[[DataInputStream], object], stream: DataInputStream) -> object:
    """Return what a call returns, or its error, once there is no time-out."""
    while True:
        try:
            return call(stream)
        except TimeoutError:
            continue
        except InputError as error:
            return str(error)


@given(st.binary(max_size=120), st.lists(st.sampled_from(READS), max_size=12), st.randoms())
def test_a_time_out_anywhere_loses_nothing(
    data: bytes, calls: list[Callable[[DataInputStream], object]], waits: random.Random
) -> None:
    """The two bytes of readUTF's length were lost where the text came too late."""
    data = bytes(byte & 7 if at % 2 else 0 for at, byte in enumerate(data))
    ours = DataInputStream(Reluctant(data, waits))
    wanted = DataInputStream(data)
    for call in calls:
        assert patiently(call, ours) == patiently(call, wanted)
        assert ours.offset == wanted.offset


def test_a_skip_that_times_out_says_how_far_it_came() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0)
        stream = DataInputStream(ours)
        theirs.sendall(b"abc")
        assert stream.skip_bytes(10) == stream.offset == 3
        with pytest.raises(BlockingIOError):
            stream.skip_bytes(10)


def test_a_growing_file_goes_on_where_the_last_whole_record_ended(tmp_path: Path) -> None:
    path = tmp_path / "log"
    first, second = SMALL.encode(ROWS[:3]), SMALL.encode(ROWS[3:6])
    with path.open("wb", buffering=0) as log, path.open("rb") as file:
        log.write(first + second[:5])
        records = SMALL.records(file)
        assert [next(records) for _ in range(3)] == ROWS[:3]
        with pytest.raises(EndOfData):
            next(records)
        assert file.tell() == len(first)
        log.write(second[5:])
        assert list(SMALL.records(file)) == ROWS[3:6]


def test_asyncio_streams_give_their_records() -> None:
    data = SMALL.encode(ROWS)

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for at in range(0, len(data), 11):
            writer.write(data[at : at + 11])
            await writer.drain()
        writer.close()

    async def collect() -> list[Row]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            with pytest.raises(InputError, match="async_records"):
                DataInputStream(reader)  # type: ignore[arg-type] # the mistake
            found = [row async for row in SMALL.async_records(reader)]
            writer.close()
            return found

    assert asyncio.run(collect()) == ROWS


def test_an_asyncio_stream_goes_on_after_a_wait_that_was_cancelled() -> None:
    """It ended there, as if no more data had come."""
    data = SMALL.encode(ROWS[:3])

    async def collect() -> list[Row]:
        reader = asyncio.StreamReader()
        records = SMALL.async_records(reader)
        reader.feed_data(data[:5])
        for _ in range(2):
            waiting = asyncio.ensure_future(anext(records))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        reader.feed_data(data[5:])
        reader.feed_eof()
        return [row async for row in records]

    assert asyncio.run(collect()) == ROWS[:3]


@pytest.mark.parametrize("core", CORES)
@given(cuts=st.lists(st.integers(0, 400), max_size=12))
def test_pieces_of_any_size_give_the_same_records(core: Core, cuts: list[int]) -> None:
    schema = Schema(Everything, core=core)
    data = schema.encode([ONE, OTHER, ONE])
    feeder = schema.feeder()
    rows: list[Everything] = []
    places = [0, *sorted(cuts), len(data)]
    for start, end in itertools.pairwise(places):
        rows += feeder.feed(data[start:end])
        assert data[: max(start, end)].endswith(feeder.pending)
    assert feeder.end() == []
    assert rows == [ONE, OTHER, ONE]


def test_what_a_feeder_was_fed_wrong_comes_after_what_was_right() -> None:
    feeder = SMALL.feeder()
    assert feeder.feed(SMALL.encode(ROWS[:1]) + b"\0\0\0\1\0\1\xff") == [ROWS[0]]
    with pytest.raises(InputError, match=r"record 1, field name at offset 10: malformed"):
        feeder.feed(b"")


def test_the_cost_of_small_pieces_is_linear() -> None:
    """A record of many parts, byte by byte: steps grow with the bytes, not their square."""

    def steps(count: int) -> int:
        schema = parse_schema("a: utf[int]")
        data = schema.encode([(["ab"] * count,)])
        feeder, taken = schema.feeder(), 0

        def counted(frame: object, event: str, argument: object) -> None:  # noqa: ARG001
            nonlocal taken
            taken += 1

        sys.setprofile(counted)
        try:
            found = [row for at in range(len(data)) for row in feeder.feed(data[at : at + 1])]
        finally:
            sys.setprofile(None)
        assert len(found) == 1
        return taken

    assert steps(800) < 4.5 * steps(200)


def test_a_count_is_exact_on_a_stream_that_cannot_go_back() -> None:
    data = SMALL.encode(ROWS[:4]) + b"tail"
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        assert list(SMALL.records(ours, count=4)) == ROWS[:4]
        assert ours.recv(10) == b"tail"


@pytest.mark.parametrize("rest", ["bytes[*]", "int[*]", "Line{name: utf}[*]"])
def test_all_to_the_end_that_is_too_much_is_said(rest: str) -> None:
    """A bomb, unpacked, was a traceback where a record reaches to the end."""
    schema = parse_schema(f"id: int, rest: {rest}")
    with pytest.raises(SchemaMismatch, match="field rest at offset 0: takes more than 1000 bytes"):
        list(schema.records(bytes(2000), largest=1000))


def test_a_record_that_grows_beyond_the_limit_is_refused_while_it_comes() -> None:
    feeder = parse_schema("a: bytes[int]").feeder(largest=1000)
    feeder.feed((1 << 20).to_bytes(4) + bytes(900))
    with pytest.raises(SchemaMismatch, match="record 0, field a at offset 0: takes more than 1000"):
        feeder.feed(bytes(200))


def test_absent_bytes_take_no_memory_in_columns() -> None:
    """100 KB of absent blobs of 64 KB each were 6.5 GB of columns."""
    schema = parse_schema("blob: bytes[65536]?")
    batches = schema.batches(io.BytesIO(b"\0" * 2_000))
    sizes = [batch.nbytes for batch in batches]
    assert max(sizes) < 1 << 26
    assert sum(batch.num_rows for batch in schema.batches(bytes(2_000))) == 2_000


@pytest.mark.parametrize("core", CORES)
def test_absent_bytes_without_bounds_are_refused(core: Core, tmp_path: Path) -> None:
    schema = parse_schema("blob: bytes[8000000]?", core=core)
    assert max(batch.nbytes for batch in schema.batches(bytes(9))) <= 1 << 26
    for size, says in ((1 << 30, "may become 10737418"), (1 << 31, "Arrow holds at most")):
        schema = parse_schema(f"blob: bytes[{size}]?", core=core)
        with pytest.raises(InputError, match=says):
            list(schema.batches(bytes(9)))
        with pytest.raises(InputError, match=says):
            schema.rows_to_parquet([(None,)], tmp_path / "out")
