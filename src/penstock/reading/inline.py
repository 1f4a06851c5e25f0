"""Running text with positions: what an edition's lines and every other form are read from."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias, final

from penstock.reading.markup import OPAQUE, TAG, VOID, attribute, is_hidden
from penstock.reading.names import FOREIGN, Names, Node, tree
from penstock.reading.visible import seen

__all__ = ["COLUMN", "NOT_BEFORE", "OPENED", "UNEVEN_BREAKS", "TextRun", "cells", "runs"]

Kind: TypeAlias = Literal["plain", "blank", "character", "break", "object", "raw", "open", "close"]
# Characters of one column that stand for themselves: no blank, no < and no &. The word joiner has
# no width, but books that use it use it everywhere: counting it as one keeps them on the quick way
# and can only make a line shorter.
COLUMN = (
    r"[\x21-\x25\x27-\x3b\x3d-\u00ac\u00ae-\u02ff\u0370-\u0482\u048a-\u0590\u1e00-\u1fff"
    r"\u200a\u2010-\u2027\u2030-\u205e\u2060]+"
)
# UAX #14, LB13: no line begins with these, whatever blanks stand before them (classes CL, CP, EX,
# IS, SY); LB15b: nor with a closing quotation mark. A stop before a digit is a number's (LB15c),
# one before a letter a file name's, a slash before anything but a blank a path's.
NOT_BEFORE = re.compile(r"[!?;:)\]}]|/(?!\S)|\.(?!\w)|,(?!\d)|[\u00bb\u203a\u201d\u2019](?!\w)")
NOT_FIRST = r"!?;:)\]}/.,\u00bb\u203a\u201d\u2019"  # all that it may be
# LB14 and LB15a: nor ends with an opening one, whatever blanks stand behind it.
NOT_LAST = r"\u00ab\u2039\u201c\u2018\u201e\u201a\u00a1\u00bf(\[{"
QUOTES = "\u00ab\u2039\u201c\u2018\u201e\u201a"
OPENED = re.compile(rf"(?:^|[\s([{{{QUOTES}\u2014-])[{QUOTES}]$|[\u00a1\u00bf([{{]$")
UNEVEN_BREAKS = re.compile(
    rf"(?:^|[\s(])[{QUOTES}] |[\u00a1\u00bf([{{] | (?:{NOT_BEFORE.pattern})", re.MULTILINE
)
PIECE = re.compile(
    r"""<(/?)([A-Za-z_][\w.:-]*+)((?:[^<>"'/]++|"[^"]*+"|'[^']*+'|/(?!>))*+)(/?)>"""
    r"|<!\[CDATA\[(?P<raw>.*?)\]\]>|<!--.*?-->|<\?.*?\?>|(?P<entity>&[^;\s&<]{1,64};)"
    rf"|(?P<plain>{COLUMN}(?:(?<![{NOT_LAST}]) (?!{NOT_BEFORE.pattern}){COLUMN})*)"
    r"|(?P<blank>[ \t\r\n\f]+)|.",
    re.DOTALL,
)
# Elements that are one thing in a line. Of the others only the text is looked at.
OBJECTS = OPAQUE | {
    *("ruby", "img", "input", "template", "style", "noscript", "sup", "sub", "time", FOREIGN),
}


@final
class TextRun(NamedTuple):
    """A piece of running text.

    Attributes:
        kind: ``plain`` is as it is written and each character one column, ``character`` is one
            thing of any width, ``object`` stays in one piece, ``raw`` is a CDATA section.
        start: Where it begins in the source.
        end: Where it ends.
        text: What is seen of it.
        width: How many columns that takes.
        name: Of ``open`` and ``close``: the element.
    """

    kind: Kind
    start: int
    end: int
    text: str = ""
    width: int = 0
    name: str = ""


def cells(character: str) -> int:
    """Return the columns ``character`` takes: 0 for combining marks, 2 for wide East Asian ones.

    >>> [cells(c) for c in "a\u0301\u6f22"]
    [1, 0, 2]
    """
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def runs(source: str, start: int, end: int, names: Names) -> Iterator[TextRun]:
    """Yield the pieces of ``source[start:end]``, the inline content of one block, in order.

    >>> [(r.kind, r.text) for r in runs("a <i>b&amp;</i><br/>", 0, 20, Names())]
    [('plain', 'a'), ('blank', ' '), ('open', ''), ('plain', 'b'), ('character', '&'),
     ('close', ''), ('break', '')]
    """
    skip = start
    for match in PIECE.finditer(source, start, end):
        begin, stop = match.span()
        if begin < skip:
            continue
        kind = match.lastgroup
        if kind == "plain":
            yield TextRun("plain", begin, stop, match[0], stop - begin)
        elif kind == "blank":
            yield TextRun("blank", begin, stop, match[0], 1)
        elif match[2] is not None:
            yield (run := _element(source, match, end, names))
            skip = run.end
        elif match["raw"] is not None:
            text = match["raw"]
            if text:
                yield TextRun("raw", begin, stop, text, sum(map(cells, " ".join(text.split()))))
        elif not match[0].startswith(("<!--", "<?")):
            text = names.text(match[0])
            yield TextRun("character", begin, stop, text, sum(map(cells, text)))


def _element(source: str, match: re.Match[str], end: int, names: Names) -> TextRun:
    closing, written, attributes, empty = match.groups()[:4]
    start, stop = match.span()
    name = names.of(written, attributes)
    if name == "br" and not closing:
        return TextRun("break", start, stop)
    if name == "wbr":
        return TextRun("character", start, stop, "\u200b")
    alone = bool(empty) or name in VOID
    if closing or not (name in OBJECTS or (not alone and _one_piece(name, attributes))):
        return TextRun("close" if closing or alone else "open", start, stop, name=name)
    if not alone:
        stop = _end(source, match, end)
    return TextRun("object", start, stop, width=_width(name, tree(source[start:stop], names)))


def _one_piece(name: str, attributes: str) -> bool:
    """Whether nothing is seen of an element, or it is the number of a note."""
    noted = name == "a" and "noteref" in attribute(attributes, "epub:type")
    return noted or is_hidden(attributes)


def _end(source: str, opened: re.Match[str], end: int) -> int:
    """Return where the element that a tag opens ends."""
    depth = 0
    for match in TAG.finditer(source, opened.start(), end):
        if match[2] == opened[2] and not match[4]:
            depth += -1 if match[1] else 1
            if not depth:
                return match.end()
    return end


def _width(name: str, root: Node) -> int:
    if name in ("img", "svg"):
        return 2
    text = seen(root)
    if name == "ruby":  # the reading stands above
        children = (child for ruby in root.elements() for child in ruby.children)
        base = [c for c in children if isinstance(c, str) or c.name not in ("rt", "rp", "rtc")]
        text = "".join(c if isinstance(c, str) else seen(c) for c in base)
    return sum(map(cells, text))
