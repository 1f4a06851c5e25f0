#!/usr/bin/env python3
"""What is exported to where people work, beside dlt's load of the same lines; and what grows.

python benchmarks/destinations/run.py [RECORDS] [FOLDER] [increment]

With ``increment`` only the last part, without a peer: 1,000 rows more, where so many are there.

Each record is 1 KB: numbers, texts, a time, a date, a flag. A program's time is wall time and its
CPU that of all its threads and children; memory is the peak of the largest of its processes.
PostgreSQL is a server of the benchmark's own, with fsync on. The peer's environment is
.envs/bench-destinations, made when it is missing.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.json

from penstock.pipeline import LandedRecord
from penstock.store import LocalStore, open_readonly, read_arrow

HERE = Path(__file__).resolve().parent
PEER = HERE.parents[1] / ".envs" / "bench-destinations"
GROUP = 10_000


@dataclass(frozen=True)
class Cost:
    """What one program took: seconds, seconds of CPU, bytes of memory."""

    wall: float
    cpu: float
    memory: int


def cost(words: Sequence[str | Path], *, name: str) -> Cost:
    """Run a program to its end.

    Raises:
        SystemExit: It failed.
    """
    start = time.monotonic()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    complaint = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{name}: {complaint[-500:]}")
    wall = time.monotonic() - start
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def body(key: int) -> bytes:
    record = {
        "id": key,
        "name": f"user {key}",
        "email": f"user.{key}@example.org",
        "created_at": f"2024-{key % 12 + 1:02}-{key % 28 + 1:02}T08:{key % 60:02}:00Z",
        "born": f"19{key % 90 + 10}-03-0{key % 9 + 1}",
        "active": key % 3 > 0,
        "score": key / 7,
        "visits": key * 31 % 1000,
        "about": f"{key} " + "Water runs downhill and under bridges. " * 20,
    }
    return json.dumps(record).encode()


def land(store: Path, keys: range) -> None:
    with LocalStore(store) as local:
        for start in range(keys.start, keys.stop, GROUP):
            some = range(start, min(start + GROUP, keys.stop))
            local.settle([LandedRecord(key, body(key)) for key in some], lambda _: None)


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Give the address of a server that is there as long as this lasts."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
    user = "postgres" if os.getuid() == 0 else None
    folder.mkdir()
    if user:
        shutil.chown(folder, user)
    data = str(folder / "data")

    def run(*words: str | Path) -> None:
        quiet = subprocess.DEVNULL
        subprocess.run(words, check=True, stdout=quiet, cwd=folder, user=user)

    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    run(programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust")
    options = f"-c port={port} -c unix_socket_directories={folder}"
    control = (programs / "pg_ctl", "-D", data, "-w")
    run(*control, "-o", options, "-l", folder / "log", "start")
    try:
        yield f"postgresql://postgres:any@127.0.0.1:{port}/postgres"
    finally:
        run(*control, "-m", "immediate", "stop")


def peer() -> Path:
    """Return the Python that has the peer, installing it the first time."""
    program = PEER / "bin" / "python"
    wanted = (HERE / "requirements.txt").read_text()
    if not (PEER / "made-from").is_file() or (PEER / "made-from").read_text() != wanted:
        venv.create(PEER, with_pip=True, clear=True)
        install = [program, "-m", "pip", "-q", "install", "-r", HERE / "requirements.txt"]
        subprocess.run(install, check=True)
        (PEER / "made-from").write_text(wanted)
    return program


def shown(what: str, ours: Cost, theirs: Cost) -> None:
    print(
        f"{what:<12} {ours.wall:7.2f} s {ours.cpu:7.2f} s CPU {ours.memory / 1e6:6.0f} MB   "
        f"dlt {theirs.wall:7.2f} s {theirs.cpu:7.2f} s CPU {theirs.memory / 1e6:6.0f} MB   "
        f"{theirs.wall / ours.wall:5.1f} times as fast, {theirs.cpu / ours.cpu:.1f} by CPU",
        flush=True,
    )


def loads(work: Path, store: Path, lines: Path, database: str) -> None:
    export = [sys.executable, "-m", "penstock", "export", store, "--table", "users"]
    for kind, ours, theirs in (
        ("parquet", f"parquet://{work}/ours", f"{work}/theirs"),
        ("duckdb", f"duckdb://{work}/ours.duckdb", f"{work}/theirs.duckdb"),
        ("postgres", database, database),
    ):
        words = [peer(), HERE / "peer.py", lines, kind, theirs, work / f"dlt-{kind}"]
        mine = cost([*export, "--to", ours], name="penstock")
        shown(kind, mine, cost(words, name="dlt"))


def reading(store: Path, lines: Path) -> None:
    start = time.monotonic()
    rows = pyarrow.json.read_json(lines).num_rows
    theirs = time.monotonic() - start
    with open_readonly(store) as reader:
        start = time.monotonic()
        assert read_arrow(reader).read_all().num_rows == rows
        ours = time.monotonic() - start
    print(f"to_arrow {ours:.2f} s, pyarrow's JSON reader {theirs:.2f} s: {theirs / ours:.2f} times")


def increment(work: Path, store: Path, records: int) -> None:
    land(store, range(records, records + 1_000))
    for kind in ("duckdb", "parquet"):
        place = f"{kind}://{work}/ours" + (".duckdb" if kind == "duckdb" else "")
        words = [sys.executable, "-m", "penstock", "export", store, "--table", "users"]
        found = cost([*words, "--to", place], name="penstock")
        print(f"1,000 rows more on {records:,}, {kind}: {found.cpu:.2f} s CPU, {found.wall:.2f} s")


def growth(records: int, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as made:
        work = Path(made)
        store = work / "store"
        land(store, range(records))
        for place in (f"duckdb://{work}/ours.duckdb", f"parquet://{work}/ours"):
            words = [sys.executable, "-m", "penstock", "export", store, "--table", "users"]
            first = cost([*words, "--to", place], name="penstock")
            print(f"{records:,} records: {first.cpu:.0f} s CPU, {first.memory / 1e6:.0f} MB")
        increment(work, store, records)


def main(records: int, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as made:
        work = Path(made)
        work.chmod(0o755)  # the server is another user's
        store, lines = work / "store", work / "lines" / "users.jsonl"
        land(store, range(records))
        lines.parent.mkdir()
        words = ["export", store, "--to", "jsonl", "-o", lines]
        cost([sys.executable, "-m", "penstock", *words], name="penstock")
        print(f"{records:,} records, {lines.stat().st_size / records:,.0f} bytes a line")
        with postgres(work / "pg") as database:
            loads(work, store, lines, database)
        reading(store, lines)
        increment(work, store, records)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"this program held {peak:.0f} MB, whole tables among them")


if __name__ == "__main__":
    here = Path(sys.argv[2]) if len(sys.argv) > 2 else HERE.parents[1] / ".work"
    here.mkdir(exist_ok=True)
    run = growth if sys.argv[3:] == ["increment"] else main
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, here)
