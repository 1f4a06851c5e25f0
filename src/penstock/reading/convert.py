"""Files of other programs made readable: FictionBook here, the rest by calibre where it is."""

from __future__ import annotations

import base64
import binascii
import html
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["by_calibre", "fiction_page", "office_form"]

KINDS = {".docx": "a Word file", ".odt": "an OpenDocument text", ".rtf": "a rich text file"}
HREF = "{http://www.w3.org/1999/xlink}href"
# FictionBook's elements as HTML's.
FICTION = {
    "p": "p", "v": "p", "emphasis": "em", "strong": "strong", "strikethrough": "s", "code": "code",
    "sub": "sub", "sup": "sup", "cite": "blockquote", "epigraph": "blockquote", "poem": "div",
    "stanza": "div", "text-author": "p", "table": "table", "tr": "tr", "td": "td", "th": "th",
    "annotation": "div", "date": "p",
}  # fmt: skip


def by_calibre(data: bytes, ending: str, label: str) -> bytes:
    """Return a document of another program as an EPUB.

    Raises:
        InputError: calibre is not installed, or cannot read it.
    """
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
    """Return ``.docx`` or ``.odt`` for a zip file that is one of these, else an empty string."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            names = archive.namelist()
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
    bodies = "".join(_fiction(body, 0) for body in root.iterchildren("{*}body"))
    escape = html.escape
    page = (
        f'<html lang="{escape(language)}"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title>"
        f'<meta name="author" content="{escape(author)}"></head><body>{bodies}</body></html>'
    )

    def load(address: str) -> bytes | None:
        try:
            return base64.b64decode(pictures[address.removeprefix("#")])
        except (KeyError, binascii.Error, ValueError):
            return None

    return page.encode(), load


def _first(root: _Element, name: str) -> str:
    found = next(root.iter(f"{{*}}{name}"), None)
    return " ".join("".join(map(str, found.itertext())).split()) if found is not None else ""


def _fiction(node: _Element, depth: int) -> str:  # noqa: PLR0911 - one return a kind
    """Return an element of a FictionBook as HTML."""
    tag: object = node.tag  # a function for comments
    if not isinstance(tag, str):
        return ""
    name = tag.rpartition("}")[2]
    if name == "image":
        address = html.escape(node.get(HREF, ""))
        return f'<img src="{address}" alt="{html.escape(node.get("alt", ""))}">'
    if name == "empty-line":
        return "<p></p>"
    if name in ("title", "subtitle"):
        level = min(6, depth + 1 + (name == "subtitle"))
        lines = [_fiction_inside(p, depth) for p in node.iterchildren("{*}p")]
        text = "<br>".join(lines) or _fiction_inside(node, depth)
        return f"<h{max(1, level)}>{text}</h{max(1, level)}>"
    inside = _fiction_inside(node, depth + (name == "section"))
    identity = f' id="{html.escape(node.get("id", ""))}"' if node.get("id") else ""
    if name == "a":
        return f'<a href="{html.escape(node.get(HREF, ""))}">{inside}</a>'
    if name == "stanza":
        lines = [_fiction_inside(v, depth) for v in node.iterchildren("{*}v")]
        return f'<p class="verse"{identity}>{"<br>".join(lines)}</p>'
    known = FICTION.get(name, "div" if name in ("body", "section") else "")
    return f"<{known}{identity}>{inside}</{known}>" if known else inside


def _fiction_inside(node: _Element, depth: int) -> str:
    parts = [html.escape(node.text or "")]
    for child in node:
        parts += [_fiction(child, depth), html.escape(child.tail or "")]
    return "".join(parts)
