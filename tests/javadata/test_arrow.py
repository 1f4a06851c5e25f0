"""Arrow, Parquet, pandas: over both cores, equal to each other and to the rows."""

import io
import struct
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import InputError
from penstock.javadata import EndOfData, Schema, UTFDataFormatError, parse_schema
from penstock.javadata.arrow import batch_of
from penstock.javadata.core import NATIVE_CODEC, PURE, Row
from penstock.javadata.kinds import LoneSurrogates
from penstock.javadata.text import encode_modified_utf8

from .cores import CORES, Core
from .test_schema import KINDS, ONE, OTHER, SMALL, Everything

FLAT = (
    "id: int, ok: boolean, code: char, name: utf, key: bytes[2], raw: bytes[byte], note: text[int]"
)
PLAIN = ["", "abc", "né\0", "😀 and 😁", "\0", "中文字", "\U0010ffff", "x" * 300]


@pytest.fixture(params=CORES)
def core(request: pytest.FixtureRequest) -> Core:
    made: Core = request.param
    return made


def flat_rows(names: list[str]) -> list[Row]:
    return [
        (n, n % 3 == 0, chr(n), name, b"k%d" % (n % 10), b"r" * (n % 5), name * 2)
        for n, name in enumerate(names)
    ]


def test_numbers_text_and_bytes_become_columns(core: Core) -> None:
    schema = parse_schema(FLAT, core=core)
    rows = flat_rows(PLAIN * 40)
    table = schema.table(schema.encode(rows))
    table.validate(full=True)
    assert table.schema.field("name").type == pa.string()
    assert table.schema.field("code").type == pa.uint16()
    assert table["name"].to_pylist() == PLAIN * 40
    assert table["note"].to_pylist() == [name * 2 for name in PLAIN * 40]
    assert table["raw"].to_pylist() == [row[5] for row in rows]
    assert table["code"].to_pylist() == list(range(len(rows)))
    assert table["ok"].to_pylist() == [row[1] for row in rows]
    assert table["id"].to_pylist() == list(range(len(rows)))


def test_nested_records_become_structs_and_lists(core: Core) -> None:
    schema = Schema(Everything, core=core)
    rows = [ONE._replace(unit="x", pair=["a", "b"]), OTHER._replace(unit="y", pair=["c", "d"])]
    table = schema.table(schema.encode(rows))
    table.validate(full=True)
    first, second = table.to_pylist()
    assert first["legs"] == [{"size": 1, "rate": 2.5}, {"size": 2, "rate": 3.5}]
    assert first["shape"] == {"tag": -2, "Circle": None, "Box": {"width": 1.0, "label": "q"}}
    assert (first["owner"], second["owner"], second["best"]) == ("me", None, None)
    assert second["shape"] == {"tag": 1, "Circle": {"radius": 2.0}, "Box": None}
    assert first["pair"] == [97, 98]
    file = io.BytesIO()
    assert schema.write_batches(table.to_batches(), file) == 2
    assert file.getvalue() == schema.encode(rows)


def test_parquet_there_and_back_is_the_same_file(core: Core, tmp_path: Path) -> None:
    schema = Schema(Everything, core=core)
    source = tmp_path / "java.bin"
    source.write_bytes(schema.encode([ONE._replace(unit="x", name="né\0😀"), OTHER] * 3_000))
    assert schema.to_parquet(source, tmp_path / "data.parquet") == 6_000
    assert pq.read_metadata(tmp_path / "data.parquet").num_rows == 6_000
    assert schema.from_parquet(tmp_path / "data.parquet", tmp_path / "again.bin") == 6_000
    assert (tmp_path / "again.bin").read_bytes() == source.read_bytes()


def test_a_parquet_file_is_not_begun_for_data_that_is_cut_short(core: Core, tmp_path: Path) -> None:
    target = tmp_path / "data.parquet"
    target.write_bytes(b"before")
    schema = parse_schema(FLAT, core=core)
    data = schema.encode(flat_rows(PLAIN * 1_000))
    with pytest.raises(EndOfData, match="record 7999, field note"):
        schema.to_parquet(data[:-1], target)
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]


def test_batches_before_an_error_are_good(core: Core) -> None:
    schema = parse_schema("n: int, name: utf", core=core)
    data = schema.encode([(n, PLAIN[n % 8]) for n in range(1_000)]) + b"\0\0\0\0\0\x02\xc3a"
    batches: list[pa.RecordBatch] = []
    says = r"record 1000, field name at offset .* around byte 2"
    with pytest.raises(UTFDataFormatError, match=says):
        batches.extend(schema.batches(data))
    assert sum(batch.num_rows for batch in batches) == 1_000


RARE = [
    b"\0", b"\xc1\x81", b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xed\xb0\x80",
    b"\xed\xa0\xbd\xed\xb8\x80", b"\xed\xb8\x80\xed\xa0\xbd", b"\xed\xa0\xbd\xed\xa0\xbd",
    b"\xc0\x80", b"plain", b"\xc3\xa9", b"\xe4\xb8\xad", b"",
]  # fmt: skip


@pytest.mark.parametrize("lone", ["error", "replace", "binary"])
@settings(deadline=None)  # other work on the machine is not an error
@given(st.lists(st.lists(st.sampled_from(RARE), max_size=4).map(b"".join), max_size=6))
def test_unusual_text_is_alike_in_both_cores_and_by_rows(
    lone: LoneSurrogates, texts: list[bytes]
) -> None:
    data = b"".join(struct.pack(">H", len(text)) + text for text in texts)
    pure = parse_schema("name: utf", core=PURE)
    rows = pure.decode(data)
    try:
        expected = batch_of(rows, pure.kind, lone).column(0).to_pylist()
    except UTFDataFormatError as error:
        expected = str(error)
    for core in filter(None, (PURE, NATIVE_CODEC)):
        assert names(Schema[Row](pure.kind, core=core), data, lone) == expected


def names(schema: Schema[Row], data: bytes, lone: LoneSurrogates) -> object:
    try:
        return schema.table(data, on_lone_surrogate=lone)["name"].to_pylist()
    except UTFDataFormatError as error:
        return str(error)


def test_a_lone_surrogate_says_what_to_choose(core: Core) -> None:
    schema = parse_schema("a: {name: utf}[int]", core=core)
    data = schema.encode([([schema.kind.fields[0].kind.element.made("a\ud800")],)])  # type: ignore[union-attr]
    with pytest.raises(UTFDataFormatError, match=r"column a\.name: a lone surrogate.*replace"):
        schema.table(data)
    assert schema.table(data, on_lone_surrogate="replace")["a"].to_pylist() == [
        [{"name": "a\ufffd"}]
    ]
    binary = schema.table(data, on_lone_surrogate="binary")
    assert binary["a"].to_pylist() == [[{"name": encode_modified_utf8("a\ud800")}]]
    file = io.BytesIO()
    schema.write_batches(binary.to_batches(), file)
    assert file.getvalue() == data


@pytest.mark.skipif(NATIVE_CODEC is None, reason="no native core: install a C compiler")
@settings(deadline=None)  # other work on the machine is not an error
@given(KINDS, SMALL.map(bytes))
def test_random_bytes_become_the_columns_of_their_rows(kind: str, data: bytes) -> None:
    pure = parse_schema(f"first: {kind}, last: byte", core=PURE)
    position = pure.codec.read(data, 0, 1000)[1]
    expected = outcome(pure, data, position)
    assert outcome(Schema[Row](pure.kind, core=NATIVE_CODEC), data, position) == expected


def outcome(schema: Schema[Row], data: bytes, position: int) -> object:
    try:
        batch, end = schema.codec.columns("replace")(data, 0)
    except UTFDataFormatError as error:
        return str(error)
    batch.validate(full=True)
    assert end == position
    return repr(batch.to_pylist()), cast("object", batch.schema)


def test_a_file_that_is_no_parquet_and_a_column_that_is_missing(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"not parquet")
    with pytest.raises(InputError, match="wrong"):
        parse_schema("a: int").from_parquet(wrong, tmp_path / "out")
    right = tmp_path / "right"
    parse_schema("a: int").to_parquet(b"\0\0\0\1", right)
    with pytest.raises(InputError, match="field b: no such column; there are a"):
        parse_schema("b: int").from_parquet(right, tmp_path / "out")
    assert not (tmp_path / "out").exists()
