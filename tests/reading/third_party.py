"""Programs and books we did not write: fetched where root and apt-get allow, kept in ``.cache``."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[2] / ".cache" / "reading-books"
PACKAGES = (
    "live-manual-epub",
    "debmake-doc",
    "ubuntu-packaging-guide-epub",
    "developers-reference",
    "developers-reference-de",
    "developers-reference-fr",
    "developers-reference-ja",
)
JAVA = ("java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def missing(what: str) -> None:
    """With CI=true a missing third party is a failure; elsewhere the test is skipped by name."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing and could not be installed")
    pytest.skip(f"{what} is missing")


def locked(action: list[str], cwd: Path) -> bool:
    """Run a package command, one at a time over all test processes; return whether it worked."""
    cwd.mkdir(parents=True, exist_ok=True)
    with (CACHE.parent / "apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return subprocess.run(action, cwd=cwd, check=False, capture_output=True).returncode == 0


def program(name: str, *packages: str) -> str:
    """Return where a program is, installing it if need be."""
    found = shutil.which(name)
    if not found and os.geteuid() == 0 and shutil.which("apt-get"):
        locked(["apt-get", "-qq", "update"], CACHE)
        locked(["apt-get", "-qqy", "install", "--no-install-recommends", *packages], CACHE)
        found = shutil.which(name)
    if not found:
        missing(name)
    return str(found)


def fonts(*names: str) -> None:
    """Make sure that fonts of these families are there."""
    listed = subprocess.run(
        [program("fc-list", "fontconfig"), ":", "family"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if any(name not in listed for name in names):
        packages = ["fonts-dejavu", "fonts-liberation", "fonts-noto-cjk"]
        locked(["apt-get", "-qqy", "install", "--no-install-recommends", *packages], CACHE)
        listed = subprocess.run(
            ["fc-list", ":", "family"], capture_output=True, text=True, check=True
        ).stdout
        if any(name not in listed for name in names):
            missing(f"fonts {names}")


def books() -> list[Path]:
    """Return Debian's EPUBs: 21 books in ten languages, most of them invalid as they are."""
    if not (CACHE / "done").exists():
        if not shutil.which("apt-get"):
            missing("apt-get, for real books")
        if not all(locked(["apt-get", "-qq", "download", name], CACHE) for name in PACKAGES):
            locked(["apt-get", "-qq", "update"], CACHE)
        for name in PACKAGES:
            locked(["apt-get", "-qq", "download", name], CACHE)
        packages = sorted(CACHE.glob("*.deb"))
        if len(packages) < len(PACKAGES):
            missing("Debian's books")
        for package in packages:
            locked(["dpkg", "-x", package.name, "x"], CACHE)
        (CACHE / "done").touch()
    return sorted((CACHE / "x").rglob("*.epub"))


def book(part: str) -> Path:
    """Return the one book whose path holds ``part``."""
    return next(path for path in books() if part in str(path))


def epubcheck(paths: list[Path]) -> dict[str, list[str]]:
    """Return what EPUBCheck says of each book: its errors and warnings."""
    program("javac", "default-jdk-headless")
    home = next(Path(p) / "epubcheck" for p in sys.path if (Path(p) / "epubcheck").is_dir())
    classes = f"{home / 'epubcheck.jar'}:{home / 'lib'}/*"
    source = Path(__file__).with_name("Validate.java")
    done = subprocess.run(
        [*JAVA, "-cp", classes, str(source), *map(str, paths)],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, list[str]] = {}
    messages: list[str] = []
    for line in done.stdout.splitlines():
        if line.startswith("  "):
            messages.append(line.strip())
        elif "\t" in line:
            found[line.split("\t")[0]] = messages
            messages = []
    assert set(found) == set(map(str, paths)), done.stderr
    return found
