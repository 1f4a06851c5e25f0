"""A new EPUB 3 out of chapters: contents, one style sheet, pictures; valid and reproducible."""

from __future__ import annotations

import hashlib
import html
import io
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from string import Template
from typing import final

from penstock.reading.archive import ArchiveMember, write_archive
from penstock.reading.css import part

__all__ = ["Chapter", "Manuscript", "Picture", "compose"]

MATHML = ' properties="mathml"'


@final
@dataclass(frozen=True, slots=True)
class Picture:
    """An image of a chapter: the name it is referred to by, its bytes and its media type."""

    name: str
    data: bytes
    media_type: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A document of the book.

    Attributes:
        title: What the contents show.
        body: Valid XHTML for inside ``<body>``.
        language: When it differs from the book's.
        rtl: Whether it runs from right to left.
        sections: Titles and ids of what the contents list besides.
        listed: Whether the contents list the document itself.
    """

    title: str
    body: str
    language: str = ""
    rtl: bool = False
    sections: Sequence[tuple[str, str]] = ()
    listed: bool = True


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Manuscript:
    """What a book is made of.

    Attributes:
        title: The book's title.
        chapters: At least one.
        creator: The author, or an empty string.
        language: As BCP 47 says, such as ``en``.
        modified: When it was made last.
        pictures: Images that the chapters refer to as ``pictures/NAME``.
        source: The address it came from, or an empty string.
        notes: What could not be taken over, with how often.
    """

    title: str
    chapters: Sequence[Chapter]
    creator: str = ""
    language: str = "en"
    modified: datetime = datetime(2000, 1, 1, tzinfo=UTC)
    pictures: Sequence[Picture] = ()
    source: str = ""
    notes: dict[str, int] = field(default_factory=dict)


def compose(manuscript: Manuscript) -> bytes:
    """Return the EPUB of a manuscript. The same manuscript gives the same bytes.

    >>> compose(Manuscript(title="One", chapters=[Chapter(title="A", body="<p>b</p>")]))[:2]
    b'PK'
    """
    out = io.BytesIO()
    write_archive(out, _entries(manuscript))
    return out.getvalue()


def _entries(book: Manuscript) -> Iterator[ArchiveMember]:
    when = book.modified.astimezone(UTC)
    date = (max(when.year, 1980), when.month, when.day, when.hour, when.minute, when.second)
    files = {
        "META-INF/container.xml": part("container.xml"),
        "EPUB/package.opf": _package(book),
        "EPUB/nav.xhtml": _navigation(book),
        "EPUB/book.css": part("book.css"),
    }
    for number, chapter in enumerate(book.chapters, 1):
        files[f"EPUB/{_name(number)}"] = _document(chapter, book.language)
    for name, text in files.items():
        yield ArchiveMember.of(name, text.encode(), date=date)
    for picture in book.pictures:
        yield ArchiveMember.of(f"EPUB/pictures/{picture.name}", picture.data, date=date)


def _name(number: int) -> str:
    return f"chapter-{number:03}.xhtml"


def _identifier(book: Manuscript) -> str:
    digest = hashlib.sha256()
    for text in (book.title, book.creator, book.source, *(c.body for c in book.chapters)):
        digest.update(text.encode() + b"\0")
    return f"urn:uuid:{uuid.UUID(bytes=digest.digest()[:16], version=4)}"


def _package(book: Manuscript) -> str:
    escape = html.escape
    chapters = range(1, len(book.chapters) + 1)
    items = [
        f'<item id="c{n}" href="{_name(n)}" media-type="application/xhtml+xml"'
        f"{MATHML if '<math' in chapter.body else ''}/>"
        for n, chapter in enumerate(book.chapters, 1)
    ]
    items += [
        f'<item id="p{n}" href="pictures/{escape(p.name)}" media-type="{escape(p.media_type)}"/>'
        for n, p in enumerate(book.pictures, 1)
    ]
    creator = f"\n    <dc:creator>{escape(book.creator)}</dc:creator>" if book.creator else ""
    source = f"\n    <dc:source>{escape(book.source)}</dc:source>" if book.source else ""
    return Template(part("package.opf")).substitute(
        identifier=_identifier(book),
        title=escape(book.title),
        language=escape(book.language),
        creator=creator,
        source=source,
        modified=f"{book.modified.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        items="\n    ".join(items),
        spine="\n    ".join(f'<itemref idref="c{n}"/>' for n in chapters),
    )


def _navigation(book: Manuscript) -> str:
    listed = [
        entry
        for number, chapter in enumerate(book.chapters, 1)
        for entry in (
            *([(chapter.title or str(number), _name(number))] if chapter.listed else []),
            *((title, f"{_name(number)}#{place}") for title, place in chapter.sections),
        )
    ]
    entries = "\n".join(
        f'<li><a href="{html.escape(place)}">{html.escape(title)}</a></li>'
        for title, place in listed
    )
    body = f'<nav epub:type="toc"><h1>{html.escape(book.title)}</h1>\n<ol>\n{entries}\n</ol></nav>'
    return _document(Chapter(title=book.title, body=body), book.language)


def _document(chapter: Chapter, language: str) -> str:
    said = html.escape(chapter.language or language)
    direction = ' dir="rtl"' if chapter.rtl else ""
    title = html.escape(chapter.title) or "-"
    return Template(part("chapter.xhtml")).substitute(
        language=said, direction=direction, title=title, body=chapter.body
    )
