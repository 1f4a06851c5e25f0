"""A book as a sequence of blocks: what the web page, the terminal and JSON lines are made of."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import final

from penstock.reading.archive import Archive
from penstock.reading.markup import TAG, Passage, attribute, passages
from penstock.reading.package import open_package
from penstock.reading.unlines import unset_document
from penstock.reading.wellformed import decode

__all__ = ["Block", "Style", "book_blocks", "document_blocks"]

BLANKS = re.compile(r"[ \t\r\n\f]+")
STYLED = {"em", "i", "cite", "strong", "b", "code", "sub", "sup", "a"}
ID = re.compile(r"""\s(?:xml:)?id\s*=\s*["']([^"']+)""")
LEVEL = re.compile(r"<h([1-6])\b")


@final
@dataclass(frozen=True, slots=True)
class Style:
    """Emphasis or a link: from a character to another, and where a link leads."""

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
        text: What a reader reads, blanks single except in code and verse.
        styles: Emphasis and links of a ``text``.
        language: As the book says.
        rtl: Whether it runs from right to left.
        level: 1 to 6 for a heading, else 0.
        source: The markup of something left whole, with the book's own addresses.
        document: The member it comes from.
        ids: The ids that lead to it.
    """

    kind: str
    text: str
    styles: tuple[Style, ...] = ()
    language: str = ""
    rtl: bool = False
    level: int = 0
    source: str = ""
    document: str = ""
    ids: tuple[str, ...] = ()


def book_blocks(archive: Archive) -> Iterator[Block]:
    """Yield the blocks of an EPUB in reading order; an edition is read as its original.

    Raises:
        InputError: The book cannot be read.
    """
    package = open_package(archive)
    for document in package.documents:
        if document.spine >= 0 and not document.navigation:
            source = unset_document(decode(archive.read(document.name)))
            yield from document_blocks(source, document.name, package.language)


def document_blocks(source: str, name: str = "", language: str = "") -> Iterator[Block]:
    """Yield the blocks of an XHTML document.

    >>> [b.text for b in document_blocks("<body><h2>One</h2><p>Two &amp; <b>three</b></p></body>")]
    ['One', 'Two & three']
    """
    done = 0
    for passage in passages(source, language):
        if passage.kind == "head":
            continue
        markup = source[passage.start : passage.end]
        make = _paragraph if passage.kind == "text" else _whole
        block = make(markup, passage, name)
        if block.text or "<img" in markup or "<svg" in markup:
            ids = tuple(ID.findall(source, done, passage.end))
            yield replace(block, ids=ids) if ids else block
            done = passage.end


def _paragraph(markup: str, passage: Passage, name: str) -> Block:
    parts: list[str] = []
    styles: list[Style] = []
    waiting: list[tuple[str, int, str]] = []
    length = done = 0
    for match in TAG.finditer(markup):
        length += _put(parts, markup[done : match.start()], length)
        done = match.end()
        closing, tag, attributes, empty = match.groups()
        if tag == "br":
            length += _put(parts, " ", length)
        elif tag in STYLED and not empty:
            if not closing:
                waiting.append((tag, length, attribute(attributes, "href")))
            elif waiting:
                begun, start, target = waiting.pop()
                if start < length:
                    styles.append(Style(start, length, begun, html.unescape(target)))
    _put(parts, markup[done:], length)
    text = "".join(parts).rstrip(" ")
    kind = "text" if text else "figure"
    return Block(
        kind, text, tuple(styles), passage.language, passage.rtl, 0, "" if text else markup, name
    )


def _put(parts: list[str], source: str, length: int) -> int:
    text = BLANKS.sub(" ", html.unescape(source))
    if text.startswith(" ") and (not length or parts[-1].endswith(" ")):
        text = text[1:]
    if text:
        parts.append(text)
    return len(text)


def _whole(markup: str, passage: Passage, name: str) -> Block:
    text = html.unescape(TAG.sub("", re.sub(r"<(?:br|/p|/tr|/li|/div)\b[^>]*>", "\n", markup)))
    if passage.kind not in ("code", "verse", "table"):
        text = BLANKS.sub(" ", text)
    elif passage.kind != "code":
        text = "\n".join(line for raw in text.split("\n") if (line := " ".join(raw.split())))
    level = LEVEL.search(markup)
    return Block(
        passage.kind,
        text.strip("\n") if passage.kind == "code" else text.strip(),
        (),
        passage.language,
        passage.rtl,
        int(level[1]) if level and passage.kind == "heading" else 0,
        markup,
        name,
    )
