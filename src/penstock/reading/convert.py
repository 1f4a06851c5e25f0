"""Files of other programs made readable: FictionBook here, the rest by calibre where it is."""

from __future__ import annotations

import base64
import binascii
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.errors import InputError, MissingExtra
from penstock.reading.archive import Archive

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["by_calibre", "fiction_page", "office_form"]

KINDS = {".docx": "a Word file", ".odt": "an OpenDocument text", ".rtf": "a rich text file"}
HREF = "{http://www.w3.org/1999/xlink}href"
# FictionBook's elements as HTML's, where the names differ.
FICTION = {
    "body": "div", "section": "div", "annotation": "div", "poem": "div", "v": "span",
    "emphasis": "em", "strikethrough": "s", "cite": "blockquote", "epigraph": "blockquote",
    "text-author": "p", "date": "p", "empty-line": "p", "stanza": "p", "image": "img",
}  # fmt: skip
SAME = frozenset("p strong code sub sup table tr td th a br".split())  # others are spans
LINED = {"title": "p", "subtitle": "p", "stanza": "v"}  # made of lines, each an element


def by_calibre(data: bytes, label: str) -> bytes:
    """Return a document of another program, such as ``label`` names, as an EPUB.

    Raises:
        InputError: calibre is not installed, or cannot read it.
    """
    ending = office_form(data) or ".rtf"
    if not data.startswith((b"PK", b"{\\rtf")):
        known = Path(label).suffix.lower()
        ending = known if known in (".mobi", ".azw", ".azw3", ".prc") else ".mobi"
    program = shutil.which("ebook-convert")
    if program is None:
        raise InputError(
            f"{label}: {KINDS.get(ending, 'a Kindle file')}, read by calibre's ebook-convert, "
            "which is not installed: install calibre, or give EPUB, HTML, FB2, Markdown or text"
        )
    with tempfile.TemporaryDirectory(prefix="penstock-") as folder:
        source, made = Path(folder, f"book{ending}"), Path(folder, "made.epub")
        source.write_bytes(data)
        done = subprocess.run(  # noqa: S603 - a program of the user's, over a file of the user's
            [program, source, made], capture_output=True, stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode or not made.exists():
            lines = done.stderr.decode("utf-8", "replace").strip().split("\n")
            raise InputError(f"{label}: calibre cannot read it: {lines[-1][:200]}")
        return made.read_bytes()


def office_form(data: bytes) -> str:
    """Return ``.docx``, ``.odt`` or ``.fb2`` for a zip file of one, else an empty string."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            names = archive.namelist()
            if len(names) == 1 and names[0].lower().endswith(".fb2"):
                return ".fb2"
            if "word/document.xml" in names:
                return ".docx"
            if "content.xml" in names and b"opendocument.text" in archive.read("mimetype")[:100]:
                return ".odt"
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, RuntimeError):
        pass
    return ""


def fiction_page(data: bytes, label: str) -> tuple[bytes, Callable[[str], bytes | None]]:
    """Return a FictionBook as an HTML page, and what gives its pictures.

    Raises:
        InputError: It is not well-formed.
        MissingExtra: lxml is not installed.
    """
    try:
        from lxml import etree
    except ImportError as error:
        raise MissingExtra("reading FictionBook", "lxml", "reading") from error
    if data.startswith(b"PK"):  # one in a zip file is how they are passed on
        archive = Archive(data, label)
        data = archive.read(next(iter(archive)))
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise InputError(f"{label}: not a FictionBook that can be read: {error}") from error
    if root is None:
        raise InputError(f"{label}: not a FictionBook that can be read")
    pictures = {e.get("id", ""): e.text or "" for e in root.iter("{*}binary") if e.get("id")}
    title, language = _first(root, "book-title"), _first(root, "lang")
    author = " ".join(filter(None, (_first(root, f"{n}-name") for n in ("first", "last"))))
    page = etree.Element("html", {"lang": language})
    head = etree.SubElement(page, "head")
    etree.SubElement(head, "title").text = title
    etree.SubElement(head, "meta", {"name": "author", "content": author})
    bodies = list(root.iterchildren("{*}body"))
    for body in bodies:
        _renamed(body, 1)
    etree.SubElement(page, "body").extend(bodies)

    def load(address: str) -> bytes | None:
        try:
            return base64.b64decode(pictures[address.removeprefix("#")])
        except (KeyError, binascii.Error, ValueError):
            return None

    return etree.tostring(page, encoding="utf-8", method="html"), load


def _first(root: _Element, name: str) -> str:
    found = next(root.iter(f"{{*}}{name}"), None)
    return " ".join("".join(map(str, found.itertext())).split()) if found is not None else ""


def _renamed(node: _Element, depth: int) -> None:
    """Make an element of a FictionBook one of HTML."""
    name = node.tag.rpartition("}")[2]
    lines = list(node.iterchildren(f"{{*}}{LINED.get(name, '')}")) if name in LINED else []
    for line in lines:
        line.tag = "span"
    for line in lines[1:]:
        line.addprevious(line.makeelement("br", {}))
    for child in node.iterchildren("*"):
        _renamed(child, depth + (name == "section"))
    kept = {"id": node.get("id"), "href": node.get(HREF), "src": node.get(HREF)}
    kept |= {"alt": node.get("alt"), "class": "verse" if name == "stanza" else None}
    node.attrib.clear()
    node.attrib.update({key: value for key, value in kept.items() if value})
    level = min(6, depth + (name == "subtitle"))
    known = FICTION.get(name) or (name if name in SAME else "span")
    node.tag = f"h{level}" if name in ("title", "subtitle") else known
