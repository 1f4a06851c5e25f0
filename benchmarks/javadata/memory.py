"""How much memory 10 GB of records take: read through a pipe, so that no disk has to hold them."""

from __future__ import annotations

import os
import resource
import sys
import threading
from pathlib import Path

from penstock.javadata import parse_schema

sys.path.insert(0, str(Path(__file__).parent))
from ours import SCHEMA


def feed(write: int, data: bytes, total: int) -> None:
    with os.fdopen(write, "wb", buffering=0) as file:
        for _ in range(total // len(data)):
            file.write(data)


def main() -> None:
    path, total, way = Path(sys.argv[1]), int(float(sys.argv[2]) * 1e9), sys.argv[3]
    schema = parse_schema(SCHEMA)
    with path.open("rb") as file:
        head = file.read(1 << 20)
    data = head[: schema.codec.read(head, 0, 1 << 40)[1]]
    read, write = os.pipe()
    threading.Thread(target=feed, args=(write, data, total), daemon=True).start()
    with os.fdopen(read, "rb", buffering=0) as source:
        if way == "rows":
            count = sum(1 for _ in schema.records(source))
        elif way == "arrow":
            count = sum(batch.num_rows for batch in schema.batches(source))
        else:
            count = schema.to_parquet(source, os.devnull)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{way}: {count:,} records, {total / 1e9:g} GB, at most {peak:.0f} MB resident")


if __name__ == "__main__":
    main()
