"""How much of an article is taken, and how little else, beside trafilatura on its own.

    python benchmarks/reading/articles.py FOLDER [--worst N]

FOLDER holds pages as Readability's tests do: in each folder in it a ``source.html`` and the article
that people found in it, ``expected.html``. They are at github.com/mozilla/readability, under
``test/test-pages``. Words are counted as often as they come; precision and recall are means over
the pages.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import mean

from lxml import html

GIF = b"GIF89a"  # each picture is there, so that its description is no text
URL = "http://fakehost/test/page.html"


def words(markup: str) -> Counter[str]:
    """Return the words of HTML; letters of scripts without blanks one by one."""
    if not markup.strip():
        return Counter()
    root = html.fragment_fromstring(markup, create_parent="div")
    for unseen in root.xpath(".//script | .//style | .//noscript | .//template"):
        unseen.drop_tree()
    text = " ".join(root.xpath(".//text()"))
    return Counter(re.findall(r"[\u3040-\u9fff]|[^\W\u3040-\u9fff]+", text.lower()))


def ours(page: bytes) -> str:
    from penstock.errors import InputError
    from penstock.reading.pages import article_manuscript

    try:
        found = article_manuscript(page, URL, load=lambda _: GIF)
    except InputError:
        return ""
    return "".join(chapter.body for chapter in found.chapters)


def alone(page: bytes) -> str:
    from trafilatura import extract

    return extract(page, url=URL, output_format="html", include_comments=False) or ""


def measured(folder: Path, take: Callable[[bytes], str]) -> list[tuple[float, float, str]]:
    """Return precision, recall and name of each page."""
    found = []
    for page in sorted(folder.glob("*/source.html")):
        expected = words((page.parent / "expected.html").read_text("utf-8"))
        taken = words(take(page.read_bytes()))
        same = (expected & taken).total()
        precision = same / taken.total() if taken else 0.0
        recall = same / expected.total() if expected else 1.0
        found.append((precision, recall, page.parent.name))
    return found


def main(arguments: list[str]) -> None:
    folder = Path(arguments[0])
    worst = int(arguments[2]) if arguments[1:2] == ["--worst"] else 0
    for name, take in (("penstock", ours), ("trafilatura", alone)):
        found = measured(folder, take)
        precision, recall = mean(f[0] for f in found), mean(f[1] for f in found)
        print(f"{name:12} {len(found)} pages  precision {precision:.3f}  recall {recall:.3f}")
        for one in sorted(found, key=lambda f: f[0] + f[1])[:worst]:
            print(f"    {one[0]:.2f} {one[1]:.2f} {one[2]}")


if __name__ == "__main__":
    main(sys.argv[1:])
