"""Speed, memory, size and quality of an edition beside the peers, on one book in one run.

    python benchmarks/reading/run.py [BOOK.epub]

Peers: the pattern of the public converters (EbookLib and BeautifulSoup, a guide a word) in an
environment of its own, and calibre's ebook-convert where it is on the PATH. Without BOOK the
largest of Debian's books is taken.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
ENVIRONMENT = ROOT / ".envs" / "bench-reading"
PEER = """
import sys, time, re
import ebooklib
from bs4 import BeautifulSoup, NavigableString
from ebooklib import epub
begun = time.process_time()
book = epub.read_epub(sys.argv[1])
for item in book.get_items_of_type(ebooklib.ITEM_DOCUMENT):
    soup = BeautifulSoup(item.get_content(), "lxml")
    for text in soup.find_all(string=True):
        if text.parent.name in ("style", "script", "title"):
            continue
        nodes = []
        for part in re.split(r"(\\s+)", text):
            half = (len(part) + 1) // 2
            if part.strip():
                bold = soup.new_tag("b")
                bold.string = part[:half]
                nodes += [bold, NavigableString(part[half:])]
            else:
                nodes.append(NavigableString(part))
        for node in nodes:
            text.insert_before(node)
        text.extract()
    item.set_content(str(soup).encode())
epub.write_epub(sys.argv[2], book)
print(time.process_time() - begun)
"""


def peer_python() -> Path:
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
        packages = ["EbookLib", "beautifulsoup4", "lxml", "setuptools"]
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    return python


def words_in(book: Path) -> int:
    count = 0
    with zipfile.ZipFile(book) as archive:
        for name in archive.namelist():
            if name.endswith((".xhtml", ".html")):
                text = re.sub(r"(?s)<head.*?</head>|<[^>]*>", " ", archive.read(name).decode())
                count += len(text.split())
    return count


def ours(book: Path) -> tuple[float, bytes, object]:
    from penstock.reading import Look, make_edition

    data, best, made, report = book.read_bytes(), float("inf"), io.BytesIO(), None
    for _ in range(3):
        made = io.BytesIO()
        begun = time.process_time()
        report = make_edition(data, made, Look())
        best = min(best, time.process_time() - begun)
    return best, made.getvalue(), report


def timed(command: list[str]) -> tuple[float, float]:
    """Return the seconds of processor time and the peak memory in MB of a command."""
    done = subprocess.run(
        [sys.executable, "-c", WATCH, *command], capture_output=True, text=True, check=True
    )
    seconds, peak = done.stdout.split()
    return float(seconds), float(peak) / 1024


# In a small process of its own: a child's peak begins with what its parent held when it forked.
WATCH = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def quality(book: Path) -> dict[str, float]:
    """Return lines and torn phrases beside greedy lines, and how far guides are from the axis."""
    from penstock.reading import Look
    from penstock.reading.archive import Archive
    from penstock.reading.blocks import book_blocks
    from penstock.reading.lines import Count
    from penstock.reading.texts import block_lines
    from penstock.reading.words import function_words

    blocks = [b for b in book_blocks(Archive(book.read_bytes(), "book")) if b.kind == "text"]
    found: dict[str, float] = {}
    for name, phrases in (("greedy", False), ("phrases", True)):
        lines = torn = 0
        offsets: list[float] = []
        for block in blocks:
            made = block_lines(block, Look(phrases=phrases), Count())
            stops = function_words(block.language)
            lines += len(made)
            torn += sum(
                line.text.split()[-1].strip("“‘(").lower() in stops
                for line in made[:-1]
                if line.text.split()
            )
            offsets += [
                abs(g[0] + 0.4 * (g[1] - g[0]) - line.columns / 2)
                for line in made
                if (g := line.guide)
            ]
        found |= {f"{name} lines": lines, f"{name} torn": torn}
        found[f"{name} guide p95"] = sorted(offsets)[int(len(offsets) * 0.95)]
    return found


def main(arguments: list[str]) -> None:
    if arguments:
        book = Path(arguments[0])
    else:
        from tests.reading.third_party import books

        book = max(books(), key=lambda path: path.stat().st_size)
    words = words_in(book)
    seconds, edition, report = ours(book)
    print(f"{book.name}: {words:,} words")
    print(f"in process        {seconds:6.2f} s  {words / seconds / 1e6:5.2f} M words/s")
    count = report.count  # type: ignore[attr-defined]
    grown = len(edition) / book.stat().st_size - 1
    print(f"size              {grown:+.1%}; {count.lines:,} lines, {count.overlong} over the width")
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "out.epub")
        peer = subprocess.run(
            [peer_python(), "-W", "ignore", "-c", PEER, book, out],
            capture_output=True,
            text=True,
            check=False,
        )
        if peer.returncode == 0:
            theirs = float(peer.stdout)
            print(f"EbookLib pattern  {theirs:6.2f} s  ratio {theirs / seconds:.1f}")
        else:
            print(f"EbookLib pattern  failed: {peer.stderr.strip().splitlines()[-1]}")
        empty = timed([sys.executable, "-c", "pass"])
        program = str(Path(sys.executable).parent / "penstock")
        whole = timed([program, "read", "make", str(book), "-o", out])
        more = whole[1] - empty[1]
        print(f"whole command     {whole[0]:6.2f} s  {more:.0f} MB over the interpreter")
        calibre = shutil.which("ebook-convert")
        if calibre:
            theirs = timed([calibre, str(book), out])[0]
            print(f"calibre           {theirs:6.2f} s  ratio {theirs / whole[0]:.1f}")
        else:
            print("calibre           not installed")
    found = quality(book)
    print(json.dumps({k: round(v, 2) for k, v in found.items()}))
    print(
        f"lines ending in a function word {found['phrases torn'] / found['greedy torn'] - 1:+.1%}, "
        f"lines {found['phrases lines'] / found['greedy lines'] - 1:+.1%}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
