"""A reader for the terminal: a place, keys that move it, and a screen drawn around it.

:class:`Reader` only decides; :mod:`penstock.reading.screen` reads keys and writes to the terminal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar, final

from penstock.errors import InputError
from penstock.reading.blocks import TextBlock
from penstock.reading.lines import Count
from penstock.reading.pace import fairness, seconds
from penstock.reading.positions import ReadingPlace
from penstock.reading.settings import DEVICES, GUIDES, Look
from penstock.reading.text_map import cells
from penstock.reading.texts import TextLine, block_lines, marked, printable

__all__ = ["KEYS", "Reader"]

SENTENCE = re.compile(r"[.!?\u2026。！？]+[”’\"')」』]*\s*")
QUOTES = {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'}
CHOOSE = {"up": -1, "k": -1, "down": 1, "j": 1, "pageup": -10, "pagedown": 10}
CHOSEN = "\u203a"
DIM, PLAIN = "\x1b[2m", "\x1b[22m"


@final
class Reader:
    """A book being read.

    Args:
        blocks: The book, at least one block.
        place: Where to begin and how to show it.
        contents: Titles with their level and block; the headings where there are none.

    Raises:
        InputError: The book is empty.
    """

    def __init__(
        self,
        blocks: Sequence[TextBlock],
        place: ReadingPlace,
        contents: Sequence[tuple[int, str, int]] = (),
    ) -> None:
        if not blocks:
            raise InputError("nothing to read in it")
        self.blocks = blocks
        block = min(max(place.block, 0), len(blocks) - 1)
        char = min(max(place.char, 0), max(0, len(blocks[block].text) - 1))
        self.place = replace(place, block=block, char=char, width=min(max(place.width, 12), 60))
        self.playing = self.dim = self.align = self.done = False
        self.help = ""  # what lies over the text: keys, contents, search
        self.contents = list(contents) or [
            (b.level, b.text.replace("\n", " "), n)
            for n, b in enumerate(blocks)
            if b.kind == "heading"
        ]
        self.chosen = 0  # of the contents
        self.wanted = ""  # what is searched for
        self._room = 80
        self._lines: dict[int, list[TextLine]] = {}
        self._fair = 0.0

    def press(self, key: str) -> None:
        """Do what ``key`` does; an unknown key does nothing."""
        if self.help:
            self._over(key)
        elif key in self.ACTS:
            self.ACTS[key][1](self)

    def lines(self, index: int) -> list[TextLine]:
        """Return the lines of a block."""
        if index not in self._lines:
            self._lines[index] = list(self._make(self.blocks[index]))
        return self._lines[index]

    def _make(self, block: TextBlock) -> list[TextLine]:
        guide = self.place.guide
        look = Look(
            width=max(8, min(self.place.width, self._room)),
            guide=guide,
            align=self.align and guide != "none",
            device=DEVICES["web"],
        )
        made = block_lines(block, look, Count())
        if made:
            return [part for line in made for part in folded(line, self._room)]
        lines: list[TextLine] = []
        at = 0
        for text in block.text.split("\n"):
            columns = sum(map(cells, text))
            lines += folded(TextLine(at, text, None, columns, columns / 2), self._room)
            at += len(text) + 1
        return lines

    def line_number(self) -> int:
        """Return which line of its block the place is in."""
        lines = self.lines(self.place.block)
        return max((n for n, line in enumerate(lines) if line.start <= self.place.char), default=0)

    def line_time(self) -> float:
        """Return how long the line at the place is shown, in seconds."""
        if not self._fair:
            self._fair = fairness(b.text for b in self.blocks if b.kind == "text")
        lines, number = self.lines(self.place.block), self.line_number()
        last = number + 1 == len(lines)
        return max(0.05, seconds(lines[number].text, self.place.speed, self._fair, last=last))

    def step(self, count: int) -> None:
        """Move by lines; the pacer stops at the end of the book."""
        index, number = self.place.block, self.line_number()
        for _ in range(abs(count)):
            number += 1 if count > 0 else -1
            if number >= len(self.lines(index)):
                if index + 1 == len(self.blocks):
                    number -= 1
                    self.playing = False
                    break
                index, number = index + 1, 0
            elif number < 0:
                if not index:
                    number = 0
                    break
                index -= 1
                number = len(self.lines(index)) - 1
        self._go(index, self.lines(index)[number].start)

    def _go(self, block: int, char: int) -> None:
        last = max(0, len(self.blocks[block].text) - 1)
        self.place = replace(self.place, block=block, char=min(char, last))

    def _sentence(self, direction: int) -> None:
        starts = self._sentences(self.place.block)
        here = self.place.char
        found = [s for s in starts if (s > here if direction > 0 else s < here)]
        if found:
            self._go(self.place.block, found[0] if direction > 0 else found[-1])
        elif direction > 0 and self.place.block + 1 < len(self.blocks):
            self._go(self.place.block + 1, 0)
        elif direction < 0 and self.place.block:
            self._go(self.place.block - 1, self._sentences(self.place.block - 1)[-1])

    def _sentences(self, index: int) -> list[int]:
        text = self.blocks[index].text
        return [0, *(m.end() for m in SENTENCE.finditer(text) if m.end() < len(text))]

    def _toggle(self) -> None:
        self.playing = not self.playing

    def _quicken(self, by: int) -> None:
        self.place = replace(self.place, speed=min(1000, max(50, self.place.speed + by)))

    def _wider(self, by: int) -> None:
        self.place = replace(self.place, width=min(60, max(12, self.place.width + by)))
        self._lines.clear()

    def _next_guide(self) -> None:
        following = GUIDES[(GUIDES.index(self.place.guide) + 1) % len(GUIDES)]
        self.place = replace(self.place, guide=following)
        self._lines.clear()

    def _toggle_align(self) -> None:
        self.align = not self.align
        self._lines.clear()

    def _toggle_dim(self) -> None:
        self.dim = not self.dim

    def _show(self, what: str) -> None:
        self.playing = False
        self.help = what
        if what == "search":
            self.wanted = ""
        here = [n for n, entry in enumerate(self.contents) if entry[2] <= self.place.block]
        self.chosen = here[-1] if here else 0

    def _over(self, key: str) -> None:
        """Do what a key does while something lies over the text."""
        what = self.help
        if key == "escape" or (what != "search" and key in ("q", "?", "c")):
            self.help = ""
        elif key == "enter":
            self.help = ""
            if what == "search":
                self._find(1)
            elif what == "contents" and self.contents:
                self._go(self.contents[self.chosen][2], 0)
        elif what == "contents" and key in CHOOSE:
            last = len(self.contents) - 1
            self.chosen = max(0, min(last, self.chosen + CHOOSE[key]))
        elif what == "search" and key == "backspace":
            self.wanted = self.wanted[:-1]
        elif what == "search" and len(key) == 1 and key.isprintable():
            self.wanted += key

    def _find(self, direction: int) -> None:
        """Go to the next place of what is searched for, round the book's end."""
        needle = searched(self.wanted)
        if not needle:
            return
        count, here = len(self.blocks), self.place.block
        for step in range(count + 1):
            index = (here + direction * step) % count
            found = places_of(self.blocks[index].text, needle)
            if not step:
                char = self.place.char
                found = [at for at in found if (at > char if direction > 0 else at < char)]
            if found:
                self._go(index, found[0 if direction > 0 else -1])
                return

    def _mark(self) -> None:
        here = (self.place.block, self.place.char)
        marks = set(self.place.marks) ^ {here}
        self.place = replace(self.place, marks=tuple(sorted(marks)))

    def _next_mark(self) -> None:
        marks = self.place.marks
        if marks:
            here = (self.place.block, self.place.char)
            self._go(*next((mark for mark in marks if mark > here), marks[0]))

    def _leave(self) -> None:
        self.done = True

    def screen(self, columns: int, rows: int) -> list[str]:
        """Return ``rows`` lines for a terminal ``columns`` wide, the place at two fifths."""
        if columns - 4 != self._room:
            self._room = max(8, columns - 4)
            self._lines.clear()
        if self.help in ("keys", "contents"):
            shown = self._overlay(columns, rows - 1)
            return [*shown, *[""] * (rows - 1 - len(shown)), self._status(columns)]
        middle = int((rows - 1) * 0.4)
        drawn: list[str] = []
        index, number = self._back(middle)
        for row in range(rows - 1):
            if number < 0 or index >= len(self.blocks):
                drawn.append("")
                number += 1
                continue
            now = row == middle
            drawn.append(self._draw(index, number, columns, now=now))
            number += 1
            if number >= len(self.lines(index)):
                index, number = index + 1, -1
        return [*drawn, self._status(columns)]

    def _overlay(self, columns: int, rows: int) -> list[str]:
        if self.help == "keys":
            lines = [f"  {'space' if key == ' ' else key:9} {what}" for key, what in KEYS.items()]
            return [_cut(line, columns - 1) for line in lines[:rows]]
        first = max(0, min(self.chosen - rows // 2, len(self.contents) - rows))
        rows_shown = []
        for n, (level, title, _) in enumerate(self.contents[first : first + rows], first):
            mark = CHOSEN if n == self.chosen else " "
            rows_shown.append(_cut(f"{mark} {'  ' * (level - 1)}{printable(title)}", columns - 1))
        return rows_shown

    def _back(self, rows: int) -> tuple[int, int]:
        """Return what stands ``rows`` above the place; a line of -1 is the gap above a block."""
        index, number = self.place.block, self.line_number()
        for _ in range(rows):
            number -= 1
            if number < -1:
                if not index:
                    continue
                index -= 1
                number = len(self.lines(index)) - 1
        return index, number

    def _draw(self, index: int, number: int, columns: int, *, now: bool) -> str:
        line = self.lines(index)[number]
        block = self.blocks[index]
        before = f"{block.marker} " if block.marker and not number else ""
        indent = max(2, round(columns / 2 - line.axis) - len(before))
        text = _cut(line.text, columns - indent - len(before))
        guide = line.guide if line.guide and line.guide[1] <= len(text) else None
        shown = marked(replace(line, text=text, guide=guide), self.place.guide)
        if self.dim and not now:
            shown = f"{DIM}{printable(text)}{PLAIN}"
        mark = "\u203a" if now else " "
        return mark + " " * (indent - 1) + before + shown

    def _status(self, columns: int) -> str:
        if self.help == "search":
            return _cut(f" / {printable(self.wanted)}\u2588", columns - 1)
        part = 100 * self.place.block // max(1, len(self.blocks) - 1)
        state = "playing" if self.playing else "stopped"
        text = f" {part} %  {self.place.speed} words/min {state}  width {self.place.width}  ? keys"
        return text[: columns - 1]

    # What each key does: shown by ``?``, tested against the page's own list.
    ACTS: ClassVar[dict[str, tuple[str, Callable[[Reader], None]]]] = {
        " ": ("start or stop the pacer", _toggle),
        "down": ("next line", lambda self: self.step(1)),
        "up": ("previous line", lambda self: self.step(-1)),
        "right": ("next sentence", lambda self: self._sentence(1)),
        "left": ("previous sentence", lambda self: self._sentence(-1)),
        "pagedown": ("ten lines on", lambda self: self.step(10)),
        "pageup": ("ten lines back", lambda self: self.step(-10)),
        "home": ("begin of the book", lambda self: self._go(0, 0)),
        "end": ("end of the book", lambda self: self._go(len(self.blocks) - 1, 1 << 30)),
        "+": ("more words a minute", lambda self: self._quicken(10)),
        "-": ("fewer words a minute", lambda self: self._quicken(-10)),
        "]": ("wider lines", lambda self: self._wider(1)),
        "[": ("narrower lines", lambda self: self._wider(-1)),
        "g": ("next kind of guide", _next_guide),
        "a": ("guide on the axis", _toggle_align),
        "o": ("dim other lines", _toggle_dim),
        "/": ("search; n and N go on and back", lambda self: self._show("search")),
        "c": ("contents", lambda self: self._show("contents")),
        "m": ("set or remove a bookmark; ' goes to the next", _mark),
        "?": ("these keys", lambda self: self._show("keys")),
        "q": ("leave; the place is kept", _leave),
        "j": ("", lambda self: self.step(1)),
        "k": ("", lambda self: self.step(-1)),
        "n": ("", lambda self: self._find(1)),
        "N": ("", lambda self: self._find(-1)),
        "'": ("", _next_mark),
    }


KEYS = {key: what for key, (what, _) in Reader.ACTS.items() if what}


def searched(text: str) -> str:
    """Return a text as it is searched for: without case, accents and soft hyphens.

    >>> searched("Caf\u00e9 \u201cA\u201d")
    'cafe "a"'
    """
    return "".join(_letters(character) for character in text)


def _letters(character: str) -> str:
    if character.isspace():
        return " "
    plain = unicodedata.normalize("NFKD", QUOTES.get(character, character)).lower()
    return "".join(c for c in plain if unicodedata.category(c) not in {"Mn", "Me", "Cf"})


def places_of(text: str, needle: str) -> list[int]:
    """Return where ``needle``, as :func:`searched` made it, begins in ``text``."""
    hay = searched(text)
    if needle not in hay:
        return []
    origins = [at for at, character in enumerate(text) for _ in _letters(character)]
    return [origins[m.start()] for m in re.finditer(re.escape(needle), hay)]


def folded(line: TextLine, room: int) -> list[TextLine]:
    """Return a line in rows of at most ``room`` columns: at blanks, else where it must be.

    >>> [row.text for row in folded(TextLine(0, "one two", None, 7, 3.5), 4)]
    ['one ', 'two']
    """
    if line.columns <= room:
        return [line]
    rows: list[TextLine] = []
    at = 0
    while at < len(line.text):
        text = _cut(line.text[at:], room)
        blank = text.rfind(" ")
        if at + len(text) < len(line.text) and blank > len(text) // 2:
            text = text[: blank + 1]
        text = text or line.text[at]
        columns = sum(map(cells, text.rstrip(" ")))
        guide = line.guide and (line.guide[0] - at, line.guide[1] - at)
        inside = guide if guide and guide[0] >= 0 and guide[1] <= len(text) else None
        rows.append(TextLine(line.start + at, text, inside, columns, columns / 2))
        at += len(text)
    return rows


def _cut(text: str, columns: int) -> str:
    """Return as much of ``text`` as fits: a table may be wider than the terminal."""
    used = 0
    for place, character in enumerate(text):
        used += cells(character)
        if used > columns:
            return text[:place]
    return text
