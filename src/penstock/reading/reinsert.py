"""The markup of a text put back into its lines once breaks and guides are in them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple, final

from penstock.reading.text_map import EVEN, Shadow

__all__ = ["EXPLICIT", "MARKS", "Marks", "put_back"]


@final
class Marks(NamedTuple):
    """What is put into a text.

    Attributes:
        name: The class of what holds it.
        line_break: At each break.
        guide: Before the guide.
        guide_end: After it.
    """

    name: str
    line_break: str
    guide: str
    guide_end: str


# Inside the first no break and no bold word is the book's own, so ours need no names: a third
# of the bytes that an edition is larger by.
MARKS = Marks("psl", "<br/>", "<b>", "</b>")
EXPLICIT = Marks("psx", '<br class="psb"/>', '<b class="psg">', "</b>")


def put_back(
    source: str, shadow: Shadow, end: int, lines: list[str], starts: Sequence[int], offset: int
) -> None:
    """Put what the shadow of a text leaves out back into its ``lines``.

    A word whose own markup would be inside the guide loses the guide: no guide before two halves.

    Args:
        source: What the shadow was made of.
        shadow: Its columns; the text has none of the elements that guides are.
        end: Where the source of the text ends.
        lines: Lines of this and other texts with guides in them; changed.
        starts: The column each line begins at; the column after the last line feed.
        offset: The column at which this text begins.
    """
    done = end
    for run in range(len(shadow.begins), -1, -1):  # from the right: the rest keeps its place
        own, wide, begin = "", 0, done
        if run < len(shadow.begins):
            begin = shadow.begins[run]
            if shadow.ends[run] != EVEN:
                own = source[begin : shadow.ends[run]]
                wide = shadow.columns[run + 1] - shadow.columns[run]
        done = _end(shadow, run - 1)
        gap = source[done:begin]
        if gap or own:
            column = offset + shadow.columns[run]
            line = bisect_right(starts, column) - 1
            lines[line] = _put(lines[line], column - starts[line], gap, own, wide)


def _end(shadow: Shadow, run: int) -> int:
    """Return where the source of a run ends, and begins for the one before the first."""
    if run < 0:
        return shadow.origin
    end = shadow.ends[run]
    begin, columns = shadow.begins[run], shadow.columns
    return begin + columns[run + 1] - columns[run] if end == EVEN else end


def _put(line: str, column: int, gap: str, own: str, wide: int) -> str:
    """Put tags before a column of a line, and the source of what is ``wide`` columns there."""
    begin = line.find(MARKS.guide)
    if begin < 0 or column < begin:
        return line[:column] + gap + own + line[column + wide :]
    opened, closed = len(MARKS.guide), len(MARKS.guide) + len(MARKS.guide_end)
    stop = line.index(MARKS.guide_end) - opened
    if column >= stop:
        column += closed
    elif (gap and column > begin) or "<" in own:
        line = line[:begin] + line[begin + opened : stop + opened] + line[stop + closed :]
    else:
        # Tags are there only where the guide begins.
        before = line[:begin] + gap + line[begin : column + opened]
        return before + own + line[column + opened + wide :]
    return line[:column] + gap + own + line[column + wide :]
