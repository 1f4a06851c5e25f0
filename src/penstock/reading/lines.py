"""A document set in lines: breaks and guides are put in, nothing else is touched.

One ``<span class="psl">`` around the text of a block, one ``<br class="psb"/>`` at each break and
one ``<b class="psg">`` around each guide: two elements a line. Links, emphasis and ids are never
cut in two, because a break is a place and not a box. :mod:`penstock.reading.unlines` takes exactly
these out again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

from penstock.reading.cutting import line_pattern
from penstock.reading.markup import Passage, passages
from penstock.reading.settings import Guide, Look
from penstock.reading.shadow import PLAIN, Shadow, shade
from penstock.reading.words import centre_word, nearest_word

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
        overlong: Lines over the width: a single word that cannot be broken.
        texts: Blocks set in lines.
        left: Blocks left whole, by what they are.
        notes: What could not be done and why, each said once.
    """

    lines: int = 0
    guides: int = 0
    overlong: int = 0
    texts: int = 0
    left: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)

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
    if PLAIN.fullmatch(text):
        lines = line_pattern(int(look.width), passage.language, phrases=look.phrases).findall(text)
        count.texts += 1
        count.lines += len(lines)
        return OPEN + BREAK.join(_mark_plain(lines, look, count)) + CLOSE
    return _set_marked(source, passage, look, count)


def _mark_plain(lines: list[str], look: Look, count: Count) -> list[str]:
    begin, end = MARKS[look.guide]
    width = look.width
    count.overlong += sum(
        1 for line in lines if len(line) > width and len(line.rstrip(" ")) > width
    )
    if not begin:
        return lines
    marked: list[str] = []
    for line in lines:
        found = nearest_word(line)
        if found:
            start, stop = found
            count.guides += 1
            marked.append(f"{line[:start]}{begin}{line[start:stop]}{end}{line[stop:]}")
        else:
            marked.append(line)
    return marked


def _set_marked(source: str, passage: Passage, look: Look, count: Count) -> str:
    """Set text with markup or unusual characters: break its shadow, then go back to the source."""
    shadow = shade(source, passage.start, passage.end)
    if not shadow.text.strip():
        return source[passage.start : passage.end]  # anchors only
    lines = plan(shadow, look, count, passage.language, rtl=passage.rtl)
    edits: list[tuple[int, str]] = []
    begin, end = MARKS[look.guide]
    for line in lines:
        if line.guide:
            first, last = shadow.starts[line.guide[0]], shadow.ends[line.guide[1] - 1]
            if "<" in source[first:last]:
                count.guides -= 1  # the word itself holds markup: better no guide than two halves
            else:
                edits += [(first, begin), (last, end)]
        edits.append((shadow.ends[line.stop - 1], BREAK))
    edits.pop()
    out, done = [OPEN], passage.start
    for position, insert in edits:
        out += (source[done:position], insert)
        done = position
    out += (source[done : passage.end], CLOSE)
    return "".join(out)


@final
@dataclass(frozen=True, slots=True)
class Line:
    """A line in columns of a shadow: where it begins and ends, and its guide."""

    start: int
    stop: int
    guide: tuple[int, int] | None


def plan(
    shadow: Shadow, look: Look, count: Count, language: str, *, rtl: bool = False
) -> list[Line]:
    """Return the lines of a text, at least one, and add them to ``count``."""
    pattern = line_pattern(int(look.width), language, phrases=look.phrases)
    text, lines = shadow.text, []
    for match in pattern.finditer(text):
        start, stop = match.span()
        line = match[0]
        found = None
        if look.guide != "none":
            found = centre_word(line, rtl=rtl) if rtl else nearest_word(line)
        count.overlong += len(line.rstrip(" ")) > look.width
        count.guides += found is not None
        lines.append(Line(start, stop, (start + found[0], start + found[1]) if found else None))
    count.texts += 1
    count.lines += len(lines)
    return lines
