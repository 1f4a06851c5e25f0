"""A document set in lines: breaks and guides are put in, nothing else is touched.

One ``<span class="psl">`` around the text of a block, one ``<br/>`` at each break and one ``<b>``
around each guide: two elements a line. Links, emphasis and ids are never cut in two, because a
break is a place and not a box. Where the book's own text has breaks or bold words, ours bear
class names, so that they can be told apart. :mod:`penstock.reading.unlines` takes exactly these
out again.
"""

from __future__ import annotations

import re
from typing import final

from penstock.reading.aligning import shift, shifted
from penstock.reading.counting import Count
from penstock.reading.cutting import cut
from penstock.reading.guiding import BEGIN, END, guide_of, mark_guides
from penstock.reading.markup import Passage, passages
from penstock.reading.planning import needs_hyphens, plain_script, plan
from penstock.reading.settings import Look
from penstock.reading.shadow import COLUMN, PLAIN, shade
from penstock.reading.weaving import CLOSE, EXPLICIT, MARKS, Marks, weave

__all__ = ["Count", "set_document"]

HYPHEN = '<span class="psh">-</span>'
ASCII = bytes(range(128))
MARKUP = re.compile(r"[<&\x00-\x1f]")
COLUMNS = re.compile(COLUMN)
# Texts of the book with elements like our marks.
LIKE_OURS = re.compile(r"<br?\b")


def set_document(source: str, look: Look, count: Count, language: str = "") -> str:
    """Return the XHTML ``source`` set in lines, and add to ``count`` what was done.

    Args:
        source: A well-formed document.
        look: Width, guide and the rest.
        count: Added to.
        language: The book's language, for text whose own is not said.

    >>> count = Count()
    >>> set_document("<p>She wept, left.</p>", Look(width=9), count, "en")
    '<p><span class="psl">She <b>wept</b>, <br/>left.</span></p>'
    >>> count.lines, count.guides
    (2, 1)
    """
    setter = _Setter(source, look, count)
    for passage in passages(source, language):
        if passage.kind == "text":
            setter.take(passage)
        else:
            count.leave(passage.kind)
    return setter.finish()


@final
class _Setter:
    """Sets the passages of a document in order; plain ones many at a time."""

    def __init__(self, source: str, look: Look, count: Count) -> None:
        self.source = source
        self.look = look
        self.count = count
        self.out: list[str] = []
        self.done = 0
        self.waiting: list[tuple[Passage, str]] = []  # plain texts of one language
        self.quick = not (look.em or look.align)
        rare = source.encode().translate(None, ASCII).decode()
        self.usual = not rare or bool(COLUMNS.fullmatch(rare))

    def take(self, passage: Passage) -> None:
        """Set a passage now, or with the plain ones after it."""
        text = self.source[passage.start : passage.end]
        if not self.quick or not self._plain(text):
            self._flush()
            self._put(passage, self._marked(passage, text))
        else:
            if self.waiting and self.waiting[0][0].language != passage.language:
                self._flush()
            self.waiting.append((passage, text))

    def finish(self) -> str:
        """Return the document."""
        self._flush()
        return "".join((*self.out, self.source[self.done :]))

    def _plain(self, text: str) -> bool:
        """Whether each character of ``text`` is one column and stands for itself."""
        if self.usual:
            return not MARKUP.search(text) and "  " not in text
        return PLAIN.fullmatch(text) is not None

    def _put(self, passage: Passage, made: str) -> None:
        self.out += (self.source[self.done : passage.start], made)
        self.done = passage.end

    def _flush(self) -> None:
        """Set the texts that wait."""
        if not self.waiting:
            return
        waiting, self.waiting = self.waiting, []
        lines = self._cut("\n".join([text for _, text in waiting]), waiting[0][0].language)
        if lines is None and len(waiting) > 1:
            for one in waiting:
                self.waiting = [one]
                self._flush()
            return
        if lines is None:
            self._put(waiting[0][0], self._planned(waiting[0][0]))
            return
        self.count.texts += len(waiting)
        made = MARKS.line_break.join(self._guided(lines, waiting[0][0].language, MARKS))
        self.count.guides += made.count(MARKS.guide)
        parts = made[:-1].split("\n" + MARKS.line_break)
        for (passage, _), part in zip(waiting, parts, strict=True):
            self._put(passage, f"{MARKS.begin}{part}{CLOSE}")

    def _cut(self, text: str, language: str) -> list[str] | None:
        """Return the lines of texts, or None where hyphens are needed; count them."""
        look = self.look
        if needs_hyphens(text, look, language):
            return None
        lines, overlong = cut(text, int(look.width), language, phrases=look.phrases)
        if overlong and look.hyphenate:
            return None
        self.count.lines += len(lines)
        self.count.overlong += overlong
        return lines

    def _guided(self, lines: list[str], language: str, marks: Marks) -> list[str]:
        if self.look.guide == "none":
            return lines
        return mark_guides(lines, marks.guide, marks.guide_end, int(self.look.width), language)

    def _marked(self, passage: Passage, text: str) -> str:
        """Set a text with markup or unusual characters."""
        if not self.quick or passage.rtl:
            return self._planned(passage)
        shadow = shade(self.source, passage.start, passage.end)
        if not shadow.text.strip() or not plain_script(shadow.text):
            return self._planned(passage)
        lines = self._cut(shadow.text, passage.language)
        if lines is None:
            return self._planned(passage)
        self.count.texts += 1
        marks = _marks(text)
        hidden = marks._replace(guide=BEGIN, guide_end=END)
        spans = [guide_of(line) for line in self._guided(lines, passage.language, hidden)]
        woven = weave(self.source, shadow, lines, spans, marks)
        self.count.guides += woven.guides
        return f"{marks.begin}{woven.text}{self.source[woven.done : passage.end]}{CLOSE}"

    def _planned(self, passage: Passage) -> str:
        """Set any text: break its shadow, then go back to the source."""
        source, count = self.source, self.count
        text = source[passage.start : passage.end]
        shadow = shade(source, passage.start, passage.end)
        if not shadow.text.strip():
            return text  # anchors only
        lines = plan(shadow, self.look, count, passage.language, rtl=passage.rtl)
        if not lines:
            return text
        marks = _marks(text)
        edits: list[tuple[int, str]] = []
        for line in lines:
            around: list[tuple[int, str]] = []
            if line.guide:
                first, last = shadow.start(line.guide[0]), shadow.end(line.guide[1] - 1)
                if "<" in source[first:last]:
                    count.guides -= 1  # the word itself holds markup: no guide before two halves
                else:
                    around = [(first, marks.guide), (last, marks.guide_end)]
            if self.look.align and around:
                around = shifted(around, shift(source, shadow, line, count))
            edits += around
            if line.hyphen:
                edits.append((shadow.end(line.stop - 1), HYPHEN))
            edits.append((shadow.end(line.stop - 1), marks.line_break))
        edits.pop()
        out, done = [marks.begin], passage.start
        for position, insert in edits:
            out += (source[done:position], insert)
            done = position
        out += (source[done : passage.end], CLOSE)
        return "".join(out)


def _marks(text: str) -> Marks:
    return EXPLICIT if LIKE_OURS.search(text) else MARKS
