"""EPUBCheck on books and on their editions: which errors does an edition have that its book lacks?

    python benchmarks/reading/validate.py [FOLDER | BOOK.epub ...]

Debian's books are taken always; of each folder given, all ``.epub`` files and all unpacked books in
it. ``CORPORA`` says which public ones are meant: clone them anywhere and give their folders. Those
that were not given are named at the end. The exit code is 1 where a book gained an error.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
# A part of the path of its books, and where it is.
CORPORA = {
    "epub-tests": "github.com/w3c/epub-tests",
    "epubcheck": "github.com/w3c/epubcheck",
    "epub3-samples": "github.com/IDPF/epub3-samples",
    "standardebooks": "github.com/standardebooks/<a book>",
}
PLACES = re.compile(r"[(\[]-?\d+,-?\d+[)\]]|'[^']*'|\"[^\"]*\"")
BATCH = 40  # books at a time: a virtual machine reads both sides of them


def packed(folder: Path) -> bytes:
    """Return an unpacked book as a file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        kind = folder / "mimetype"
        if kind.is_file():
            archive.writestr(zipfile.ZipInfo("mimetype"), kind.read_bytes())
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path != kind:
                archive.writestr(str(path.relative_to(folder)), path.read_bytes())
    return out.getvalue()


def found(place: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the books of a folder, or a book."""
    paths = [place] if place.is_file() else sorted(place.rglob("*"))
    for path in paths:
        if path.suffix == ".epub" and path.is_file():
            yield str(path), path.read_bytes()
        elif path.name == "container.xml" and path.parent.name == "META-INF":
            yield str(path.parents[1]), packed(path.parents[1])


def pairs(places: Sequence[Path], refused: list[str]) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield each book and its edition, made in one look after the other."""
    from tests.reading.test_books import LOOKS

    from penstock.errors import InputError
    from penstock.reading import make_edition

    looks = cycle(LOOKS)
    for place in places:
        for name, data in found(place):
            out = io.BytesIO()
            try:
                make_edition(data, out, next(looks), name)
            except InputError as error:
                refused.append(str(error))
            else:
                yield name, data, out.getvalue()


def gained(before: list[str], after: list[str]) -> Counter[str]:
    """Return the errors of an edition beyond the book's own, whatever their place in a file."""

    def kinds(said: list[str]) -> Counter[str]:
        return Counter(PLACES.sub("", line) for line in said)

    return kinds(after) - kinds(before)


def main(arguments: list[str]) -> int:
    from tests.reading.third_party import books, epubcheck

    refused: list[str] = []
    made = list(pairs([*books(), *map(Path, arguments)], refused))
    worse, better = 0, 0
    for begin in range(0, len(made), BATCH):
        with tempfile.TemporaryDirectory() as folder:
            files: list[tuple[Path, Path]] = []
            for number, (_, *sides) in enumerate(made[begin : begin + BATCH]):
                files.append((Path(folder) / f"{number}-in.epub", Path(folder) / f"{number}.epub"))
                for path, data in zip(files[-1], sides, strict=True):
                    path.write_bytes(data)
            said = epubcheck([path for pair in files for path in pair])
            for (name, *_), (one, two) in zip(made[begin:], files, strict=False):
                before, after = (
                    [line.replace(path.name, "") for line in said[str(path)]] for path in (one, two)
                )
                more = gained(before, after)
                worse += bool(more)
                better += not more and len(after) < len(before)
                for line, times in more.items():
                    print(f"{name}: {times} more: {line}", flush=True)
    print(f"{len(made)} books: {worse} gained errors or warnings, {better} lost some")
    print(f"{len(refused)} refused, such as", *refused[:3], sep="\n    ")
    missing = [name for name in CORPORA if not any(name in one for one, *_ in made)]
    for name in missing:
        print(f"missing: {name}, from {CORPORA[name]}")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
