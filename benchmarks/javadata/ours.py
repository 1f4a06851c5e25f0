"""Our side of the benchmark: prints "name rate" in millions a second of processor time."""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from penstock.javadata import DataInputStream, Schema, parse_schema

if TYPE_CHECKING:
    from collections.abc import Callable

Row = tuple[object, ...]
SCHEMA = "id: int, at: long, price: double, open: boolean, symbol: utf, note: utf"


def report(name: str, count: int, work: Callable[[], object], rounds: int = 3) -> None:
    """Once to warm up, then the median of three."""
    work()
    rates = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        rates.append(count / (time.process_time() - start) / 1e6)
    print(name, sorted(rates)[rounds // 2], flush=True)


def arrays(directory: Path) -> None:
    for name, kind, size in (("ints", "int", 4), ("doubles", "double", 8)):
        path = directory / f"{name}.bin"
        count = path.stat().st_size // size
        with DataInputStream(path) as stream:
            check = stream.read_array(kind, count)
        report(
            f"{name}.array",
            count,
            lambda path=path, kind=kind, count=count: read(path, kind, count),
        )
        into = np.empty_like(check)
        report(f"{name}.into", count, lambda path=path, into=into: fill(path, into))
        # The limits: bytes of memory to memory, without turning them round.
        report(f"{name}.memcpy", count, lambda into=into, check=check: np.copyto(into, check))
        report(f"{name}.copy", count, lambda check=check: check.copy())
        fill(path, into)
        assert np.array_equal(into, check)


def read(path: Path, kind: str, count: int) -> None:
    with DataInputStream(path) as stream:
        stream.read_array(kind, count)


def fill(path: Path, into: object) -> None:
    with DataInputStream(path) as stream:
        stream.read_into(into)


def mixed(directory: Path, core: str, count: int) -> None:
    schema = parse_schema(SCHEMA)
    path = directory / "records.bin"
    few = min(count, 300_000)
    report(f"arrow.{core}", count, lambda: sum(b.num_rows for b in schema.batches(path)))
    report(f"rows.{core}", few, lambda: take(schema.records(path), few))
    rows = list(itertools.islice(schema.records(path), few))
    out = directory / f"{core}.bin"
    report(f"write.{core}", few, lambda: schema.write_records(rows, out))
    with path.open("rb") as file:
        assert file.read(out.stat().st_size) == out.read_bytes()
    report(f"fields.{core}", few // 3, lambda: per_field(path, few // 3))
    report(f"one.{core}", few // 3, lambda: one_by_one(schema, path, few // 3))


def take(rows: object, count: int) -> None:
    """Go over rows one by one, as a ``for`` loop does."""
    for _ in itertools.islice(rows, count):
        pass


def per_field(path: Path, count: int) -> None:
    with DataInputStream(path) as stream:
        for _ in range(count):
            stream.read_int()
            stream.read_long()
            stream.read_double()
            stream.read_boolean()
            stream.read_utf()
            stream.read_utf()


def one_by_one(schema: Schema[Row], path: Path, count: int) -> None:
    with DataInputStream(path) as stream:
        for _ in range(count):
            schema.read(stream)


if __name__ == "__main__":
    if sys.argv[2] == "native":
        arrays(Path(sys.argv[1]))
    mixed(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
