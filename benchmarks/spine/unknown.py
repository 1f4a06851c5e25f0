"""A limit that penstock is not told beforehand, in every dialect servers speak."""

from __future__ import annotations

import contextlib
import json
import math
import urllib.request
from collections.abc import Callable, Iterator

from penstock.simulator import WindowTruth
from spine import peers
from spine.figures import Figure, at_most
from spine.machine import Bench, Trouble, child, run_client
from spine.simulated import simulate

__all__ = ["unknown"]

_DIALECTS = ("draft-8", "draft-7", "draft-6", "legacy")
_CONCURRENCY = 32

Windows = list[WindowTruth]


def unknown(bench: Bench) -> Iterator[Figure]:
    """1,200 items against 500 per 5 s: the third window opens at 10 s, so 10 s is ideal."""
    limit, window, items = (100, 2, 240) if bench.quick else (500, 5, 1_200)
    ideal = window * (math.ceil(items / limit) - 1)
    for dialect in (*_DIALECTS, "retry-after"):
        settings = {"users": items, "limit": limit, "window": window, "dialect": dialect}
        with simulate(bench, **settings) as simulated:
            yield from _figures(
                bench, f"simulator {dialect}", items, ideal, simulated.url, simulated.windows
            )
    try:
        node, folder = peers.express(bench)
    except Trouble as trouble:
        yield Figure(what="unknown limit, express-rate-limit", value=None, note=str(trouble))
        return
    for dialect in _DIALECTS:
        program = [node, str(folder / "server.mjs"), dialect, str(limit), str(window * 1000)]
        with _express(bench, program) as url:
            yield from _figures(
                bench, f"express-rate-limit {dialect}", items, ideal, url, lambda: _truth(url)
            )


def _figures(
    bench: Bench, name: str, items: int, ideal: float, url: str, windows: Callable[[], Windows]
) -> Iterator[Figure]:
    store = bench.folder("landed")
    report = run_client(bench, "penstock_harvest.py", url, items, _CONCURRENCY, store)
    first, *later = windows()
    counted = " ".join(_shown(window, first["start"]) for window in (first, *later))
    yield Figure(
        what=f"unknown limit, {name}: time over ideal",
        value=report["seconds"] / ideal,
        unit="x",
        aim=at_most(1.03),
        note=f"{report['seconds']:.2f} s, ideal {ideal:g}; windows: {counted}",
    )
    yield Figure(
        what="  429s after the first window, by the server's count",
        value=sum(window["rejected"] for window in later),
        aim=at_most(0),
        note=f"{first['rejected']} in the first",
    )


def _shown(window: WindowTruth, first: float) -> str:
    """Return what a window let pass and refused, and when it began."""
    return f"{window['accepted']}+{window['rejected']}@{window['start'] - first:.2f}s"


@contextlib.contextmanager
def _express(bench: Bench, program: list[str]) -> Iterator[str]:
    folder = bench.folder("express")
    with child(bench.server_core, program, folder / "words") as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise Trouble(f"express did not start: {(folder / 'words').read_text()[-300:]}")
        yield f"http://127.0.0.1:{port}"


def _truth(url: str) -> Windows:
    with urllib.request.urlopen(url + "/_truth", timeout=30) as answer:
        told: Windows = json.load(answer)
    return told
