"""A permit's cost: in a directory, in MongoDB, from one process, from eight; and blocks a second.

    python benchmarks/cluster/permits.py [mongodb://host,host/bench?replicaSet=name]

Prints microseconds a permit with its answer, and permits and blocks a second.
"""

import multiprocessing
import sys
import tempfile
import time

from penstock.cluster import Blocks, SharedBudget
from penstock.locks import LockerRoom
from penstock.resilience import Hints, Limit, Quota, Reset, Ticket
from penstock.store import MongoStore

SECONDS, PROCESSES = 3.0, 8
HINTS = Hints((Quota("w", limit=10**9, remaining=10**9 - 1, reset=Reset(3600)),))


def spend(at, seconds, block=None, queue=None):
    budget = SharedBudget("bench", at, limits=[Limit(10**9, per=3600)])
    settle(budget, budget.take(time.monotonic()))
    if block:
        budget._used = block  # noqa: SLF001 - as one that used half of so many last time
    start, count = time.monotonic(), 0
    while (now := time.monotonic()) - start < seconds:
        ticket = budget.take(now)
        if isinstance(ticket, Ticket):
            settle(budget, ticket)
            count += 1
            if block == 1:
                budget._used = 0  # noqa: SLF001 - as one that never grows
    each = (time.monotonic() - start) / max(1, count)
    budget.close()
    if queue:
        queue.put(count / seconds)
    return each


def settle(budget, ticket):
    budget.settle(ticket, time.monotonic(), HINTS)


def together(target, arguments):
    """Return the sum of the rates of several processes."""
    queue = multiprocessing.Queue()
    workers = [
        multiprocessing.Process(target=target, args=(*arguments, queue)) for _ in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    rates = [queue.get() for _ in workers]
    for worker in workers:
        worker.join()
    return sum(rates)


def blocks(uri, count=150, queue=None):
    with MongoStore(uri) as store, LockerRoom(uri, database="bench", collection="locks") as room:
        work = Blocks(
            range(count), 1, store=store, room=room, name="run", scope="bench", lease=10.0
        )
        start = time.monotonic()
        work.work(lambda _keys, _check: True)
        rate = work.taken / (time.monotonic() - start)
        if queue:
            queue.put(rate)
        return rate


def main():
    with tempfile.TemporaryDirectory() as folder:
        print(f"directory, block 1: {spend(folder, SECONDS) * 1e6:.0f} us a permit")
    if len(sys.argv) > 1:
        uri = sys.argv[1]
        print(f"MongoDB, one process, block 1: {1 / spend(uri, SECONDS, 1):.0f} permits/s")
        print(f"MongoDB, one process, growing: {1 / spend(uri, SECONDS):.0f} permits/s")
        rate = together(spend, (uri, SECONDS, 1))
        print(f"MongoDB, {PROCESSES} processes, block 1: {rate:.0f} permits/s")
        print(f"MongoDB, one worker: {blocks(uri):.0f} blocks/s")
        rate = together(blocks, (uri.replace("?", "8?"), 400))
        print(f"MongoDB, {PROCESSES} workers: {rate:.0f} blocks/s")


if __name__ == "__main__":
    main()
