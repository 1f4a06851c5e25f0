"""A document set in lines: breaks and guides are put in, nothing else is touched.

One ``<span class="psl">`` around the text of a block, one ``<br class="psb"/>`` at each break and
one ``<b class="psg">`` around each guide: two elements a line. Links, emphasis and ids are never
cut in two, because a break is a place and not a box. :mod:`penstock.reading.unlines` takes exactly
these out again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import starmap
from typing import NamedTuple, final

from penstock.reading.advances import advance
from penstock.reading.cutting import line_pattern
from penstock.reading.filling import Piece, Unit, fill
from penstock.reading.markup import Passage, passages
from penstock.reading.settings import Guide, Look
from penstock.reading.shadow import PLAIN, Shadow, shade
from penstock.reading.sheet import shift_class
from penstock.reading.units import (
    COMPOUNDING,
    UNBREAKABLE,
    UNSPACED,
    UNSPACED_SHARE,
    long_words,
    units_of,
)
from penstock.reading.words import SHARE, centre_word, nearest_word

__all__ = ["Count", "Line", "plan", "set_document"]

OPEN, CLOSE = '<span class="psl">', "</span>"
BREAK = '<br class="psb"/>'
MARKS: dict[Guide, tuple[str, str]] = {
    "bold": ('<b class="psg">', "</b>"),
    "colour": ('<b class="psg psc">', "</b>"),
    "underline": ('<span class="psg psu">', "</span>"),
    "none": ("", ""),
}
HYPHEN = '<span class="psh">-</span>'


@final
@dataclass(slots=True)
class Count:
    """What was done, for the report.

    Attributes:
        lines: Lines made.
        guides: Lines with a guide.
        hyphens: Lines that end with a hyphen of ours.
        overlong: Lines over the width: a single word that cannot be broken.
        texts: Blocks set in lines.
        shifts: Margins used by ``align``, in fiftieths of an em.
        left: Blocks left whole, by what they are.
        notes: What could not be done and why, each said once.
    """

    lines: int = 0
    guides: int = 0
    hyphens: int = 0
    overlong: int = 0
    texts: int = 0
    shifts: set[int] = field(default_factory=set)
    left: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)

    def note(self, what: str) -> None:
        """Count something that could not be done."""
        self.notes[what] = self.notes.get(what, 0) + 1

    def leave(self, kind: str) -> None:
        """Count a block left whole."""
        self.left[kind] = self.left.get(kind, 0) + 1


def set_document(source: str, look: Look, count: Count, language: str = "") -> str:
    """Return the XHTML ``source`` set in lines, and add to ``count`` what was done.

    Args:
        source: A well-formed document.
        look: Width, guide and the rest.
        count: Added to.
        language: The book's language, for text whose own is not said.

    >>> count = Count()
    >>> set_document("<p>She wept, left.</p>", Look(width=9), count, "en")
    '<p><span class="psl">She <b class="psg">wept</b>, <br class="psb"/>left.</span></p>'
    >>> count.lines, count.guides
    (2, 1)
    """
    out: list[str] = []
    done = 0
    for passage in passages(source, language):
        if passage.kind != "text":
            count.leave(passage.kind)
            continue
        out.append(source[done : passage.start])
        text = source[passage.start : passage.end]
        out.append(_set(source, text, passage, look, count))
        done = passage.end
    out.append(source[done:])
    return "".join(out)


def _set(source: str, text: str, passage: Passage, look: Look, count: Count) -> str:
    if look.em or look.align or not PLAIN.fullmatch(text):
        return _set_marked(source, passage, look, count)
    lines = line_pattern(int(look.width), passage.language, phrases=look.phrases).findall(text)
    overlong = sum([len(line) - (line[-1] == " ") > look.width for line in lines])
    if look.hyphenate and (overlong or needs_hyphens(text, look, passage.language)):
        return _set_marked(source, passage, look, count)
    count.texts += 1
    count.lines += len(lines)
    count.overlong += overlong
    if look.guide != "none":
        begin, end = MARKS[look.guide]
        found = list(map(nearest_word, lines))
        lines = [
            f"{line[: at[0]]}{begin}{line[at[0] : at[1]]}{end}{line[at[1] :]}" if at else line
            for line, at in zip(lines, found, strict=True)
        ]
        count.guides += len(found) - found.count(None)
    return OPEN + BREAK.join(lines) + CLOSE


def _set_marked(source: str, passage: Passage, look: Look, count: Count) -> str:
    """Set text with markup or unusual characters: break its shadow, then go back to the source."""
    shadow = shade(source, passage.start, passage.end)
    if not shadow.text.strip():
        return source[passage.start : passage.end]  # anchors only
    lines = plan(shadow, look, count, passage.language, rtl=passage.rtl)
    if not lines:
        return source[passage.start : passage.end]
    edits: list[tuple[int, str]] = []
    begin, end = MARKS[look.guide]
    for line in lines:
        marks: list[tuple[int, str]] = []
        if line.guide:
            first, last = shadow.starts[line.guide[0]], shadow.ends[line.guide[1] - 1]
            if "<" in source[first:last]:
                count.guides -= 1  # the word itself holds markup: better no guide than two halves
            else:
                marks = [(first, begin), (last, end)]
        if look.align and marks:
            marks = _shifted(marks, _shift(source, shadow, line, count))
        edits += marks
        if line.hyphen:
            edits.append((shadow.ends[line.stop - 1], HYPHEN))
        edits.append((shadow.ends[line.stop - 1], BREAK))
    edits.pop()
    out, done = [OPEN], passage.start
    for position, insert in edits:
        out += (source[done:position], insert)
        done = position
    out += (source[done : passage.end], CLOSE)
    return "".join(out)


def _shifted(marks: list[tuple[int, str]], shift: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return both in order: a shifted first word may be the guide itself, which is then inside."""
    if not shift:
        return marks
    return [shift[0], *marks, shift[1]] if shift[1][0] > marks[0][0] else shift + marks


def _shift(source: str, shadow: Shadow, line: Line, count: Count) -> list[tuple[int, str]]:
    """Return the edits that give the line's first word the margin that centres the guide.

    A margin of 2d before a centred line moves it by d. Margins are in fiftieths of an em.
    """
    assert line.guide is not None  # noqa: S101 - asked by the only caller
    text = shadow.text[line.start : line.stop].rstrip(" ")
    first, last = line.guide[0] - line.start, line.guide[1] - line.start
    before, word = advance(text[:first], "serif"), advance(text[first:last], "serif_bold")
    whole = before + word + advance(text[last:], "serif")
    step = round(50 * (whole - 2 * (before + SHARE * word)))
    begin = shadow.starts[line.start]
    blank = text.find(" ")
    end = shadow.ends[line.start + (blank if blank > 0 else len(text)) - 1]
    markup = source.find("<", begin, end)
    end = markup if markup > begin else end
    if not step or markup == begin or line.guide[0] == line.start:
        end = shadow.ends[line.guide[1] - 1] if line.guide[0] == line.start else end
    if not step or "<" in source[begin:end]:
        return []
    count.shifts.add(step)
    return [(begin, f'<span class="psm {shift_class(step)}">'), (end, CLOSE)]


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
        choose = partial(centre_word, rtl=True) if rtl else nearest_word
        lines = []
        for start, stop, hyphen in pieces:
            found = choose(text[start:stop])
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
) -> tuple[Iterable[Piece], list[Unit]]:
    if not (look.em or unspaced or needs_hyphens(shadow.text, look, language)):
        pattern = line_pattern(int(look.width), language, phrases=look.phrases)
        spans = [match.span() for match in pattern.finditer(shadow.text)]
        longest = max(stop - start for start, stop in spans)
        if not look.hyphenate or longest <= look.width + 1:
            return starmap(Piece, spans), []
    room = look.width * (UNSPACED_SHARE if unspaced and not look.em else 1)
    hyphen = advance("-") if look.em else 1.0
    units = units_of(shadow, look, language)
    return fill(units, room, phrases=look.phrases, hyphen=hyphen), units


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
