"""The reader in a browser: one file with the book, its pictures and the program; no network."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import posixpath
from typing import BinaryIO, final

from penstock.reading.addresses import Members
from penstock.reading.archive import Archive
from penstock.reading.blocks import TextBlock, TextStyle, book_blocks, book_identity
from penstock.reading.contents import book_contents, targets_of
from penstock.reading.css import part
from penstock.reading.package import open_package
from penstock.reading.sanitize import safe_markup
from penstock.reading.settings import Look
from penstock.reading.words import known_words

__all__ = ["write_page"]

PICTURES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
    ".svg": "image/svg+xml", ".webp": "image/webp",
}  # fmt: skip


def write_page(data: bytes, out: BinaryIO, look: Look, label: str = "book") -> int:
    """Write the reader of the EPUB ``data`` to ``out``; return how many blocks it holds.

    Nothing of the book acts in it: its scripts are dropped, its markup is cut down to known
    elements, and the page's own policy allows its one script only.

    Raises:
        InputError: The book cannot be read.
    """
    archive = Archive(data, label)
    package = open_package(archive)
    page = _Page(archive)
    blocks = list(book_blocks(archive))
    book = {
        "id": book_identity(archive),
        "language": package.language,
        "width": max(12, min(60, int(look.width if not look.em else look.width * 1.75))),
        "guide": look.guide,
        "align": look.align,
        "stops": {name: sorted(words) for name, words in known_words().items()},
        "targets": targets_of(blocks),
        "toc": [[h.level, h.title, h.target] for h in book_contents(archive, package)],
        "blocks": [page.block(block, package.language) for block in blocks],
    }
    script = part("reader.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    values = {
        "LANGUAGE": html.escape(package.language or "en"),
        "TITLE": html.escape(package.title or label),
        "STYLE": part("reader.css"),
        "SCRIPT_HASH": f"sha256-{digest}",
        "WIDTH": str(book["width"]),
        "BOOK": _inert(book),
        "PICTURES": _inert(page.pictures),
        "SCRIPT": script,
    }
    pieces = part("reader.html").split("@")  # text, NAME, text, NAME, ... text
    out.writelines(
        (values[piece] if number % 2 else piece).encode() for number, piece in enumerate(pieces)
    )
    return len(blocks)


def _inert(value: object) -> str:
    """Return JSON that cannot end the element it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


@final
class _Page:
    """Collects what the blocks refer to."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._members = Members(archive)
        self.pictures: dict[str, str] = {}

    def block(self, block: TextBlock, language: str) -> object:
        """Return a block as the page's program takes it."""
        plain = not (block.styles or block.rtl or block.marker or block.language != language)
        if block.kind == "text" and plain:
            return block.text
        styles = [
            [s.start, s.stop, s.name, *([self._target(s, block)] if s.target else [])]
            for s in block.styles
        ]
        markup = block.tree and safe_markup(
            block.tree,
            lambda address: self._picture(address, block),
            lambda address: self._address(address, block) if address else "",
        )
        other = block.language if block.language != language else None
        rest = {"r": int(block.rtl), "h": block.level, "s": styles, "n": block.marker, "m": markup}
        found: dict[str, object] = {"k": block.kind, "t": block.text, "l": other}
        found |= {key: value for key, value in rest.items() if value}
        return {key: value for key, value in found.items() if value is not None}

    def _target(self, style: TextStyle, block: TextBlock) -> str:
        found = self._picture if style.name == "img" else self._address
        return found(style.target, block)

    def _address(self, target: str, block: TextBlock) -> str:
        """Return a link: as it is where it leads out by http or mail, else a place of the book."""
        if target.lower().startswith(("http:", "https:", "mailto:")):
            return target
        path, _, fragment = target.partition("#")
        name = self._members.find(block.document, path) if path else block.document
        return f"{name}#{fragment}" if fragment else name

    def _picture(self, address: str, block: TextBlock) -> str:
        name = self._members.find(block.document, address) if address else ""
        kind = PICTURES.get(posixpath.splitext(name)[1].lower())
        if kind is None or name not in self._archive:
            return ""
        if name not in self.pictures:
            coded = base64.b64encode(self._archive.read(name)).decode()
            self.pictures[name] = f"data:{kind};base64,{coded}"
        return name
