"""javadata beside the JVM, construct and the design of 2014, in one run: rates and ratios.

    python benchmarks/javadata/run.py [--ints 50000000] [--doubles 20000000] [--records 5000000]

Rates are millions a second of processor time of the working thread, so that other work on the
machine weighs on all sides alike. The JVM is buffered with 64 KiB and warm. Files are in the page
cache. Needs a JDK; construct goes into .envs/bench-javadata.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
JAVA = ["java", "-Xmx3g", "-XX:+UseSerialGC", "-cp"]

# what, ours, theirs, aim
RATIOS = [
    ("ints into an array there is / memcpy into it", "ints.into", "ints.memcpy", 0.95),
    ("doubles into an array there is / memcpy into it", "doubles.into", "doubles.memcpy", 0.95),
    ("ints to a new array / a bare copy to one", "ints.array", "ints.copy", 1),
    ("doubles to a new array / a bare copy to one", "doubles.array", "doubles.copy", 1),
    ("schema.read, native / method calls", "one.native", "fields.native", 1),
    ("schema.read, pure / method calls", "one.pure", "fields.pure", None),
    ("ints to NumPy / DataInputStream", "ints.array", "ints.stream", 20),
    ("ints to NumPy / NIO map", "ints.array", "ints.map", 1.2),
    # The JVM fills an array it has; read_array also makes one, whose pages the kernel must clear.
    ("ints into an array there is / DataInputStream", "ints.into", "ints.stream", 20),
    ("ints into an array there is / NIO map", "ints.into", "ints.map", 1.2),
    ("doubles to NumPy / DataInputStream", "doubles.array", "doubles.stream", 20),
    ("doubles to NumPy / NIO map", "doubles.array", "doubles.map", 1.2),
    ("doubles into an array there is / DataInputStream", "doubles.into", "doubles.stream", 20),
    ("doubles into an array there is / NIO map", "doubles.into", "doubles.map", 1.2),
    ("records to Arrow, native / DataInputStream", "arrow.native", "records.stream", 2.5),
    ("records to Arrow, pure / DataInputStream", "arrow.pure", "records.stream", 0.3),
    ("records to objects, native / DataInputStream", "rows.native", "records.stream", 0.5),
    ("records to objects, pure / per-field reader", "rows.pure", "fields.pure", 2),
    ("writing records, native / DataOutputStream", "write.native", "records.write", 1),
    ("writing records, pure / DataOutputStream", "write.pure", "records.write", None),
    ("records to objects, native / construct", "rows.native", "construct", 20),
    ("records to objects, native / construct compiled", "rows.native", "construct.compiled", None),
    ("records to objects, native / the original's design", "rows.native", "original", 5),
    ("records to objects, pure / construct", "rows.pure", "construct", None),
    ("records to Arrow, native / construct", "arrow.native", "construct", 20),
    ("records to Arrow, native / the original's design", "arrow.native", "original", 5),
]


def peers_python() -> Path:
    """Return the Python of an environment with the peers."""
    python = ROOT / ".envs" / "bench-javadata" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run([*pip, "construct==2.10.70", "numpy==1.26.4"], check=True)
    return python


def rates(command: list[object], **environment: str) -> dict[str, float]:
    """Run one side; return what it prints."""
    done = subprocess.run(
        [str(word) for word in command],
        check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment},
    )  # fmt: skip
    found = {}
    for line in done.stdout.splitlines():
        name, rate = line.split()
        found[name] = float(rate)
        print(f"  {name:20} {float(rate):10.3f}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ints", type=int, default=50_000_000)
    parser.add_argument("--doubles", type=int, default=20_000_000)
    parser.add_argument("--records", type=int, default=5_000_000)
    asked = parser.parse_args()
    python = peers_python()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        subprocess.run(["javac", "-d", directory, HERE / "Streams.java"], check=True)
        java = [*JAVA, directory, "Streams"]
        sizes = [asked.ints, asked.doubles, asked.records]
        subprocess.run([str(word) for word in [*java, "make", directory, *sizes]], check=True)
        print("millions a second of processor time:")
        found = rates([*java, "run", directory, asked.records])
        ours = [sys.executable, HERE / "ours.py", directory]
        found |= rates([*ours, "native", asked.records])
        found |= rates([*ours, "pure", asked.records], PENSTOCK_PURE="1")
        found |= rates([python, HERE / "peers.py", directory])
    print("ratios:")
    for what, mine, theirs, aim in RATIOS:
        goal = "" if aim is None else f"aim {aim}"
        print(f"  {what:52} {found[mine] / found[theirs]:8.2f}   {goal}")


if __name__ == "__main__":
    main()
