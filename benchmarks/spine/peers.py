"""The peers, in environments of their own: never the project's."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from spine.machine import HERE, Bench, Trouble

__all__ = ["express", "python", "version"]

_REQUIREMENTS = HERE / "requirements.txt"
_EXPRESS = HERE / "express"


def python(bench: Bench) -> str:
    """Return the Python that has the peers, installing them the first time.

    Raises:
        Trouble: They cannot be installed.
    """
    folder = bench.environments / "bench-spine"
    program = folder / "bin" / "python"
    if _is_new(folder, _REQUIREMENTS):
        print("  installing the peers", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(program), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        _run([*pip, "install", "-r", str(_REQUIREMENTS)], "the peers")
        _mark(folder, _REQUIREMENTS)
    return str(program)


def express(bench: Bench) -> tuple[str, Path]:
    """Return node, and the folder that has the real express-rate-limit, installed by npm.

    Raises:
        Trouble: There is no node or npm, or it cannot be installed.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Trouble("no node and npm on the PATH")
    folder = bench.environments / "bench-express"
    manifest = _EXPRESS / "package.json"
    if _is_new(folder, manifest):
        print("  installing express-rate-limit", file=sys.stderr)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(manifest, folder)
        flags = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        _run([npm, "install", "--prefix", str(folder), *flags], "express-rate-limit")
        _mark(folder, manifest)
    shutil.copy(_EXPRESS / "server.mjs", folder)
    return node, folder


def version(name: str) -> str:
    """Return ``name`` with the version that is pinned."""
    pins = dict(line.split("==") for line in _REQUIREMENTS.read_text().split())
    return f"{name} {pins[name]}"


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Trouble(f"{what} cannot be installed: {done.stderr.strip()[-300:]}")


def _is_new(folder: Path, pins: Path) -> bool:
    mark = folder / "installed"
    return not mark.exists() or mark.read_text() != _digest(pins)


def _mark(folder: Path, pins: Path) -> None:
    (folder / "installed").write_text(_digest(pins))


def _digest(pins: Path) -> str:
    return hashlib.sha256(pins.read_bytes()).hexdigest()
