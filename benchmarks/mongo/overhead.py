"""What the proxy costs while nothing fails: interleaved with plain PyMongo on the same set.

    .venv/bin/python benchmarks/mongo/overhead.py [--rounds 2000] [--walks 40]

Both sides have the same options; the order within a pair changes from pair to pair. Prints the
median of each side in microseconds, their ratio, and the median of the ratios pair by pair.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pymongo

from penstock.mongo import connect
from penstock.mongo.dev import DevSet


def interleaved(name: str, ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int) -> None:
    """Call both ``rounds`` times in turn and print what they took."""
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    sides = [("ours", ours), ("theirs", theirs)]
    for n in range(rounds + 20):
        for side, call in sides if n % 2 else sides[::-1]:
            started = time.perf_counter()
            call()
            times[side].append(time.perf_counter() - started)
    mine, plain = (times[side][20:] for side in ("ours", "theirs"))
    pairs = statistics.median(a / b for a, b in zip(mine, plain, strict=True))
    middle = {side: statistics.median(values) for side, values in (("o", mine), ("t", plain))}
    low = min(mine) / min(plain)
    print(
        f"{name:28} proxy {1e6 * middle['o']:9.1f} us  plain {1e6 * middle['t']:9.1f} us  "
        f"ratio {middle['o'] / middle['t']:.3f}  by pairs {pairs:.3f}  of minima {low:.3f}"
    )


def main() -> None:
    """Start a set, measure, stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--walks", type=int, default=40)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        desk = DevSet.start(Path(folder) / "set")
        try:
            measure(desk.uri, given.rounds, given.walks)
        finally:
            desk.stop(remove=True)


def measure(uri: str, rounds: int, walks: int) -> None:
    same = {"w": "majority", "journal": True, "readConcernLevel": "majority"}
    options = {"heartbeatFrequencyMS": 500, "connectTimeoutMS": 1000, **same}
    with pymongo.MongoClient(uri, **options) as plain, connect(uri) as client:
        ours, theirs = client.bench.rows, plain.bench.rows
        rows = [{"_id": n, "name": f"user {n}", "at": n * 7 % 1000} for n in range(20_000)]
        theirs.insert_many(rows)
        theirs.create_index("at")
        interleaved(
            "find_one",
            lambda: ours.find_one({"_id": 7}),
            lambda: theirs.find_one({"_id": 7}),
            rounds,
        )
        interleaved(
            "find_one, whole way",
            lambda: client.bench.rows.find_one({"_id": 7}),
            lambda: plain.bench.rows.find_one({"_id": 7}),
            rounds,
        )
        a, b = client.bench.new, plain.bench.new
        interleaved("insert_one", lambda: a.insert_one({}), lambda: b.insert_one({}), rounds // 4)
        change = {"$inc": {"n": 1}}
        interleaved(
            "update_many, ten",
            lambda: ours.update_many({"_id": {"$lt": 10}}, change),
            lambda: theirs.update_many({"_id": {"$lt": 10}}, change),
            rounds // 4,
        )
        c, d = client.bench.rows, plain.bench.rows
        interleaved("walk 20,000", lambda: walk(c.find()), lambda: walk(d.find()), walks)
        interleaved(
            "walk 20,000 sorted",
            lambda: walk(c.find().sort("at")),
            lambda: walk(d.find().sort("at")),
            walks,
        )
        interleaved(
            "aggregate 20,000", lambda: walk(c.aggregate([])), lambda: walk(d.aggregate([])), walks
        )
        interleaved(
            "find, ten", lambda: list(c.find().limit(10)), lambda: list(d.find().limit(10)), rounds
        )


def walk(cursor: Iterable[Any]) -> None:
    """Look at each document."""
    for _ in cursor:
        pass


if __name__ == "__main__":
    main()
