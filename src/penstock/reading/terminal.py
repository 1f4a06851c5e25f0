"""A reader for the terminal: a place, keys that move it, and a screen drawn around it.

:class:`Reader` only decides; :mod:`penstock.reading.screen` reads keys and writes to the terminal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import final

from penstock.errors import InputError
from penstock.reading.blocks import Block
from penstock.reading.lines import Count
from penstock.reading.pacing import fairness, seconds
from penstock.reading.places import Place
from penstock.reading.settings import DEVICES, GUIDES, Look
from penstock.reading.shadow import cells
from penstock.reading.texts import ANSI, TextLine, block_lines, printable

__all__ = ["KEYS", "Reader"]

SENTENCE = re.compile(r"[.!?\u2026。！？]+[”’\"')」』]*\s*")
DIM, PLAIN = "\x1b[2m", "\x1b[22m"

# What each key does: shown by ``?``, tested against the page's own list.
KEYS = {
    " ": "start or stop the pacer",
    "down": "next line",
    "up": "previous line",
    "right": "next sentence",
    "left": "previous sentence",
    "pagedown": "ten lines on",
    "pageup": "ten lines back",
    "home": "begin of the book",
    "end": "end of the book",
    "+": "more words a minute",
    "-": "fewer words a minute",
    "]": "wider lines",
    "[": "narrower lines",
    "g": "next kind of guide",
    "a": "guide on the axis",
    "o": "dim other lines",
    "?": "these keys",
    "q": "leave; the place is kept",
}


@final
class Reader:
    """A book being read.

    Args:
        blocks: The book, at least one block.
        place: Where to begin and how to show it.

    Raises:
        InputError: The book is empty.
    """

    def __init__(self, blocks: Sequence[Block], place: Place) -> None:
        if not blocks:
            raise InputError("nothing to read in it")
        self.blocks = blocks
        block = min(max(place.block, 0), len(blocks) - 1)
        char = min(max(place.char, 0), max(0, len(blocks[block].text) - 1))
        self.place = replace(place, block=block, char=char, width=min(max(place.width, 12), 60))
        self.playing = self.dim = self.align = self.help = self.done = False
        self._lines: dict[int, list[TextLine]] = {}
        self._fair = 0.0
        self._acts: dict[str, Callable[[], None]] = {
            " ": self._toggle,
            "down": lambda: self.step(1),
            "up": lambda: self.step(-1),
            "j": lambda: self.step(1),
            "k": lambda: self.step(-1),
            "right": lambda: self._sentence(1),
            "left": lambda: self._sentence(-1),
            "pagedown": lambda: self.step(10),
            "pageup": lambda: self.step(-10),
            "home": lambda: self._go(0, 0),
            "end": lambda: self._go(len(self.blocks) - 1, 1 << 30),
            "+": lambda: self._quicken(10),
            "-": lambda: self._quicken(-10),
            "]": lambda: self._wider(1),
            "[": lambda: self._wider(-1),
            "g": self._next_guide,
            "a": self._toggle_align,
            "o": self._toggle_dim,
            "?": self._toggle_help,
            "q": self._leave,
        }

    def press(self, key: str) -> None:
        """Do what ``key`` does; an unknown key does nothing."""
        act = self._acts.get(key)
        if act:
            act()

    def lines(self, index: int) -> list[TextLine]:
        """Return the lines of a block."""
        if index not in self._lines:
            self._lines[index] = list(self._make(self.blocks[index]))
        return self._lines[index]

    def _make(self, block: Block) -> list[TextLine]:
        if block.kind == "text":
            guide = self.place.guide
            look = Look(
                width=self.place.width,
                guide=guide,
                align=self.align and guide != "none",
                device=DEVICES["web"],
            )
            made = block_lines(block, look, Count())
            if made:
                return made
        lines: list[TextLine] = []
        at = 0
        for text in block.text.split("\n"):
            columns = sum(map(cells, text))
            lines.append(TextLine(at, text, None, columns, columns / 2))
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

    def _toggle_help(self) -> None:
        self.help = not self.help

    def _leave(self) -> None:
        self.done = True

    def screen(self, columns: int, rows: int) -> list[str]:
        """Return ``rows`` lines for a terminal ``columns`` wide, the place at two fifths."""
        if self.help:
            shown = [f"  {'space' if key == ' ' else key:9} {what}" for key, what in KEYS.items()]
            return [*shown[: rows - 1], *[""] * (rows - 1 - len(shown)), self._status(columns)]
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
        indent = max(2, round(columns / 2 - line.axis))
        text = _cut(line.text, columns - indent - 1)
        on, off = ANSI[self.place.guide]
        if line.guide and line.guide[1] <= len(text):
            first, last = line.guide
            shown = f"{printable(text[:first])}{on}{printable(text[first:last])}{off}"
            shown += printable(text[last:])
        else:
            shown = printable(text)
        if self.dim and not now:
            shown = f"{DIM}{printable(text)}{PLAIN}"
        mark = "\u203a" if now else " "
        return mark + " " * (indent - 1) + shown

    def _status(self, columns: int) -> str:
        part = 100 * self.place.block // max(1, len(self.blocks) - 1)
        state = "playing" if self.playing else "stopped"
        text = f" {part} %  {self.place.speed} words/min {state}  width {self.place.width}  ? keys"
        return text[: columns - 1]


def _cut(text: str, columns: int) -> str:
    """Return as much of ``text`` as fits: a table may be wider than the terminal."""
    used = 0
    for place, character in enumerate(text):
        used += cells(character)
        if used > columns:
            return text[:place]
    return text
