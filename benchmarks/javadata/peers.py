"""The peers: construct, and a reader of the original's design; in an environment of their own."""

from __future__ import annotations

import struct
import sys
import time
from pathlib import Path

from construct import (
    Array,
    Flag,
    Float64b,
    GreedyBytes,
    Int16ub,
    Int32sb,
    Int64sb,
    Prefixed,
    Struct,
)


class PerCall:
    """The design of 2014: a method a type, one read and one struct format parsed for each call."""

    def __init__(self, file: object) -> None:
        self.file = file

    def number(self, layout: str, size: int) -> object:
        return struct.unpack(layout, self.file.read(size))[0]

    def utf(self) -> bytes:
        return self.file.read(self.number(">H", 2))


def per_call(path: Path, count: int) -> None:
    with path.open("rb") as file:
        stream = PerCall(file)
        for _ in range(count):
            stream.number(">i", 4)
            stream.number(">q", 8)
            stream.number(">d", 8)
            stream.number("?", 1)
            stream.utf()
            stream.utf()


def report(name: str, count: int, work: object) -> None:
    work()
    rates = []
    for _ in range(3):
        start = time.process_time()
        work()
        rates.append(count / (time.process_time() - start) / 1e6)
    print(name, sorted(rates)[1], flush=True)


def main() -> None:
    path = Path(sys.argv[1]) / "records.bin"
    text = Prefixed(Int16ub, GreedyBytes)
    record = Struct(
        "id" / Int32sb,
        "at" / Int64sb,
        "price" / Float64b,
        "open" / Flag,
        "symbol" / text,
        "note" / text,
    )
    count = 20_000
    with path.open("rb") as file:
        data = file.read(count * 200)
    report("construct", count, lambda: Array(count, record).parse(data))
    compiled = Array(count, record).compile()
    report("construct.compiled", count, lambda: compiled.parse(data))
    report("original", 100_000, lambda: per_call(path, 100_000))


if __name__ == "__main__":
    main()
