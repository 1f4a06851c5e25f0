"""The text a reader sees of a piece of markup, with the way back to the source.

A shadow has one character for each column: tags have none, an entity has one, a run of blanks is
one blank, a wide character counts two, a combining mark none. What must stay in one piece (an
image, a note's number, a formula) is a row of placeholders, glued to the word before it.
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass, field
from typing import final

from penstock.reading.markup import OPAQUE, attribute

__all__ = ["GLUE", "PLACEHOLDER", "PLAIN", "Shadow", "cells", "shade", "shade_text"]

GLUE = "\u00a0"
PLACEHOLDER = "\ufffc"
# Characters of one column that stand for themselves: no blank, no < and no &. The word joiner has
# no width, but books that use it use it everywhere: counting it as one keeps them on the quick way
# and can only make a line shorter.
COLUMN = (
    r"[\x21-\x25\x27-\x3b\x3d-\u02ff\u0370-\u0482\u048a-\u0590\u1e00-\u1fff"
    r"\u2010-\u2027\u2030-\u205e\u2060]+"
)
PLAIN = re.compile(rf"{COLUMN}(?: {COLUMN})*")
PIECE = re.compile(
    r"""<(/?)([A-Za-z_][\w.:-]*+)((?:[^<>"'/]++|"[^"]*+"|'[^']*+'|/(?!>))*+)(/?)>"""
    r"|<[!?].*?>|(?P<entity>&[^;\s]{1,32};)|(?P<blank>[ \t\r\n\f]+)"
    rf"|(?P<plain>{COLUMN}(?: {COLUMN})*)|[^<& \t\r\n\f]",
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
    """A text in columns.

    Attributes:
        text: One character a column.
        starts: For each column, where its source begins.
        ends: For each column, where its source ends.
        code: From which column to which the letters are of one width, as of a typewriter.
    """

    text: str = ""
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    code: list[tuple[int, int]] = field(default_factory=list)


@final
class _Shader:
    def __init__(self) -> None:
        self.columns: list[str] = []
        self.shadow = Shadow()
        self.waiting = ""  # the element kept in one piece whose end is waited for
        self.coded: list[int] = []  # where open elements of code began
        self.nested = self.begun = self.seen = 0

    def put(self, column: str, start: int, end: int, count: int = 1) -> None:
        self.columns.append(column * count)
        self.shadow.starts += [start] * count
        self.shadow.ends += [end] * count

    def plain(self, text: str, start: int) -> None:
        """Take characters of one column each."""
        self.columns.append(text)
        self.shadow.starts += range(start, start + len(text))
        self.shadow.ends += range(start + 1, start + len(text) + 1)

    def character(self, character: str, start: int, end: int) -> None:
        """Take one character of any width; one without width belongs to the one before."""
        width = cells(character)
        if width:
            self.put(character, start, end, width)
        elif self.shadow.ends:
            self.shadow.ends[-1] = end

    def tag(self, match: re.Match[str]) -> None:
        """Pass over a tag, or begin something that stays in one piece."""
        closing, name, attributes, empty = match.groups()[:4]
        if name in CODE and not empty:
            if not closing:
                self.coded.append(len(self.shadow.starts))
            elif self.coded:
                self.shadow.code.append((self.coded.pop(), len(self.shadow.starts)))
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
        if self.columns and self.columns[-1] == " ":
            self.columns[-1] = GLUE
        self.put(PLACEHOLDER, start, end, max(width, 1))


def shade(source: str, start: int, end: int) -> Shadow:
    """Return the shadow of ``source[start:end]``, the inline content of one block.

    >>> shade("a <i>b</i>&amp;", 0, 15).text
    'a b&'
    """
    shader = _Shader()
    for match in PIECE.finditer(source, start, end):
        if shader.waiting:
            shader.wait(match)
        elif match["plain"]:
            shader.plain(match["plain"], match.start())
        elif match[2] is not None:
            shader.tag(match)
        elif match["blank"]:
            shader.put(" ", match.start(), match.end())
        elif match["entity"]:
            shader.entity(match["entity"], match.start(), match.end())
        elif not match[0].startswith("<"):
            shader.character(match[0], match.start(), match.end())
    shader.shadow.text = "".join(shader.columns)
    return shader.shadow


def _one_piece(name: str, attributes: str) -> bool:
    if name in ONE_PIECE:
        return True
    return name == "a" and "noteref" in attribute(attributes, "epub:type")


def shade_text(text: str) -> Shadow:
    """Return the shadow of plain text whose blanks are single spaces.

    >>> shade_text("ab").starts
    [0, 1]
    """
    shader = _Shader()
    if PLAIN.fullmatch(text):
        shader.plain(text, 0)
    else:
        for place, character in enumerate(text):
            shader.character(character, place, place + 1)
    shader.shadow.text = "".join(shader.columns)
    return shader.shadow
