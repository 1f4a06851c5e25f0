"""A document set in lines: breaks and guides are put in, nothing else is touched.

``class="psl"`` on a bare paragraph, or one ``<span>`` of that class around the text of any other
block, one ``<br/>`` at each break and one ``<b>``
around each guide: two elements a line. Links, emphasis and ids are never cut in two, because a
break is a place and not a box. Where the book's own text has breaks or bold words, ours bear
class names, so that they can be told apart. :mod:`penstock.reading.restore` takes exactly these
out again.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple, final

from penstock.reading.alignment import shift, shifted
from penstock.reading.guides import mark_guides
from penstock.reading.inline import COLUMN, NOT_FIRST, NOT_LAST, UNEVEN_BREAKS
from penstock.reading.layout import ShadowLine, needs_hyphens, plain_script, plan
from penstock.reading.markup import Passage, apart, passages
from penstock.reading.names import Names
from penstock.reading.reinsert import EXPLICIT, MARKS, Marks, put_back
from penstock.reading.settings import Look
from penstock.reading.stats import Count
from penstock.reading.text_map import PLACEHOLDER, PLAIN, Shadow, shade
from penstock.reading.wrap import cut

__all__ = ["Count", "set_document"]

CLOSE = "</span>"
HYPHEN = '<span class="psh">-</span>'
ASCII = bytes(range(128))
# Of the control characters XML allows these only; looked for one by one, which is quicker by far
# than one pattern of them all.
UNEVEN = ("<", "&", "\t", "\r", "  ", " \n", "\n ", "\n\n")
# Blanks that end no line: each of the two is looked for by itself, which is five times as quick.
GLUED = (re.compile(rf" [{NOT_FIRST}]"), re.compile(rf"[{NOT_LAST}] "))
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
    '<p class="psl">She <b>wept</b>, <br/>left.</p>'
    >>> count.lines, count.guides
    (2, 1)
    """
    setter = _Setter(source, look, count)
    for passage in passages(source, language, together=True, known=setter.names.of):
        if passage.kind == "text":
            setter.take(passage)
        elif passage.kind != "head":
            count.leave(passage.kind)
    return setter.finish()


@final
class _Waiting(NamedTuple):
    """A text that waits to be set with others: its columns, and its shadow if it has markup."""

    passage: Passage
    text: str
    shadow: Shadow | None = None


@final
class _Setter:
    """Sets the passages of a document in order, those of one language all at once."""

    def __init__(self, source: str, look: Look, count: Count) -> None:
        self.source = source
        self.names = Names(source)
        self.look = look
        self.count = count
        self.out: list[str] = []
        self.done = 0
        self.waiting: list[_Waiting] = []
        self.quick = not (look.em or look.align)
        rare = source.encode().translate(None, ASCII).decode()
        self.usual = not rare or bool(COLUMNS.fullmatch(rare))
        # Whether a blank that ends no line may be anywhere: looked for once a document.
        self.uneven = any(pattern.search(source) for pattern in GLUED)

    def take(self, passage: Passage) -> None:
        """Set a passage now, or with those after it."""
        text = self.source[passage.start : passage.end]
        if passage.between:
            joined = text.replace(passage.between, "\n")
            alone = joined.count("\n") == text.count(passage.between)
            # Line feeds around it: no paragraph may be empty or begin or end with a blank.
            if alone and self.quick and self._plain(f"\n{joined}\n"):
                self._wait(_Waiting(passage, joined))
            else:
                for one in apart(self.source, passage):
                    self.take(one)
        elif self.quick and "\n" not in text and self._plain(text):
            self._wait(_Waiting(passage, text))
        else:
            self._shaded(passage, text)

    def finish(self) -> str:
        """Return the document."""
        self._flush()
        return "".join((*self.out, self.source[self.done :]))

    def _plain(self, text: str) -> bool:
        """Whether each character of ``text`` is one column and stands for itself."""
        if self.uneven and UNEVEN_BREAKS.search(text):
            return False
        if self.usual:
            return not any(odd in text for odd in UNEVEN)
        return PLAIN.fullmatch(text) is not None

    def _shaded(self, passage: Passage, text: str) -> None:
        """Take a text with markup or unusual characters."""
        if self.quick and not passage.rtl and not LIKE_OURS.search(text):
            shadow = shade(self.source, passage.start, passage.end, self.names)
            bare = shadow.text.strip(f" \u00a0{PLACEHOLDER}")
            if bare and shadow.text[-1] != " " and not shadow.soft and plain_script(shadow.text):
                self._wait(_Waiting(passage, shadow.text, shadow))
                return
        self._flush()
        self._plan(passage)

    def _wait(self, text: _Waiting) -> None:
        if self.waiting and self.waiting[0].passage.language != text.passage.language:
            self._flush()
        self.waiting.append(text)

    def _put(self, passage: Passage, made: str, name: str) -> None:
        """Put a text with its lines set into the document.

        The class goes to the paragraph itself where that is bare: an element and twenty bytes less.
        """
        before = self.source[self.done : passage.start]
        if before.endswith("<p>") and self.source.startswith("</p>", passage.end):
            self.out += (before[:-1], f' class="{name}">', made)
        else:
            self.out += (before, f'<span class="{name}">', made, CLOSE)
        self.done = passage.end

    def _flush(self) -> None:
        """Set the texts that wait."""
        waiting, self.waiting = self.waiting, []
        if not waiting:
            return
        language = waiting[0].passage.language
        lines = self._cut("\n".join([text.text for text in waiting]), language)
        if lines is not None:
            self._set(waiting, lines, language)
        elif len(waiting) == 1 and not waiting[0].passage.between:
            self._plan(waiting[0].passage)
        else:
            for part in self._halves(waiting):
                self.waiting = part
                self._flush()

    def _halves(self, waiting: list[_Waiting]) -> Iterator[list[_Waiting]]:
        """Yield texts in two parts: those without a word that needs a hyphen are set quickly."""
        if len(waiting) == 1:
            parts = apart(self.source, waiting[0].passage)
            waiting = [_Waiting(one, self.source[one.start : one.end]) for one in parts]
        half = len(waiting) // 2
        yield waiting[:half]
        yield waiting[half:]

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

    def _set(self, waiting: list[_Waiting], lines: list[str], language: str) -> None:
        """Mark the guides of lines, put markup back into them and them into the document."""
        marked = lines
        if self.look.guide != "none":
            width = int(self.look.width)
            marked = mark_guides(lines, MARKS.guide, MARKS.guide_end, width, language)
        starts = list(accumulate(map(len, lines), initial=0))
        begin = first = 0
        for passage, text, shadow in waiting:
            if shadow:
                put_back(self.source, shadow, passage.end, marked, starts, begin)
            begin += len(text) + 1
            last = bisect_left(starts, begin, first)
            made = MARKS.line_break.join(marked[first:last])
            first = last
            self.count.guides += made.count(MARKS.guide)
            self.count.texts += 1
            if passage.between:
                self.count.texts += text.count("\n")
                between = f'{passage.between[:-1]} class="{MARKS.name}">'
                made = made.replace("\n" + MARKS.line_break, between)
            self._put(passage, made[:-1], MARKS.name)

    def _plan(self, passage: Passage) -> None:
        """Set any text: break its shadow, then go back to the source."""
        source = self.source
        text = source[passage.start : passage.end]
        shadow = shade(source, passage.start, passage.end, self.names)
        if not shadow.text.strip(f" \n\u00a0{PLACEHOLDER}"):
            return  # anchors or pictures only
        lines = plan(shadow, self.look, self.count, passage.language, rtl=passage.rtl)
        if not lines:
            return
        marks = EXPLICIT if LIKE_OURS.search(text) else MARKS
        self._put(passage, _edited(source, passage, self._edits(shadow, lines, marks)), marks.name)

    def _edits(
        self, shadow: Shadow, lines: list[ShadowLine], marks: Marks
    ) -> list[tuple[int, str]]:
        """Return what is put into a text, and where."""
        source, count = self.source, self.count
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
            if not line.broken:
                edits.append((shadow.end(line.stop - 1), marks.line_break))
        if not lines[-1].broken:
            edits.pop()
        return edits


def _edited(source: str, passage: Passage, edits: list[tuple[int, str]]) -> str:
    """Return the source of a passage with what is put in, in order of the places."""
    out: list[str] = []
    done = passage.start
    for position, insert in edits:
        out += (source[done:position], insert)
        done = position
    out.append(source[done : passage.end])
    return "".join(out)
