"""The style sheet that an edition adds: one file, a few rules, no sizes and no fonts."""

from __future__ import annotations

import re
from collections.abc import Iterable

from penstock.reading.settings import Look

__all__ = ["SHEET", "link_to", "style"]

SHEET = "psl.css"

# Books that tell paragraphs apart by an indent only would lose that in centred lines: hence the
# padding. No white-space:nowrap: when the reader enlarges the letters, a line becomes two rows
# instead of losing its end. !important only where a book's own rules for <p> or <b> would undo the
# lines or hide the guide.
LINES = """/* penstock reading: text set in lines (psl, psx), guide (b, psg), hyphen (psh) */
.psl, .psx {
  text-align: center !important;
  text-indent: 0 !important;
  padding-bottom: 0.5em;
  line-height: 1.5;
  overflow-wrap: break-word;
  -webkit-hyphens: none;
  hyphens: none;
}
span.psl, span.psx {
  display: block;
  margin: 0;
}
.psl *, .psx *, .psl::first-letter, .psx::first-letter {
  float: none !important;
}
li:has(> .psl:first-child), li:has(> .psx:first-child) {
  list-style-position: inside;
  text-align: center;
  line-height: 1.5;
}
li:has(> .psl:first-child) > .psl:first-child, li:has(> .psx:first-child) > .psx:first-child {
  display: inline-block;
  vertical-align: top;
}
"""
BOLD = """.psl b, .psg {
  font-weight: bold !important;
  font-style: inherit;
  font-variant: inherit;
}
"""
# 5.6:1 on white and 5.1:1 on black; bold as well, because colour alone fails on paper-white
# screens and for readers who do not see it.
COLOUR = """.psl b, .psg {
  color: #b0480a;
}
@media (prefers-color-scheme: dark) {
  .psl b, .psg {
    color: #ff9d5c;
  }
}
"""
# The margins of aligned lines are worked out letter by letter.
ALIGN = """.psl, .psx {
  font-kerning: none;
}
"""
UNDERLINE = """.psl b, .psg {
  font-weight: inherit !important;
  text-decoration: underline;
}
"""


def shift_class(step: int) -> str:
    """Return the class that shifts a line by a margin of ``step`` fiftieths of an em.

    >>> shift_class(-3)
    'psn3'
    """
    return f"psn{-step}" if step < 0 else f"psp{step}"


def style(look: Look, shifts: Iterable[int] = ()) -> str:
    """Return the rules that ``look`` and the margins it used need.

    >>> ".psg" in style(Look(guide="none"))
    False
    """
    rules = LINES
    if look.guide != "none":
        rules += BOLD
    if look.guide == "colour":
        rules += COLOUR
    if look.guide == "underline":
        rules += UNDERLINE
    if look.align:
        rules += ALIGN
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
