"""``penstock javadata`` as a user calls it: real processes, real files."""

import gzip
import io
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.errors import InputError
from penstock.javadata import guess_schema, parse_schema
from penstock.javadata.guess import guess

SCHEMA = "id: int, at: long, price: double, open: boolean, name: utf"
ROWS = [(n, 1_700_000_000_000 + n, n / 4, n % 2 == 0, f"né{n}") for n in range(300)]


def call(*arguments: object, core: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "penstock.cli.main", "javadata", *map(str, arguments)]
    environment = {**os.environ, "PENSTOCK_PURE": core}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "trades.bin"
    path.write_bytes(parse_schema(SCHEMA).encode(ROWS))
    return path


@pytest.mark.parametrize("core", ["", "1"])
def test_head_dump_check_and_parquet_there_and_back(file: Path, core: str) -> None:
    head = call("head", file, "-n", 2, "--schema", SCHEMA, core=core)
    first = {"id": 0, "at": 1_700_000_000_000, "price": 0.0, "open": True, "name": "né0"}
    assert json.loads(head.stdout.splitlines()[0]) == first
    assert len(head.stdout.splitlines()) == 2
    assert len(call("dump", file, "--schema", SCHEMA, core=core).stdout.splitlines()) == 300
    checked = call("check", file, "--schema", SCHEMA, core=core)
    assert "300 records, every byte read" in checked.stdout
    assert SCHEMA in checked.stdout
    done = call("to-parquet", file, "--schema", SCHEMA, core=core)
    assert (done.returncode, done.stdout) == (0, f"{file}.parquet: 300 records\n")
    again = file.with_name("again.bin")
    done = call("from-parquet", f"{file}.parquet", "--schema", SCHEMA, "-o", again, core=core)
    assert done.returncode == 0
    assert again.read_bytes() == file.read_bytes()


def test_a_schema_from_a_file_of_text_from_python_and_by_module(file: Path) -> None:
    text = file.with_name("trade.schema")
    text.write_text(SCHEMA.replace(", ", "\n"))
    module = file.with_name("trade_of_mine.py")
    module.write_text(
        "from __future__ import annotations\n"
        "from typing import NamedTuple\n"
        "from penstock.javadata import Boolean, Double, Int, Long, Utf\n"
        "class Trade(NamedTuple):\n"
        "    id: Int\n    at: Long\n    price: Double\n    open: Boolean\n    name: Utf\n"
    )
    for schema in (text, f"{module}:Trade"):
        done = call("check", file, "--schema", schema)
        assert (done.returncode, SCHEMA in done.stdout) == (0, True), done.stderr


def test_gzip_is_named_and_read_when_asked(file: Path) -> None:
    packed = file.with_name("trades.gz")
    packed.write_bytes(gzip.compress(file.read_bytes()))
    refused = call("check", packed, "--schema", SCHEMA)
    assert refused.returncode == 2
    assert "gzip" in refused.stderr
    assert "--gzip" in refused.stderr
    assert "300 records" in call("check", packed, "--gzip", "--schema", SCHEMA).stdout
    cut = file.with_name("cut.gz")
    cut.write_bytes(packed.read_bytes()[:-20])
    assert_one_line(call("check", cut, "--gzip", "--schema", SCHEMA))
    assert_one_line(call("check", file, "--gzip", "--schema", SCHEMA))


def test_java_serialization_is_named(tmp_path: Path) -> None:
    path = tmp_path / "object.bin"
    path.write_bytes(b"\xac\xed\x00\x05sr\x00\x01A")
    done = call("head", path, "--schema", "a: byte")
    assert_one_line(done)
    assert "ObjectOutputStream" in done.stderr
    assert call("head", path, "--schema", "a: byte", "--as-is").returncode == 0


def assert_one_line(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("penstock: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ("id: lung", "no type 'lung'"),
        ("id: int, name: utf", "record 1, field name"),
        ("missing.py:Trade", "no such file"),
        ("json:Trade", "json has no Trade"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(file: Path, schema: str, says: str) -> None:
    file.write_bytes(file.read_bytes()[:17])
    done = call("dump", file, "--schema", schema)
    assert_one_line(done)
    assert says in done.stderr
    assert str(file) in done.stderr


def test_a_guess_needs_records_of_one_size(file: Path) -> None:
    file.write_bytes(b"short")
    done = call("dump", file, "--schema", "guess")
    assert_one_line(done)
    assert "no record size divides" in done.stderr


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for command in ("head", "check", "to-parquet", "from-parquet"):
        assert_one_line(call(command, tmp_path / "nothing", "--schema", "a: int"))


def test_a_reader_that_goes_away_is_no_error(file: Path) -> None:
    file.write_bytes(file.read_bytes() * 200)
    command = [sys.executable, "-m", "penstock.cli.main", "javadata", "dump", str(file)]
    command += ["--schema", SCHEMA]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["id"] == 0
        process.stdout.close()
        assert process.stderr.read() == b""


def test_a_guess_is_said_and_used(tmp_path: Path) -> None:
    path = tmp_path / "fixed.bin"
    rows = [(n, 1_700_000_000_000 + 977 * n, n * 1.25 + 0.5, n % 3 == 0) for n in range(500)]
    path.write_bytes(b"".join(struct.pack(">iqd?", *row) for row in rows))
    done = call("head", path, "-n", 3, "--schema", "guess")
    assert done.stderr == "guessed: field1: int, field2: long, field3: double, field4: boolean\n"
    told = [tuple(json.loads(line).values()) for line in done.stdout.splitlines()]
    assert told == rows[:3]


@pytest.mark.parametrize(
    "data",
    [
        b"hello world, this is text\n" * 500,
        bytes(20_000),
        b"".join(struct.pack("<id", n, n / 3) for n in range(2_000)),
        struct.pack(">iii", 0xCAFE, 1, 1000)
        + b"".join(struct.pack(">id", n, n / 7 - 60) for n in range(1_000)),
    ],
    ids=["text", "zeros", "little-endian", "a header of one row's size"],
)
def test_what_has_no_types_is_not_guessed(data: bytes) -> None:
    with pytest.raises(InputError, match="no types in them"):
        guess_schema(io.BytesIO(data))


@pytest.mark.parametrize(
    ("layout", "names"),
    [
        (">id?", "int, double, boolean"),
        (">dd", "double"),  # two alike are one: nothing tells them apart
        (">qfhi", "long, float, short, int"),
        (">i?hbd", "int, boolean, short, byte, double"),  # not one int of four bytes
        (">u", "double"),  # whose many random bytes hid the size
    ],
)
def test_guesses_of_common_layouts(layout: str, names: str) -> None:
    values: dict[str, Callable[[int], float]] = {
        "i": lambda n: n * 37 % 100_000,
        "d": lambda n: n * 0.37 - 40.5,
        "?": lambda n: n % 3 == 0,
        "q": lambda n: n,
        "f": lambda n: n * 0.11 + 0.01,
        "h": lambda n: n * 7 % 100,
        "b": lambda n: n * 11 % 256 - 128,
        "u": lambda n: zlib.crc32(b"%d" % n) / 2**32,
    }
    form = layout.replace("u", "d")
    rows = [struct.pack(form, *(values[code](n) for code in layout[1:])) for n in range(2_000)]
    data = b"".join(rows)
    found = [part.split(": ")[1] for part in guess(data, len(data)).split(", ")]
    assert ", ".join(found) == names
