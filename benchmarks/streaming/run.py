#!/usr/bin/env python3
"""Measure streams beside their peers, a core for the server and one for the client.

benchmarks/streaming/run.py                    every part; kills and recut take minutes
benchmarks/streaming/run.py --quick            small numbers: does it run at all?
benchmarks/streaming/run.py identity landing   only these parts
benchmarks/streaming/run.py --json             table to stderr, one JSON object to stdout
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path = [place for place in sys.path if Path(place or ".").resolve() != Path(__file__).parent]

from spine import program
from streaming.laws import curves, kills, recut, storm
from streaming.rules import rules
from streaming.speed import big, gzip, identity, idle, landing, late, websocket

PARTS = {
    "identity": identity,
    "gzip": gzip,
    "latency": late,
    "big": big,
    "landing": landing,
    "websocket": websocket,
    "idle": idle,
    "recut": recut,
    "rules": rules,
    "curves": curves,
    "storm": storm,
    "kills": kills,
}

if __name__ == "__main__":
    program.PARTS.clear()
    program.PARTS.update(PARTS)
    sys.exit(program.main(sys.argv[1:]))
