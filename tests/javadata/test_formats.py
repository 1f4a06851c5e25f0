"""Files as others lay them out: what each part of the notation reads and writes."""

from __future__ import annotations

import io
import re
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import InputError
from penstock.javadata import (
    DataInputStream,
    EndOfData,
    SchemaMismatch,
    from_plain,
    parse_schema,
    to_plain,
)
from penstock.javadata.detection import ObjectBlocks
from penstock.javadata.inner_rows import InnerRows

from .cores import made


def hexed(text: str) -> bytes:
    return bytes.fromhex(text)


@pytest.mark.parametrize(
    ("schema", "data", "plain"),
    [
        ("a: unsigned int, b: unsigned long", "ffffffff fffffffffffffffe",
         {"a": 2**32 - 1, "b": 2**64 - 2}),
        ("a: little int, b: little double, c: little char, d: little unsigned short",
         "01000000 000000000000f03f 6100 ffff", {"a": 1, "b": 1.0, "c": "a", "d": 65535}),
        ("magic: int = 0xFEEDFEED, v: int", "feedfeed 00000002", {"magic": -17957139, "v": 2}),
        ('magic: byte = 1, name: utf = "TZDB", raw: bytes[2] = 0xCAFE', "01 0004545a4442 cafe",
         {"magic": 1, "name": "TZDB", "raw": "cafe"}),
        ("s: text[short?], a: int[int?], b: bytes[byte?]", "ffff ffffffff ff",
         {"s": None, "a": None, "b": None}),
        ("s: text[short?], a: int[int?]", "0000 00000000", {"s": "", "a": []}),
        ("a: text[int mutf8], b: text[2 latin1], c: text[short utf16], d: text[1 utf16le]",
         "00000002c080 e9ff 00010041 4200", {"a": "\0", "b": "éÿ", "c": "A", "d": "B"}),
        ("r: byte, c: byte, m: short[=c][=r], n: byte[=r*c], k: byte[=r-1]",
         "0203 000100020003000400050006 010203040506 09",
         {"r": 2, "c": 3, "m": [[1, 2, 3], [4, 5, 6]], "n": [1, 2, 3, 4, 5, 6], "k": [9]}),
        ("e: <byte 0=Nil{}, 1=int, 2=utf>[byte]", "03 00 0100000007 02000161",
         {"e": [{}, {"@case": "Int", "value": 7}, {"@case": "Utf", "value": "a"}]}),
        ("t: <byte 1=A{x: byte}, 2=B{y: byte}>[until 0], z: byte", "0105 0206 00 07",
         {"t": [{"x": 5}, {"y": 6}], "z": 7}),
        ("t: <byte 1|2=A{x: byte}, *=B{y: byte}>[3]", "0205 0906 0107",
         {"t": [{"tag": 2, "x": 5}, {"tag": 9, "y": 6}, {"tag": 1, "x": 7}]}),
        ("kind: byte, body: <=kind 0=Nil{}, 7=Seven{x: byte}, *=Other{raw: bytes[*]}>",
         "05 aabb", {"kind": 5, "body": {"raw": "aabb"}}),
        ("p: sized[int] P{id: byte, rest: bytes[*]}, z: byte", "00000003 01aabb 09",
         {"p": {"id": 1, "rest": "aabb"}, "z": 9}),
        ("all: short[*]", "000100020003", {"all": [1, 2, 3]}),
        ("f: sized[int?] R{a: byte}, g: sized[byte?] {r: bytes[*]}", "ffffffff 01aa",
         {"f": None, "g": {"r": "aa"}}),
        ("n: byte, z: byte[=n*2+1], u: text[=n*2 latin1]", "01 010203 6162",
         {"n": 1, "z": [1, 2, 3], "u": "ab"}),
        ("e: <int 0xFFFFFFFF=A{x: byte}, 2=B{}>, t: <byte 1=C{x: byte}>[until 0xFF]",
         "ffffffff07 0105ff", {"e": {"x": 7}, "t": [{"x": 5}]}),
        ("e: <byte 1={x: byte}, -1={y: byte}, *={z: byte}>[3]", "0105 ff06 0907",
         {"e": [{"x": 5}, {"y": 6}, {"tag": 9, "z": 7}]}),
        ("e: <byte 1=byte[byte], 2=utf?, 3=<byte 4=A{x: byte}>>[3]", "010107 0200 030409",
         {"e": [{"@case": "Byte", "value": [7]}, {"@case": "Utf", "value": None},
                {"@case": "Value", "value": {"x": 9}}]}),
        ("t: Node{v: byte, kids: Node[byte]}", "01 02 02 00 03 01 04 00",
         {"t": {"v": 1, "kids": [{"v": 2, "kids": []},
                                 {"v": 3, "kids": [{"v": 4, "kids": []}]}]}}),
    ],
)  # fmt: skip
def test_a_layout_reads_and_writes_and_goes_through_json(
    schema: str, data: str, plain: object
) -> None:
    compiled = parse_schema(schema)
    (row,) = compiled.decode(hexed(data))
    shown = to_plain(row, compiled)
    assert shown == plain
    assert compiled.encode([row]) == hexed(data)
    assert from_plain(shown, compiled) == row
    assert str(parse_schema(str(compiled))) == str(compiled)


@pytest.mark.parametrize(
    ("kind", "value", "data"),
    [
        ("varint", 300, "ac02"),
        ("varint", -1, "ffffffff0f"),
        ("varlong", -1, "ffffffffffffffffff01"),
        ("zigzag int", -2, "03"),
        ("zigzag long", 2**63 - 1, "feffffffffffffffff01"),
        ("vint", -112, "90"),  # as Hadoop's WritableUtils.writeVInt
        ("vint", 128, "8f80"),
        ("vint", -113, "8770"),
        ("vlong", 2**63 - 1, "887fffffffffffffff"),
        ("vlong", -(2**63), "807fffffffffffffff"),
    ],
)
def test_a_number_of_variable_length(kind: str, value: int, data: str) -> None:
    schema = parse_schema(f"a: {kind}")
    assert schema.encode([(value,)]) == hexed(data)
    assert schema.decode(hexed(data)) == [(value,)]


@pytest.mark.parametrize(
    ("schema", "data", "says"),
    [
        ("a: int = 5", "00000006", "record 0, field a at offset 0: 6 where 5 must stand"),
        ("a: varint", "ffffffffff01", "more than 32 bits"),
        ("a: vint", "887fffffffffffffff", "does not fit vint"),
        ("p: sized[byte] P{a: byte}", "020102", "record 0, field p at offset 2: 1 of 2 bytes"),
        ("p: sized[byte] P{a: int}", "020102", "field p.a: int at offset 1: needed 4 bytes, got 2"),
        ("a: bytes[2], c: crc32[=a]", "010200000000", "record 0, field c at offset 2: crc32 is 0"),
        ("n: byte, a: byte[=n-2]", "01", "a count of -1"),
        ("r: byte, m: byte[=r][int]", "007fffffff", "elements, and one that takes no bytes"),
        ("t: Node{k: byte, n: Node[=k]}", "01" * 200, "nested deeper than 128"),
        ("a: text[int mutf8]", "00000001ff", "field a at offset 4: malformed input around byte 0"),
    ],
)
def test_what_does_not_fit_is_named(schema: str, data: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_schema(schema).decode(hexed(data))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ("a: bytes[*], b: int", "nothing can follow"),
        ("a: {b: bytes[*]}[int]", "cannot be counted"),
        ("a: int?[int?]?", "optional twice"),
        ("a: <byte 0=A{x: int}>[until 0]", "a case and the end"),
        ("a: int[until 0]", "only variants"),
        ("a: <byte 1=tag{x: int}>", "named tag"),
        ("a: int = 0x1FFFFFFFF", "cannot be the value"),
        ("a: bytes[2] = 0xCA", "cannot be the value"),
        ('a: text[3] = "RIFF"', "cannot be the value"),
        ('a: text[int latin1] = "中"', "cannot be the value"),
        ("a: class{b: int}", "class cannot name a field or a record"),
        ("²: int", "cannot name a field"),
        ("ﬁ: int, fi: int", "two fields named fi"),
        ("a: sized[int?] text[int?]", "optional twice"),
        ("a: text[int ebcdic]", "no encoding 'ebcdic'"),
        ("a: crc32[=b]", "not an earlier field"),
        ("a: String", "did you mean utf?"),
        ("a: int32", "did you mean int?"),
        ("a: unsigned int, b: lnog", "did you mean long?"),
        ("a: bytes[9223372036854775808]", "give 0 to"),
        ("a: double[4611686018427387904], b: int", "give 0 to"),
        ("a: bytes[" + "9" * 5000 + "]", "a number of 5000 digits"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(schema: str, says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        parse_schema(schema)


@pytest.mark.parametrize("method", ["crc32", "adler32"])
def test_a_checksum_is_checked_and_written(method: str) -> None:
    schema = parse_schema(f"n: int, body: B{{a: utf, b: long}}, c: {method}[=body long]")
    body = made(schema, "B", "é", 7)
    data = schema.encode([(1, body, None)])
    right = getattr(zlib, method)(data[4:-8])
    assert struct.unpack(">q", data[-8:]) == (right,)
    assert schema.decode(data) == [(1, body, right)]
    for at in range(4, len(data)):
        with pytest.raises(InputError):
            schema.decode(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    with pytest.raises(SchemaMismatch, match="None lets it be computed"):
        schema.encode([(1, body, right + 1)])
    whole = parse_schema(f"a: int, b: utf, c: {method}[*]")
    assert whole.decode(whole.encode([(1, "x", None)]))[0][1] == "x"


def test_two_records_of_one_name_are_two_classes() -> None:
    schema = parse_schema("x: <byte 1=A{i: int}>, y: <byte 1=A{s: utf}>, z: <byte 1=A{i: int}>")
    assert set(schema.types) == {"Record", "A", "A2"}
    row = (made(schema, "A", 1), made(schema, "A2", "q"), made(schema, "A", 2))
    assert schema.decode(schema.encode([row])) == [row]


def test_header_rows_and_trailer_are_read_one_after_the_other() -> None:
    head, row = parse_schema("magic: int, count: int"), parse_schema("i: int, d: double")
    rows = [(n, n / 2) for n in range(500)]
    data = head.encode([(0xCAFE, 500)]) + row.encode(rows) + struct.pack(">q", 99)
    for source in (io.BytesIO(data), DataInputStream(data)):
        stream = source if isinstance(source, DataInputStream) else DataInputStream(source)
        count = head.read(stream)[1]
        assert list(row.records(source, count=count)) == rows  # type: ignore[arg-type]
        assert stream.read_long() == 99
        assert stream.at_end()
    with pytest.raises(EndOfData, match="record 500 of 501"):
        list(row.records(data[8:-8], count=501))


def test_the_rows_of_an_inner_array_are_read_alone() -> None:
    schema = parse_schema("magic: short = 0x4A56, rows: R{a: int, b: utf}[int], sum: int")
    rows = [(n, f"r{n}") for n in range(300)]
    data = schema.encode([(0x4A56, [made(schema, "R", *row) for row in rows], 7)])
    inner = InnerRows(schema, "rows")
    assert list(inner.records(data)) == rows
    with pytest.raises(EndOfData, match="trailer, field sum"):
        list(inner.records(data[:-1]))
    with pytest.raises(SchemaMismatch, match="bytes follow"):
        list(inner.records(data + b"x"))
    with pytest.raises(InputError, match="no array 'magic' in the schema; there are rows"):
        InnerRows(schema, "magic")
    none = InnerRows(parse_schema("rows: int[int?], z: byte"), "rows")
    assert list(none.records(hexed("ffffffff 05"))) == []
    with pytest.raises(InputError, match="z: sums the rows too"):
        InnerRows(parse_schema("rows: int[int], z: crc32[*]"), "rows")


def test_an_error_deep_inside_a_tree_is_a_short_line() -> None:
    with pytest.raises(SchemaMismatch, match=r"field t\.n\[0\]\.n.* \.\.\. .*128") as raised:
        parse_schema("t: Node{k: byte, n: Node[=k]}").decode(b"\1" * 200)
    assert len(str(raised.value)) < 200


def test_the_rows_of_an_array_inside_records() -> None:
    """Counts around the rows go by their own record: a name is the nearest before it."""
    schema = parse_schema(
        "n: byte, body: Body{m: byte, deep: Deep{n: byte, pad: bytes[=m],"
        " rows: Row{v: short}[=n], z: byte[=n]}, y: byte[=m]}, x: byte[=n]"
    )
    rows = [made(schema, "Row", n) for n in (7, 8, 9)]
    inside = made(schema, "Deep", 3, b"ab", rows, [1, 2, 3])
    data = schema.encode([(1, made(schema, "Body", 2, inside, [4, 5]), [6])])
    inner = InnerRows(schema, "body.deep.rows")
    assert [each[0] for each in inner.records(data)] == [7, 8, 9]
    with pytest.raises(EndOfData, match="trailer, field y"):
        list(inner.records(data[:15]))
    for wrong in ("body.rows", "n.rows", "body", "body.", ".rows", "body.deep.pad", "rows"):
        with pytest.raises(InputError, match=r"no array .*are body\.deep\.rows, body\.deep\.z"):
            InnerRows(schema, wrong)


def test_values_in_the_blocks_of_an_object_stream() -> None:
    blocks = b"\xac\xed\0\5w\x06\0\0\0\7\0\3yz\0\0\0\4Ada!"
    stream = DataInputStream(ObjectBlocks(io.BytesIO(blocks)))
    assert stream.read_int() == 7
    assert stream.read_utf() == "Ada"
    assert stream.read_byte() == ord("!")
    assert stream.at_end()
    with pytest.raises(SchemaMismatch, match=r"an object .*0x73"):
        DataInputStream(ObjectBlocks(io.BytesIO(b"\xac\xed\0\5sr"))).read_int()
    with pytest.raises(EndOfData):
        DataInputStream(ObjectBlocks(io.BytesIO(b"\xac\xed\0\5w\5\0\0"))).read_long()


LAYOUTS = [
    "a: varint, b: text[short? mutf8], c: <byte 1|2=A{x: byte}, *=B{y: int}>[byte]",
    "n: unsigned byte, m: little short[=n], e: <=n 0=Nil{}, *=O{p: sized[byte] {q: bytes[*]}}>",
    "t: Node{v: byte, kids: Node[byte]}, c: crc32[=t]",
    "e: <byte 1=A{x: vint}, 2=A{y: zigzag long}>[until 0], r: byte[*]",
]


@given(st.sampled_from(LAYOUTS), st.binary(max_size=60))
def test_any_bytes_are_read_back_as_written_or_refused(layout: str, data: bytes) -> None:
    schema = parse_schema(layout)
    rows = []
    feeder = schema.feeder()
    try:
        for at in range(len(data)):
            rows += feeder.feed(data[at : at + 1])
        rows += feeder.end()
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 - any of our errors will do, on one line
    written = schema.encode(rows)
    assert schema.decode(written) == rows
    assert [from_plain(to_plain(row, schema), schema) for row in rows] == rows
