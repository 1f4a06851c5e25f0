"""The package document of a book: what is in it, in which order, in which language."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import final
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from penstock.errors import InputError
from penstock.reading.archive import Archive
from penstock.reading.wellformed import check, decode

__all__ = ["Document", "Package", "open_package", "refuse_protected"]

XHTML = "application/xhtml+xml"
CONTAINER = "META-INF/container.xml"
# The only two ways of encryption that are none: fonts scrambled with the book's identifier.
# The identifier stays as it is, so the fonts stay readable.
SCRAMBLED = {"http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"}
PROTECTION = ("META-INF/rights.xml", "META-INF/license.lcpl", "META-INF/sinf.xml")


@final
@dataclass(frozen=True, slots=True)
class Document:
    """An XHTML document of the book.

    Attributes:
        name: Its member's name.
        identifier: Its manifest id.
        spine: Its place in the reading order from 0, or -1 where it is not in it.
        navigation: Whether it is the book's own table of contents.
    """

    name: str
    identifier: str
    spine: int
    navigation: bool


@final
@dataclass(frozen=True, slots=True)
class Package:
    """What a package document says.

    Attributes:
        name: Its member's name.
        source: Its text.
        version: ``2.0`` or ``3.0`` and so on.
        title: The first title, or an empty string.
        creator: The first creator, or an empty string.
        language: The first language, or an empty string.
        documents: The XHTML documents: the reading order, then the rest.
        fixed: Whether the pages are laid out once and for all.
    """

    name: str
    source: str
    version: str
    title: str
    creator: str
    language: str
    documents: tuple[Document, ...]
    fixed: bool

    @property
    def folder(self) -> str:
        """The folder of the package document, which its addresses start from."""
        return posixpath.dirname(self.name)


def refuse_protected(archive: Archive) -> None:
    """Raise for a book under DRM; scrambled fonts pass.

    Raises:
        InputError: The book is protected.
    """
    for name in PROTECTION:
        if name in archive:
            raise InputError(
                f"{archive.label}: protected by DRM ({name}); penstock reads open books only"
            )
    if "META-INF/encryption.xml" not in archive:
        return
    text = archive.read("META-INF/encryption.xml").decode("utf-8", "replace")
    methods = set(re.findall(r"""EncryptionMethod[^>]*\sAlgorithm\s*=\s*["']([^"']+)""", text))
    if methods - SCRAMBLED:
        raise InputError(
            f"{archive.label}: protected by DRM ({min(methods - SCRAMBLED)}); "
            "penstock reads open books only"
        )


def parse(archive: Archive, name: str) -> tuple[str, ET.Element]:
    """Return a member as text and as a tree.

    Raises:
        InputError: It is missing or no well-formed XML.
    """
    data = archive.read(name)
    reason = check(data)
    if reason:
        raise InputError(f"{archive.label}: {name}: {reason}")
    return decode(data), ET.fromstring(data)  # noqa: S314 - checked: no entities of its own


def open_package(archive: Archive) -> Package:
    """Find and read the package document.

    Raises:
        InputError: There is none, or it cannot be read.
    """
    refuse_protected(archive)
    name = _package_name(archive)
    source, root = parse(archive, name)
    fixed = any(
        "pre-paginated" in (meta.text or "") for meta in root.iter() if _local(meta) == "meta"
    )
    return Package(
        name=name,
        source=source,
        version=root.get("version", "2.0"),
        title=_first(root, "title"),
        creator=_first(root, "creator"),
        language=_first(root, "language"),
        documents=_documents(archive, name, root),
        fixed=fixed,
    )


def _package_name(archive: Archive) -> str:
    if CONTAINER in archive:
        _, root = parse(archive, CONTAINER)
        for element in root.iter():
            path = element.get("full-path", "")
            if _local(element) == "rootfile" and path in archive:
                return path
    for name in archive:
        if name.endswith(".opf"):
            return name
    raise InputError(f"{archive.label}: no package document (.opf): not an EPUB")


def _documents(archive: Archive, package: str, root: ET.Element) -> tuple[Document, ...]:
    folder = posixpath.dirname(package)
    order: dict[str, int] = {}
    for itemref in (e for e in root.iter() if _local(e) == "itemref"):
        order.setdefault(itemref.get("idref", ""), len(order))
    found: dict[str, Document] = {}
    for item in (e for e in root.iter() if _local(e) == "item"):
        if item.get("media-type") not in (XHTML, "text/x-oeb1-document", "text/html"):
            continue
        href = unquote(item.get("href", "").partition("#")[0])
        name = posixpath.normpath(posixpath.join(folder, href))
        place = order.get(item.get("id", ""), -1)
        # Broken books list one file several times with fragments: the first place counts.
        known = found.get(name)
        if name in archive and (known is None or known.spine < 0 <= place):
            navigation = "nav" in item.get("properties", "").split()
            found[name] = Document(name, item.get("id", ""), place, navigation)
    if not found:
        raise InputError(f"{archive.label}: lists no XHTML document: nothing to read")
    return tuple(sorted(found.values(), key=lambda d: d.spine if d.spine >= 0 else len(order)))


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _first(root: ET.Element, name: str) -> str:
    purl = f"{{http://purl.org/dc/elements/1.1/}}{name}"
    for element in root.iter(purl):
        text = " ".join((element.text or "").split())
        if text:
            return text
    return ""
