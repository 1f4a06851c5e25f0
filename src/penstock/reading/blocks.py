"""A book as a sequence of blocks: what the web page, the terminal and JSON lines are made of."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import final

from penstock.reading.archive import Archive
from penstock.reading.css import SHEET
from penstock.reading.inline import Run, runs
from penstock.reading.markup import TAG, Passage, attributes_of, passages
from penstock.reading.names import Names, Node, tree
from penstock.reading.package import open_package
from penstock.reading.package_repair import identifier_of
from penstock.reading.repair import mend_documents
from penstock.reading.restore import unset_document
from penstock.reading.stats import Repairs
from penstock.reading.visible import block_text
from penstock.reading.well_formed import decode

__all__ = ["Block", "Style", "book_blocks", "book_identity", "document_blocks"]

BLANKS = re.compile(r"[ \t\r\n\f]+")
STYLED = {"em", "i", "cite", "strong", "b", "code", "sub", "sup", "u", "s", "a"}
LEVELS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
PICTURED = frozenset({"img", "image", "svg"})


@final
@dataclass(frozen=True, slots=True)
class Style:
    """Emphasis, a link or a picture: from a character to another, and where it leads."""

    start: int
    stop: int
    name: str
    target: str = ""


@final
@dataclass(frozen=True, slots=True)
class Block:
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
    styles: tuple[Style, ...] = ()
    language: str = ""
    rtl: bool = False
    level: int = 0
    tree: Node | None = None
    document: str = ""
    ids: tuple[str, ...] = ()
    marker: str = ""


def book_blocks(archive: Archive, repairs: Repairs | None = None) -> Iterator[Block]:
    """Yield the blocks of an EPUB in reading order; an edition is read as its original.

    Args:
        archive: The book.
        repairs: Added to: which documents had to be mended to be read.

    Raises:
        InputError: The book cannot be read.
    """
    package = open_package(archive)
    repairs = repairs if repairs is not None else Repairs()
    document_of = mend_documents(archive, package, repairs)
    for item in package.manifest.items:
        if item.href and not item.name and ":" not in item.href:
            repairs.remove(f"{item.href}: listed, but not in the book")
    for document in package.documents:
        if document.spine >= 0 and not document.navigation:
            source = decode(document_of(document.name))
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


def document_blocks(source: str, name: str = "", language: str = "") -> Iterator[Block]:
    """Yield the blocks of an XHTML document.

    >>> [b.text for b in document_blocks("<body><h2>One</h2><p>Two &amp; <b>three</b></p></body>")]
    ['One', 'Two & three']
    """
    done = 0
    names = Names(source)
    for passage in passages(source, language, known=names.of):
        if passage.kind in ("head", "hidden"):
            continue
        text = passage.kind in ("text", "tangled")
        block = (_paragraph if text else _whole)(source, passage, names, name)
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


def _paragraph(source: str, passage: Passage, names: Names, name: str) -> Block:
    text = _Text()
    for run in runs(source, passage.start, passage.end, names):
        text.take(run)
    language, rtl, marker = passage.language, passage.rtl, passage.marker
    if not text.only_pictures():
        said, styles = text.finish()
        return Block("text", said, styles, language, rtl, document=name, marker=marker)
    node = tree(source[passage.start : passage.end], names)
    pictured = any(child.name in PICTURED for child in node.all())
    return Block(
        "figure",
        block_text(node),
        (),
        language,
        rtl,
        0,
        node if pictured else None,
        name,
        (),
        marker,
    )


@final
class _Text:
    """The text of a paragraph as it is put together, and its styles."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.styles: list[Style] = []
        self.waiting: list[tuple[str, int, str]] = []
        self.length = 0
        self.last = "\n"  # the character before, to keep blanks single
        self.worded = False

    def put(self, text: str) -> None:
        """Add text; blanks before it or after a break are none."""
        text = BLANKS.sub(" ", text)
        if text.startswith(" ") and self.last in " \n":
            text = text[1:]
        if text:
            self.parts.append(text)
            self.length += len(text)
            self.last = text[-1]

    def take(self, run: Run) -> None:
        """Take a piece of running text."""
        if run.kind == "break":
            self.broken()
        elif run.kind == "open":
            target = attributes_of(run.attributes).get("href", "") if run.name == "a" else ""
            self.waiting.append((run.name, self.length, target))
        elif run.kind == "close":
            self.closed(run.name)
        elif run.kind == "object":
            start = self.length
            for number, line in enumerate(run.text.split("\n")):
                if number:
                    self.broken()
                self.put(line)
            self.worded = self.worded or (run.name not in PICTURED and bool(run.text.strip()))
            if run.name == "img" and self.length > start:
                source = attributes_of(run.attributes).get("src", "")
                self.styles.append(Style(start, self.length, "img", source))
        else:
            self.put(run.text)
            self.worded = self.worded or (run.kind != "blank" and bool(run.text.strip()))

    def broken(self) -> None:
        """Begin a line where the book does."""
        if self.last == " ":
            self.parts[-1] = self.parts[-1][:-1]
            self.length -= 1
        self.parts.append("\n")
        self.length += 1
        self.last = "\n"

    def closed(self, name: str) -> None:
        """Note the style of an element that ends."""
        if not any(opened[0] == name for opened in self.waiting[-50:]):
            return
        while self.waiting:
            opened, start, target = self.waiting.pop()
            if opened == name:
                if start < self.length and name in STYLED:
                    self.styles.append(Style(start, self.length, name, target))
                return

    def only_pictures(self) -> bool:
        """Whether nothing but pictures is in it."""
        return not self.worded

    def finish(self) -> tuple[str, tuple[Style, ...]]:
        """Return the text without blanks and breaks around it, and the styles in it."""
        text = "".join(self.parts)
        bare = text.strip(" \n")
        before = len(text) - len(text.lstrip(" \n"))
        moved = [
            Style(max(0, s.start - before), min(len(bare), s.stop - before), s.name, s.target)
            for s in self.styles
        ]
        return bare, tuple(s for s in moved if s.start < s.stop)


def _whole(source: str, passage: Passage, names: Names, name: str) -> Block:
    node = tree(source[passage.start : passage.end], names)
    level = 0
    if passage.kind == "heading":
        level = next((int(n.name[1]) for n in node.all() if n.name in LEVELS), 0)
    shown = passage.kind != "heading" or any(n.name in PICTURED for n in node.all())
    text = block_text(node)
    figure = any(n.name in PICTURED for n in node.all())
    return Block(
        passage.kind,
        text,
        (),
        passage.language,
        passage.rtl,
        level,
        node if shown and (text or figure) else None,
        name,
        (),
        passage.marker,
    )
