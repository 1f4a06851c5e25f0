"""One process that locks as often as it can for some seconds, and tells each time it did.

    python contender.py KIND PLACES SECONDS [WHICH]

With WHICH, 0 or 1, two of them take turns by the clock: each asks while the other holds, and does
not come back for a while when it has released.

It says "ready", waits for a line with the moment to begin at, and writes asked, got, giving, gave
of each turn as JSON when it is over. The clock is the machine's, the same for all.
"""

from __future__ import annotations

import json
import random
import sys
import time

from kinds import KINDS, TALLIES

PERIOD = 0.12  # seconds a turn by the clock: longer than any of them sleeps between looks


def main(kind: str, places: str, seconds: str, which: str = "") -> None:
    acquire, release = KINDS[kind](json.loads(places))
    acquire()  # once before, so that connections stand
    release()
    print("ready", flush=True)
    begin = float(sys.stdin.readline())
    turns = []
    now = time.monotonic
    time.sleep(max(0.0, begin - now()))
    ends = begin + float(seconds)
    until = begin + PERIOD * (int(which) if which else 0)
    while (asked := now()) < ends:
        if which:  # ours is the time from here on; the other one has it still
            time.sleep(max(0.0, until - PERIOD * random.uniform(0.2, 0.5) - now()))
            asked = now()
        acquire()
        got = now()
        if which:
            time.sleep(max(0.0, until + PERIOD - now()))
            until += 2 * PERIOD
        giving = now()
        release()
        turns.append((asked, got, giving, now()))
    unheard = sum(tally() for tally in TALLIES)
    print(json.dumps({"turns": turns, "unheard": unheard}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
