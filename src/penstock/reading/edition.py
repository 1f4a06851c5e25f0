"""A book in, its speed-reading edition out, and the way back."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, final

from penstock.errors import InputError
from penstock.reading.archive import Archive, Entry, write_archive
from penstock.reading.counting import Count
from penstock.reading.lines import set_document
from penstock.reading.package import Document, Package, open_package
from penstock.reading.repair import mend_book
from penstock.reading.settings import Look
from penstock.reading.sheet import SHEET, link_to, style
from penstock.reading.unlines import unset_document
from penstock.reading.wellformed import decode, encode

__all__ = ["Report", "make_edition", "unmake_edition"]

ITEM = f'<item id="{SHEET}" href="{SHEET}" media-type="text/css"/>'
ITEM_OURS = re.compile(ITEM.replace("<item", r"<(?:[\w.-]+:)?item"))
OURS = re.compile(r"""<(?:span|b|br|p)\b[^<>]*\sclass=["']ps[lxbghm][ "']""")
HEAD_END = re.compile(r"</(?:[\w.-]+:)?head\s*>")
MANIFEST_END = re.compile(r"</([\w.-]+:)?manifest\s*>")


@final
@dataclass(slots=True)
class Report:
    """What was made of a book.

    Attributes:
        documents: XHTML documents set in lines.
        count: Lines, guides and what was left whole.
        repairs: What was mended in a broken book, with how often.
    """

    documents: int = 0
    count: Count = field(default_factory=Count)
    repairs: dict[str, int] = field(default_factory=dict)


def make_edition(data: bytes, out: BinaryIO, look: Look, label: str = "book") -> Report:
    """Write the edition of the EPUB ``data`` to ``out``.

    Members that hold no text keep their stored bytes; documents keep every byte but for what is
    put in; the package document gets one line for the style sheet.

    Args:
        data: The EPUB.
        out: Where the edition goes.
        look: Width, guide and the rest.
        label: What error texts call the book.

    Raises:
        InputError: The book cannot be read, is protected, or has fixed pages.
    """
    archive = Archive(data, label)
    package = open_package(archive)
    if package.fixed:
        raise InputError(f"{label}: its pages have a fixed layout; lines cannot be set in it")
    report = Report()
    write_archive(out, _entries(archive, package, look, report))
    return report


def _entries(archive: Archive, package: Package, look: Look, report: Report) -> Iterator[Entry]:
    documents = {d.name: d for d in package.documents if not d.navigation}
    sheet = posixpath.join(package.folder, SHEET)
    made = sheet in archive and ITEM_OURS.search(package.source) is not None
    if sheet in archive and not made:
        raise InputError(f"{archive.label}: has a file of its own named {sheet}, as ours would be")
    mended = mend_book(archive, package, report.repairs)
    for name in archive:
        if name == sheet:
            continue
        if name == package.name:
            data = mended.get(name) or archive.read(name)
            source = decode(data) if made else _with_item(decode(data), archive.label)
            yield Entry.of(name, encode(source, data), date=archive.date(name))
        elif name in documents:
            data = mended.get(name) or archive.read(name)
            yield _set_member(archive, documents[name], data, package, look, report)
        elif name in mended:
            yield Entry.of(name, mended[name], date=archive.date(name))
        else:
            yield archive.keep(name)
    yield Entry.of(sheet, style(look, report.count.shifts).encode())


def _with_item(source: str, label: str) -> str:
    match = MANIFEST_END.search(source)
    if not match:
        raise InputError(f"{label}: the package document has no manifest")
    prefix = match[1] or ""
    return (
        source[: match.start()] + ITEM.replace("<item", f"<{prefix}item") + source[match.start() :]
    )


def _set_member(
    archive: Archive,
    document: Document,
    data: bytes,
    package: Package,
    look: Look,
    report: Report,
) -> Entry:
    source = decode(data)
    if SHEET in source:
        source = unset_document(source)
    if OURS.search(source):
        raise InputError(
            f"{archive.label}: {document.name} uses class names of penstock's own "
            "(psl, psx, psb, psg): its marks could not be told from ours"
        )
    made = set_document(source, look, report.count, package.language)
    end = HEAD_END.search(made)
    if made != source and end:
        folder = posixpath.dirname(document.name)
        href = posixpath.relpath(posixpath.join(package.folder, SHEET), folder or ".")
        made = made[: end.start()] + link_to(href, made[: end.start()]) + made[end.start() :]
        report.documents += 1
    return Entry.of(document.name, encode(made, data), date=archive.date(document.name))


def unmake_edition(data: bytes, out: BinaryIO, label: str = "book") -> int:
    """Write the original of the edition ``data`` to ``out``; return the documents changed back.

    Raises:
        InputError: The book cannot be read or is no edition.
    """
    archive = Archive(data, label)
    package = open_package(archive)
    sheet = posixpath.join(package.folder, SHEET)
    if sheet not in archive or not ITEM_OURS.search(package.source):
        raise InputError(f"{label}: not made by penstock read make: nothing to take out")
    names = {d.name for d in package.documents if not d.navigation}
    changed = 0

    def entries() -> Iterator[Entry]:
        nonlocal changed
        for name in archive:
            if name == sheet:
                continue
            data = archive.read(name) if name in names or name == package.name else b""
            source = decode(data)
            back = ITEM_OURS.sub("", source) if name == package.name else source
            if name in names:
                back = unset_document(source)
                changed += back != source
            if back == source:
                yield archive.keep(name)
            else:
                yield Entry.of(name, encode(back, data), date=archive.date(name))

    write_archive(out, entries())
    return changed
