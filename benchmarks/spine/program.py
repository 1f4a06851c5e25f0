"""`make bench`: chooses parts, runs them one after the other, prints one table."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from spine.crash import crash
from spine.durable import durable
from spine.fetch import fetch
from spine.figures import Figure, header, line
from spine.guards import guards
from spine.latency import latency
from spine.limiter import limiter
from spine.machine import HERE, Bench, Trouble, cores, described
from spine.memory import memory
from spine.servers import server_name
from spine.unhinted import unhinted
from spine.unknown import unknown

__all__ = ["main"]

Part = Callable[[Bench], Iterator[Figure]]

PARTS: dict[str, Part] = {
    "fetch": fetch,
    "durable": durable,
    "latency": latency,
    "memory": memory,
    "unknown": unknown,
    "unhinted": unhinted,
    "crash": crash,
    "limiter": limiter,
    "guards": guards,
}
MINUTES = {"memory"}
_ROOT = HERE.parent.parent


def main(arguments: Sequence[str]) -> int:
    """Return 0 when every part was measured (whatever was reached), 1 when one could not be."""
    asked = _parser().parse_args(arguments)
    chosen = asked.parts or [name for name in PARTS if not (asked.quick and name in MINUTES)]
    out = sys.stderr if asked.json else sys.stdout
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and files go, too
    asked.work.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="bench-", dir=asked.work.resolve()))
    try:
        bench = _bench(asked, work)
        machine = described(bench) | {"server": server_name(bench)}
        print("  ".join(f"{name} {value}" for name, value in machine.items()), file=out)
        results = {name: _measured(name, bench, out) for name in chosen}
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if asked.json:
        print(json.dumps(_as_json(asked, machine, results)))
    missed = [
        f.what.strip() for figures in results.values() for f in figures if f.verdict == "MISSED"
    ]
    print(f"\n{len(missed)} aims missed" + "".join(f"\n  {what}" for what in missed), file=out)
    return int(any(f.value is None for figures in results.values() for f in figures))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks/run", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="small numbers, rough figures")
    parser.add_argument("--no-nginx", action="store_true", help="use the simulator instead")
    parser.add_argument("--json", action="store_true", help="end with one JSON object on stdout")
    # Not /tmp: where that is memory, making data durable would look free.
    parser.add_argument("--work", type=Path, default=_ROOT / ".work", help="where to land")
    return parser


def _bench(asked: argparse.Namespace, work: Path) -> Bench:
    unknown_parts = [name for name in asked.parts if name not in PARTS]
    if unknown_parts:
        sys.exit(f"benchmarks/run: no part {unknown_parts[0]!r}; there are {', '.join(PARTS)}")
    server, client = cores()
    return Bench(
        quick=asked.quick,
        nginx=not asked.no_nginx,
        work=work,
        environments=_ROOT / ".envs",
        server_core=server,
        client_core=client,
    )


def _measured(name: str, bench: Bench, out: TextIO) -> list[Figure]:
    part = PARTS[name]
    print(header(f"{name}: {(part.__doc__ or '').splitlines()[0]}"), file=out, flush=True)
    figures: list[Figure] = []
    try:
        for figure in part(bench):
            figures.append(figure)
            print(line(figure), file=out, flush=True)
    except Trouble as trouble:
        figures.append(Figure(what=name, value=None, note=str(trouble)))
        print(line(figures[-1]), file=out, flush=True)
    return figures


def _as_json(
    asked: argparse.Namespace, machine: dict[str, object], results: dict[str, list[Figure]]
) -> dict[str, object]:
    return {
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "quick": asked.quick,
        "machine": machine,
        "parts": {name: [f.as_json() for f in figures] for name, figures in results.items()},
    }
