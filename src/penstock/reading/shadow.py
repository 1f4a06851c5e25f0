"""The text a reader sees of a piece of markup, with the way back to the source.

A shadow has one character for each column: tags have none, an entity has one, a run of blanks is
one blank, a wide character counts two, a combining mark none. What must stay in one piece (an
image, a note's number, a formula) is a row of placeholders, glued to the word before it.
"""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import final

from penstock.reading.markup import OPAQUE, attribute

__all__ = ["COLUMN", "GLUE", "PLACEHOLDER", "PLAIN", "Shadow", "cells", "shade", "shade_text"]

GLUE = "\u00a0"
EVEN = -1  # the end of a run whose columns are its source, character by character
PLACEHOLDER = "\ufffc"
# Characters of one column that stand for themselves: no blank, no < and no &. The word joiner has
# no width, but books that use it use it everywhere: counting it as one keeps them on the quick way
# and can only make a line shorter.
COLUMN = (
    r"[\x21-\x25\x27-\x3b\x3d-\u02ff\u0370-\u0482\u048a-\u0590\u1e00-\u1fff"
    r"\u200a\u2010-\u2027\u2030-\u205e\u2060]+"
)
PLAIN = re.compile(rf"{COLUMN}(?: {COLUMN})*")
PIECE = re.compile(
    r"""<(/?)([A-Za-z_][\w.:-]*+)((?:[^<>"'/]++|"[^"]*+"|'[^']*+'|/(?!>))*+)(/?)>"""
    r"|<[!?].*?>|(?P<entity>&[^;\s]{1,32};)"
    rf"|(?P<plain>{COLUMN}(?: {COLUMN})*)|(?P<blank>[ \t\r\n\f]+)|[^<& \t\r\n\f]",
    re.DOTALL,
)
CODE = frozenset({"code", "tt", "kbd", "samp"})
ONE_PIECE = frozenset({"ruby", "sup", "sub", "time"}) | OPAQUE


def cells(character: str) -> int:
    """Return the columns ``character`` takes: 0 for combining marks, 2 for wide East Asian ones.

    >>> [cells(c) for c in "a\u0301\u6f22"]
    [1, 0, 2]
    """
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


@final
@dataclass(slots=True)
class Shadow:
    """A text in columns, and the runs of columns that lie one beside the other in the source.

    A run's columns are its source, or it is one thing of any size: an entity, a wide character, an
    image, blanks other than one.

    Attributes:
        text: One character a column.
        columns: Where each run begins; at the end, how many columns there are.
        begins: Where the source of each run begins.
        ends: Where the source of a run that is one thing ends; EVEN for the others.
        code: From which column to which the letters are of one width, as of a typewriter.
        origin: Where the source begins, tags before the first run included.
    """

    text: str = ""
    columns: list[int] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    code: list[tuple[int, int]] = field(default_factory=list)
    origin: int = 0

    def start(self, column: int) -> int:
        """Return where the source of a column begins."""
        run = bisect_right(self.columns, column) - 1
        begin = self.begins[run]
        return begin + column - self.columns[run] if self.ends[run] == EVEN else begin

    def end(self, column: int) -> int:
        """Return where the source of a column ends."""
        run = bisect_right(self.columns, column) - 1
        end = self.ends[run]
        return self.begins[run] + column - self.columns[run] + 1 if end == EVEN else end

    def letters(self) -> Iterator[int]:
        """Yield the columns where something begins: a letter may take two."""
        for run, end in enumerate(self.ends):
            begin = self.columns[run]
            yield from range(begin, self.columns[run + 1]) if end == EVEN else (begin,)


@final
class _Shader:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self.shadow = Shadow()
        self.length = 0
        self.blank = True  # a blank would have nothing before it
        self.waiting = ""  # the element kept in one piece whose end is waited for
        self.coded: list[int] = []  # where open elements of code began
        self.nested = self.begun = self.seen = 0

    def put(self, text: str, start: int, end: int, *, even: bool = True) -> None:
        """Take columns of one character each, or one thing of any size."""
        shadow, length = self.shadow, len(text)
        if not even or length != end - start:
            self._run(start, end)
        elif not (
            shadow.ends
            and shadow.ends[-1] == EVEN
            and self.length - shadow.columns[-1] == start - shadow.begins[-1]
        ):
            self._run(start, EVEN)
        self.parts.append(text)
        self.blank = text == " "
        self.length += length

    def _run(self, begin: int, end: int) -> None:
        self.shadow.columns.append(self.length)
        self.shadow.begins.append(begin)
        self.shadow.ends.append(end)

    def character(self, character: str, start: int, end: int) -> None:
        """Take one character of any width; one without width belongs to the one before."""
        width = cells(character)
        if width:
            self.put(character * width, start, end)
        elif self.length:
            self._lengthen(end)

    def _lengthen(self, end: int) -> None:
        """Make the last column a run of its own that ends at ``end``."""
        shadow, last = self.shadow, self.length - 1
        if shadow.ends[-1] == EVEN and shadow.columns[-1] < last:
            begin = shadow.begins[-1] + last - shadow.columns[-1]
            shadow.columns.append(last)
            shadow.begins.append(begin)
            shadow.ends.append(end)
        else:
            shadow.ends[-1] = end

    def tag(self, match: re.Match[str]) -> None:
        """Pass over a tag, or begin something that stays in one piece."""
        closing, name, attributes, empty = match.groups()[:4]
        if name in CODE and not empty:
            if not closing:
                self.coded.append(self.length)
            elif self.coded:
                self.shadow.code.append((self.coded.pop(), self.length))
        elif name == "img" or (empty and name in OPAQUE):
            self.whole(2, match.start(), match.end())
        elif _one_piece(name, attributes) and not closing and not empty:
            self.waiting, self.nested, self.begun, self.seen = name, 1, match.start(), 0

    def wait(self, match: re.Match[str]) -> None:
        """Take what is inside something in one piece, until its end."""
        name = match[2]
        if name is None:
            self.seen += len(match[0])
        elif name == self.waiting and not match[4]:
            self.nested += -1 if match[1] else 1
            if not self.nested:
                self.whole(self.seen, self.begun, match.end())
                self.waiting = ""

    def entity(self, entity: str, start: int, end: int) -> None:
        """Take a character written as an entity; one of the book's own is part of its word."""
        character = html.unescape(entity)
        if len(character) != 1:
            character = "x"
        elif character.isspace() and character != GLUE:
            character = " "
        self.character(character, start, end)

    def whole(self, width: int, start: int, end: int) -> None:
        """Take something that stays in one piece, ``width`` columns wide."""
        if self.parts and self.parts[-1] == " ":
            self.parts[-1] = GLUE
            if self.shadow.ends[-1] == EVEN:
                self._lengthen(self.shadow.begins[-1] + self.length - self.shadow.columns[-1])
        self._run(start, end)
        self.parts.append(PLACEHOLDER * max(width, 1))
        self.length += max(width, 1)
        self.blank = False

    def finish(self) -> Shadow:
        """Return what was made."""
        self.shadow.text = "".join(self.parts)
        self.shadow.columns.append(self.length)
        return self.shadow


def shade(source: str, start: int, end: int) -> Shadow:
    """Return the shadow of ``source[start:end]``, the inline content of one block.

    >>> shade("a <i>b</i>&amp;", 0, 15).text
    'a b&'
    """
    shader = _Shader()
    shader.shadow.origin = start
    for match in PIECE.finditer(source, start, end):
        if shader.waiting:
            shader.wait(match)
        elif match["plain"]:
            shader.put(match["plain"], match.start(), match.end())
        elif match[2] is not None:
            shader.tag(match)
        elif match["blank"]:
            if not shader.blank:  # blanks on both sides of a tag are shown as one
                shader.put(" ", match.start(), match.end(), even=match["blank"] == " ")
        elif match["entity"]:
            shader.entity(match["entity"], match.start(), match.end())
        elif not match[0].startswith("<"):
            shader.character(match[0], match.start(), match.end())
    return shader.finish()


def _one_piece(name: str, attributes: str) -> bool:
    if name in ONE_PIECE:
        return True
    return name == "a" and "noteref" in attribute(attributes, "epub:type")


def shade_text(text: str) -> Shadow:
    """Return the shadow of plain text whose blanks are single spaces.

    >>> shade_text("ab").start(1)
    1
    """
    shader = _Shader()
    if PLAIN.fullmatch(text):
        shader.put(text, 0, len(text))
    else:
        for place, character in enumerate(text):
            shader.character(character, place, place + 1)
    return shader.finish()
