"""Make the UCI file of the Pima Indians Diabetes data from Debian's package r-cran-mlbench.

Usage: python examples/pima_from_debian.py OUT.csv [PimaIndiansDiabetes.rda]

Without a second argument the package is fetched with ``apt-get download`` (it is not installed)
and unpacked with ``dpkg-deb``. The file is checked by its hash before it gets its name.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from penstock.errors import InputError, PenstockError
from penstock.neural.checkpoint import write_whole
from penstock.neural.pima import read_pima

FOLDER = "usr/lib/R/site-library/mlbench/data"


class Serialized:
    """R's serialization, version 2 or 3, XDR: as much of it as a data frame of numbers needs.

    The format is in R Internals, section 1.8.
    """

    def __init__(self, content: bytes) -> None:
        if content[:5] not in {b"RDX2\n", b"RDX3\n"} or content[5:7] != b"X\n":
            raise InputError("not an R data file in XDR form")
        self._content, self._at = content, 7
        self._symbols: list[str] = []
        version, _, _ = self._integers(3)
        if version == 3:  # it names its own character encoding
            self._take(self._integers(1)[0])

    def _take(self, count: int) -> bytes:
        self._at += count
        return self._content[self._at - count : self._at]

    def _integers(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f">{count}i", self._take(4 * count))

    def value(self) -> object:
        flags = self._integers(1)[0]
        kind, has_attributes, has_tag = flags & 0xFF, flags & 0x200, flags & 0x400
        if kind == 254:  # NULL
            return None
        if kind == 255:  # a symbol seen before
            return self._symbols[(flags >> 8) - 1]
        if kind == 1:
            self._symbols.append(str(self.value()))
            return self._symbols[-1]
        if kind == 2:
            return self._pairs(has_attributes, has_tag)
        if kind == 238:  # ALTREP: class, state, attributes
            return self._compact()
        vector = self._vector(kind)
        attributes = self.value() if has_attributes else None
        return (vector, attributes) if attributes else vector

    def _pairs(self, has_attributes: int, has_tag: int) -> dict[str, object]:
        if has_attributes:
            self.value()
        tag = str(self.value()) if has_tag else ""
        first = self.value()
        rest = self.value()
        return {tag: first, **(rest if isinstance(rest, dict) else {})}

    def _compact(self) -> object:
        self.value()
        state = self.value()
        self.value()
        return state

    def _vector(self, kind: int) -> object:
        count = self._integers(1)[0]
        if kind == 9:
            return None if count < 0 else self._take(count).decode()
        if kind in {10, 13}:
            return list(self._integers(count))
        if kind == 14:
            return list(struct.unpack(f">{count}d", self._take(8 * count)))
        if kind in {16, 19}:
            return [self.value() for _ in range(count)]
        raise InputError(f"R value of type {kind} in the file: not the data set expected")


def rows(content: bytes) -> list[str]:
    for magic, opener in ((b"\x1f\x8b", gzip), (b"BZh", bz2), (b"\xfd7zXZ", lzma)):
        if content.startswith(magic):
            content = opener.decompress(content)
    saved = Serialized(content).value()
    if not isinstance(saved, dict):
        raise InputError("the R data file holds no named objects")
    columns, _ = saved["PimaIndiansDiabetes"]
    features = columns[:-1]
    levels = columns[-1][0]  # a factor: 1 is neg, 2 is pos
    table = zip(*features, [level - 1 for level in levels], strict=True)
    # As in the UCI file: body mass index to one decimal, pedigree to three, the others whole.
    digits = (0, 0, 0, 0, 0, 1, 3, 0, 0)
    return [
        ",".join(f"{x:.{places}f}" for x, places in zip(row, digits, strict=True)) for row in table
    ]


def fetch(folder: Path) -> Path:
    download = ["apt-get", "-q", "download", "r-cran-mlbench"]
    try:
        first = subprocess.run(download, cwd=folder, check=False, capture_output=True)
        if first.returncode:  # a fresh machine has no package lists yet
            subprocess.run(["apt-get", "-q", "update"], check=True, capture_output=True)
            subprocess.run(download, cwd=folder, check=True, capture_output=True)
        package = next(folder.glob("r-cran-mlbench_*.deb"))
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
    except (OSError, subprocess.CalledProcessError, StopIteration) as error:
        raise InputError(f"cannot get Debian's r-cran-mlbench ({error}): give the .rda") from error
    return folder / FOLDER / "PimaIndiansDiabetes.rda"


def main(arguments: list[str]) -> None:
    if not 1 <= len(arguments) <= 2:
        raise InputError("usage: pima_from_debian.py OUT.csv [PimaIndiansDiabetes.rda]")
    out = Path(arguments[0])
    with tempfile.TemporaryDirectory() as folder:
        source = Path(arguments[1]) if arguments[1:] else fetch(Path(folder))
        draft = Path(folder, "pima.csv")
        try:
            draft.write_text("\n".join(rows(source.read_bytes())))
        except (OSError, IndexError, struct.error) as error:
            raise InputError(f"{source}: {error}") from error
        read_pima(draft)
        write_whole(out, draft.read_bytes())
    print(f"wrote {out}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except PenstockError as error:
        sys.exit(f"pima_from_debian: {error}")
