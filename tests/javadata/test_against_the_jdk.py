"""Both directions against the JDK itself, fuzzed. PENSTOCK_FUZZ sets how many payloads."""

import io
import os
import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from penstock.javadata import DataInputStream, DataOutputStream, RandomAccessFile
from penstock.javadata.errors import MalformedText, UTFDataFormatError

from .conftest import Java
from .cores import DECODERS, ENCODERS, Decode, Encode

PAYLOADS = int(os.environ.get("PENSTOCK_FUZZ", "40000"))
SEED = int(os.environ.get("PENSTOCK_FUZZ_SEED", "1"))
PIECES = [
    b"a", b"Zz", b"\0", b"\xc0\x80", b"\xc1\x81", b"\xc3\xa9", b"\xe0\x80\x80", b"\xe0\xa0\x80",
    b"\xe4\xb8\xad", b"\xed\x80\xad", b"\xed\x9f\xbf", b"\xed\xa0\xbd", b"\xed\xb8\x80",
    b"\xed\xa0\xbd\xed\xb8\x80", b"\xef\xbf\xbf", b"plain ascii text of some length",
]  # fmt: skip
BROKEN = [
    b"\x80",
    b"\xbf",
    b"\xc3",
    b"\xe4\xb8",
    b"\xf0\x9f\x98\x80",
    b"\xff",
    b"\xed",
    b"\xc3\xc3",
]


def payloads(rng: random.Random, count: int) -> Iterator[bytes]:
    """Half of them valid, half with one mistake; some of random bytes."""
    for number in range(count):
        parts = rng.choices(PIECES, k=rng.randrange(8))
        if number % 8 == 0:
            yield rng.randbytes(rng.randrange(12))
            continue
        if number % 2:
            parts.insert(rng.randint(0, len(parts)), rng.choice(BROKEN))
        yield b"".join(parts)


def told_text(decode: Decode, data: bytes) -> tuple[int, str]:
    try:
        return 1, decode(data)
    except MalformedText as error:
        return 0, str(error)


@pytest.fixture(scope="module")
def read_by_java(java: Java) -> tuple[list[bytes], list[tuple[int, str]]]:
    asked = list(payloads(random.Random(SEED), PAYLOADS))
    framed = b"".join(struct.pack(">i", len(data)) + data for data in asked) + b"\xff" * 4
    stream = DataInputStream(java("Oracle", "read-utf", data=framed))
    answers = []
    for _ in asked:
        sort, size = stream.read_byte(), stream.read_int()
        units = stream.read_fully(2 * size)
        answers.append((sort, units.decode("utf-16-be", "surrogatepass")))
    return asked, answers


@pytest.mark.parametrize("decode", DECODERS)
def test_reads_the_text_or_the_error_that_the_jdk_reads(
    decode: Decode, read_by_java: tuple[list[bytes], list[tuple[int, str]]]
) -> None:
    asked, answers = read_by_java
    ours = [told_text(decode, data) for data in asked]
    different = [each for each in zip(asked, answers, ours, strict=True) if each[1] != each[2]]
    assert not different, f"{len(different)} of {len(asked)}, first {different[0]}"
    assert 0.2 < sum(sort for sort, _ in answers) / len(answers) < 0.8


def texts(rng: random.Random, count: int) -> Iterator[str]:
    tops = [0x80, 0x80, 0x800, 0x10000, 0x110000, 1]
    for _ in range(count):
        points = [rng.randrange(rng.choice(tops)) for _ in range(rng.randrange(30))]
        lone = [rng.randrange(0xD800, 0xE000) for _ in range(rng.randrange(3))]
        yield "".join(map(chr, rng.sample(points + lone, len(points + lone))))


@pytest.fixture(scope="module")
def written_by_java(java: Java) -> tuple[list[str], list[bytes]]:
    asked = [*texts(random.Random(SEED), PAYLOADS), "中" * 21_845, "a" * 65_535]
    units = [text.encode("utf-16-be", "surrogatepass") for text in asked]
    framed = b"".join(struct.pack(">i", len(data) // 2) + data for data in units) + b"\xff" * 4
    stream = DataInputStream(java("Oracle", "write-utf", data=framed))
    return asked, [stream.read_fully(stream.read_int()) for _ in asked]


@pytest.mark.parametrize("encode", ENCODERS)
def test_writes_the_bytes_that_the_jdk_writes(
    encode: Encode, written_by_java: tuple[list[str], list[bytes]]
) -> None:
    asked, answers = written_by_java
    ours = [encode(text) for text in asked]
    assert [data[2:] for data in answers] == ours
    assert [int.from_bytes(data[:2]) for data in answers] == [len(data) for data in ours]


@pytest.mark.parametrize("text", ["中" * 21_846, "a" * 65_536, "\0" * 32_768, "\ud800" * 21_846])
def test_text_too_long_for_java_is_too_long_for_us(java: Java, text: str) -> None:
    units = text.encode("utf-16-be", "surrogatepass")
    framed = struct.pack(">i", len(units) // 2) + units + b"\xff" * 4
    assert java("Oracle", "write-utf", data=framed) == b"\xff\xff\xff\xff"  # nothing written
    with pytest.raises(UTFDataFormatError):
        DataOutputStream(io.BytesIO()).write_utf(text)


READ: dict[str, Callable[[DataInputStream], object]] = {
    "?": lambda stream: str(stream.read_boolean()).lower(),
    "b": DataInputStream.read_byte,
    "B": DataInputStream.read_unsigned_byte,
    "h": DataInputStream.read_short,
    "H": DataInputStream.read_unsigned_short,
    "c": lambda stream: ord(stream.read_char()),
    "i": DataInputStream.read_int,
    "q": DataInputStream.read_long,
    "f": lambda stream: f"{float_bits(stream.read_float()):x}",
    "d": lambda stream: f"{struct.unpack('>Q', struct.pack('>d', stream.read_double()))[0]:x}",
    "u": lambda stream: units(stream.read_utf()),
}


def float_bits(value: float) -> int:
    """Return the 32 bits of a value read from 32 bits, those of a NaN included."""
    if value == value:  # noqa: PLR0124 - not NaN
        return int.from_bytes(struct.pack(">f", value))
    wide = int.from_bytes(struct.pack(">d", value))
    return wide >> 32 & 0x80000000 | 0x7F800000 | wide >> 29 & 0x7FFFFF


def units(text: str) -> str:
    data = text.encode("utf-16-be", "surrogatepass")
    return "".join(f"{unit}," for (unit,) in struct.iter_unpack(">H", data))


def described(data: bytes) -> list[str]:
    stream, lines = DataInputStream(data), []
    while letter := stream.read(1).decode():
        lines.append(f"{letter} {READ[letter](stream)}")
    return lines


def test_reads_every_type_that_java_writes(java: Java) -> None:
    data = java("Oracle", "produce", str(SEED), str(PAYLOADS // 2))
    assert described(data) == java("Oracle", "describe", data=data).decode().splitlines()


def test_java_reads_every_type_that_we_write(java: Java) -> None:
    file, rng, expected = io.BytesIO(), random.Random(SEED), []
    stream = DataOutputStream(file)
    for _ in range(PAYLOADS // 2):
        letter, line = write_any(stream, rng)
        expected.append(f"{letter} {line}")
    assert java("Oracle", "describe", data=file.getvalue()).decode().splitlines() == expected


def write_any(stream: DataOutputStream, rng: random.Random) -> tuple[str, object]:
    """Write a letter and a random value of its type; return them as Java tells them."""
    letter = rng.choice("?bBhHciqu")
    stream.write_bytes(letter)
    if letter == "u":
        text = next(texts(rng, 1))
        stream.write_utf(text)
        return letter, units(text)
    if letter == "?":
        flag = rng.random() < 0.5
        stream.write_boolean(flag)
        return letter, str(flag).lower()
    name, bits, signed = {
        "b": ("byte", 8, True), "B": ("unsigned_byte", 8, False), "h": ("short", 16, True),
        "H": ("unsigned_short", 16, False), "c": ("char", 16, False), "i": ("int", 32, True),
        "q": ("long", 64, True),
    }[letter]  # fmt: skip
    value = rng.getrandbits(bits) - (1 << bits - 1 if signed else 0)
    getattr(stream, f"write_{name}")(value)
    return letter, value


def test_wrapping_cuts_as_java_does(java: Java) -> None:
    rng, asked, file = random.Random(SEED), io.BytesIO(), io.BytesIO()
    ask, ours = DataOutputStream(asked), DataOutputStream(file, wrap=True)
    for _ in range(PAYLOADS // 20):
        number = rng.randrange(-(2**31), 2**31)
        for letter, write in (
            ("b", ours.write_byte),
            ("h", ours.write_short),
            ("c", ours.write_char),
            ("w", ours.write),
        ):
            ask.write_bytes(letter)
            ask.write_int(number)
            write(number)
        bits = rng.getrandbits(64)
        for letter, raw in (("i", bits - 2**63), ("d", bits - 2**63)):
            ask.write_bytes(letter)
            ask.write_long(raw)
        ours.write_int(bits - 2**63)
        ours.write_double(DataInputStream((bits - 2**63).to_bytes(8, signed=True)).read_double())
        ask.write_bytes("f")
        ask.write(bits.to_bytes(8))
        ours.write_float(DataInputStream(bits.to_bytes(8)).read_double())
        ask.write_bytes("F")
        ask.write(bits.to_bytes(8)[:4])
        ours.write_float(DataInputStream(bits.to_bytes(8)).read_float())
        text = next(texts(rng, 1))
        ask.write_bytes("s")
        ask.write_utf(text)
        ours.write_bytes(text)
        ask.write_bytes("S")
        ask.write_utf(text)
        ours.write_chars(text)
    assert java("Oracle", "calls", data=asked.getvalue()) == file.getvalue()


def test_lines_are_those_of_java(java: Java) -> None:
    rng = random.Random(SEED)
    data = b"".join(
        rng.choice([b"a", b"\xe9", b"\r", b"\n", b"\r\n", b"b c"]) for _ in range(5_000)
    )
    stream, theirs = DataInputStream(data), DataInputStream(java("Oracle", "lines", data=data))
    while (line := stream.read_line()) is not None:
        assert line == theirs.read_utf()
    assert theirs.read(1) == b""


def test_a_file_sought_and_written_is_that_of_java(java: Java, tmp_path: Path) -> None:
    java("Oracle", "seek", str(tmp_path / "java"))
    with RandomAccessFile(tmp_path / "ours", "rw") as file:
        file.seek(100)
        file.write_utf("x")
        file.seek(3)
        file.write_double(-0.0)
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "java").read_bytes()
