"""XHTML as a string with known positions: what may be set in lines, and what stays whole.

Nothing is parsed into a tree and written out again, so what is not touched stays byte for byte.
The scanner is exact on well-formed XML only; :func:`penstock.reading.well_formed.check` says
whether a text is.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Literal, NamedTuple, TypeAlias, final

__all__ = ["TAG", "Kind", "Passage", "apart", "attribute", "passages"]

Kind: TypeAlias = Literal[
    "text", "heading", "code", "table", "verse", "figure", "navigation", "tangled", "head", "hidden"
]  # fmt: skip

# One tag, comment, instruction, CDATA section or document type. Groups: 1 "/" of an end tag,
# 2 name, 3 attributes, 4 "/" of an empty element.
TAG = re.compile(
    r"""<(?:(/?)([A-Za-z_][\w.:-]*+)((?:[^<>"'/]++|"[^"]*+"|'[^']*+'|/(?!>))*+)(/?)>"""
    r"""|!--.*?-->|\?.*?\?>|!\[CDATA\[.*?\]\]>"""
    r"""|!DOCTYPE[^\["'>]*+(?:"[^"]*+"[^\["'>]*+|'[^']*+'[^\["'>]*+)*+"""
    r"""(?:\[(?:[^\]"'<]++|"[^"]*+"|'[^']*+'|<!--.*?-->|<)*+\]\s*+)?>)""",
    re.DOTALL,
)
# An attribute and the blanks before it; it never begins in the middle of blanks, so that looking
# for one takes time in proportion to the text.
ATTRIBUTE = re.compile(r"""(?<!\s)(\s++)([^\s=<>"'/]++)\s*+=\s*+("[^"]*+"|'[^']*+')""")
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
    "textarea button iframe canvas map area script noscript template param embed picture ?".split()
)
# Inline elements whose inside is not text of ours: skipped to their end, kept in one piece.
OPAQUE = frozenset(
    "svg math script object canvas video audio iframe select textarea template ?".split()
)
LISTS = frozenset("ol ul menu dir".split())
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
FINDABLE = "until-found"  # seen as soon as it is looked for
UNSEEN = re.compile(r"\bdisplay\s*+:\s*+none\b", re.IGNORECASE)
VERSE_CLASS = re.compile(r"\b(?:verse|poem|poetry|stanza|lyrics)\b", re.IGNORECASE)
TELLING = re.compile(r"lang|dir|epub:type|class")
BLANK = " \t\r\n\f"
Known: TypeAlias = Callable[[str, str], str]
ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"),
    (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip


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
        marker: The number or bullet of the list item that it begins.
    """

    start: int
    end: int
    kind: Kind
    name: str
    language: str
    rtl: bool
    between: str = ""
    marker: str = ""


def attribute(attributes: str, name: str) -> str:
    """Return the value of attribute ``name`` in the source of a start tag, or an empty string.

    >>> attribute(' class="a" xml:lang="fr"', "xml:lang")
    'fr'
    """
    if name not in attributes:
        return ""
    return next((m[3][1:-1] for m in ATTRIBUTE.finditer(attributes) if m[2] == name), "")


def attributes_of(attributes: str) -> dict[str, str]:
    """Return the attributes in the source of a start tag, entities resolved.

    >>> attributes_of(" a='1' b:c='x &amp; y'")
    {'a': '1', 'b:c': 'x & y'}
    """
    return {m[2]: html.unescape(m[3][1:-1]) for m in ATTRIBUTE.finditer(attributes)}


def is_hidden(attributes: str) -> bool:
    """Whether an element is one that no reader shows."""
    said = "hidden" in attributes or "none" in attributes
    return said and hides(attributes_of(attributes))


def hides(attributes: Mapping[str, str]) -> bool:
    """Return what :func:`is_hidden` does, of attributes that were read.

    >>> hides({"hidden": ""}), hides({"hidden": "until-found"}), hides({"style": "display: none"})
    (True, False, True)
    """
    hidden = attributes.get("hidden", FINDABLE).strip().lower() != FINDABLE
    return hidden or UNSEEN.search(attributes.get("style", "")) is not None


def with_attribute(tag: str, name: str, value: str | None) -> str:
    """Return the source of a tag with an attribute set, or without it where ``value`` is None.

    >>> with_attribute("<a b='1'/>", "b", "2"), with_attribute("<a b='1'>", "b", None)
    ('<a b="2"/>', '<a>')
    """
    new = "" if value is None else f'{name}="{html.escape(value)}"'
    for match in ATTRIBUTE.finditer(tag):
        if match[2] == name:
            return tag[: match.start()] + (new and match[1] + new) + tag[match.end() :]
    if value is None:
        return tag
    end = "/>" if tag.endswith("/>") else ">"
    return f"{tag[: -len(end)].rstrip()} {new}{end}"


def whole_kind(name: str, attributes: str) -> Kind | None:
    """Return what an element left whole is, or None where it is not one."""
    kind = WHOLE.get(name)
    if kind or "=" not in attributes:
        return kind
    if is_hidden(attributes):
        return "hidden"
    types = attribute(attributes, "epub:type") if "epub:type" in attributes else ""
    for pattern, found in TYPES:
        if types and pattern.search(types):
            return found
    if "class" in attributes and VERSE_CLASS.search(attribute(attributes, "class")):
        return "verse"
    return None


def passages(
    source: str, language: str = "", *, together: bool = False, known: Known | None = None
) -> Iterator[Passage]:
    """Yield what a document's body holds, in order: texts trimmed of blanks, and whole elements.

    Args:
        source: A well-formed XHTML document or a part of one.
        language: What holds where the markup does not say.
        together: Whether plain paragraphs that follow each other may come as one passage.
        known: Gives an element's name in XHTML; needed where names have prefixes.

    >>> page = "<body><h1>One</h1><p>Two <i>three</i></p></body>"
    >>> [(p.kind, page[p.start : p.end]) for p in passages(page)]
    [('heading', '<h1>One</h1>'), ('text', 'Two <i>three</i>')]
    """
    scanner = _Scanner(source, language, known)
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
        else:
            scanner.element(match, name, attributes)
        for passage in found:
            if passage.between and not together:
                yield from apart(source, passage)
            else:
                yield passage
        found.clear()
    scanner.flush(len(source))  # of a document that is a drawing, or a part of one
    yield from found


def apart(source: str, passage: Passage) -> Iterator[Passage]:
    """Yield the paragraphs of a passage that is made of several, one by one."""
    for begin, end in _apart(source, passage.start, passage.end):
        yield from _trimmed(source, begin, end, passage)


def _apart(source: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    for match in BETWEEN.finditer(source, begin, end):
        yield begin, match.start()
        begin = match.end()
    yield begin, end


def _trimmed(source: str, start: int, end: int, like: Passage) -> Iterator[Passage]:
    """Yield the passage without the blanks around it, if anything is left."""
    text = source[start:end]
    bare = text.strip(BLANK)
    if bare:
        start += text.index(bare)
        yield like._replace(start=start, end=start + len(bare), between="")


@final
class Numbering:
    """The numbers of a list's items, as HTML has them.

    >>> numbers = Numbering("ol", ' start="3" type="a"')
    >>> numbers.next(""), numbers.next(' value="9"'), Numbering("ul", "").next("")
    ('c.', 'i.', '\u2022')
    """

    def __init__(self, name: str, attributes: str) -> None:
        start = attribute(attributes, "start").strip()
        self._ordered = name == "ol"
        self._kind = attribute(attributes, "type")
        self._step = -1 if "reversed" in attributes else 1
        self._number = int(start) if re.fullmatch(r"-?\d{1,9}", start) else 1

    def next(self, attributes: str) -> str:
        """Return the marker of the next item, whose start tag has ``attributes``."""
        if not self._ordered:
            return "\u2022"
        value = attribute(attributes, "value").strip()
        if re.fullmatch(r"-?\d{1,9}", value):
            self._number = int(value)
        number, self._number = self._number, self._number + self._step
        return f"{_counted(number, self._kind)}."


def _counted(number: int, kind: str) -> str:
    """Return a number as a list of a ``type`` writes it."""
    text = str(number)
    if kind in ("a", "A") and number > 0:
        text = ""
        while number:
            number, letter = divmod(number - 1, 26)
            text = chr(97 + letter) + text
    elif kind in ("i", "I") and 0 < number < 4000:
        text = ""
        for value, sign in ROMAN:
            text += sign * (number // value)
            number %= value
    return text.upper() if kind in ("A", "I") else text


@final
class _Scanner:
    """The state between two tags: open blocks, open inline elements, what is being skipped."""

    def __init__(self, source: str, language: str, known: Known | None) -> None:
        self.source = source
        self.known = known
        self.found: list[Passage] = []
        self.begin = int(
            source.startswith("\ufeff")
        )  # where the inline content since the last block tag begins
        self.depth = self.low = 0  # inline elements open since then, and their lowest number
        self.skipping = ""  # the element whose end is waited for
        self.nested = 0
        self.lists: list[Numbering] = []
        self.marker = ""  # of the list item whose first text is still to come
        self.whole: tuple[int, Kind] | None = None  # where it began, unless it is inline
        self.stack: list[tuple[str, str, bool]] = [("body", language, False)]

    def paragraphs(self, match: re.Match[str], text: str) -> None:
        """Take paragraphs without attributes or elements in them."""
        start, end = match.span()
        if start > self.begin:
            self.flush(start)
        between = BETWEEN.search(text)
        if between and not self.marker:
            _, language, rtl = self.stack[-1]
            self.found.append(Passage(start + 3, end - 4, "text", "p", language, rtl, between[0]))
        elif text:
            for begin, stop in _apart(self.source, start + 3, end - 4):
                self.begin, self.depth, self.low = begin, 0, 0
                self.flush(stop)
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
            self._found(Passage(start, match.end(), kind, name, language, rtl))
            self.begin, self.depth, self.low = match.end(), 0, 0

    def aside(self, match: re.Match[str]) -> None:
        """Leave out declarations and comments that stand before a text."""
        if match[0].startswith("<![CDATA["):
            return
        if not self.source[self.begin : match.start()].strip():
            self.begin = match.end()

    def element(self, match: re.Match[str], name: str, attributes: str) -> None:
        """Follow a tag."""
        if self.known and (":" in name or "xmlns" in attributes):
            name = self.known(name, attributes)
        if name not in INLINE:
            self.block(match, match[2], name, attributes, match[5])
        elif not match[5] and name not in VOID:
            self.inline(match[2], name, match[3])

    def inline(self, closing: str, name: str, written: str) -> None:
        """Follow an element of running text."""
        if name in OPAQUE and not closing:
            self.skipping, self.nested, self.whole = written, 1, None
            return
        self.depth += -1 if closing else 1
        self.low = min(self.low, self.depth)

    def block(
        self, match: re.Match[str], closing: str, name: str, attributes: str, empty: str
    ) -> None:
        """Follow an element that ends the running text before it."""
        start = match.start()
        if start > self.begin:
            self.flush(start)
        self.begin, self.depth, self.low = match.end(), 0, 0
        if name in LISTS or name == "li":
            self._list(name, attributes, closing, empty)
        if closing:
            if len(self.stack) > 1:
                self.stack.pop()
        elif not empty:
            kind = whole_kind(name, attributes)
            if kind:
                self.skipping, self.nested, self.whole = match[3], 1, (start, kind)
            else:
                self._open(name, attributes)

    def _list(self, name: str, attributes: str, closing: str, empty: str) -> None:
        """Count the items of lists, so that each item's first text gets its marker."""
        if name == "li":
            self.marker = (
                "" if closing or empty or not self.lists else self.lists[-1].next(attributes)
            )
        elif closing:
            self.lists = self.lists[:-1]
        elif not empty:
            self.lists.append(Numbering(name, attributes))

    def _found(self, passage: Passage) -> None:
        if self.marker:
            passage = passage._replace(marker=self.marker)
            self.marker = ""
        self.found.append(passage)

    def _open(self, name: str, attributes: str) -> None:
        _, language, rtl = self.stack[-1]
        if attributes and TELLING.search(attributes):
            language = (
                attribute(attributes, "xml:lang") or attribute(attributes, "lang") or language
            )
            direction = attribute(attributes, "dir")
            rtl = direction == "rtl" if direction else rtl
        self.stack.append((name, language, rtl))

    def flush(self, end: int) -> None:
        """Take the inline content since the last block tag."""
        text = self.source[self.begin : end]
        bare = text.strip(BLANK)
        if not bare:
            return
        start = self.begin
        if len(bare) < len(text):
            start += len(text) - len(text.lstrip(BLANK))
        kind: Kind = "tangled" if self.depth or self.low else "text"
        name, language, rtl = self.stack[-1]
        self._found(Passage(start, start + len(bare), kind, name, language, rtl))
