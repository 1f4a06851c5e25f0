"""The package document of a book: what is in it, in which order, in which language."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final
from xml.etree import ElementTree as ET

from penstock.errors import InputError
from penstock.reading.addresses import Members
from penstock.reading.archive import Archive
from penstock.reading.well_formed import check, decode

__all__ = [
    "Document",
    "Item",
    "Manifest",
    "Package",
    "open_package",
    "refuse_protected",
    "squeezed",
]

TEXTS = frozenset({"application/xhtml+xml", "text/x-oeb1-document", "text/html"})
DRAWING = "image/svg+xml"  # a page of a book may be one
CONTAINER = "META-INF/container.xml"
ENCRYPTION = "META-INF/encryption.xml"
# The only two ways of encryption that are none: fonts scrambled with the book's identifier.
# The identifier stays as it is, so the fonts stay readable.
SCRAMBLED = {"http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"}
# Apple's and Kobo's file beside the package document.
DISPLAY = tuple(
    f"META-INF/com.{name}.display-options.xml" for name in ("apple.ibooks", "kobobooks")
)


@final
@dataclass(frozen=True, slots=True)
class Document:
    """An XHTML document of the book.

    Attributes:
        name: Its member's name.
        identifier: Its manifest id.
        spine: Its place in the reading order from 0, or -1 where it is not in it.
        navigation: Whether it is the book's own table of contents.
        fixed: Whether its page is laid out once and for all.
    """

    name: str
    identifier: str
    spine: int
    navigation: bool
    fixed: bool = False


@final
@dataclass(frozen=True, slots=True)
class Item:
    """A line of the manifest.

    Attributes:
        identity: Its id, blanks around it removed as XML does for ids.
        href: Its address as written.
        name: The member it means, or an empty string.
        media_type: As written.
        properties: As written.
        fallback: The id of what stands for it in readers that cannot show it.
    """

    identity: str
    href: str
    name: str
    media_type: str = ""
    properties: str = ""
    fallback: str = ""

    @property
    def text(self) -> bool:
        """Whether it is a document."""
        endings = (".xhtml", ".html", ".htm")
        return self.media_type in TEXTS or self.href.lower().endswith(endings)


@final
class Manifest:
    """The items of a book, found by the ids that the reading order names."""

    def __init__(self, items: list[Item]) -> None:
        self.items = items
        self._exact: dict[str, Item] = {}
        self._near: dict[str, Item] = {}
        for item in items:
            self._exact.setdefault(item.identity, item)
        for part in (0, 1, 2, 3):
            for item in items:
                last = posixpath.basename(item.name)
                name = (item.identity, item.href, last, posixpath.splitext(last)[0])[part]
                self._near.setdefault(name.casefold(), item)
        self._near.pop("", None)

    def find(self, reference: str) -> Item | None:
        """Return the item that an ``idref`` names; a wrong case or an address in it will do.

        >>> Manifest([Item("a", "a.xhtml", "E/a.xhtml")]).find(" A ").name
        'E/a.xhtml'
        """
        wanted = squeezed(reference)
        return self._exact.get(wanted) or self._near.get(wanted.casefold())


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
        manifest: All that the book lists.
        members: The book's members by their names.
        contents: The member with the EPUB 2 table of contents, or an empty string.
    """

    name: str
    source: str
    version: str
    title: str
    creator: str
    language: str
    documents: tuple[Document, ...]
    manifest: Manifest
    members: Members
    contents: str = ""

    @property
    def folder(self) -> str:
        """The folder of the package document, which its addresses start from."""
        return posixpath.dirname(self.name)

    @property
    def fixed(self) -> bool:
        """Whether all pages of the reading order are laid out once and for all."""
        read = [d for d in self.documents if d.spine >= 0 and not d.navigation]
        return bool(read) and all(d.fixed for d in read)


def squeezed(text: str) -> str:
    """Return an id as XML normalises it: no blanks around it, single ones inside.

    >>> squeezed("  a ")
    'a'
    """
    return " ".join(text.split())


def refuse_protected(archive: Archive) -> None:
    """Raise for a book under DRM; scrambled fonts pass, and so do licences that lock nothing.

    Raises:
        InputError: The book is protected.
    """
    if ENCRYPTION not in archive:
        return
    _, root = parse(archive, ENCRYPTION)
    methods = {
        method
        for element in root.iter()
        if _local(element) == "EncryptionMethod" and (method := element.get("Algorithm", ""))
    }
    if methods - SCRAMBLED:
        raise InputError(
            f"{archive.label}: protected by DRM ({min(methods - SCRAMBLED)}); "
            "penstock reads open books only"
        )


def parse(archive: Archive, name: str) -> tuple[str, ET.Element]:
    """Return a member as text and as a tree.

    Raises:
        InputError: It is missing or not well-formed XML.
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
    members = Members(archive)
    name = _package_name(archive, members)
    source, root = parse(archive, name)
    manifest = Manifest([_item(e, name, members) for e in _each(root, "item")])
    spine = next(_each(root, "spine"), None)
    contents = manifest.find(spine.get("toc", "")) if spine is not None else None
    return Package(
        name=name,
        source=source,
        version=root.get("version", "2.0"),
        title=_first(root, "title"),
        creator=_first(root, "creator"),
        language=_first(root, "language"),
        documents=_documents(archive, root, manifest),
        manifest=manifest,
        members=members,
        contents=contents.name if contents else "",
    )


def _package_name(archive: Archive, members: Members) -> str:
    if CONTAINER in archive and not check(archive.read(CONTAINER)):
        _, root = parse(archive, CONTAINER)
        for element in _each(root, "rootfile"):
            path = element.get("full-path", "")
            if path and (found := members.find("", path)):
                return found
    for name in archive:
        if name.lower().endswith(".opf"):
            return name
    raise InputError(f"{archive.label}: no package document (.opf): not an EPUB")


def _item(element: ET.Element, package: str, members: Members) -> Item:
    href = element.get("href", "")
    return Item(
        identity=squeezed(element.get("id", "")),
        href=href,
        name=members.find(package, href.partition("#")[0]) if href.strip() else "",
        media_type=element.get("media-type", "").strip().lower(),
        properties=element.get("properties", ""),
        fallback=element.get("fallback", ""),
    )


def _documents(archive: Archive, root: ET.Element, manifest: Manifest) -> tuple[Document, ...]:
    order: dict[str, int] = {}
    layouts: dict[str, str] = {}
    for number, itemref in enumerate(_each(root, "itemref")):
        item = _readable(manifest.find(itemref.get("idref", "")), manifest)
        if item and item.name not in order:  # one file in several places: the first counts
            order[item.name] = number
            layouts[item.name] = itemref.get("properties", "")
    fixed = _fixed_book(archive, root)
    no_order = not order
    found: dict[str, Document] = {}
    for item in manifest.items:
        drawn = item.media_type == DRAWING and item.name in order
        if not item.name or item.name in found or not (item.text or drawn):
            continue
        navigation = "nav" in item.properties.split()
        if no_order and not navigation:  # a reading order that names nothing: as it is listed
            order[item.name] = len(order)
        found[item.name] = Document(
            item.name,
            item.identity,
            order.get(item.name, -1),
            navigation,
            drawn or _fixed_page(layouts.get(item.name, "").split(), book=fixed),
        )
    if not found:
        raise InputError(f"{archive.label}: lists no XHTML document: nothing to read")
    last = len(order) + len(manifest.items)
    return tuple(sorted(found.values(), key=lambda d: d.spine if d.spine >= 0 else last))


def _readable(item: Item | None, manifest: Manifest) -> Item | None:
    """Return an item, or the document that stands for it where it is something else."""
    for _ in range(len(manifest.items)):
        if item is None or item.text or not item.fallback:
            return item
        item = manifest.find(item.fallback)
    return None


def _fixed_page(properties: list[str], *, book: bool) -> bool:
    """Whether a page is fixed: its own word in the reading order goes before the book's."""
    if "rendition:layout-reflowable" in properties:
        return False
    return book or "rendition:layout-pre-paginated" in properties


def _fixed_book(archive: Archive, root: ET.Element) -> bool:
    """Whether a book says of all its pages that they are fixed: EPUB 3, Amazon, Apple, Kobo."""
    for meta in _each(root, "meta"):
        if meta.get("refines"):
            continue
        name = (meta.get("property") or meta.get("name") or "").strip().lower()
        value = (meta.get("content") or meta.text or "").strip().lower()
        if (name, value) in {("rendition:layout", "pre-paginated"), ("fixed-layout", "true")}:
            return True
    for name in DISPLAY:
        if name not in archive or check(archive.read(name)):
            continue
        for option in _each(parse(archive, name)[1], "option"):
            value = (option.text or "").strip().lower()
            if option.get("name") == "fixed-layout" and value in ("true", "yes", "1"):
                return True
    return False


def _each(root: ET.Element, name: str) -> Iterator[ET.Element]:
    return (element for element in root.iter() if _local(element) == name)


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _first(root: ET.Element, name: str) -> str:
    purl = f"{{http://purl.org/dc/elements/1.1/}}{name}"
    for element in root.iter(purl):
        text = " ".join((element.text or "").split())
        if text:
            return text
    return ""
