"""The lines of one text with all that may be asked: em, hyphens, any script, either direction.

:mod:`penstock.reading.lines` goes a quicker way where none of it is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import accumulate, pairwise
from typing import NamedTuple, final

from penstock.reading.fill import Piece, Unit, fill
from penstock.reading.font_metrics import advance
from penstock.reading.guides import BEGIN, END, mark_guides, nearest_word
from penstock.reading.settings import Look
from penstock.reading.stats import Count
from penstock.reading.text_map import BREAK, Shadow
from penstock.reading.units import (
    COMPOUNDING,
    UNBREAKABLE,
    UNSPACED,
    UNSPACED_SHARE,
    long_words,
    units_of,
)
from penstock.reading.words import centre_word
from penstock.reading.wrap import cut

__all__ = ["ShadowLine", "needs_hyphens", "plain_script", "plan"]


@final
class ShadowLine(NamedTuple):
    """A line in columns of a shadow: its ends, its guide, whether a hyphen is shown after it.

    ``broken`` says that the book itself begins a line behind it.
    """

    start: int
    stop: int
    guide: tuple[int, int] | None
    hyphen: bool = False
    broken: bool = False


def plan(
    shadow: Shadow, look: Look, count: Count, language: str, *, rtl: bool = False
) -> list[ShadowLine]:
    """Return the lines of a text and add them to ``count``.

    None are returned for a text that cannot be broken safely.
    """
    text = shadow.text
    if UNBREAKABLE.search(text):
        count.note("Lao, Tibetan, Burmese or Khmer left alone: no safe breaks known")
        count.leave("text")
        return []
    lines: list[ShadowLine] = []
    for part in split(shadow):
        made = _lines(part, look, language, rtl=rtl)
        if made and part.stop < len(text):
            made[-1] = made[-1]._replace(broken=True)
        lines += made
    count.texts += 1
    count.lines += len(lines)
    count.guides += sum([line.guide is not None for line in lines])
    count.hyphens += sum([line.hyphen for line in lines])
    count.overlong += sum([_too_wide(text[line.start : line.stop], look) for line in lines])
    return lines


@final
class Stretch(NamedTuple):
    """What stands between two breaks of the book's own: from a column of a shadow to another."""

    shadow: Shadow
    start: int
    stop: int

    @property
    def text(self) -> str:
        """Its columns."""
        return self.shadow.text[self.start : self.stop]


def split(shadow: Shadow) -> Iterator[Stretch]:
    """Yield the parts of a text that has breaks of its own."""
    start = 0
    for text in shadow.text.split(BREAK):
        if text.strip(" "):
            yield Stretch(shadow, start, start + len(text))
        start += len(text) + 1


def _lines(part: Stretch, look: Look, language: str, *, rtl: bool) -> list[ShadowLine]:
    text, first = part.text, part.start
    unspaced = bool(UNSPACED.search(text))
    pieces, units = _pieces(part, look, language, unspaced=unspaced)
    lines: list[ShadowLine] = []
    for start, stop, hyphen in pieces:
        guide = None
        if unspaced:
            guide = _phrase(text, start, stop, units) if look.guide != "none" else None
        elif look.guide != "none":
            line = text[start:stop]
            found = centre_word(line, rtl=True) if rtl else nearest_word(line)
            guide = (start + found[0], start + found[1]) if found else None
        span = (first + guide[0], first + guide[1]) if guide else None
        lines.append(ShadowLine(first + start, first + stop, span, hyphen))
    return lines


def _too_wide(line: str, look: Look) -> bool:
    if not look.em and len(line) <= look.width:
        return False
    bare = line.rstrip(" ")
    return (advance(bare) if look.em else len(bare)) > look.width + 1e-9


def _pieces(
    part: Stretch, look: Look, language: str, *, unspaced: bool
) -> tuple[list[Piece], list[Unit]]:
    """Return the lines of a part and, where they were needed, its units; columns count from it."""
    text = part.text
    soft = any(part.start <= column < part.stop for column in part.shadow.soft)
    if not (look.em or unspaced or soft or needs_hyphens(text, look, language)):
        lines, overlong = cut(text, int(look.width), language, phrases=look.phrases)
        if not (overlong and look.hyphenate):
            if look.guide != "none":
                mark_guides(lines, BEGIN, END, int(look.width), language)  # for its breaks
            ends = accumulate(map(len, lines), initial=0)
            return [Piece(a, min(b, len(text))) for a, b in pairwise(ends)], []
    room = look.width * (UNSPACED_SHARE if unspaced and not look.em else 1)
    hyphen = advance("-") if look.em else 1.0
    units = units_of(part.shadow, look, language, part.start, part.stop)
    return list(fill(units, room, phrases=look.phrases, hyphen=hyphen)), units


def plain_script(text: str) -> bool:
    """Whether ``text`` has blanks between its words, so that lines can end at them."""
    return not UNSPACED.search(text) and not UNBREAKABLE.search(text)


def needs_hyphens(text: str, look: Look, language: str) -> bool:
    """Whether a word of ``text`` is long enough to be worth a hyphen in a language of compounds."""
    if not look.hyphenate or language.partition("-")[0].lower() not in COMPOUNDING:
        return False
    least = long_words(language, int(look.width))
    return bool(_long(least).search(text))


LETTERS = re.compile(
    r"[^\W_]+[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]*(?:[^\W_]+[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]*)*"
)


@cache
def _long(letters: int) -> re.Pattern[str]:
    return re.compile(rf"[^\W\d_]{{{letters}}}")


def _phrase(text: str, start: int, stop: int, units: list[Unit]) -> tuple[int, int] | None:
    """Return the phrase of a line that is nearest its axis."""
    inside = [u for u in units if start <= u.start and u.stop <= stop]
    if len(inside) < 2:
        return None
    axis = (start + len(text[:stop].rstrip(" "))) / 2
    nearest = min(inside, key=lambda u: abs(u.start + u.width / 2 - axis))
    letters = LETTERS.search(text, nearest.start, nearest.stop)
    return letters.span() if letters else None
