"""What a failover costs who reads through the proxy: a long walk, and a single document.

    .venv/bin/python benchmarks/mongo/failover.py [--rounds 3]

walk    20,000 documents in batches of 500, with a pause after each batch as somebody who works with
        them makes; the primary is killed, stepped down or paused in the midst. Told are the
        documents missing and repeated, the time that the walk took longer than without a fault,
        and the time the set itself was without a primary, as members that live tell.
read    one document again and again; the primary is paused: seconds until the next answer.

Plain PyMongo with the same options walks beside it.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pymongo
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from penstock.mongo import connect
from penstock.mongo.dev import DevSet

DOCUMENTS = 20_000
BATCH = 500
WORK = 0.05  # seconds after each batch
FAULTS = ("kill", "stepdown", "pause")


class Interregnum(threading.Thread):
    """Asks every member who is primary, and notes for how long nobody new was."""

    def __init__(self, desk: DevSet, began: float, old: int) -> None:
        super().__init__(daemon=True)
        self.desk, self.began, self.old = desk, began, old
        self.seconds = 0.0
        self.start()

    def run(self) -> None:
        nodes = [node for node in self.desk.status().nodes if node.number != self.old]
        clients = [
            pymongo.MongoClient(
                f"mongodb://{node.host}/?directConnection=true", serverSelectionTimeoutMS=500
            )
            for node in nodes
        ]
        while True:
            for client in clients:
                with suppress(PyMongoError):
                    if client.admin.command("hello").get("isWritablePrimary"):
                        self.seconds = time.monotonic() - self.began
                        return
            time.sleep(0.01)


def fail(desk: DevSet, fault: str) -> Interregnum:
    """Fail the primary; tell who watches the set's own pause."""
    began = time.monotonic()
    (old,) = {"kill": desk.kill, "stepdown": desk.step_down, "pause": desk.pause}[fault]("primary")
    return Interregnum(desk, began, old)


def walk(documents: Iterable[Any], at: int, desk: DevSet, fault: str | None) -> dict[str, Any]:
    """Walk over all documents, with a fault after ``at`` of them."""
    seen: list[int] = []
    watch = None
    began = time.monotonic()
    error = ""
    try:
        for document in documents:
            seen.append(document["_id"])
            if len(seen) % BATCH == 0:
                time.sleep(WORK)
            if fault is not None and len(seen) == at:
                watch = fail(desk, fault)
    except PyMongoError as broken:
        error = type(broken).__name__
    took = time.monotonic() - began
    if watch is not None:
        watch.join(30)
    return {
        "took": took,
        "missing": len(set(range(DOCUMENTS)) - set(seen)),
        "repeated": len(seen) - len(set(seen)),
        "without": 0.0 if watch is None else watch.seconds,
        "error": error,
    }


def read_back(collection: Collection[Any], desk: DevSet) -> tuple[float, float]:
    """Pause the primary; return the seconds until a document was read again, and the set's own."""
    collection.find_one({"_id": 7})
    watch = fail(desk, "pause")
    try:
        while True:
            with suppress(PyMongoError):
                collection.find_one({"_id": 7})
                # An answer from before the pause took hold does not count.
                if watch.seconds:
                    return time.monotonic() - watch.began, watch.seconds
    finally:
        desk.heal()


def main() -> None:
    """Start a set, measure, stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        desk = DevSet.start(Path(folder) / "set")
        try:
            measure(desk, given.rounds)
        finally:
            desk.stop(remove=True)


def measure(desk: DevSet, rounds: int) -> None:
    """Print every walk and every read."""
    options = {"heartbeatFrequencyMS": 500, "connectTimeoutMS": 1000}
    with pymongo.MongoClient(desk.uri, w="majority", **options) as plain, connect(desk.uri) as ours:
        plain.bench.walked.insert_many([{"_id": n, "text": "x" * 200} for n in range(DOCUMENTS)])
        sides = {"proxy": ours.bench.walked, "plain": plain.bench.walked}
        base = {
            name: min(
                walk(side.find({}, batch_size=BATCH), 0, desk, None)["took"] for _ in range(2)
            )
            for name, side in sides.items()
        }
        for name, took in base.items():
            print(f"walk  {name:6} no fault   {took:6.2f} s", flush=True)
        worst = 0.0
        for round_ in range(rounds):
            for fault in FAULTS:
                for name, side in sides.items():
                    at = DOCUMENTS // 4 + 37 * (round_ + 1)
                    found = walk(side.find({}, batch_size=BATCH), at, desk, fault)
                    desk.heal()
                    added = found["took"] - base[name]
                    if name == "proxy":
                        worst = max(worst, added - found["without"])
                    print(
                        f"walk  {name:6} {fault:9}  missing {found['missing']:>6,}  repeated "
                        f"{found['repeated']:>3}  added {added:6.2f} s  the set itself "
                        f"{found['without']:5.2f} s  {found['error']}",
                        flush=True,
                    )
        print(f"walk  proxy: added beyond the election, at most {worst:.2f} s (aim <= 0.3)")
        for name, side in sides.items():
            for _ in range(rounds):
                took, without = read_back(side, desk)
                aim = " (aim <= 2.5)" if name == "proxy" else ""
                print(f"read  {name} back after {took:5.2f} s{aim}, the set {without:.2f} s")


if __name__ == "__main__":
    main()
