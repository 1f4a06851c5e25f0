#!/usr/bin/env python3
"""The figures of penstock.portfolio beside its peers, interleaved in one run, as ratios.

    .venv/bin/python benchmarks/portfolio/run.py            all, a few minutes
    .venv/bin/python benchmarks/portfolio/run.py rolling    those whose name contains the word

The peers are installed into .envs/bench-portfolio, never into the project's environment.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".envs" / "bench-portfolio"
PEERS = ["pandas", "polars", "scikit-learn", "skfolio", "riskfolio-lib"]


def environment() -> Path:
    python = HOME / "bin" / "python"
    if not (HOME / "ready").exists():
        subprocess.check_call([sys.executable, "-m", "venv", str(HOME)])
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        install += ["-c", str(ROOT / "constraints.txt"), "-e", f"{ROOT}[portfolio-fast]"]
        subprocess.check_call([*install, *PEERS])
        (HOME / "ready").touch()
    return python


def main() -> int:
    measure = Path(__file__).with_name("measure.py")
    return subprocess.call([str(environment()), str(measure), *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
