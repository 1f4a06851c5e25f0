"""Whether every value of public JSON files comes back from every destination; run by hand.

python -m tests.destinations.public_sets FILE...

A file's records are the items of its list, or the values of its object. What is said of a set: how
many records and values there are, and in each place the values that did not come back.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import psycopg
from tests.destinations.conftest import LOCAL, Rows, postgres_rows, postgres_server
from tests.destinations.test_types import same, texts_of

from penstock.destinations import Keeper, open_destination
from penstock.pipeline import LandedRecord
from penstock.store import LocalStore, fields


def bodies(path: Path) -> list[bytes]:
    read = json.loads(path.read_text(encoding="utf-8-sig"))
    many = isinstance(read, dict) and len(read) > 2 and {*map(type, read.values())} == {dict}
    found = list(read.values()) if many else read if isinstance(read, list) else [read]
    return [json.dumps(one, ensure_ascii=False).encode() for one in found]


def leaves(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sum(map(leaves, inner)) if inner else 1


def lost(rows: Rows, texts: list[bytes], columns: dict[str, list[str]]) -> list[object]:
    """Return what is not there, or not once, or something else."""
    by_key = {int(str(row["key"])): row for row in rows}
    found: list[object] = [] if len(rows) == len(texts) == len(by_key) else ["rows"]
    for key, text in enumerate(texts):
        cells = fields(text, flatten=False)
        for name, there in columns.items():
            values = [cell for one in there if (cell := by_key[key].get(one)) is not None]
            literal = cells.get((name,), b"null").decode()
            wanted = literal != "null"
            if len(values) != wanted or (wanted and not same(literal, values[0])):
                found.append((key, name, literal[:60], str(values)[:60]))
    return found


def tried(kind: str, address: str, read: Callable[[], Rows], texts: list[bytes]) -> str:
    said: list[str] = []
    with tempfile.TemporaryDirectory() as folder, LocalStore(folder) as store:
        half = len(texts) // 2
        with closing(open_destination(address)) as to:
            for start, end in ((0, half), (half, len(texts))):  # the second half meets a table
                part = enumerate(texts[start:end], start)
                store.settle([LandedRecord(key, text) for key, text in part], str)
                store.flush()
                Keeper(to, "users", said=said.append).catch_up(store)
            state = json.loads(to.state("users") or b"{}")
    columns: dict[str, list[str]] = {}
    for path, name, held, *_ in state["fields"]:
        if path and held != "null":
            columns.setdefault(path[0], []).append(name)
    if kind == "jsonl":
        rows = [row for row in read() if row.pop("key") is not None]
        return f"{sum(row != own(text) for row, text in zip(rows, texts, strict=True))} lost"
    wrong = lost(read(), texts, columns)
    return f"{len(wrong)} lost, {len(said)} said {wrong[:2] or ''}"


def own(text: bytes) -> dict[str, object]:
    read = json.loads(text)
    return read if isinstance(read, dict) else {"value": read}


def main(paths: list[Path]) -> None:
    with postgres_server() as server:
        for path in paths:
            texts = bodies(path)
            values = sum(leaves(json.loads(text)) for text in texts)
            name = f"{path.parent.name}/{path.name}"
            print(f"{name}: {len(texts)} records, {values} values", flush=True)
            with tempfile.TemporaryDirectory() as folder:
                for kind, read in (LOCAL | {"csv": lambda place, _: texts_of(place)}).items():
                    place = Path(folder) / kind
                    rows = partial(read, place, "users")
                    print(f"  {kind}: {tried(kind, f'{kind}://{place}', rows, texts)}", flush=True)
            with psycopg.connect(server.address, autocommit=True) as connection:
                connection.execute("DROP TABLE IF EXISTS users")
            rows = partial(postgres_rows, server.address, "users")
            print(f"  postgresql: {tried('postgresql', server.address, rows, texts)}", flush=True)


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
