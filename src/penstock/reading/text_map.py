"""The text a reader sees of a piece of markup, with the way back to the source.

A shadow has one character for each column: tags have none, an entity has one, a run of blanks is
one blank, a wide character counts two, a combining mark none. What must stay in one piece (an
image, a note's number, a formula) is a row of placeholders, glued to the word before it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import final

from penstock.reading.inline import COLUMN, NOT_BEFORE, OPENED, UNEVEN_BREAKS, TextRun, cells, runs
from penstock.reading.names import Names

__all__ = [
    "BREAK",
    "COLUMN",
    "GLUE",
    "PLACEHOLDER",
    "PLAIN",
    "Shadow",
    "cells",
    "shade",
    "shade_text",
]

GLUE = "\u00a0"
UNBREAKING = "\u00a0\u2007\u202f"  # UAX #14, class GL
EVEN = -1  # the end of a run whose columns are its source, character by character
PLACEHOLDER = "\ufffc"
BREAK = "\n"  # where the book itself begins a line
PLAIN = re.compile(rf"{COLUMN}(?: {COLUMN})*")
SOFT = "\u00ad"
CODE = frozenset({"code", "tt", "kbd", "samp"})


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
        soft: Columns after which the book has a soft hyphen.
        origin: Where the source begins, tags before the first run included.
    """

    text: str = ""
    columns: list[int] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    code: list[tuple[int, int]] = field(default_factory=list)
    soft: set[int] = field(default_factory=set)
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
        self.coded: list[int] = []  # where open elements of code began

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

    def character(self, character: str, start: int, end: int, following: str = "") -> None:
        """Take one character of any width; one without width belongs to the one before.

        ``following`` begins with it, and says by what comes next whether a line may begin here.
        """
        if character == SOFT and self.length:
            self.shadow.soft.add(self.length - 1)
        column = character
        if character.isspace():
            column = GLUE if character in UNBREAKING else " "
        width = cells(column)
        if width:
            self.glue(following or column)
            self.put(column * width, start, end, even=column == character)
        elif self.length:
            self._lengthen(end)

    def glue(self, following: str) -> None:
        """Make the blank at the end one that no line ends at, where ``following`` asks for it.

        UAX #14: no break before closing punctuation, even after blanks (LB13), nor after opening
        quotation marks (LB15).
        """
        if not self.parts or self.parts[-1] != " ":
            return
        if NOT_BEFORE.match(following) or OPENED.search("".join(self.parts[-3:-1])[-2:]):
            self._glued()

    def _glued(self) -> None:
        self.parts[-1] = GLUE
        if self.shadow.ends[-1] == EVEN:
            self._lengthen(self.shadow.begins[-1] + self.length - self.shadow.columns[-1])

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

    def take(self, run: TextRun) -> None:
        """Take a piece of running text."""
        if run.kind == "plain":
            self.glue(run.text)
            self.put(run.text, run.start, run.end)
        elif run.kind == "blank":
            if not self.blank:  # blanks on both sides of a tag are shown as one
                self.put(" ", run.start, run.end, even=run.text == " ")
        elif run.kind == "character":
            self.letter(run)
        elif run.kind == "break":
            self._run(run.start, run.end)
            self.parts.append(BREAK)
            self.length += 1
            self.blank = True
        elif run.kind in ("object", "raw"):
            if run.kind == "object" and self.parts and self.parts[-1] == " ":
                self._glued()
            self.whole(run.width, run.start, run.end)
        else:
            self.element(run)

    def element(self, run: TextRun) -> None:
        """Note where elements of code begin and end."""
        if run.name in CODE and run.kind == "open":
            self.coded.append(self.length)
        elif run.name in CODE and self.coded:
            self.shadow.code.append((self.coded.pop(), self.length))

    def letter(self, run: TextRun) -> None:
        """Take a character that is written as an entity, is wide or has no width."""
        # An entity of the book's own is part of its word.
        self.character(run.text if len(run.text) == 1 else "x", run.start, run.end)

    def whole(self, width: int, start: int, end: int) -> None:
        """Take something that stays in one piece, ``width`` columns wide."""
        self._run(start, end)
        self.parts.append(PLACEHOLDER * max(width, 1))
        self.length += max(width, 1)
        self.blank = False

    def finish(self) -> Shadow:
        """Return what was made."""
        self.shadow.text = "".join(self.parts)
        self.shadow.columns.append(self.length)
        return self.shadow


def shade(source: str, start: int, end: int, names: Names) -> Shadow:
    """Return the shadow of ``source[start:end]``, the inline content of one block.

    >>> shade("a <i>b</i>&amp;", 0, 15, Names()).text
    'a b&'
    """
    shader = _Shader()
    shader.shadow.origin = start
    for run in runs(source, start, end, names):
        shader.take(run)
    return shader.finish()


def shade_text(text: str) -> Shadow:
    """Return the shadow of plain text whose blanks are single spaces, with its breaks.

    >>> shade_text("ab").start(1)
    1
    """
    shader = _Shader()
    if PLAIN.fullmatch(text) and not UNEVEN_BREAKS.search(text):
        shader.put(text, 0, len(text))
    else:
        for place, character in enumerate(text):
            if character == BREAK:
                shader.take(TextRun("break", place, place + 1))
            else:
                shader.character(character, place, place + 1, text[place : place + 2])
    return shader.finish()
