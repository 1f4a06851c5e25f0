"""XHTML as a string with known positions: what may be set in lines, and what stays whole.

Nothing is parsed into a tree and written out again, so what is not touched stays byte for byte.
The scanner is exact on well-formed XML only; :func:`penstock.reading.wellformed.check` says
whether a text is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Literal, NamedTuple, TypeAlias, final

__all__ = ["TAG", "Kind", "Passage", "apart", "attribute", "passages"]

Kind: TypeAlias = Literal[
    "text", "heading", "code", "table", "verse", "figure", "navigation", "tangled", "head"
]

# One tag, comment, instruction, CDATA section or document type. Groups: 1 "/" of an end tag,
# 2 name, 3 attributes, 4 "/" of an empty element.
TAG = re.compile(
    r"""<(?:(/?)([A-Za-z_][\w.:-]*+)((?:[^<>"'/]++|"[^"]*+"|'[^']*+'|/(?!>))*+)(/?)>"""
    r"""|!--.*?-->|\?.*?\?>|!\[CDATA\[.*?\]\]>|!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>)""",
    re.DOTALL,
)
# Most paragraphs have neither attributes nor elements. All that follow each other are taken at
# once: they cost one match, not two each.
BETWEEN = re.compile(r"</p>[ \t\r\n]*<p>")
PARAGRAPHS_OR_TAG = re.compile(
    rf"<(?:p>([^<]*(?:{BETWEEN.pattern}[^<]*)*)</p>|" + TAG.pattern.removeprefix("<(?:"), re.DOTALL
)

INLINE = frozenset(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark q s samp "
    "small span strike strong sub sup time tt u var "
    "img svg math ruby rb rt rp rtc br wbr object audio video source track input select option "
    "textarea button iframe canvas map area script noscript template param embed picture".split()
)
# Inline elements whose inside is not text of ours: skipped to their end, kept in one piece.
OPAQUE = frozenset("svg math script object canvas video audio iframe select textarea".split())
VOID = frozenset("img br wbr source track input area param embed".split())

# Elements left whole, by what they are.
WHOLE: dict[str, Kind] = {
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6", "hgroup"), "heading"),
    "pre": "code",
    "table": "table",
    "nav": "navigation",
    "head": "head",
    **dict.fromkeys(("style", "form"), "figure"),
}
TYPES: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"\bz3998:(?:verse|poem|song|hymn|lyrics)\b"), "verse"),
    (re.compile(r"\b(?:toc|landmarks|page-list|index|loi|lot)\b"), "navigation"),
)
VERSE_CLASS = re.compile(r"\b(?:verse|poem|poetry|stanza|lyrics)\b", re.IGNORECASE)
TELLING = re.compile(r"lang|dir|epub:type|class")
BLANK = " \t\r\n\f"


@final
class Passage(NamedTuple):
    """A stretch of the source: the inline content of a block, or an element left whole.

    Attributes:
        start: Where it begins in the source.
        end: Where it ends.
        kind: ``text`` may be set in lines; everything else stays as it is.
        name: The element it is in.
        language: As the markup says, such as ``de-CH``; empty where it does not say.
        rtl: Whether it runs from right to left.
        between: What stands between the paragraphs that it is made of, where it is several.
    """

    start: int
    end: int
    kind: Kind
    name: str
    language: str
    rtl: bool
    between: str = ""


def attribute(attributes: str, name: str) -> str:
    """Return the value of attribute ``name`` in the source of a start tag, or an empty string.

    >>> attribute(' class="a" xml:lang="fr"', "xml:lang")
    'fr'
    """
    match = _valued(name).search(attributes)
    return (match[1] or match[2] or "") if match else ""


@cache
def _valued(name: str) -> re.Pattern[str]:
    return re.compile(rf"""(?:^|\s){re.escape(name)}\s*=\s*(?:"([^"]*)"|'([^']*)')""")


def whole_kind(name: str, attributes: str) -> Kind | None:
    """Return what an element left whole is, or None where it is not one."""
    kind = WHOLE.get(name)
    if kind or "=" not in attributes:
        return kind
    types = attribute(attributes, "epub:type") if "epub:type" in attributes else ""
    for pattern, found in TYPES:
        if types and pattern.search(types):
            return found
    if "class" in attributes and VERSE_CLASS.search(attribute(attributes, "class")):
        return "verse"
    return None


def passages(source: str, language: str = "", *, together: bool = False) -> Iterator[Passage]:
    """Yield what a document's body holds, in order: texts trimmed of blanks, and whole elements.

    Args:
        source: A well-formed XHTML document or a part of one.
        language: What holds where the markup does not say.
        together: Whether plain paragraphs that follow each other may come as one passage.

    >>> page = "<body><h1>One</h1><p>Two <i>three</i></p></body>"
    >>> [(p.kind, page[p.start : p.end]) for p in passages(page)]
    [('heading', '<h1>One</h1>'), ('text', 'Two <i>three</i>')]
    """
    scanner = _Scanner(source, language)
    found = scanner.found
    for match in PARAGRAPHS_OR_TAG.finditer(source):
        paragraphs, closing, name, attributes, empty = match.groups()
        if paragraphs is not None:
            if not scanner.skipping:
                scanner.paragraphs(match, paragraphs)
        elif name is None:
            scanner.aside(match)
        elif scanner.skipping:
            scanner.skip(match, closing, name, empty)
        elif name not in INLINE:
            scanner.block(match, closing, name, attributes, empty)
        elif not empty and name not in VOID:
            scanner.inline(closing, name)
        for passage in found:
            if passage.between and not together:
                yield from apart(source, passage)
            else:
                yield passage
        found.clear()


def apart(source: str, passage: Passage) -> Iterator[Passage]:
    """Yield the paragraphs of a passage that is made of several, one by one."""
    begin = passage.start
    for match in BETWEEN.finditer(source, begin, passage.end):
        yield from _trimmed(source, begin, match.start(), passage)
        begin = match.end()
    yield from _trimmed(source, begin, passage.end, passage)


def _trimmed(source: str, start: int, end: int, like: Passage) -> Iterator[Passage]:
    """Yield the passage without the blanks around it, if anything is left."""
    text = source[start:end]
    bare = text.strip(BLANK)
    if bare:
        start += text.index(bare)
        yield like._replace(start=start, end=start + len(bare), between="")


@final
class _Scanner:
    """The state between two tags: open blocks, open inline elements, what is being skipped."""

    def __init__(self, source: str, language: str) -> None:
        self.source = source
        self.found: list[Passage] = []
        self.begin = 0  # where the inline content since the last block tag begins
        self.depth = self.low = 0  # inline elements open since then, and their lowest number
        self.skipping = ""  # the element whose end is waited for
        self.nested = 0
        self.whole: tuple[int, Kind] | None = None  # where it began, unless it is inline
        self.stack: list[tuple[str, str, bool]] = [("body", language, False)]

    def paragraphs(self, match: re.Match[str], text: str) -> None:
        """Take paragraphs without attributes or elements in them."""
        start, end = match.span()
        if start > self.begin:
            self._flush(start)
        between = BETWEEN.search(text)
        if between:
            _, language, rtl = self.stack[-1]
            self.found.append(Passage(start + 3, end - 4, "text", "p", language, rtl, between[0]))
        elif text:
            self.begin, self.depth, self.low = start + 3, 0, 0
            self._flush(end - 4)
        self.begin, self.depth, self.low = end, 0, 0

    def skip(self, match: re.Match[str], closing: str, name: str, empty: str) -> None:
        """Count elements of the same name until the skipped one ends."""
        if name != self.skipping or empty:
            return
        self.nested += -1 if closing else 1
        if self.nested:
            return
        self.skipping = ""
        if self.whole:
            start, kind = self.whole
            _, language, rtl = self.stack[-1]
            self.found.append(Passage(start, match.end(), kind, name, language, rtl))
            self.begin, self.depth, self.low = match.end(), 0, 0

    def aside(self, match: re.Match[str]) -> None:
        """Leave out declarations and comments that stand before a text."""
        if not self.source[self.begin : match.start()].strip():
            self.begin = match.end()

    def inline(self, closing: str, name: str) -> None:
        """Follow an element of running text."""
        if name in OPAQUE:
            self.skipping, self.nested, self.whole = name, 1, None
            return
        self.depth += -1 if closing else 1
        self.low = min(self.low, self.depth)

    def block(
        self, match: re.Match[str], closing: str, name: str, attributes: str, empty: str
    ) -> None:
        """Follow an element that ends the running text before it."""
        start = match.start()
        if start > self.begin:
            self._flush(start)
        self.begin, self.depth, self.low = match.end(), 0, 0
        if closing:
            if len(self.stack) > 1:
                self.stack.pop()
        elif not empty:
            kind = whole_kind(name, attributes)
            if kind:
                self.skipping, self.nested, self.whole = name, 1, (start, kind)
            else:
                self._open(name, attributes)

    def _open(self, name: str, attributes: str) -> None:
        _, language, rtl = self.stack[-1]
        if attributes and TELLING.search(attributes):
            language = (
                attribute(attributes, "xml:lang") or attribute(attributes, "lang") or language
            )
            direction = attribute(attributes, "dir")
            rtl = direction == "rtl" if direction else rtl
        self.stack.append((name, language, rtl))

    def _flush(self, end: int) -> None:
        text = self.source[self.begin : end]
        bare = text.strip(BLANK)
        if not bare:
            return
        start = self.begin
        if len(bare) < len(text):
            start += len(text) - len(text.lstrip(BLANK))
        kind: Kind = "tangled" if self.depth or self.low else "text"
        name, language, rtl = self.stack[-1]
        self.found.append(Passage(start, start + len(bare), kind, name, language, rtl))
