"""EPUBCheck on the editions of all of Debian's books, and of the books given.

python benchmarks/reading/validate.py [BOOK.epub ...]
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))


def main(arguments: list[str]) -> None:
    from tests.reading.third_party import books, epubcheck

    from penstock.reading import Look, make_edition

    paths = [*books(), *map(Path, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        editions = []
        for number, path in enumerate(paths):
            out = io.BytesIO()
            make_edition(path.read_bytes(), out, Look(), path.name)
            edition = Path(folder) / f"{number:02}-{path.name}"
            edition.write_bytes(out.getvalue())
            editions.append(edition)
        found = epubcheck(editions)
    for name, said in found.items():
        print(f"{Path(name).name}: {len(said)}")
        for line in said[:5]:
            print("   ", line)
    print(f"{len(found)} books, {sum(map(len, found.values()))} errors and warnings")


if __name__ == "__main__":
    main(sys.argv[1:])
