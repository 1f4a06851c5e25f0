"""DataInputStream and DataOutputStream over every kind of source and sink, without Java."""

import gzip
import io
import math
import mmap
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from penstock.errors import InputError
from penstock.javadata import (
    DataInputStream,
    DataOutputStream,
    EndOfData,
    RandomAccessFile,
    UTFDataFormatError,
)

Open = Callable[[bytes], DataInputStream]
SOURCES = ["path", "bytes", "memoryview", "mapping", "gzip", "raw file", "socket", "pipe"]


def written(write: Callable[[DataOutputStream], None], *, wrap: bool = False) -> bytes:
    file = io.BytesIO()
    write(DataOutputStream(file, wrap=wrap))
    return file.getvalue()


def opened(sort: str, path: Path, data: bytes, stack: ExitStack) -> DataInputStream:  # noqa: PLR0911 - one for each sort
    """Put ``data`` where it can be read in this way, and open it."""
    path.write_bytes(gzip.compress(data) if sort == "gzip" else data)
    match sort:
        case "path":
            return stack.enter_context(DataInputStream(path))
        case "bytes":
            return DataInputStream(data)
        case "memoryview":
            return DataInputStream(memoryview(data))
        case "mapping" if data:
            file = stack.enter_context(path.open("rb"))
            pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            return DataInputStream(stack.enter_context(pages))
        case "gzip":
            return DataInputStream(stack.enter_context(gzip.open(path)))
        case "socket":
            ours, theirs = socket.socketpair()
            stack.enter_context(ours)
            for byte in data:  # many packets: a read returns less than was asked for
                theirs.send(bytes([byte]))
            theirs.close()
            return stack.enter_context(DataInputStream(ours))
        case "pipe":
            read, write = os.pipe()
            os.write(write, data)
            os.close(write)
            return DataInputStream(stack.enter_context(os.fdopen(read, "rb", buffering=0)))
        case _:
            return DataInputStream(stack.enter_context(path.open("rb", buffering=0)))


@pytest.fixture(params=SOURCES)
def sort(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def open_source(sort: str, tmp_path: Path) -> Iterator[Open]:
    with ExitStack() as stack:
        yield lambda data: opened(sort, tmp_path / "data", data, stack)


def test_the_example_of_the_post(tmp_path: Path) -> None:
    path = tmp_path / "stream"
    with path.open("wb") as file:
        DataOutputStream(file).write_utf("hello world")
    with path.open("rb") as file:
        assert DataInputStream(file).read_utf() == "hello world"


def test_reading_a_file_of_the_caller_reads_nothing_ahead(tmp_path: Path) -> None:
    path = tmp_path / "stream"
    path.write_bytes(b"\0\0\0\x01rest")
    with path.open("rb") as file:
        assert DataInputStream(file).read_int() == 1
        assert file.read() == b"rest"


def test_each_type_from_each_source(open_source: Open) -> None:
    data = written(everything)
    stream = open_source(data)
    assert stream.read_boolean() is True
    assert stream.read_byte() == -2
    assert stream.read_unsigned_byte() == 254
    assert stream.read_short() == -3
    assert stream.read_unsigned_short() == 65_533
    assert stream.read_char() == "\ud800"
    assert stream.read_int() == -(2**31)
    assert stream.read_long() == 2**63 - 1
    assert stream.read_float() == 1.5
    assert stream.read_double() == -0.0
    assert stream.read_utf() == "né\0😀\udc00"
    assert stream.read_fully(3) == b"abc"
    assert stream.read_array("int", 3).tolist() == [1, -2, 3]
    assert stream.read_line() == "line"
    assert stream.offset == len(data)
    with pytest.raises(EOFError):
        stream.read_byte()


def everything(stream: DataOutputStream) -> None:
    stream.write_boolean(value=True)
    stream.write_byte(-2)
    stream.write_byte(-2)
    stream.write_short(-3)
    stream.write_unsigned_short(65_533)
    stream.write_char("\ud800")
    stream.write_int(-(2**31))
    stream.write_long(2**63 - 1)
    stream.write_float(1.5)
    stream.write_double(-0.0)
    stream.write_utf("né\0😀\udc00")
    stream.write_bytes("abc")
    stream.write_array("int", [1, -2, 3])
    stream.write_bytes("line\r\n")


@pytest.mark.parametrize(
    ("reading", "needed", "read"),
    [
        ("long", 8, DataInputStream.read_long),
        ("10 bytes", 10, lambda stream: stream.read_fully(10)),
        ("utf", 2 + 0x0102, DataInputStream.read_utf),
        ("array of 2147483647 int", 2**33 - 4, lambda stream: stream.read_array("int", 2**31 - 1)),
    ],
)  # fmt: skip
def test_the_end_says_where_and_a_source_that_seeks_goes_back(
    open_source: Open,
    reading: str,
    needed: int,
    read: Callable[[DataInputStream], object],
) -> None:
    stream = open_source(b"\0\0\0\0\x01\x02\x03\x04\x05")
    stream.read_int()
    with pytest.raises(EndOfData) as caught:
        read(stream)
    assert (caught.value.offset, caught.value.reading) == (4, reading)
    assert (caught.value.needed, caught.value.got) == (needed, 5)
    assert stream.offset == 4
    assert stream.read_fully(5) == b"\x01\x02\x03\x04\x05"


def test_malformed_text_says_where_and_goes_back(open_source: Open) -> None:
    stream = open_source(b"\0\x03a\xff!")
    with pytest.raises(UTFDataFormatError, match="utf at offset 0: malformed input around byte 1"):
        stream.read_utf()
    assert stream.offset == 0
    assert stream.read_fully(5) == b"\0\x03a\xff!"


def test_lines_end_as_in_java(open_source: Open) -> None:
    stream = open_source(b"a\rb\r\nc\n\nd\xe9\r")
    assert [stream.read_line() for _ in range(6)] == ["a", "b", "c", "", "dé", None]
    assert stream.offset == 11


def test_a_byte_put_back_behind_a_carriage_return_is_read_next(open_source: Open) -> None:
    stream = open_source(b"a\r\0\0\0\x07")
    assert stream.read_line() == "a"
    assert stream.read_int() == 7
    assert stream.offset == 6


def test_skipping_never_fails(open_source: Open) -> None:
    stream = open_source(b"abc")
    assert (stream.skip_bytes(-1), stream.skip_bytes(2), stream.skip_bytes(10)) == (0, 2, 1)
    assert stream.skip_bytes(1) == 0


def test_any_byte_but_zero_is_true() -> None:
    stream = DataInputStream(b"\x02\x00\xff")
    assert [stream.read_boolean() for _ in range(3)] == [True, False, True]
    assert DataInputStream(b"\x02\x00\xff").read_array("boolean", 3).tolist() == [True, False, True]


@pytest.mark.parametrize("bits", ["7fa00001", "ffc12345", "7f800000", "ff800000", "80000000"])
def test_reading_a_float_keeps_its_bits(bits: str) -> None:
    value = DataInputStream(bytes.fromhex(bits)).read_float()
    wide = struct.unpack(">q", struct.pack(">d", value))[0]
    assert (wide >> 32 & 0x80000000) == int(bits, 16) & 0x80000000
    if math.isnan(value):
        assert wide >> 29 & 0x7FFFFF == int(bits, 16) & 0x7FFFFF
    assert DataInputStream(bytes.fromhex(bits)).read_array("float", 1).view("u4")[0] == int(
        bits, 16
    )


def test_writing_makes_every_nan_the_one_java_writes() -> None:
    odd_float = DataInputStream(bytes.fromhex("7fa00001")).read_float()
    odd_double = DataInputStream(bytes.fromhex("fff8000000000123")).read_double()
    assert written(lambda out: out.write_float(odd_float)).hex() == "7fc00000"
    assert written(lambda out: out.write_double(odd_double)).hex() == "7ff8000000000000"
    odd = DataInputStream(bytes.fromhex("7fa00001ffc12345")).read_array("float", 2)
    assert written(lambda out: out.write_array("float", odd)).hex() == "7fc000007fc00000"
    raw = written(lambda out: out.write_array("float", odd, raw_bits=True))
    assert raw.hex() == "7fa00001ffc12345"


OUT_OF_RANGE: list[tuple[Callable[[DataOutputStream], None], str]] = [
    (lambda out: out.write_byte(300), "2c"),
    (lambda out: out.write_byte(128), "80"),
    (lambda out: out.write_short(70_000), "1170"),
    (lambda out: out.write_char(0x1F600), "f600"),
    (lambda out: out.write_char("😀"), "f600"),
    (lambda out: out.write_int(2**31), "80000000"),
    (lambda out: out.write_long(-(2**63) - 1), "7fffffffffffffff"),
    (lambda out: out.write_float(1e300), "7f800000"),
    (lambda out: out.write_float(-1e300), "ff800000"),
    (lambda out: out.write(0x1FF), "ff"),
    (lambda out: out.write_array("short", [1, 70_000]), "00011170"),
    (lambda out: out.write_array("float", [1e300]), "7f800000"),
    (lambda out: out.write_array("boolean", [2, 0]), "0100"),
    (lambda out: out.write_array("boolean", [math.nan]), "01"),
    (lambda out: out.write_array("double", [2**53 + 1]), "4340000000000000"),
    (lambda out: out.write_array("float", [2**24 + 1]), "4b800000"),
    (lambda out: out.write_double(2**53 + 1), "4340000000000000"),
    (lambda out: out.write_int(10**5000), "00000000"),
]


@pytest.mark.parametrize(("write", "cut"), OUT_OF_RANGE)
def test_a_value_out_of_range_raises_and_writes_nothing_or_wraps(
    write: Callable[[DataOutputStream], None], cut: str
) -> None:
    file = io.BytesIO()
    stream = DataOutputStream(file)
    with pytest.raises(InputError, match="wrap=True"):
        write(stream)
    assert (file.getvalue(), stream.size()) == (b"", 0)
    assert written(write, wrap=True).hex() == cut


def test_text_of_65535_bytes_is_written_and_of_one_more_is_not() -> None:
    assert len(written(lambda out: out.write_utf("é" * 32_767 + "a"))) == 2 + 65_535
    file = io.BytesIO()
    with pytest.raises(UTFDataFormatError, match="65536 bytes"):
        DataOutputStream(file).write_utf("\0" * 32_768)
    assert file.getvalue() == b""


def test_size_stays_at_the_largest_int() -> None:
    class Nowhere:
        def write(self, data: bytes) -> int:
            return len(data)

    stream = DataOutputStream(Nowhere())
    block = bytes(1 << 27)
    for _ in range(15):
        stream.write(block)
    assert stream.size() == 15 << 27
    stream.write(block)
    assert stream.size() == 2**31 - 1


def write_two(stream: DataOutputStream) -> None:
    stream.write_int(1)
    stream.write_int(2**40)


def test_a_path_is_replaced_only_when_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"before")
    with pytest.raises(InputError, match="write_int"), DataOutputStream(path) as stream:
        write_two(stream)
    assert path.read_bytes() == b"before"
    with DataOutputStream(path) as stream:
        stream.write_int(1)
        assert path.read_bytes() == b"before"
    assert path.read_bytes() == b"\0\0\0\x01"
    assert list(tmp_path.iterdir()) == [path]


def test_a_sink_that_takes_little_at_a_time_gets_everything() -> None:
    class Trickle(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def write(self, data: object) -> int:
            self.data += bytes(memoryview(data)[:3])  # type: ignore[arg-type]
            return min(3, len(memoryview(data)))  # type: ignore[arg-type]

    sink = Trickle()
    DataOutputStream(sink).write_utf("hello world")
    assert sink.data == b"\0\x0bhello world"


def test_a_file_read_and_written_at_any_place(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with RandomAccessFile(path, "rw") as file:
        file.seek(100)
        file.write_utf("x")
        assert (file.length(), file.get_file_pointer()) == (103, 103)
        file.seek(0)
        file.write_int(7)
        assert file.skip_bytes(1000) == 99
        file.seek(0)
        assert file.read_int() == 7
        file.seek(100)
        assert file.read_utf() == "x"
        file.set_length(2)
        assert file.get_file_pointer() == 2
    assert path.read_bytes() == b"\0\0"
    with RandomAccessFile(path) as file, pytest.raises(io.UnsupportedOperation):
        file.write_int(1)


def test_arrays_of_every_type_come_back(open_source: Open) -> None:
    values: dict[str, list[float]] = {
        "boolean": [1, 0, 1],
        "byte": [-128, 127],
        "unsigned byte": [0, 255],
        "short": [-(2**15), 2**15 - 1],
        "unsigned short": [0, 65_535],
        "char": [0xD800, 0x41],
        "int": [-(2**31), 2**31 - 1],
        "long": [-(2**63), 2**63 - 1],
        "float": [1.5, -0.0, math.inf],
        "double": [1e300, -math.inf],
    }
    stream = open_source(
        written(lambda out: [out.write_array(name, values[name]) for name in values] and None)  # type: ignore[arg-type,func-returns-value]
    )
    for name, expected in values.items():
        assert stream.read_array(name, len(expected)).tolist() == expected


@pytest.mark.parametrize("sort", ["path", "gzip", "mapping"], indirect=True)
def test_a_large_array_by_each_way_there_is(open_source: Open) -> None:
    values = np.arange(40_003, dtype="f8") * 1.5
    stream = open_source(b"abc" + written(lambda out: out.write_array("double", values)) + b"z")
    stream.read_fully(3)
    assert np.array_equal(stream.read_array("double", len(values)), values)
    assert stream.read_unsigned_byte() == ord("z")


def test_read_into_fills_what_is_given() -> None:
    target = np.zeros((2, 2), "i4")
    buffer = bytearray(2)
    stream = DataInputStream(struct.pack(">4i", 1, 2, 3, -4) + b"ab")
    stream.read_into(target)
    stream.read_into(buffer)
    assert (target.tolist(), bytes(buffer)) == ([[1, 2], [3, -4]], b"ab")


def test_a_file_open_as_text_says_how_to_open_it(tmp_path: Path) -> None:
    with (tmp_path / "text").open("w+") as file:
        with pytest.raises(InputError, match="open it with 'rb'"):
            DataInputStream(file)  # type: ignore[arg-type]
        with pytest.raises(InputError, match="open it with 'rb'"):
            DataOutputStream(file)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [5, None, object()])
def test_a_source_or_sink_that_is_none_says_what_to_give(wrong: object) -> None:
    with pytest.raises(InputError, match="give a path"):
        DataInputStream(wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="give a path"):
        DataOutputStream(wrong)  # type: ignore[arg-type]
