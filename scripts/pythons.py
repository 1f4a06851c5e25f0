#!/usr/bin/env python3
"""The Pythons from 3.11 to 3.14 that are here, and the tests of rules on each: `make pythons`.

Each gets an environment of its own with a wheel built for it and what the tests of its rooms need.
A version that is not here is said, and is a failure only where CI_PYTHONS names it.

    scripts/pythons.py           run the tests
    scripts/pythons.py --list    only say which are here
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
ROOMS = ("resilience", "pipeline", "javadata", "streaming", "http")
TOOLS = ["h2", "hypothesis", "pytest", "pytest-randomly", "pytest-timeout", "sybil"]


def pythons() -> dict[str, str]:
    """Where each version is: on the PATH, or where pyenv and uv keep theirs."""
    kept = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"]
    kept.append(Path.home() / ".local" / "share" / "uv" / "python")
    found: dict[str, str] = {}
    for version in VERSIONS:
        named = [shutil.which(f"python{version}"), str(Path(sys.executable).resolve())]
        named += [str(p) for k in kept for p in sorted(k.glob(f"*/bin/python{version}"))]
        for python in filter(None, named):
            if version_of(python) == version:
                found[version] = python
                break
    return found


def version_of(python: str) -> str | None:
    """The version a program has that can make environments, None where it cannot."""
    asked = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def tested(version: str, python: str) -> int:
    """Install a wheel made by that Python, run the tests of rules, and return pytest's code."""
    folder = ROOT / ".envs" / f"python-{version}"
    if not (folder / "bin" / "python").exists():
        subprocess.check_call([python, "-m", "venv", folder])
    own = folder / "bin" / "python"
    pip = [own, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    subprocess.check_call([*pip, f"{ROOT}[javadata,jwt,oauth1,streaming]", *TOOLS])
    subprocess.check_call([*pip, "--no-deps", "--force-reinstall", ROOT])
    rooms = [f"tests/{room}" for room in ROOMS]
    # Servers and other programs are met once, by `make test`; here it is the language that differs.
    select = ["-q", "-m", "not server and not slow", "-p", "no:cacheprovider"]
    return subprocess.call([own, "-m", "pytest", *select, *rooms], cwd=ROOT)


def main(arguments: list[str]) -> int:
    here, codes = pythons(), {}
    for version in VERSIONS:
        if version in here and "--list" not in arguments:
            codes[version] = tested(version, here[version])
    wanted = os.environ.get("CI_PYTHONS", "").split()
    for version in VERSIONS:
        told = here.get(version, "not here")
        if version in codes:
            told += ": passed" if codes[version] == 0 else f": pytest ended with {codes[version]}"
        print(f"Python {version}: {told}")
    return max(codes.values(), default=0) or int(any(v not in here for v in wanted))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
