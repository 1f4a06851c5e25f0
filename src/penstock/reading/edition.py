"""A book in, its speed-reading edition out, and the way back."""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, final

from penstock.errors import InputError
from penstock.reading.addresses import SCHEME
from penstock.reading.archive import Archive, ArchiveMember, write_archive
from penstock.reading.css import SHEET, link_to, style
from penstock.reading.lines import set_document
from penstock.reading.markup import TAG, attributes_of
from penstock.reading.package import Package, open_package
from penstock.reading.repair import mend_book
from penstock.reading.restore import unset_document
from penstock.reading.settings import Look
from penstock.reading.stats import Count, Repairs
from penstock.reading.well_formed import decode, encode

__all__ = ["EditionReport", "make_edition", "unmake_edition"]

ITEM = f'<item id="{SHEET}" href="{SHEET}" media-type="text/css"/>'
OEB_ITEM = ITEM.replace("text/css", "text/x-oeb1-css")  # of a book from before EPUB
OEB = re.compile(r"<(?:[\w.-]+:)?package\b[^<>]*openebook\.org/namespaces/oeb-package")
ITEM_OURS = re.compile(
    ITEM.replace("<item", r"<(?:[\w.-]+:)?item").replace("/css", r"/(?:x-oeb1-)?css")
)
OURS = re.compile(r"""<(?:span|b|br|p)\b[^<>]*\sclass=["']ps[lxbghm][ "']""")
PREFIXED = re.compile(r"<[\w.-]{1,64}:html\b")
XML_BASE = re.compile(r"""<(?:html|head)\b[^<>]*\sxml:base\s{0,9}=\s{0,9}["']([^"'<>]*)""")
HEAD_END = re.compile(r"</(?:[\w.-]+:)?head\s*>")
TITLE_END = re.compile(r"</dc:title\s*+>")
SUFFIX = "/* penstock reading, put after the title:"
MANIFEST_END = re.compile(r"</([\w.-]+:)?manifest\s*>")


@final
@dataclass(slots=True)
class EditionReport:
    """What was made of a book.

    Attributes:
        documents: XHTML documents set in lines.
        count: Lines, guides and what was left whole.
        repairs: What was mended in a broken book, with how often.
        removed: What was taken out of it because it leads nowhere, each with its file.
    """

    documents: int = 0
    count: Count = field(default_factory=Count)
    repairs: dict[str, int] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)


def make_edition(
    data: bytes,
    out: BinaryIO,
    look: Look,
    label: str = "book",
    *,
    strict: bool = False,
    title_suffix: str = "",
) -> EditionReport:
    """Write the edition of the EPUB ``data`` to ``out``.

    Members that hold no text keep their stored bytes; documents keep every byte but for what is
    put in, and what had to be mended; the package document gets one line for the style sheet.

    Args:
        data: The EPUB.
        out: Where the edition goes.
        look: Width, guide and the rest.
        label: What error texts call the book.
        strict: Whether a book is refused that something would have to be removed from.
        title_suffix: Put after the book's title, so that a library can tell the two apart.

    Raises:
        InputError: The book cannot be read, is protected, has fixed pages only, or is refused by
            ``strict``.
    """
    archive = Archive(data, label)
    package = open_package(archive)
    if package.fixed:
        raise InputError(f"{label}: its pages have a fixed layout; lines cannot be set in it")
    repairs = Repairs()
    mended = mend_book(archive, package, repairs)
    if strict and repairs.removed:
        more = f" and {len(repairs.removed) - 1} more" if len(repairs.removed) > 1 else ""
        raise InputError(f"{label}: --strict: {repairs.removed[0]}{more}; nothing written")
    report = EditionReport(repairs=repairs.done, removed=repairs.removed)
    maker = _Maker(archive, package, look, report, mended, title_suffix)
    write_archive(out, maker.entries())
    return report


@final
@dataclass(slots=True)
class _Maker:
    """Makes the members of an edition, one at a time."""

    archive: Archive
    package: Package
    look: Look
    report: EditionReport
    mended: dict[str, bytes]
    suffix: str

    @property
    def sheet(self) -> str:
        return posixpath.join(self.package.folder, SHEET)

    def entries(self) -> Iterator[ArchiveMember]:
        archive, package = self.archive, self.package
        documents = {d.name for d in package.documents if not d.navigation and not d.fixed}
        for document in package.documents:
            if document.fixed and document.spine >= 0:
                self.report.count.leave("fixed page")
        made = self.sheet in archive and ITEM_OURS.search(package.source) is not None
        if self.sheet in archive and not made:
            raise InputError(
                f"{archive.label}: has a file of its own named {self.sheet}, as ours would be"
            )
        for name in archive:
            if name == self.sheet:
                continue
            data = self.mended.get(name)
            if name in documents:
                yield self._document(name, data or archive.read(name))
            elif name == package.name:
                yield self._package(name, data or archive.read(name), made=made)
            elif data is not None:
                yield ArchiveMember.of(name, data, date=archive.date(name))
            else:
                yield archive.keep(name)
        rules = style(self.look, self.report.count.shifts)
        if self.suffix:
            rules = f"{SUFFIX}{html.escape(self.suffix)} */\n{rules}"
        yield ArchiveMember.of(self.sheet, rules.encode())

    def _package(self, name: str, data: bytes, *, made: bool) -> ArchiveMember:
        """Return the package document with the line for the style sheet."""
        archive, source = self.archive, decode(data)
        if made:
            source = _without_suffix(source, archive.read(self.sheet))
        else:
            source = _with_item(source, archive.label)
        source = _with_suffix(source, self.suffix)
        return ArchiveMember.of(name, encode(source, data), date=archive.date(name))

    def _document(self, name: str, data: bytes) -> ArchiveMember:
        source = decode(data)
        if SHEET in source:
            source = unset_document(source)
        made = self._set(name, source)
        return ArchiveMember.of(name, encode(made, data), date=self.archive.date(name))

    def _set(self, name: str, source: str) -> str:
        """Return a document set in lines, or as it is where that could not be taken back."""
        count = self.report.count
        end = HEAD_END.search(source)
        folder = _link_folder(source, posixpath.dirname(name))
        prefixed = PREFIXED.search(source, 0, 4000)
        if not end or folder is None or prefixed or OURS.search(source):
            count.leave("document")
            why = "without a head" if not end else "that uses class names of penstock's own"
            why = "whose elements have a prefix" if prefixed else why
            why = "whose addresses start from another site" if folder is None else why
            count.note(f"document {why} left whole")
            return source
        made = set_document(source, self.look, count, self.package.language)
        if made == source:
            return source
        self.report.documents += 1
        at = made.index(end[0])
        href = posixpath.relpath(self.sheet, folder or ".")
        return made[:at] + link_to(href, made[:at]) + made[at:]


def _with_suffix(source: str, suffix: str) -> str:
    """Return a package document with ``suffix`` after its first title."""
    end = TITLE_END.search(source)
    if not suffix or not end:
        return source
    return source[: end.start()] + html.escape(suffix, quote=False) + source[end.start() :]


def _without_suffix(source: str, sheet: bytes) -> str:
    """Return the package document of an edition without what was put after its title."""
    first, _, _ = sheet.decode("utf-8", "replace").partition(" */\n")
    if not first.startswith(SUFFIX):
        return source
    put = html.escape(html.unescape(first.removeprefix(SUFFIX)), quote=False)
    end = TITLE_END.search(source)
    if not end or not source.endswith(put, 0, end.start()):
        return source
    return source[: end.start() - len(put)] + source[end.start() :]


def _link_folder(source: str, folder: str) -> str | None:
    """Return the folder that a document's addresses start from, or None where it is elsewhere."""
    at = source.find("<base")
    match = TAG.match(source, at) if at >= 0 else None
    href = attributes_of(match[3]).get("href", "") if match and match[2] == "base" else ""
    if not href and (other := XML_BASE.search(source, 0, 4000)):
        href = html.unescape(other[1])
    if SCHEME.match(href) or href.startswith("/"):
        return None
    return posixpath.normpath(posixpath.join(folder, posixpath.dirname(href)))


def _with_item(source: str, label: str) -> str:
    match = MANIFEST_END.search(source)
    if not match:
        raise InputError(f"{label}: the package document has no manifest")
    item = (OEB_ITEM if OEB.search(source) else ITEM).replace("<item", f"<{match[1] or ''}item")
    return source[: match.start()] + item + source[match.start() :]


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

    def entries() -> Iterator[ArchiveMember]:
        nonlocal changed
        for name in archive:
            if name == sheet:
                continue
            data = archive.read(name) if name in names or name == package.name else b""
            source = decode(data)
            back = source
            if name == package.name:
                back = _without_suffix(ITEM_OURS.sub("", source, count=1), archive.read(sheet))
            if name in names and SHEET in source:
                back = unset_document(source)
                changed += back != source
            if back == source:
                yield archive.keep(name)
            else:
                yield ArchiveMember.of(name, encode(back, data), date=archive.date(name))

    write_archive(out, entries())
    return changed


Report = EditionReport  # its name in earlier versions
