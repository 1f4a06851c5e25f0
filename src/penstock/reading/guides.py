"""The guide of each line of a text: found by the blanks around the axis, and brought near it.

The rule is :func:`penstock.reading.words.centre_word`'s. It runs once a line of a book, so it is
written for speed here; lengths are in tenths of a column, to stay among whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from penstock.reading.words import centre_word, function_words, inside

__all__ = ["BEGIN", "END", "Span", "guide_of", "mark_guides", "nearest_word"]

Span: TypeAlias = tuple[int, int] | None
# Marks that no text holds: XML forbids them, and plain text is cleaned of them.
BEGIN, END = "\x02", "\x03"
# A guide further from the axis than this many columns is worth another place for the break.
FAR = 3.5


def mark_guides(
    lines: list[str], begin: str, end: str, width: int = 0, language: str = ""
) -> list[str]:
    r"""Return ``lines`` with the guide of each between ``begin`` and ``end``.

    Where a guide is far from the axis, a word goes from one line to the other if there is room
    and no phrase is torn: ``lines`` themselves are changed then.

    Args:
        lines: Each ends with one blank or line feed.
        begin: Put before each guide.
        end: Put after it.
        width: Columns a line may have; 0 leaves the lines as they are.
        language: Whose words belong to what follows.

    >>> mark_guides(["that he had seen the carriage "], "<", ">")
    ['that he had <seen> the carriage ']
    """
    far: list[tuple[int, int]] = []
    marked = _mark(lines, begin, end, far)
    if width:
        stops = function_words(language)
        for number, off in far:
            first = _moved(lines, number, off, width, stops)
            if first is not None:
                marked[first : first + 2] = _mark(lines[first : first + 2], begin, end, [])
    return marked


def _mark(  # noqa: C901, PLR0912 - in one piece: it runs once a line of a book
    lines: Iterable[str], begin: str, end: str, far: list[tuple[int, int]]
) -> list[str]:
    """Mark each guide; add to ``far`` which are far from the axis, and how far."""
    marked: list[str] = []
    add = marked.append
    for line in lines:
        length = len(line) - 1
        start = line.rfind(" ", 0, length >> 1) + 1
        stop = line.find(" ", start, length)
        if stop < 0:
            stop = length
        off = 6 * start + 4 * stop - 5 * length  # 0.4 of the way from start to stop
        # A neighbour is at least 1 + 0.6 of itself and 0.4 of the word away on the left, and
        # 1 + 0.4 of itself and 0.6 of the word on the right.
        if off > 14:
            if start and off > 8 + 2 * (stop - start):
                other = line.rfind(" ", 0, start - 1) + 1
                if 5 * length - 6 * other - 4 * (start - 1) <= off:
                    start, stop = other, start - 1
                    off = 6 * start + 4 * stop - 5 * length
            if off > 30:
                far.append((len(marked), off))
        elif off < -14:
            if stop < length and -off > 7 + 3 * (stop - start):
                other = line.find(" ", stop + 1, length)
                if other < 0:
                    other = length
                if 6 * (stop + 1) + 4 * other - 5 * length < -off:
                    start, stop = stop + 1, other
                    off = 6 * start + 4 * stop - 5 * length
            if off < -30:
                far.append((len(marked), off))
        word = line[start:stop]
        if stop - start < length:
            if word.isalnum():
                add(f"{line[:start]}{begin}{word}{end}{line[stop:]}")
                continue
            if at := inside(word):
                start, stop = start + at[0], start + at[1]
                add(f"{line[:start]}{begin}{line[start:stop]}{end}{line[stop:]}")
                continue
        add(_joined(line, begin, end))
    return marked


def _joined(line: str, begin: str, end: str) -> str:
    """Mark the guide of a line of one word, or where words are joined by a dash."""
    span = centre_word(line)
    if not span:
        return line
    return f"{line[: span[0]]}{begin}{line[span[0] : span[1]]}{end}{line[span[1] :]}"


def _moved(
    lines: list[str], number: int, off: int, width: int, stops: frozenset[str]
) -> int | None:
    """Move one word over a break so that a far guide comes near; return the first line changed.

    A word of k columns, blank included, that leaves a line's end or joins its begin moves the
    guide k / 2 columns to the right of the axis; the other two ways, to the left. So the likely
    ways come first.
    """
    for down in (off < 0, off >= 0):
        for first in (number, number - 1):
            if first < 0 or first + 1 >= len(lines) or lines[first][-1] != " ":
                continue  # a paragraph's end, or a line that ends with a dash
            if len(lines[first + 1 if down else first]) >= width:
                continue  # no room for any word
            pair = _pair(lines[first], lines[first + 1], width, stops, down=down)
            # The line whose guide was far first: it is the one that may still be.
            far = number - first
            if pair and _distance(pair[far]) <= FAR and _distance(pair[1 - far]) <= FAR:
                lines[first : first + 2] = pair
                return first
    return None


def _pair(
    upper: str, lower: str, width: int, stops: frozenset[str], *, down: bool
) -> tuple[str, str] | None:
    """Return two lines with one word moved over the break between them, if it may be."""
    if down:
        before, blank, word = upper[:-1].rpartition(" ")
        if blank and len(word) + len(lower) <= width and _may_end(before, stops):
            return f"{before} ", f"{word} {lower}"
        return None
    word, blank, rest = lower.partition(" ")
    if rest and len(upper) + len(word) <= width and _may_end(word, stops):
        return f"{upper}{word} ", rest
    return None


def _may_end(line: str, stops: frozenset[str]) -> bool:
    return line.rpartition(" ")[2].strip("“‘(").lower() not in stops


def _distance(line: str) -> float:
    """Return how many columns the guide is from the axis; more than a line has where none is."""
    span = guide_of(_mark([line], BEGIN, END, [])[0])
    return abs(0.6 * span[0] + 0.4 * span[1] - (len(line) - 1) / 2) if span else len(line)


def guide_of(marked: str) -> Span:
    r"""Return where the guide is in a line that was marked with BEGIN and END.

    >>> guide_of("a \x02b\x03 c")
    (2, 3)
    """
    begin = marked.find(BEGIN)
    return (begin, marked.index(END) - 1) if begin >= 0 else None


def nearest_word(line: str) -> Span:
    """Return where the guide of one line is, with or without a blank at its end.

    >>> nearest_word("that he had seen")
    (8, 11)
    """
    return guide_of(_mark([line if line.endswith(" ") else line + "\n"], BEGIN, END, [])[0])
