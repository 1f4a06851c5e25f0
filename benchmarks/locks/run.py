#!/usr/bin/env python3
"""Locks side by side: hand-over, waits, fairness, and whether two ever held at once.

    .venv/bin/python benchmarks/locks/run.py                     all, about 4 minutes
    .venv/bin/python benchmarks/locks/run.py --seconds 1 SQLite  whose names hold a word
    .venv/bin/python benchmarks/locks/run.py --contenders 1,8    others than 1, 8 and 32
    .venv/bin/python benchmarks/locks/run.py --json              one JSON object on the last line

Peers are installed into .envs/bench-locks, their servers (Debian's redis and ZooKeeper, a replica
set of three mongods) run for the time of this program. All contenders are processes on one key with
nothing in between getting and giving back. A hand-over is from the call that gives back to the
return of the next call that got; "to another" counts only those to another process, since an
unfair lock is quick to give itself what others wait for. Ratios are of one run; absolute times are
of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
HOME = ROOT / ".envs" / "bench-locks"
PEERS = ["kazoo", "redis<6", "python-redis-lock", "pottery", "filelock", "fasteners", "diskcache"]


def environment() -> Path:
    python = HOME / "bin" / "python"
    if not (HOME / "ready").exists():
        subprocess.check_call([sys.executable, "-m", "venv", str(HOME)])
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.check_call(
            [*pip, "-c", str(ROOT / "constraints.txt"), "-e", f"{ROOT}[mongo,mongo-server]"]
        )
        subprocess.check_call([*pip, *PEERS])
        (HOME / "ready").touch()
    return python


def run_together(
    kind: str, places: dict[str, str], count: int, seconds: float, *, in_turn: bool = False
) -> dict[str, object]:
    """Let ``count`` processes contend and return what they saw."""
    words = [sys.executable, str(HERE / "contender.py"), kind, json.dumps(places), str(seconds)]
    pipe = subprocess.PIPE
    contenders = [
        subprocess.Popen(
            [*words, *([str(n)] if in_turn else [])], stdin=pipe, stdout=pipe, text=True
        )
        for n in range(count)
    ]
    for one in contenders:
        assert one.stdout is not None
        if one.stdout.readline() != "ready\n":
            raise SystemExit(f"{kind}: a contender failed")
    begin = time.monotonic() + 0.2
    for one in contenders:
        assert one.stdin is not None
        one.stdin.write(f"{begin}\n")
        one.stdin.flush()
    said = [json.loads(one.communicate()[0]) for one in contenders]
    return figures(
        kind, [one["turns"] for one in said], sum(one["unheard"] for one in said), seconds
    )


def figures(
    kind: str, turns: list[list[list[float]]], unheard: int, seconds: float
) -> dict[str, object]:
    merged = sorted(
        ((*turn, who) for who, one in enumerate(turns) for turn in one), key=lambda turn: turn[1]
    )
    alone = "majority" in kind  # no lock: everybody writes for himself
    pairs = [gave - asked for asked, _, _, gave, _ in merged]
    following = [] if alone else list(pairwise(merged))
    handed = [after[1] - before[2] for before, after in following]
    to_another = [after[1] - before[2] for before, after in following if after[4] != before[4]]
    shares = [len(one) for one in turns]
    waits = sorted(got - asked for asked, got, _, _, _ in merged)
    return {
        "kind": kind,
        "contenders": len(turns),
        "per_second": len(merged) / seconds,
        "pair_p50": statistics.median(pairs),
        "handover_p50": statistics.median(handed) if handed else None,
        "another_p50": statistics.median(to_another) if to_another else None,
        "wait_p99": waits[int(0.99 * (len(waits) - 1))],
        "most": max(shares),
        "fewest": min(shares),
        "violations": sum(after[1] < before[2] for before, after in following),
        "unheard": unheard,
    }


def line(found: dict[str, object]) -> str:
    def ms(name: str) -> str:
        value = found[name]
        if value is None:
            return "-"
        return f"{1000 * value:,.3f}" if value < 0.01 else f"{1000 * value:,.1f}"

    return (
        f"{found['kind']:25} {found['contenders']:>3} {found['per_second']:>9,.0f}"
        f" {ms('pair_p50'):>9} {ms('handover_p50'):>9} {ms('another_p50'):>10}"
        f" {ms('wait_p99'):>9} {found['most']:>7,}/{found['fewest']:<6,}"
        f"{found['violations']:>4} {found['unheard']:>4}"
    )


def ratios(results: list[dict[str, object]]) -> list[str]:
    by = {(one["kind"], one["contenders"]): one for one in results}

    def of(kind: str, count: int, name: str) -> float | None:
        found = by.get((kind, count))
        return None if found is None else found[name]

    ours, local, floor = "penstock, MongoDB", "penstock, SQLite", "one majority write"
    said = []

    def ratio(words: str, upper: float | None, lower: float | None, aim: str) -> None:
        if upper and lower:
            said.append(f"{words:66} {upper / lower:8.2f}   (aim {aim})")

    single = of(floor, 1, "pair_p50")
    for count in sorted({one["contenders"] for one in results} - {1}):
        mine, here = of(ours, count, "another_p50"), of(local, count, "another_p50")
        zookeeper = of("ZooKeeper (kazoo)", count, "another_p50")
        ratio(f"{count}: hand-over / ZooKeeper's", mine, zookeeper, "<= 3")
        ratio(f"{count}: hand-over / one majority write", mine, single, "<= 2")
        old = of("original's design", count, "wait_p99")
        wait = of(ours, count, "wait_p99")
        ratio(f"{count}: wait p99, original's design / ours", old, wait, ">= 6 at 32")
        for kind in (ours, local):
            most, fewest = of(kind, count, "most"), of(kind, count, "fewest")
            ratio(f"{count}: most / fewest, {kind}", most, fewest, "<= 1.5")
        here_any = of(local, count, "handover_p50")
        for kind in ("diskcache", "filelock"):
            theirs = of(kind, count, "another_p50")
            ratio(f"{count}: hand-over to another, {kind} / {local}", theirs, here, "> 1")
            theirs = of(kind, count, "handover_p50")
            ratio(f"{count}: hand-over to anybody, {kind} / {local}", theirs, here_any, "> 1")
    return said


def ratios_in_turn(
    in_turn: list[dict[str, object]], results: list[dict[str, object]]
) -> Iterator[str]:
    took = {one["kind"]: one["another_p50"] for one in in_turn}
    took |= {
        one["kind"]: one["pair_p50"]
        for one in results
        if "majority" in one["kind"] and one["contenders"] == 1
    }
    for upper, lower, aim in (
        ("penstock, MongoDB", "ZooKeeper (kazoo)", "<= 3"),
        ("penstock, MongoDB", "one majority write", "<= 2"),
        ("diskcache", "penstock, SQLite", "> 1"),
        ("filelock", "penstock, SQLite", "> 1"),
        ("fasteners", "penstock, SQLite", "> 1"),
    ):
        if took.get(upper) and took.get(lower):
            words = f"in turn: hand-over, {upper} / {lower}"
            yield f"{words:66} {took[upper] / took[lower]:8.2f}   (aim {aim})"


HEAD = ("lock", "n", "locks/s", "pair p50", "hand-over", "to another", "wait p99", "most/few")


def measured(options: argparse.Namespace) -> int:
    from kinds import KINDS
    from servers import places

    kinds = [kind for kind in KINDS if not options.words or any(w in kind for w in options.words)]
    results = []
    head = "{:25} {:>3} {:>9} {:>9} {:>9} {:>10} {:>9} {:>14}".format(*HEAD)
    print(f"{head}both unheard   (times in ms)", flush=True)
    with places(kinds) as found:
        for count in options.contenders:
            for kind in kinds:
                results.append(run_together(kind, found, count, options.seconds))
                print(line(results[-1]), flush=True)
        print("two that take turns: one waits, the other releases and stays away")
        in_turn = [
            run_together(kind, found, 2, 4 * options.seconds, in_turn=True)
            for kind in kinds
            if "majority" not in kind
        ]
        for one in in_turn:
            print(
                f"{one['kind']:25}     hand-over p50 {1000 * one['another_p50']:9.3f} ms",
                flush=True,
            )
        inside = list(in_one_process(kinds, found, options.seconds, results))
    for words in [*ratios(results), *ratios_in_turn(in_turn, results)]:
        print(words)
    if options.json:
        print(
            json.dumps(
                {"results": results, "in_turn": in_turn, "inside": inside, "cores": os.cpu_count()}
            )
        )
    return 0


def in_one_process(
    kinds: list[str],
    found: dict[str, str],
    seconds: float,
    results: list[dict[str, object]],
) -> Iterator[dict[str, object]]:
    from kinds import in_process

    write = next((r["pair_p50"] for r in results if r["kind"] == "one majority write"), None)
    rooms = {
        "penstock, MongoDB": found.get("mongo", ""),
        "penstock, SQLite": f"{found['folder']}/penstock",
    }
    for kind in [kind for kind in rooms if kind in kinds]:
        rate = in_process(rooms[kind], seconds)
        print(f"in one process, 32 threads, {kind}: {rate:,.0f} hand-overs/s", end="")
        in_a_write = f", {rate * write:,.0f} in the time of a majority write" if write else ""
        print(in_a_write + (" (aim >= 100)" if write else ""))
        yield {"kind": kind, "per_second": rate}
        few, many = (in_process(rooms[kind], 4 * seconds, n, 1) for n in (8, 500))
        print(
            f"8 waiters, {kind}: {few:,.0f} hand-overs/s; 500: {many:,.0f}, "
            f"fewer by {few / many:.2f} (aim <= 3)"
        )
        yield {"kind": kind, "per_second_of_8": few, "per_second_of_500": many}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", help="only kinds whose name holds one of these")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument(
        "--contenders", default=[1, 8, 32], type=lambda t: [int(n) for n in t.split(",")]
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    python = environment()
    if Path(sys.prefix) != HOME:
        return subprocess.call([str(python), __file__, *sys.argv[1:]])
    return measured(options)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are stopped on the way out
    sys.exit(main())
