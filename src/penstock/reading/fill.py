"""Lines from units of any width: phrases of scripts without blanks, syllables, and em.

A unit is what stays together. Each line takes as many as fit, then ends after punctuation or
before a word that belongs to what follows, by the same shares as :mod:`penstock.reading.wrap`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

from penstock.reading.wrap import PHRASE_SHARE, PUNCTUATION_SHARE

__all__ = ["Piece", "Unit", "fill"]


@final
@dataclass(frozen=True, slots=True)
class Unit:
    """Something that stays on one line, unless it alone is too long.

    Attributes:
        start: Its first column.
        stop: The column after its last, blanks included.
        width: How wide it is without the blanks at its end.
        blank: How wide those are.
        bold: How much wider it is as a guide.
        ends: 2 where it ends with punctuation, 0 where it belongs to what follows, else 1.
        cuts: Where a hyphen may go: the column and the width before it, hyphen included.
    """

    start: int
    stop: int
    width: float
    blank: float = 0.0
    bold: float = 0.0
    ends: int = 1
    cuts: tuple[tuple[int, float], ...] = ()


@final
class Piece(NamedTuple):
    """A line: its columns and whether a hyphen is shown at its end."""

    start: int
    stop: int
    hyphen: bool = False


def fill(
    units: Sequence[Unit], width: float, *, phrases: bool = True, hyphen: float = 1.0
) -> Iterator[Piece]:
    """Yield the lines of ``units``, none wider than ``width`` unless one unit is.

    Args:
        units: What stays together, in order.
        width: In the unit of the units' own widths.
        phrases: Whether lines end at phrases; False fills each greedily.
        hyphen: How wide a hyphen is.

    >>> words = [Unit(n * 4, n * 4 + 4, 3, 1) for n in range(5)]
    >>> [(line.start, line.stop) for line in fill(words, 7)]
    [(0, 8), (8, 16), (16, 20)]
    """
    waiting = list(reversed(units))
    while waiting:
        taken, used = _take(waiting, width)
        if not waiting:
            yield Piece(taken[0].start, taken[-1].stop)
            return
        following = waiting[-1]
        cut = _cut(following, width - used) if used < width * PUNCTUATION_SHARE else None
        if cut:
            waiting[-1] = _rest(following, cut, hyphen)
            yield Piece(taken[0].start if taken else following.start, cut[0], hyphen=True)
            continue
        if not taken:
            waiting.pop()
            yield Piece(following.start, following.stop)
            continue
        keep = _best(taken, width) if phrases else len(taken)
        waiting += reversed(taken[keep:])
        yield Piece(taken[0].start, taken[keep - 1].stop)


def _take(waiting: list[Unit], width: float) -> tuple[list[Unit], float]:
    """Take what fits from the end of ``waiting``; return it and how much room is used."""
    taken: list[Unit] = []
    used = bold = 0.0
    while waiting:
        unit = waiting[-1]
        if used + unit.width + max(bold, unit.bold) > width + 1e-9:
            break
        bold = max(bold, unit.bold)
        used += unit.width + unit.blank
        taken.append(waiting.pop())
    return taken, used


def _best(taken: Sequence[Unit], width: float) -> int:
    """Return how many units the line keeps."""
    ends: list[float] = []
    used = 0.0
    for unit in taken:
        ends.append(used + unit.width)
        used += unit.width + unit.blank
    for least, quality in ((PUNCTUATION_SHARE, 2), (PHRASE_SHARE, 1)):
        for number in range(len(taken), 0, -1):
            if ends[number - 1] < width * least:
                break
            if taken[number - 1].ends >= quality:
                return number
    return len(taken)


def _cut(unit: Unit, room: float) -> tuple[int, float] | None:
    fitting = [cut for cut in unit.cuts if cut[1] + unit.bold <= room]
    return fitting[-1] if fitting else None


def _rest(unit: Unit, cut: tuple[int, float], hyphen: float) -> Unit:
    """Return what is left of a unit after a cut of ``hyphen`` width."""
    gone = cut[1] - hyphen
    cuts = tuple((column, width - gone) for column, width in unit.cuts if column > cut[0])
    return Unit(cut[0], unit.stop, unit.width - gone, unit.blank, unit.bold, unit.ends, cuts)
