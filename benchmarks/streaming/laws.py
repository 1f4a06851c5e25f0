"""What must hold always: framings however bytes are cut, the curves, storms, kill -9."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from penstock.simulator import Simulator, SimulatorSettings, simulator_process
from penstock.simulator.streams.framing import FRAMINGS
from penstock.simulator.streams.settings import Framing
from penstock.simulator.streams.shapes import message
from penstock.store import open_readonly
from penstock.streaming import Backoff, Ending, ReconnectPolicy, framing
from spine.figures import Figure, at_most
from spine.machine import Bench

__all__ = ["curves", "kills", "recut", "storm"]

PENSTOCK = [sys.executable, "-m", "penstock.cli.main"]
FRAMERS: dict[Framing, Callable[[], framing.Framer]] = {
    "crlf": framing.crlf,
    "lf": framing.lf,
    "length": framing.length,
    "sse": framing.sse,
    "json-seq": framing.json_seq,
    "concatenated": framing.concatenated,
    "chunk": framing.chunk,
}


def _wire(name: Framing, rng: random.Random) -> tuple[bytes, list[bytes]]:
    """Return the bytes of a few messages with heartbeats between them, and the messages."""
    put, beat = FRAMINGS[name].put, FRAMINGS[name].beat
    parts: list[bytes] = []
    wanted: list[bytes] = []
    for _ in range(rng.randint(1, 6)):
        number = rng.randint(1, 10_000)
        text = message("tweets", 1, number)
        if name in {"lf", "chunk"}:
            text = text.replace(b"\n", b" ")
        wanted.append(text)
        framed = put(text, "", str(number))
        parts.append(b"%x\r\n%b\r\n" % (len(framed), framed) if name == "chunk" else framed)
        if rng.random() < 0.4 and name != "chunk":
            parts.append(beat)
    return b"".join(parts), wanted


def _cut(data: bytes, rng: random.Random) -> list[bytes]:
    if rng.random() < 0.02:
        return [data[at : at + 1] for at in range(len(data))]
    places = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randint(0, 12)))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def recut(bench: Bench) -> Iterator[Figure]:
    """Random re-chunkings: the same bytes cut anywhere give the same messages."""
    count = 1_000 if bench.quick else 100_000
    for name, make in FRAMERS.items():
        rng = random.Random(f"{name} 1")
        wrong = 0
        for number in range(count):
            if number % 20 == 0:
                data, wanted = _wire(name, rng)
            framer = make()
            found = [m for part in _cut(data, rng) for m in framer.feed(part)]
            found += framer.feed(b"\x1e") if name == "json-seq" else []
            bodies = [getattr(one, "data", one).rstrip(b"\n") for one in found]
            wrong += bodies != wanted
        yield Figure(what=f"{name}: wrong of {count:,}", value=wrong, aim=at_most(0))


def curves(_bench: Bench) -> Iterator[Figure]:
    """Thirty failures in virtual time against the documented curves, to the millisecond."""
    documented: dict[str, tuple[Ending, Callable[[int], float]]] = {
        "network": (Ending.UNREACHABLE, lambda n: min(0.25 * n, 16.0)),
        "HTTP": (Ending.STATUS, lambda n: min(5.0 * 2 ** (n - 1), 320.0)),
        "420 and 429": (Ending.LIMITED, lambda n: 60.0 * 2 ** (n - 1)),
    }
    for name, (ending, wait) in documented.items():
        policy, state, now, worst = ReconnectPolicy(windows=()), Backoff(), 0.0, 0.0
        for failure in range(1, 31):
            waited, state = policy.after(state, ending, now=now)
            worst = max(worst, abs(waited - wait(failure)))
            now += waited
        yield Figure(
            what=f"{name}: furthest from it", value=worst * 1000, unit="ms", aim=at_most(1)
        )


def _described(folder: Path, url: str, preset: str) -> Path:
    file = folder / "s.toml"
    told = ["[stream]", f'url = "{url}"', f'preset = "{preset}"', "[store]", 'path = "store"']
    file.write_text("\n".join(told))
    return file


def storm(bench: Bench) -> Iterator[Figure]:
    """A server that ends every connection at once, for three seconds."""
    for kind in ("close", "reset"):
        with simulator_process(SimulatorSettings()) as server:
            path = f"/stream/crlf;messages=9;ends={kind}@0"
            file = _described(bench.folder(kind), server.url + path, "twitter")
            words = [*PENSTOCK, "run", str(file), "--for", "3s", "--quiet"]
            subprocess.run(words, capture_output=True, check=True)
            connects = server.truth()["streams"][path]["connects"]
        yield Figure(what=f"{kind} at once: connects", value=connects, aim=at_most(4))


def kills(bench: Bench) -> Iterator[Figure]:
    """kill -9 of penstock run at random moments: nothing lost, no id twice."""
    times, messages = (5, 3_000) if bench.quick else (200, 60_000)
    rng = random.Random(1)
    path = f"/stream/sse;messages={messages};rate=2000;overlap=9;ends=random@{messages // 10}"
    folder = bench.folder("kills")
    backwards = killed = 0
    with Simulator() as server:
        file = _described(folder, server.url + path, "sse")
        before = 0
        for _ in range(times):
            command = [*PENSTOCK, "run", str(file), "--quiet"]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            try:
                process.wait(rng.uniform(0.2, 2.0))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                killed += 1
            if (folder / "store" / "ledger.sqlite").exists():
                with open_readonly(folder / "store") as store:
                    landed = store.status().landed
                backwards += landed < before
                before = landed
        left = messages - before
        if left:
            words = [*PENSTOCK, "run", str(file), "--max-messages", str(left), "--json"]
            out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
            assert json.loads(out)["landed"] == messages, out
        truth = server.truth(ids=True)["streams"][path]
    with open_readonly(folder / "store") as store:
        keys = [str(record.key) for record in store.records()]
        gaps = store.status().gaps
    lost = len(set(truth["numbers"]) - set(keys))
    yield Figure(what="processes killed", value=killed, note=f"{messages:,} messages")
    yield Figure(what="lost", value=lost + backwards, aim=at_most(0), note=f"{gaps} gaps")
    yield Figure(what="ids twice", value=len(keys) - len(set(keys)), aim=at_most(0))
