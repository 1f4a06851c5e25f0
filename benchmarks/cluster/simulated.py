"""A thousand workers on one budget in virtual time, under the rules that real ones follow.

    python benchmarks/cluster/simulated.py [WORKERS] [LIMIT] [WINDOW]

The place grants one question after the other, 300 a second; each worker asks for twice as many
calls as it used of the last, keeps them for a quarter of a second, and makes 20 calls at once of
0.2 s each. Prints the share of the limit that was used, window by window.
"""

import heapq
import sys

from penstock.cluster import Answered, Holder, Want, begin, step
from penstock.resilience import Hints, Quota, Reset
from penstock.simulator.limiter import FixedWindow

GRANT, LIFE, LEASE, LATENCY, CALLS, MOST = 1 / 300, 0.25, 5.0, 0.2, 20, 1000


class Worker:
    def __init__(self, name) -> None:
        self.want = Want(name, Holder("", LEASE))
        self.kept, self.until, self.used, self.answers = [], 0.0, 0, []


def ask(shared, worker, now):
    unused = [Answered("unused", ticket, now) for ticket in worker.kept]
    count = min(MOST, max(1, 2 * worker.used))
    want = Want(
        worker.want.me,
        worker.want.holder,
        count=count,
        life=LIFE,
        answers=(*worker.answers, *unused),
    )
    shared, granted = step(shared, want, now)
    worker.answers, worker.used, worker.kept = [], 0, list(granted.tickets)
    worker.until = min(now + LIFE, granted.until) if len(worker.kept) > 1 else now + LIFE
    return shared, granted


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


def main(workers=1000, limit=50_000, length=5.0, windows=8):
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
        shared, granted = ask(shared, worker, at)
        later = free if granted.tickets else free + min(granted.wait, 5.0)
        heapq.heappush(queue, (later, number, worker))
    for window, count in sorted(used.items())[:windows]:
        print(f"window {window}: {count / limit:.0%} of {limit}")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:3]), *(float(word) for word in sys.argv[3:]))
