"""Throughput, latency, one big message, and landing: a client and a server a core each."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from spine.figures import Figure, at_least, at_most
from spine.machine import Bench, Trouble, child, on_core

__all__ = ["big", "gzip", "identity", "idle", "landing", "late", "websocket"]

HERE = Path(__file__).resolve().parent
_LONGEST = 300.0
_SOCKET = "ws://127.0.0.1"


def python(bench: Bench) -> str:
    """Return the Python that has the peers, installing them the first time.

    Raises:
        Trouble: They cannot be installed.
    """
    folder = bench.environments / "bench-streaming"
    program, stamp = folder / "bin" / "python", folder / "made-from"
    wanted = (HERE / "requirements.txt").read_text()
    if not stamp.is_file() or stamp.read_text() != wanted:
        print("  installing the peers", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        pip = [program, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
        done = subprocess.run(
            [*pip, "-r", HERE / "requirements.txt"], check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise Trouble(f"the peers cannot be installed: {done.stderr.strip()[-300:]}")
        stamp.write_text(wanted)
    return str(program)


@contextmanager
def server(bench: Bench, count: int) -> Iterator[int]:
    """Run the server with so many messages; give its port."""
    words = bench.folder("server") / "words"
    program = [sys.executable, str(HERE / "server.py"), str(count)]
    with child(bench.server_core, program, words) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise Trouble(f"the server did not start: {words.read_text()[-300:]}")
        yield int(line)


def client(bench: Bench, program: str, *words: object) -> Mapping[str, object]:
    """Run a client on its core and return what it reports."""
    command = on_core(bench.client_core, [program, *map(str, words)])
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_LONGEST, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Trouble(f"{words[1]} did not end within {_LONGEST:g} s") from error
    if done.returncode:
        raise Trouble(f"{words[1]}: {done.stderr.strip()[-300:]}")
    told: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def ours(bench: Bench, kind: str, url: str, wanted: int) -> Mapping[str, object]:
    folder = bench.folder(kind)
    told = client(bench, sys.executable, HERE / "ours.py", kind, url, wanted, folder)
    shutil.rmtree(folder)
    return told


def ceiling(bench: Bench) -> str:
    """Compile what no client can beat."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise Trouble("no C compiler: apt-get install gcc")
    made = bench.work / "ceiling"
    subprocess.run([compiler, "-O2", "-o", made, HERE / "ceiling.c"], check=True)
    return str(made)


def rates(
    bench: Bench, port: int, count: int, names: list[str], query: str = ""
) -> dict[str, float]:
    """Return the messages a second of each client: the median of rounds, taken in turn."""
    url = f"http://127.0.0.1:{port}/whole?{query}" if query != _SOCKET else f"{query}:{port}/socket"
    how = ["gzip"] if "gzip" in query else []
    found: dict[str, list[float]] = {name: [] for name in names}
    peers = python(bench)
    for _ in range(bench.rounds):
        for name in names:
            kind, _, own = name.partition(":")
            if kind == "penstock":
                told = ours(bench, own, url, count)
            else:
                told = client(bench, peers, HERE / "peers.py", kind, url, count, *how)
            if told["messages"] != count and kind != "post":
                raise Trouble(f"{name} saw {told['messages']} of {count} messages")
            found[name].append(float(str(told["messages"])) / float(str(told["seconds"])))
    return {name: statistics.median(values) for name, values in found.items()}


def identity(bench: Bench) -> Iterator[Figure]:
    """Messages a second, one HTTP chunk a message, not compressed."""
    count = 4_000 if bench.quick else 40_000
    names = ["aiohttp", "requests", "httpx", "tweepy", "post"]
    mine = [f"penstock:{kind}" for kind in ("full", "full-batches", "typed", "raw")]
    with server(bench, count) as port:
        best = []
        for _ in range(bench.rounds):
            words = on_core(bench.client_core, [ceiling(bench), str(port), "/whole"])
            out = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
            if int(out[0]) != count:
                raise Trouble(f"the ceiling saw {out[0]} of {count} messages")
            best.append(count / float(out[1]))
        found = rates(bench, port, count, names + mine)
        lost = client(
            bench,
            python(bench),
            HERE / "peers.py",
            "post",
            f"http://127.0.0.1:{port}/whole?block=65536",
            count,
        )
    top = statistics.median(best)
    yield Figure(what="C ceiling", value=top, unit="/s")
    for name in names + mine:
        yield Figure(what=name, value=found[name], unit="/s", note=f"{found[name] / top:.3f} of C")
    full = found["penstock:full"]
    for peer, bound in (("aiohttp", 1.3), ("requests", 2.2), ("tweepy", 3.0)):
        what = f"full decode over {peer}"
        yield Figure(what=what, value=full / found[peer], unit="x", aim=at_least(bound))
    ratio = found["penstock:typed"] / full
    yield Figure(what="typed over full decode", value=ratio, unit="x", aim=at_least(1.8))
    share = found["penstock:typed"] / top
    yield Figure(
        what="typed partial decode over the C ceiling", value=share, unit="x", aim=at_least(0.4)
    )
    told = float(str(lost["messages"]))
    yield Figure(what="the post's handler, 64 KB blocks: delivered", value=told, note=f"of {count}")


def gzip(bench: Bench) -> Iterator[Figure]:
    """Messages a second, compressed, flushed after each message."""
    count = 2_000 if bench.quick else 20_000
    names = ["aiohttp", "requests", "penstock:full", "penstock:typed"]
    with server(bench, count) as port:
        found = rates(bench, port, count, names, "gzip=1")
    for name in names:
        yield Figure(what=name, value=found[name], unit="/s")
    for peer, bound in (("aiohttp", 1.2), ("requests", 1.7)):
        ratio = found["penstock:full"] / found[peer]
        yield Figure(what=f"full decode over {peer}", value=ratio, unit="x", aim=at_least(bound))


def websocket(bench: Bench) -> Iterator[Figure]:
    """Messages a second over a WebSocket, not compressed."""
    count = 4_000 if bench.quick else 40_000
    names = ["websockets", "penstock:full"]
    with server(bench, count) as port:
        found = rates(bench, port, count, names, _SOCKET)
    for name in names:
        yield Figure(what=name, value=found[name], unit="/s")
    ratio = found["penstock:full"] / found["websockets"]
    yield Figure(what="over websockets", value=ratio, unit="x", aim=at_least(2.0))


def idle(bench: Bench) -> Iterator[Figure]:
    """Streams that say nothing, in one process."""
    count = 500 if bench.quick else 10_000
    with server(bench, 10) as port:
        told = ours(bench, "idle", f"http://127.0.0.1:{port}/idle", count)["late"]
    assert isinstance(told, list)
    note = f"{count} streams"
    yield Figure(what="each", value=told[0] / 1000, unit="KB", aim=at_most(20), note=note)
    yield Figure(what="all", value=told[1] * 100, unit="% of a core", aim=at_most(1), note=note)


def late(bench: Bench) -> Iterator[Figure]:
    """From the server's write to the handler, in milliseconds."""
    with server(bench, 10) as port:
        for rate, many, bound in ((200, 1000, 1.0), (3, 20, 20.0)):
            count = many // 10 if bench.quick else many
            for coding in ("chunked", "close"):
                for packed in ("", "&gzip=1"):
                    query = f"rate={rate}&count={count}&coding={coding}{packed}"
                    url = f"http://127.0.0.1:{port}/paced?{query}"
                    told = ours(bench, "latency", url, count)["late"]
                    yield _tail(f"penstock {query}", told, at_most(bound))
                    for name in ("post", "requests") if rate == 200 or not bench.quick else ():
                        how = ["latency", *(["gzip"] if packed else [])]
                        peer = client(
                            bench, python(bench), HERE / "peers.py", name, url, count, *how
                        )
                        who = "a bare pycurl loop" if name == "post" else name
                        yield _tail(f"{who} {query}", peer["late"], None)


def _tail(what: str, values: object, aim: object) -> Figure:
    assert isinstance(values, list)
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    note = f"p50 {ordered[len(ordered) // 2]:.2f}, {len(ordered)} messages"
    return Figure(what=what, value=p99, unit="ms p99", aim=aim, note=note)  # type: ignore[arg-type]


def big(bench: Bench) -> Iterator[Figure]:
    """One message of many megabytes: twice the size, twice the time."""
    sizes = (8, 16) if bench.quick else (32, 64)
    seconds = []
    with server(bench, 10) as port:
        for size in sizes:
            url = f"http://127.0.0.1:{port}/big?mb={size}"
            tried = [float(str(ours(bench, "raw", url, 1)["cpu"])) for _ in range(bench.rounds)]
            seconds.append(statistics.median(tried))
            yield Figure(what=f"{size} MB", value=seconds[-1], unit="s CPU")
        ratio = seconds[1] / seconds[0]
        yield Figure(what="twice the size", value=ratio, unit="x", aim=at_most(2.2))
        url = f"http://127.0.0.1:{port}/big?mb={1 if bench.quick else 4}"
        peer = client(bench, python(bench), HERE / "peers.py", "requests", url, 1)
        what = f"requests, {1 if bench.quick else 4} MB"
        yield Figure(what=what, value=float(str(peer["cpu"])), unit="s CPU")


def landing(bench: Bench) -> Iterator[Figure]:
    """Durable, each id once: against the same stream without a place to land."""
    count = 4_000 if bench.quick else 40_000
    names = ["penstock:id", "penstock:file", "penstock:land"]
    with server(bench, count) as port:
        found = rates(bench, port, count, names)
    none = found["penstock:id"]
    yield Figure(what="no sink, bytes and their ids", value=none, unit="/s")
    for name, what, bound in (
        ("penstock:file", "plain file, fdatasync a thousand", 0.6),
        ("penstock:land", "LocalStore: cursor, de-duplication, one transaction", 0.7),
    ):
        yield Figure(what=what, value=found[name], unit="/s")
        share = found[name] / none
        yield Figure(
            what="  of the rate without a sink", value=share, unit="x", aim=at_least(bound)
        )
