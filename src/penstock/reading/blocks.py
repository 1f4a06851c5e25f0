"""A book as a sequence of blocks: what the web page, the terminal and JSON lines are made of."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import final

from penstock.reading.archive import Archive
from penstock.reading.css import SHEET
from penstock.reading.markup import TAG, Passage, attributes_of, passages
from penstock.reading.names import Names, Node, tree
from penstock.reading.package import open_package
from penstock.reading.package_repair import identifier_of
from penstock.reading.repair import readable
from penstock.reading.restore import unset_document
from penstock.reading.stats import Repairs
from penstock.reading.visible import AROUND, block_text, plainly_seen, seen
from penstock.reading.well_formed import decode

__all__ = ["TextBlock", "TextStyle", "book_blocks", "book_identity", "document_blocks"]

BLANKS = re.compile(r"[ \t\r\n\f]+")
# What keeps its look, and the attribute that says where it leads.
STYLED = {
    **dict.fromkeys("em i cite strong b code sub sup u s".split(), ""),
    "a": "href",
    "img": "src",
}
LEVELS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
PICTURED = frozenset({"img", "image", "svg"})


@final
@dataclass(frozen=True, slots=True)
class TextStyle:
    """Emphasis, a link or a picture: from a character to another, and where it leads."""

    start: int
    stop: int
    name: str
    target: str = ""


@final
@dataclass(frozen=True, slots=True)
class TextBlock:
    """A paragraph, or something left whole.

    Attributes:
        kind: ``text`` is set in lines; all else is shown as it is.
        text: What a reader reads, blanks single except in code; lines where the book has them.
        styles: Emphasis, links and pictures of a ``text``.
        language: As the book says.
        rtl: Whether it runs from right to left.
        level: 1 to 6 for a heading, else 0.
        tree: The markup of something left whole, with the book's own addresses.
        document: The member it comes from.
        ids: The ids that lead to it.
        marker: The number or bullet of the list item that it begins.
    """

    kind: str
    text: str
    styles: tuple[TextStyle, ...] = ()
    language: str = ""
    rtl: bool = False
    level: int = 0
    tree: Node | None = None
    document: str = ""
    ids: tuple[str, ...] = ()
    marker: str = ""


def book_blocks(archive: Archive, repairs: Repairs | None = None) -> Iterator[TextBlock]:
    """Yield the blocks of an EPUB in reading order; an edition is read as its original.

    Args:
        archive: The book.
        repairs: Added to: which documents had to be mended to be read.

    Raises:
        InputError: The book cannot be read.
    """
    package = open_package(archive)
    repairs = repairs if repairs is not None else Repairs()
    for item in package.manifest.items:
        if item.href and not item.name and ":" not in item.href:
            repairs.remove(f"{item.href}: listed, but not in the book")
    for document in package.documents:
        if document.spine >= 0 and not document.navigation:
            source = decode(readable(archive, document.name, repairs))
            if SHEET in source:
                source = unset_document(source)
            yield from document_blocks(source, document.name, package.language)


def book_identity(archive: Archive) -> str:
    """Return what a book is known by, the same when it is made again in another look.

    Raises:
        InputError: The book cannot be read.
    """
    package = open_package(archive)
    said = identifier_of(package.source) or "\0".join(d.name for d in package.documents)
    return hashlib.sha256(f"{said}\0{package.creator}".encode()).hexdigest()[:16]


def document_blocks(source: str, name: str = "", language: str = "") -> Iterator[TextBlock]:
    """Yield the blocks of an XHTML document.

    >>> [b.text for b in document_blocks("<body><h2>One</h2><p>Two &amp; <b>three</b></p></body>")]
    ['One', 'Two & three']
    """
    done = 0
    names = Names(source)
    for passage in passages(source, language, known=names.of):
        if passage.kind in ("head", "hidden"):
            continue
        block = _block(source, passage, names, name)
        if block.text or block.tree:
            ids = tuple(_ids(source, done, passage.end))
            yield replace(block, ids=ids) if ids else block
            done = passage.end


def _ids(source: str, start: int, end: int) -> Iterator[str]:
    if "id=" not in source[start:end] and "id " not in source[start:end]:
        return
    for match in TAG.finditer(source, start, end):
        if match[3] and "id" in match[3]:
            found = attributes_of(match[3])
            name = found.get("id") or found.get("xml:id")
            if name:
                yield name


def _block(source: str, passage: Passage, names: Names, name: str) -> TextBlock:
    node = tree(source[passage.start : passage.end], names)
    pictured = any(child.name in PICTURED for child in node.all())
    _, _, kind, _, language, rtl, _, marker = passage
    block = TextBlock(kind, "", language=language, rtl=rtl, document=name, marker=marker)
    if kind in ("text", "tangled"):
        text = _Paragraph(node)
        if text.worded:
            return replace(block, kind="text", text=text.bare, styles=text.bare_styles())
        shown = node if pictured else None
        return replace(block, kind="figure", text=block_text(node), tree=shown)
    said = block_text(node)
    if kind == "heading":
        level = next((int(n.name[1]) for n in node.all() if n.name in LEVELS), 0)
        return replace(block, text=said, level=level, tree=node if pictured else None)
    return replace(block, text=said, tree=node if said or pictured else None)


@final
class _Paragraph:
    """The text of a paragraph as it is put together, and its styles."""

    def __init__(self, node: Node) -> None:
        self._parts: list[str] = []
        self._styles: list[TextStyle] = []
        self._length = 0
        self._last = "\n"  # the character before, to keep blanks single
        self.worded = False  # whether there is more in it than pictures
        self._inside(node)
        self._whole = "".join(self._parts)
        self.bare = self._whole.strip(" \n")

    def bare_styles(self) -> tuple[TextStyle, ...]:
        """Return the styles without the blanks and breaks around the text."""
        before = len(self._whole) - len(self._whole.lstrip(" \n"))
        moved = [
            TextStyle(
                max(0, s.start - before), min(len(self.bare), s.stop - before), s.name, s.target
            )
            for s in self._styles
        ]
        return tuple(s for s in moved if s.start < s.stop)

    def _inside(self, node: Node) -> None:
        for child in node.children:
            if isinstance(child, str):
                self._put(child, worded=True)
            else:
                self._element(child)

    def _element(self, node: Node) -> None:
        start = self._length
        if plainly_seen(node):
            before, after = AROUND.get(node.name, ("", ""))
            self._put(before)
            self._inside(node)
            self._put(after)
        else:
            first, *more = seen(node).split("\n")
            self._put(first, worded=node.name not in PICTURED)
            for line in more:
                self._break()
                self._put(line, worded=node.name not in PICTURED)
        if self._length > start and node.name in STYLED and not node.foreign:
            target = node.attributes.get(STYLED[node.name], "")
            self._styles.append(TextStyle(start, self._length, node.name, target))

    def _put(self, text: str, *, worded: bool = False) -> None:
        """Add text; blanks before it or after a break are none."""
        text = BLANKS.sub(" ", text)
        self.worded = self.worded or (worded and text not in ("", " "))
        if text.startswith(" ") and self._last in " \n":
            text = text[1:]
        if text:
            self._parts.append(text)
            self._length += len(text)
            self._last = text[-1]

    def _break(self) -> None:
        """Begin a line where the book does."""
        if self._last == " ":
            self._parts[-1] = self._parts[-1][:-1]
            self._length -= 1
        self._parts.append("\n")
        self._length += 1
        self._last = "\n"
