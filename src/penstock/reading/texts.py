"""Lines for the terminal and for programs: plain or ANSI text, and JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

from penstock.reading.blocks import TextBlock
from penstock.reading.layout import plan
from penstock.reading.settings import Guide, Look
from penstock.reading.stats import Count
from penstock.reading.text_map import cells, shade_text
from penstock.visible import STEERING

__all__ = ["TextLine", "block_lines", "json_lines", "marked", "text_lines"]

ANSI: dict[Guide, tuple[str, str]] = {
    "bold": ("\x1b[1m", "\x1b[22m"),
    "colour": ("\x1b[1;33m", "\x1b[22;39m"),
    "underline": ("\x1b[4m", "\x1b[24m"),
    "none": ("", ""),
}


@final
@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of a block.

    Attributes:
        start: Its first character in the block's text.
        text: Its characters, without the blank at its end.
        guide: Where its guide begins and ends in ``text``.
        columns: How wide it is.
        axis: The column, from 0, that belongs on the axis.
    """

    start: int
    text: str
    guide: tuple[int, int] | None
    columns: int
    axis: float


def block_lines(block: TextBlock, look: Look, count: Count) -> list[TextLine]:
    """Return the lines of a ``text`` block; none of what is left whole, which is counted.

    >>> block = TextBlock("text", "one two three")
    >>> [line.text for line in block_lines(block, Look(width=9), Count())]
    ['one two', 'three']
    """
    if block.kind != "text":
        count.leave(block.kind)
        return []
    shadow = shade_text(block.text)
    lines: list[TextLine] = []
    start = 0
    for line in plan(shadow, look, count, block.language, rtl=block.rtl):
        stop = shadow.end(line.stop - 1)
        *bare, (start, text) = _rows(block.text, start, stop)
        lines += [TextLine(*row, None, 0, 0) for row in bare]
        columns = len(shadow.text[line.start : line.stop].rstrip(" ")) + line.hyphen
        guide, axis = None, columns / 2
        if line.guide:
            first, last = line.guide
            guide = shadow.start(first) - start, shadow.end(last - 1) - start
            if look.align:
                axis = first - line.start + 0.4 * (last - first)
        lines.append(TextLine(start, text + "-" * line.hyphen, guide, columns, axis))
        start = stop
    if lines:
        lines += [TextLine(*row, None, 0, 0) for row in _rows(block.text, start, None)]
    return lines


def _rows(text: str, start: int, stop: int | None) -> Iterator[tuple[int, str]]:
    """Yield what stands between breaks, without blanks around it, and where each begins.

    All but the last have no columns: characters without width that stand alone.
    """
    for row in text[start:stop].split("\n"):
        bare = row.strip(" ")
        if bare:
            yield start + row.index(bare), bare
        start += len(row) + 1


def text_lines(
    blocks: Iterable[TextBlock], look: Look, count: Count, *, ansi: bool
) -> Iterator[str]:
    """Yield the book as lines of text centred on one axis, without line ends.

    Args:
        blocks: The book.
        look: Width and guide; with ``align`` the guide is on the axis of every line.
        count: Added to.
        ansi: Whether the guide is marked with escape sequences.
    """
    middle = look.width / 2 if not look.align else look.width * 0.75
    for block in blocks:
        yield ""
        lines = block_lines(block, look, count)
        if not lines:
            yield from _whole(block, middle)
        for number, line in enumerate(lines):
            marker = f"{block.marker} " if block.marker and not number else ""
            blanks = " " * max(0, round(middle - line.axis) - len(marker))
            yield blanks + marker + marked(line, look.guide if ansi else "none")


def _whole(block: TextBlock, middle: float) -> Iterator[str]:
    marker = f"{block.marker} " if block.marker else ""
    for line in block.text.split("\n"):
        safe = marker + printable(line)
        marker = ""
        width = sum(map(cells, safe))
        yield " " * max(0, round(middle - width / 2)) + safe if block.kind == "heading" else safe


def printable(text: str) -> str:
    r"""Return ``text`` without control characters: a book must not steer the terminal.

    >>> printable("a\x1b[2Jb")
    'a[2Jb'
    """
    return STEERING.sub("", text).replace("\n", "")


def marked(line: TextLine, guide: Guide) -> str:
    """Return a line with its guide between escape sequences."""
    first, last = line.guide or (0, 0)
    on, off = ANSI[guide] if line.guide else ("", "")
    before, word, after = line.text[:first], line.text[first:last], line.text[last:]
    return f"{printable(before)}{on}{printable(word)}{off}{printable(after)}"


def json_lines(blocks: Iterable[TextBlock], look: Look, count: Count) -> Iterator[str]:
    """Yield one JSON object a line of text, or a block left whole.

    >>> print(*json_lines([TextBlock("text", "one two")], Look(), Count()))
    {"block": 0, "kind": "text", "start": 0, "text": "one two", "guide": [4, 7]}
    """
    for number, block in enumerate(blocks):
        head: dict[str, object] = {"block": number, "kind": block.kind}
        for name in ("document", "language", "marker"):
            if value := getattr(block, name):
                head[name] = value
        lines = block_lines(block, look, count)
        if not lines:
            yield json.dumps({**head, "text": block.text}, ensure_ascii=False)
        for line in lines:
            found: dict[str, object] = {"start": line.start, "text": line.text}
            if line.guide:
                found["guide"] = line.guide
            yield json.dumps({**head, **found}, ensure_ascii=False)
