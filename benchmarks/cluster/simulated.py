"""A thousand workers on one budget in virtual time, under the rules that real ones follow.

    python benchmarks/cluster/simulated.py [WORKERS] [LIMIT] [WINDOW] [WINDOWS]

The place answers one question after the other, 300 a second, refusals too. A worker makes 20 calls
at once of 0.2 s each. How much leave it asks for, how long it keeps it and when it asks again are
what :class:`penstock.cluster.SharedBudget` does. Prints the share of the limit that was used,
window by window; the first three are those in which the workers learn how much they use.
"""

import heapq
import random
import sys

from penstock.cluster import Answered, BudgetHolder, Want, begin, next_count, round_time, step
from penstock.resilience import Hints, Quota, Reset
from penstock.simulator.limiter import FixedWindow

GRANT, LIFE, LONGEST_LIFE, LEASE, LATENCY, CALLS = 1 / 300, 0.25, 2.0, 5.0, 0.2, 20


class Worker:
    def __init__(self, name) -> None:
        self.name = name
        self.kept, self.until, self.used, self.count, self.answers = [], 0.0, 0, 1, []


def ask(shared, worker, now):
    """Return the budget, and seconds to wait where there is no leave; 0 where there is."""
    each = round_time(shared)
    if worker.until:  # it had leave, and made these calls
        worker.count = next_count(worker.used, all_used=not worker.kept)
    unused = [Answered("unused", ticket, now) for ticket in worker.kept]
    life = max(LIFE, min(each, LONGEST_LIFE))
    holder = BudgetHolder("", max(LEASE, 4 * each))
    answers = (*worker.answers, *unused)
    want = Want(worker.name, holder, count=worker.count, life=life, answers=answers)
    shared, granted = step(shared, want, now)
    worker.answers, worker.used, worker.kept = [], 0, list(granted.tickets)
    if worker.kept:
        worker.until = min(now + life, granted.until) if len(worker.kept) > 1 else now + life
        return shared, 0.0
    worker.until = 0.0
    wait = min(granted.wait, 5.0)
    return shared, wait + random.random() * max(each, min(wait, 0.1))


def send(worker, server, now):
    """Make a round of calls; return how many there were."""
    sent = 0
    while worker.kept and sent < CALLS and now < worker.until:
        verdict = server.take(now)
        quota = Quota(
            "w", limit=verdict.limit, remaining=verdict.remaining, reset=Reset(verdict.reset)
        )
        worker.answers.append(
            Answered("settle", worker.kept.pop(0), now + LATENCY, Hints((quota,)))
        )
        sent += 1
    worker.used += sent
    return sent


def main(workers=1000, limit=50_000, length=5, windows=12):
    server, shared = FixedWindow(limit, length), begin(0.0)
    free, used = 0.0, {}
    queue = [(0.001 * number, number, Worker(str(number))) for number in range(workers)]
    heapq.heapify(queue)
    while queue:
        now, number, worker = heapq.heappop(queue)
        if now > windows * length:
            break
        if worker.kept and now < worker.until:
            sent = send(worker, server, now)
            window = int(now // length)
            used[window] = used.get(window, 0) + sent
            heapq.heappush(queue, (now + LATENCY, number, worker))
            continue
        at = max(now, free)  # one question at a time
        free = at + GRANT
        shared, wait = ask(shared, worker, at)
        heapq.heappush(queue, (free + wait, number, worker))
    for window, count in sorted(used.items())[:windows]:
        print(f"window {window}: {count / limit:.0%} of {limit}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
