"""Breaks and guides put into text, and into the markup whose shadow the text is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, final

from penstock.reading.guiding import Span
from penstock.reading.shadow import EVEN, Shadow

__all__ = ["CLOSE", "EXPLICIT", "MARKS", "Marks", "Woven", "weave"]

CLOSE = "</span>"


@final
class Marks(NamedTuple):
    """What is put into a text.

    Attributes:
        begin: Before it.
        line_break: At each break.
        guide: Before the guide.
        guide_end: After it.
    """

    begin: str
    line_break: str
    guide: str
    guide_end: str


# Inside the first no break and no bold word is the book's own, so ours need no names: a third
# of the bytes that an edition is larger by.
MARKS = Marks('<span class="psl">', "<br/>", "<b>", "</b>")
EXPLICIT = Marks('<span class="psx">', '<br class="psb"/>', '<b class="psg">', "</b>")


@final
class Woven(NamedTuple):
    """Markup with its lines set: the text, where its source ends, and how many guides it has."""

    text: str
    done: int
    guides: int


def weave(
    source: str, shadow: Shadow, lines: Sequence[str], spans: Sequence[Span], marks: Marks
) -> Woven:
    """Return the source of ``shadow`` with breaks and guides put in.

    A line inside one run of the shadow has its places one beside the other in the source; only
    those of other lines are looked up.

    Args:
        source: What the shadow was made of.
        shadow: Its columns.
        lines: All of its lines; the last ends with a line feed that is none of its columns.
        spans: The guide of each.
        marks: What is put in.
    """
    columns, ends, begins = shadow.columns, shadow.ends, shadow.begins
    out: list[str] = []
    done, at, run, guides = shadow.origin, 0, 0, len(spans) - spans.count(None)
    last = columns[-1]
    for line, span in zip(lines, spans, strict=True):
        stop = min(at + len(line), last)
        while columns[run + 1] <= at:
            run += 1
        if stop <= columns[run + 1] and ends[run] == EVEN:
            begin = begins[run] + at - columns[run]
            if span:
                first, end = begin + span[0], begin + span[1]
                out += (source[done:first], marks.guide, source[first:end], marks.guide_end)
                done = end
            end = begin + stop - at
        else:
            if span:
                first, end = shadow.start(at + span[0]), shadow.end(at + span[1] - 1)
                if "<" in source[first:end]:
                    guides -= 1  # the word itself holds markup: no guide before two halves
                else:
                    out += (source[done:first], marks.guide, source[first:end], marks.guide_end)
                    done = end
            end = shadow.end(stop - 1)
        out += (source[done:end], marks.line_break)
        done = end
        at = stop
    out.pop()
    return Woven("".join(out), done, guides)
