"""The lines of one text with all that may be asked: em, hyphens, any script, either direction.

:mod:`penstock.reading.lines` goes a quicker way where none of it is needed.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import accumulate, pairwise
from typing import NamedTuple, final

from penstock.reading.advances import advance
from penstock.reading.counting import Count
from penstock.reading.cutting import cut
from penstock.reading.filling import Piece, Unit, fill
from penstock.reading.guiding import BEGIN, END, mark_guides, nearest_word
from penstock.reading.settings import Look
from penstock.reading.shadow import Shadow
from penstock.reading.units import (
    COMPOUNDING,
    UNBREAKABLE,
    UNSPACED,
    UNSPACED_SHARE,
    long_words,
    units_of,
)
from penstock.reading.words import centre_word

__all__ = ["Line", "needs_hyphens", "plain_script", "plan"]


@final
class Line(NamedTuple):
    """A line in columns of a shadow: its ends, its guide, whether a hyphen is shown after it."""

    start: int
    stop: int
    guide: tuple[int, int] | None
    hyphen: bool = False


def plan(
    shadow: Shadow, look: Look, count: Count, language: str, *, rtl: bool = False
) -> list[Line]:
    """Return the lines of a text and add them to ``count``.

    None are returned for a text that cannot be broken safely.
    """
    text = shadow.text
    if UNBREAKABLE.search(text):
        count.note("Lao, Tibetan, Burmese or Khmer left alone: no safe breaks known")
        count.leave("text")
        return []
    unspaced = bool(UNSPACED.search(text))
    pieces, units = _pieces(shadow, look, language, unspaced=unspaced)
    if unspaced:
        lines = [_phrase_line(text, piece, look, units) for piece in pieces]
    elif look.guide == "none":
        lines = [Line(start, stop, None, hyphen) for start, stop, hyphen in pieces]
    else:
        lines = []
        for start, stop, hyphen in pieces:
            line = text[start:stop]
            found = centre_word(line, rtl=True) if rtl else nearest_word(line)
            guide = (start + found[0], start + found[1]) if found else None
            lines.append(Line(start, stop, guide, hyphen))
    count.texts += 1
    count.lines += len(lines)
    count.guides += sum([line.guide is not None for line in lines])
    count.hyphens += sum([line.hyphen for line in lines])
    count.overlong += sum([_too_wide(text[line.start : line.stop], look) for line in lines])
    return lines


def _too_wide(line: str, look: Look) -> bool:
    if not look.em and len(line) <= look.width:
        return False
    bare = line.rstrip(" ")
    return (advance(bare) if look.em else len(bare)) > look.width + 1e-9


def _pieces(
    shadow: Shadow, look: Look, language: str, *, unspaced: bool
) -> tuple[list[Piece], list[Unit]]:
    text = shadow.text
    if not (look.em or unspaced or needs_hyphens(text, look, language)):
        lines, overlong = cut(text, int(look.width), language, phrases=look.phrases)
        if not (overlong and look.hyphenate):
            if look.guide != "none":
                mark_guides(lines, BEGIN, END, int(look.width), language)  # for its breaks
            ends = accumulate(map(len, lines), initial=0)
            return [Piece(a, min(b, len(text))) for a, b in pairwise(ends)], []
    room = look.width * (UNSPACED_SHARE if unspaced and not look.em else 1)
    hyphen = advance("-") if look.em else 1.0
    units = units_of(shadow, look, language)
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


def _phrase_line(text: str, piece: Piece, look: Look, units: list[Unit]) -> Line:
    """Return a line whose guide is the phrase nearest the axis."""
    inside = [u for u in units if piece.start <= u.start and u.stop <= piece.stop]
    guide = None
    if look.guide != "none" and len(inside) > 1:
        axis = (piece.start + len(text[: piece.stop].rstrip(" "))) / 2
        nearest = min(inside, key=lambda u: abs(u.start + u.width / 2 - axis))
        letters = LETTERS.search(text, nearest.start, nearest.stop)
        guide = letters.span() if letters else None
    return Line(piece.start, piece.stop, guide, piece.hyphen)
