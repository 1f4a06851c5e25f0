"""One process that locks as often as it can for some seconds, and tells each time it did.

    python contender.py KIND PLACES SECONDS

It says "ready", waits for a line with the moment to begin at, and writes asked, got, giving, gave
of each turn as JSON when it is over. The clock is the machine's, the same for all.
"""

from __future__ import annotations

import json
import sys
import time

from kinds import KINDS, TALLIES


def main(kind: str, places: str, seconds: str) -> None:
    acquire, release = KINDS[kind](json.loads(places))
    acquire()  # once before, so that connections stand
    release()
    print("ready", flush=True)
    begin = float(sys.stdin.readline())
    turns = []
    now = time.monotonic
    time.sleep(max(0.0, begin - now()))
    ends = begin + float(seconds)
    while (asked := now()) < ends:
        acquire()
        got = now()
        giving = now()
        release()
        turns.append((asked, got, giving, now()))
    unheard = sum(tally() for tally in TALLIES)
    print(json.dumps({"turns": turns, "unheard": unheard}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
