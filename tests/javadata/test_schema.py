"""Schemas: declared and written as text, over both cores, against the plain interpreter."""

import gc
import io
import itertools
import random
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Annotated, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import InputError
from penstock.javadata import (
    Boolean,
    Byte,
    Char,
    DataInputStream,
    DataOutputStream,
    Double,
    EndOfData,
    Float,
    Int,
    Long,
    Schema,
    SchemaMismatch,
    Short,
    UnsignedByte,
    UnsignedShort,
    Utf,
    UTFDataFormatError,
    array_of,
    fixed_bytes,
    optional,
    parse_schema,
    records,
    text_of,
    variant,
    write_records,
)
from penstock.javadata.blocks import BLOCK
from penstock.javadata.core import NATIVE_CODEC, PURE, Row

from .cores import CORES, NAMED_CORES, Core


class Leg(NamedTuple):
    size: Int
    rate: Float


class Circle(NamedTuple):
    radius: Double


class Box(NamedTuple):
    width: Double
    label: Utf


class Everything(NamedTuple):
    flag: Boolean
    small: Byte
    wide: UnsignedByte
    low: Short
    high: UnsignedShort
    unit: Char
    number: Int
    at: Long
    ratio: Float
    price: Double
    name: Utf
    key: Annotated[bytes, fixed_bytes(3)]
    raw: Annotated[bytes, array_of("int")]
    note: Annotated[str, text_of("unsigned short")]
    marks: Annotated[list[Double], array_of("short")]
    weights: Annotated[list[Int], array_of("=marks")]
    pair: Annotated[list[Char], array_of(2)]
    many: Annotated[list[Annotated[list[Utf], array_of("byte")]], array_of("int")]
    owner: Annotated[Utf | None, optional()]
    leg: Leg
    legs: Annotated[list[Leg], array_of("int")]
    best: Annotated[Leg | None, optional()]
    shape: Annotated[Circle | Box, variant("byte", 1, -2)]


YES = True
ONE = Everything(
    YES, -1, 255, -2, 65_535, "\ud800", -(2**31), 2**63 - 1, 1.5, -0.0, "né\0😀", b"abc", b"12345",
    "long 😀", [1.0, 2.5], [3, 4], ["x", "\0"], [["a", "b"], []], "me", Leg(1, 2.5),
    [Leg(1, 2.5), Leg(2, 3.5)], Leg(9, 0.5), Box(1.0, "q"),
)  # fmt: skip
OTHER = ONE._replace(
    owner=None, best=None, legs=[], many=[], marks=[], weights=[], raw=b""
)._replace(shape=Circle(2.0), name="", note="")
TEXT = (
    "flag: boolean, small: byte, wide: unsigned byte, low: short, high: unsigned short, "
    "unit: char, number: int, at: long, ratio: float, price: double, name: utf, key: bytes[3], "
    "raw: bytes[int], note: text[unsigned short], marks: double[short], weights: int[=marks], "
    "pair: char[2], many: utf[byte][int], owner: utf?, leg: Leg{size: int, rate: float}, "
    "legs: Leg{size: int, rate: float}[int], best: Leg{size: int, rate: float}?, "
    "shape: <byte 1=Circle{radius: double}, -2=Box{width: double, label: utf}>"
)


@pytest.fixture(params=CORES)
def core(request: pytest.FixtureRequest) -> Core:
    made: Core = request.param
    return made


def by_hand(rows: list[Everything]) -> bytes:
    """Return the bytes that a program writes which calls Java's methods one by one."""
    file = io.BytesIO()
    out = DataOutputStream(file)
    for row in rows:
        out.write_boolean(row.flag)
        out.write_byte(row.small)
        out.write_unsigned_byte(row.wide)
        out.write_short(row.low)
        out.write_unsigned_short(row.high)
        out.write_char(row.unit)
        out.write_int(row.number)
        out.write_long(row.at)
        out.write_float(row.ratio)
        out.write_double(row.price)
        out.write_utf(row.name)
        out.write(row.key)
        out.write_int(len(row.raw))
        out.write(row.raw)
        out.write_unsigned_short(len(row.note.encode()))
        out.write(row.note.encode())
        out.write_short(len(row.marks))
        out.write_array("double", row.marks)
        out.write_array("int", row.weights)
        out.write_chars("".join(row.pair))
        out.write_int(len(row.many))
        for names in row.many:
            out.write_byte(len(names))
            for name in names:
                out.write_utf(name)
        for present, value in ((row.owner is not None, row.owner),):
            out.write_boolean(present)
            if value is not None:
                out.write_utf(value)
        leg_by_hand(out, row.leg)
        out.write_int(len(row.legs))
        for leg in row.legs:
            leg_by_hand(out, leg)
        out.write_boolean(row.best is not None)
        if row.best is not None:
            leg_by_hand(out, row.best)
        if isinstance(row.shape, Circle):
            out.write_byte(1)
            out.write_double(row.shape.radius)
        else:
            out.write_byte(-2)
            out.write_double(row.shape.width)
            out.write_utf(row.shape.label)
    return file.getvalue()


def leg_by_hand(out: DataOutputStream, leg: Leg) -> None:
    out.write_int(leg.size)
    out.write_float(leg.rate)


def test_every_kind_goes_there_and_back(core: Core) -> None:
    schema = Schema(Everything, core=core)
    data = schema.encode([ONE, OTHER, ONE])
    assert data == by_hand([ONE, OTHER, ONE])
    assert schema.decode(data) == [ONE, OTHER, ONE]
    stream = DataInputStream(data)
    assert [schema.read(stream) for _ in range(3)] == [ONE, OTHER, ONE]
    assert type(schema.decode(data)[0]) is Everything


def test_the_text_of_a_schema_is_the_schema() -> None:
    assert str(Schema(Everything)) == TEXT
    again = parse_schema(TEXT)
    assert str(again) == TEXT
    data = Schema(Everything).encode([ONE, OTHER])
    assert again.encode(again.decode(data)) == data


def test_text_over_lines_with_comments() -> None:
    schema = parse_schema("""
        # a comment
        id: int          # another
        legs: {
            size: int, name: utf
        }[int]
    """)
    assert str(schema) == "id: int, legs: Legs{size: int, name: utf}[int]"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no fields"),
        ("id", "line 1, column 3: expected :"),
        ("id: lung", "no type 'lung'"),
        ("id: int, id: int", "two fields named id"),
        ("class: int", "cannot name a field"),
        ("_x: int", "cannot name a field"),
        ("a: int b: int", "expected , or line end, found 'b'"),
        ("a: utf[double]", "'double' cannot be a count"),
        ("a: utf[char]", "'char' cannot be a count"),
        ("a: text[until 3]", "needs a count"),
        ("a: bytes[until 3]", "only variants"),
        ("a: utf[=b]", "as many as 'b'"),
        ("a: utf, b: int[=a]", "as many as 'a'"),
        ("a: bytes[0][int]", "take no bytes"),
        ("a: utf[0][int]", "take no bytes"),
        ("a: {b: bytes[0]}[int]", "take no bytes"),
        ("a: bytes[0]", "takes no bytes"),
        ("a: bytes[-1]", "bytes of -1"),
        ("a: int[-1]", "an array of -1"),
        ("a: <byte 1=A{x: int}, 1=B{x: int}>", "its own tag"),
        ("a: <byte 300=A{x: int}>", "tag 300 does not fit byte"),
        ("a: {}", "A has no fields"),
        ("a: int\nb: $", "line 2, column 4"),
        ("a: " + "{a: " * 60, "nested deeper"),
        ("a: int" + "[1]" * 60, "nested deeper"),
        ("a: int??", "optional twice"),
    ],
)
def test_a_schema_that_cannot_be_says_where(text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_schema(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_class_that_cannot_be_names_the_field() -> None:
    class Plain(NamedTuple):
        name: str

    class Wrong(NamedTuple):
        name: Annotated[str, array_of("int")]

    with pytest.raises(InputError, match=r"Plain\.name: .* says no Java type"):
        Schema(Plain)
    with pytest.raises(InputError, match=r"Wrong\.name: array_of\(...\) annotates list"):
        Schema(Wrong)
    with pytest.raises(InputError, match="not a NamedTuple"):
        Schema(tuple)


class Loop(NamedTuple):
    next: "Annotated[Loop | None, optional()]"


def test_data_cut_at_every_byte_yields_what_is_whole_and_says_where_it_ends(core: Core) -> None:
    schema = Schema(Everything, core=core)
    data = schema.encode([ONE, OTHER])
    ends = [len(schema.encode([ONE])), len(data)]
    for size in range(1, len(data)):
        rows: list[Everything] = []
        if size in ends:
            continue
        with pytest.raises(EndOfData) as caught:
            rows.extend(schema.records(data[:size]))
        whole = sum(end <= size for end in ends)
        assert rows == [ONE, OTHER][:whole]
        assert caught.value.offset + caught.value.got == size
        assert caught.value.reading.startswith(f"record {whole}, field ")


@pytest.mark.parametrize(
    ("text", "data", "says"),
    [
        ("a: int[int]", "7fffffff", "record 0, field a: 2147483647 elements"),
        ("a: {b: utf}[int]", "7fffffff0000", "record 0, field a: 2147483647 elements"),
        ("a: bytes[int]", "7fffffff00", "record 0, field a: 2147483647 bytes"),
        ("a: text[long]", "7fffffffffffffff", "record 0, field a"),
        ("a: int[=n], n: int", "", "as many as 'n'"),
        ("n: long, a: int[=n]", "7fffffffffffffff", "record 0, field a: 9223372036854775807"),
        ("a: int[int]", "ffffffff", "record 0, field a at offset 0: a count of -1"),
        ("n: int, a: int[=n]", "ffffffff", "record 0, field a at offset 4: a count of -1"),
        ("a: bytes[byte]", "80", "a count of -128"),
        ("a: text[int]", "00000001ff", "record 0, field a at offset 4: not UTF-8"),
        ("a: {b: utf}[int]", "000000010001ff", "record 0, field a[0].b at offset 4: malformed"),
        ("a: <int 1=A{x: int}>", "00000002", "record 0, field a at offset 0: tag 2 is none of 1"),
        ("a: byte, b: utf?", "0702", "record 0, field b: utf length at offset 2"),
    ],
)
def test_what_does_not_fit_says_offset_and_field(
    core: Core, text: str, data: str, says: str
) -> None:
    with pytest.raises(InputError) as caught:
        parse_schema(text, core=core).decode(bytes.fromhex(data))
    assert says in str(caught.value)


HOSTILE = """
import resource, sys
from penstock.errors import InputError
from penstock.javadata import parse_schema
from penstock.javadata.core import NATIVE_CODEC, PURE
limit = 1 << 29
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
core = PURE if sys.argv[1] == "pure" else NATIVE_CODEC
for text in ("a: int[int]", "a: utf[int]", "a: bytes[int]", "a: text[int]", "a: {b: byte?}[int]"):
    try:
        parse_schema(text, core=core).decode(b"\\x7f\\xff\\xff\\xff" + bytes(1 << 20))
    except InputError as error:
        print(type(error).__name__)
"""


@pytest.mark.parametrize("name", NAMED_CORES)
def test_a_hostile_length_takes_no_memory(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HOSTILE, name], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["EndOfData"] * 5, done.stderr


def test_a_record_larger_than_allowed_is_refused(core: Core) -> None:
    schema = parse_schema("a: bytes[int]", core=core)
    data = struct.pack(">i", 1 << 21) + bytes(1 << 21)
    assert len(list(schema.records(data))) == 1
    with pytest.raises(SchemaMismatch, match="takes more than 1000000 bytes"):
        list(schema.records(data, largest=1_000_000))


def test_records_of_all_sizes_over_the_edges_of_blocks(core: Core) -> None:
    schema = parse_schema("n: int, a: bytes[int]", core=core)
    rng = random.Random(1)
    sizes = [
        0,
        1,
        BLOCK - 8,
        BLOCK,
        BLOCK + 1,
        3 * BLOCK + 5,
        *(rng.randrange(9_000) for _ in range(200)),
    ]
    rows = [schema.made._make((n, rng.randbytes(size))) for n, size in enumerate(sizes)]  # type: ignore[attr-defined]
    data = schema.encode(rows)
    assert schema.decode(data) == rows
    ours, theirs = socket.socketpair()
    feeder = threading.Thread(target=feed, args=(theirs, data))
    feeder.start()
    with ours:
        assert list(schema.records(ours)) == rows
    feeder.join()


def feed(sink: socket.socket, data: bytes) -> None:
    with sink:
        sink.sendall(data)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"small": 128}, "field small: write_byte(128): not within -128 to 127"),
        ({"wide": -1}, "field wide"),
        ({"low": 1 << 40}, "field low"),
        ({"high": 65_536}, "field high"),
        ({"unit": "ab"}, "field unit"),
        ({"unit": "😀"}, "field unit"),
        ({"number": 1 << 31}, "field number"),
        ({"number": 1.5}, "field number"),
        ({"at": 1 << 63}, "field at"),
        ({"ratio": 1e300}, "field ratio"),
        ({"ratio": "x"}, "field ratio"),
        ({"price": None}, "field price"),
        ({"name": "中" * 21_846}, "field name: encoded string too long: 65538 bytes"),
        ({"name": b"x"}, "field name: bytes where str is declared"),
        ({"key": b"ab"}, "field key: 2 of them where 3 are declared"),
        ({"key": "abc"}, "field key: str where bytes is declared"),
        ({"raw": [1]}, "field raw: list where bytes is declared"),
        ({"note": "x" * 65_536}, "field note: write_unsigned_short(65536)"),
        ({"note": "\ud800"}, "field note"),
        ({"marks": (1.0,)}, "field marks: tuple where list is declared"),
        ({"weights": [1]}, "field weights: 1 of them where 2 are declared"),
        ({"pair": ["x"]}, "field pair: 1 of them where 2 are declared"),
        ({"many": [["a"], ["b", 7]]}, "field many[1][1]: int where str is declared"),
        ({"leg": (1,)}, "field leg: 1 values for 2 fields"),
        ({"legs": [Leg(1, 1.0), Leg("x", 1.0)]}, "field legs[1].size"),  # type: ignore[arg-type]
        ({"best": Leg(1, 1e39)}, "field best.rate"),
        ({"shape": Leg(1, 1.0)}, "field shape: Leg is none of Circle, Box"),
    ],
)
def test_a_value_that_does_not_fit_names_record_and_field(
    core: Core, change: dict[str, object], says: str
) -> None:
    bad = ONE._replace(**change)  # type: ignore[arg-type] # wrong on purpose
    with pytest.raises((SchemaMismatch, UTFDataFormatError)) as caught:
        Schema(Everything, core=core).encode([ONE, bad])
    assert str(caught.value).startswith("record 1, ")
    assert says in str(caught.value)


@pytest.mark.parametrize("row", [["a", "b"], (1,), (1, 2, 3), None, "ab"])
def test_a_row_that_is_no_record_is_refused(core: Core, row: object) -> None:
    with pytest.raises(SchemaMismatch, match="record 0"):
        parse_schema("a: int, b: int", core=core).encode([row])  # type: ignore[list-item]


def test_a_path_written_from_records_is_replaced_whole_or_not_at_all(
    core: Core, tmp_path: Path
) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"before")
    schema = parse_schema("a: int", core=core)
    rows = [(number,) for number in range(10_000)]
    with pytest.raises(SchemaMismatch, match=r"record 10000, field a: write_int\(2147483648\)"):
        write_records([*rows, (1 << 31,)], path, schema)
    assert path.read_bytes() == b"before"
    assert write_records(iter(rows), path, schema) == 10_000
    assert [row[0] for row in records(path, schema)] == list(range(10_000))
    assert list(tmp_path.iterdir()) == [path]


def test_bits_of_nan_are_kept_on_reading_and_made_one_on_writing(core: Core) -> None:
    schema = parse_schema("a: float, b: double, c: float[1]", core=core)
    data = bytes.fromhex("7fa00001 fff8000000000123 ff800001")
    ((a, b, c),) = schema.decode(data)
    assert isinstance(b, float)
    assert struct.pack(">d", a).hex() == "7ff4000020000000"
    assert struct.pack(">d", b).hex() == "fff8000000000123"
    assert struct.pack(">d", c[0]).hex() == "fff0000020000000"  # type: ignore[index]
    again = schema.encode([(a, b, c)])
    assert again.hex() == "7fc000007ff80000000000007fc00000"


def test_reading_and_failing_leaks_nothing(core: Core) -> None:
    schema = Schema(Everything, core=core)
    data = schema.encode([ONE, OTHER] * 50)

    def blocks_after(rounds: int) -> int:
        for _ in range(rounds):
            assert len(schema.decode(data)) == 100
            with pytest.raises(EndOfData):
                schema.decode(data[:-1])
            with pytest.raises(SchemaMismatch):
                schema.encode([ONE, ONE._replace(number=1 << 40)])
        gc.collect()
        return sys.getallocatedblocks()

    before = blocks_after(5)
    # The interpreter itself keeps a few hundred. A row lost with its values in each round would
    # be 1,000 and more, an object lost with each record 5,000.
    assert blocks_after(50) - before < 800


NAMES = st.sampled_from(
    ["boolean", "byte", "unsigned byte", "short", "unsigned short", "char", "int", "long", "float",
     "double", "utf", "bytes[3]", "bytes[byte]", "text[short]", "utf[byte]", "double[byte]",
     "int[2]"]
)  # fmt: skip
KINDS = st.recursive(
    NAMES,
    lambda inner: st.one_of(
        inner.map(lambda kind: kind if kind.endswith("?") else f"{kind}?"),
        inner.map(lambda kind: f"{{a: {kind}}}"),
        st.lists(inner, min_size=1, max_size=3).map(
            lambda kinds: (
                "{" + ", ".join(f"f{n}: {kind}" for n, kind in enumerate(kinds)) + "}[byte]"
            )
        ),
        st.tuples(inner, inner).map(
            lambda kinds: f"<byte 0=A{{x: {kinds[0]}}}, 1=B{{y: {kinds[1]}, z: int}}>"
        ),
    ),
    max_leaves=5,
)
SMALL = st.lists(
    st.sampled_from([0, 0, 0, 1, 1, 2, 3, 5, 0x41, 0x7F, 0x80, 0xC0, 0xED, 0xFF]), max_size=80
)


def outcome(schema: Schema[Row], data: bytes) -> tuple[list[str], str]:
    """Return the rows before an error (as text: NaN differs from NaN) and the error."""
    rows: list[str] = []
    try:
        for row in schema.records(data):
            rows.append(repr(row))  # noqa: PERF401 - the rows before the error count
    except InputError as error:
        return rows, f"{type(error).__name__} {error}"
    return rows, ""


def by_the_interpreter(schema: Schema[Row], data: bytes) -> list[str]:
    stream, rows = DataInputStream(data), []
    while stream.offset < len(data):
        try:
            rows.append(repr(schema.read(stream)))
        except InputError:
            break
    return rows


@pytest.mark.skipif(NATIVE_CODEC is None, reason="no native core: install a C compiler")
@settings(deadline=None)  # other work on the machine is not an error
@given(KINDS, SMALL.map(bytes))
def test_random_bytes_read_alike_by_both_cores_and_the_interpreter(kind: str, data: bytes) -> None:
    text = f"first: {kind}, last: byte"
    pure = parse_schema(text, core=PURE)
    native = Schema[Row](pure.kind, core=NATIVE_CODEC)
    rows, error = outcome(pure, data)
    assert (rows, error) == outcome(native, data)
    assert rows == by_the_interpreter(pure, data)
    good = list(itertools.islice(pure.records(data), len(rows)))
    written = pure.encode(good)
    assert written == native.encode(good)
    assert [repr(row) for row in native.decode(written)] == [repr(row) for row in good]


@settings(deadline=None)  # other work on the machine is not an error
@given(st.text(max_size=60))
def test_any_text_is_a_schema_or_one_line_of_error(text: str) -> None:
    try:
        schema = parse_schema(text)
    except InputError as error:
        message = str(error)
    else:
        message = str(schema)
        assert str(parse_schema(message)) == message
    assert "\n" not in message


@pytest.mark.parametrize("core", [PURE, NATIVE_CODEC])
@given(st.lists(st.text(max_size=5000), max_size=4), st.integers(0, 40))
@settings(deadline=None, max_examples=25)
def test_a_record_of_bytes_is_read_at_once_and_nothing_beyond(
    core: Core, texts: list[str], cut: int
) -> None:
    schema = Schema[Row](parse_schema("id: int, name: utf").kind, core=core)
    rows = [tuple.__new__(schema.made, (number, text)) for number, text in enumerate(texts)]
    parts = [schema.encode([row]) for row in rows]
    whole = b"".join(parts)
    stream = DataInputStream(whole[: max(0, len(whole) - cut)])
    for row, part in zip(rows, parts, strict=True):
        before = stream.offset
        if before + len(part) > max(0, len(whole) - cut):
            with pytest.raises(EOFError):
                schema.read(stream)
            assert stream.offset == before
            break
        assert schema.read(stream) == row
        assert stream.offset == before + len(part)
