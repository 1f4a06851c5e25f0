"""Programs and books we did not write, of tests/ready.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.ready import CACHE, ready

JAVA = ("java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def books() -> list[Path]:
    """Return Debian's EPUBs: 21 books in ten languages, most of them invalid as they are."""
    ready("Debian's books")
    return sorted((CACHE / "reading-books" / "x").rglob("*.epub"))


def book(part: str) -> Path:
    """Return the one book whose path holds ``part``."""
    return next(path for path in books() if part in str(path))


def epubcheck(paths: list[Path]) -> dict[str, list[str]]:
    """Return what EPUBCheck says of each book: its errors and warnings."""
    ready("JDK")
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
