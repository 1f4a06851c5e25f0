"""The style sheet that an edition adds: one file, a few rules, no sizes and no fonts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources

from penstock.reading.settings import Look

__all__ = ["SHEET", "link_to", "part", "style"]

SHEET = "psl.css"

# The parts of ``web/edition.css``, each after its name. Books that tell paragraphs apart by an
# indent only would lose that in centred lines: hence the padding. No white-space:nowrap: when the
# reader enlarges the letters, a line becomes two rows instead of losing its end. !important only
# where a book's own rules for <p> or <b> would undo the lines or hide the guide. Colour is 5.6:1 on
# white and 5.1:1 on black; bold as well, because colour alone fails on paper-white screens and for
# people who do not see it. The margins of aligned lines are exact to the letter: no kerning.
PART = re.compile(r"/\* @(\w+) \*/\n")


def shift_class(step: int) -> str:
    """Return the class that shifts a line by a margin of ``step`` fiftieths of an em.

    >>> shift_class(-3)
    'psn3'
    """
    return f"psn{-step}" if step < 0 else f"psp{step}"


@cache
def part(name: str) -> str:
    """Return a file of ``web``: a style sheet, a page, or a part of a book."""
    return resources.files("penstock.reading").joinpath("web", name).read_text("utf-8")


def style(look: Look, shifts: Iterable[int] = ()) -> str:
    """Return the rules that ``look`` and the margins it used need.

    >>> ".psg" in style(Look(guide="none"))
    False
    """
    named = PART.split(part("edition.css"))[1:]
    parts = dict(zip(named[::2], named[1::2], strict=True))
    wanted = ["lines", *(["guide"] if look.guide != "none" else []), look.guide]
    rules = "".join(parts.get(name, "") for name in [*wanted, "align" if look.align else ""])
    return rules + "".join(
        f".{shift_class(step)} {{ margin-left: {step / 50:g}em; }}\n" for step in sorted(shifts)
    )


LINK = re.compile(rf'<link [^<>]*?href="[^"]*{re.escape(SHEET)}"[^<>]*/>')
PLAIN_LINK = re.compile(
    r"""<link(?= )(?=[^<>]* rel="stylesheet")(?: (?:rel|type)="[^"<>]*"| href="([^"<>]*)")+ ?/>"""
)


def link_to(href: str, head: str = "") -> str:
    """Return the element that a document's head gets, written as one that is in it.

    What is there already once costs hardly anything in a compressed file.

    >>> link_to("a.css", '<link href="b.css" rel="stylesheet"/>')
    '<link href="a.css" rel="stylesheet"/>'
    """
    found = PLAIN_LINK.search(head)
    if found and found[1]:
        return head[found.start() : found.start(1)] + href + head[found.end(1) : found.end()]
    return f'<link rel="stylesheet" type="text/css" href="{href}"/>'
