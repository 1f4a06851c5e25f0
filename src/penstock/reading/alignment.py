"""Lines shifted so that the guide sits on the axis: a margin on the first word of each."""

from __future__ import annotations

from typing import TypeAlias

from penstock.reading.css import shift_class
from penstock.reading.font_metrics import advance
from penstock.reading.layout import ShadowLine
from penstock.reading.stats import Count
from penstock.reading.text_map import Shadow
from penstock.reading.words import SHARE

__all__ = ["shift", "shifted"]

CLOSE = "</span>"
Edit: TypeAlias = tuple[int, str]


def shifted(marks: list[Edit], margin: list[Edit]) -> list[Edit]:
    """Return both in order: a shifted first word may be the guide itself, which is then inside."""
    if not margin:
        return marks
    return [margin[0], *marks, margin[1]] if margin[1][0] > marks[0][0] else margin + marks


def shift(source: str, shadow: Shadow, line: ShadowLine, count: Count) -> list[Edit]:
    """Return the edits that give the line's first word the margin that centres the guide.

    A margin of 2d before a centred line moves it by d. Margins are in fiftieths of an em.
    """
    assert line.guide is not None  # asked by the only caller
    text = shadow.text[line.start : line.stop].rstrip(" ")
    first, last = line.guide[0] - line.start, line.guide[1] - line.start
    before, word = advance(text[:first], "serif"), advance(text[first:last], "serif_bold")
    whole = before + word + advance(text[last:], "serif")
    step = round(50 * (whole - 2 * (before + SHARE * word)))
    begin = shadow.start(line.start)
    blank = text.find(" ")
    end = shadow.end(line.start + (blank if blank > 0 else len(text)) - 1)
    markup = source.find("<", begin, end)
    end = markup if markup > begin else end
    if not step or markup == begin or line.guide[0] == line.start:
        end = shadow.end(line.guide[1] - 1) if line.guide[0] == line.start else end
    if not step or "<" in source[begin:end]:
        return []
    count.shifts.add(step)
    return [(begin, f'<span class="psm {shift_class(step)}">'), (end, CLOSE)]
