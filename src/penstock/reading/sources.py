"""Whatever is given becomes an EPUB in memory: a book as it is, all else composed into one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

from penstock.errors import InputError
from penstock.reading.compose import Manuscript, compose
from penstock.reading.plaintext import NoText, read_text, text_manuscript

__all__ = ["Form", "as_epub", "form_of"]

Form: TypeAlias = Literal["epub", "html", "markdown", "text"]
ENDINGS: dict[str, Form] = {
    ".epub": "epub",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
}
OTHER = {
    b"%PDF": "a PDF: its lines are painted, not written",
    b"\xd0\xcf\x11\xe0": "an old Office file",
    b"{\\rtf": "a rich text file",
}


def form_of(data: bytes, name: str = "") -> Form:
    """Say what ``data`` is: by its first bytes, then by the ending of ``name``.

    Raises:
        InputError: It is something penstock does not read.

    >>> form_of(b"<!DOCTYPE html><p>a"), form_of(b"# One", "a.md"), form_of(b"One")
    ('html', 'markdown', 'text')
    """
    if data.startswith(b"PK\x03\x04"):
        return "epub"
    for magic, what in OTHER.items():
        if data.startswith(magic):
            raise InputError(f"{name or 'input'}: {what}; convert it to EPUB or text first")
    if data[60:68] in (b"BOOKMOBI", b"TEXtREAd"):
        raise InputError(f"{name or 'input'}: a Kindle file; give the EPUB it was made from")
    found = ENDINGS.get(Path(name).suffix.lower())
    if found == "epub":
        raise InputError(f"{name}: not an EPUB: it does not begin like a zip file")
    if found:
        return found
    head = data[:2000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return (
        "html" if re.match(rb"<(?:!doctype html|html|\?xml|head|body|article)\b", head) else "text"
    )


def as_epub(
    data: bytes,
    name: str = "",
    *,
    base: str = "",
    article: bool = False,
    load: Callable[[str], bytes | None] | None = None,
) -> bytes:
    """Return ``data`` as an EPUB, composing one where it is none.

    Args:
        data: A book, a page or a text.
        name: Its file's name, for its form, its title and error texts.
        base: The address a page came from, for its links.
        article: Whether a page is an article to be taken out of its surroundings.
        load: Gives the bytes of an image a page refers to, or None.

    Raises:
        InputError: It cannot be read.
    """
    form = form_of(data, name)
    if form == "epub":
        return data
    label = name or base or "stdin"
    try:
        return compose(_manuscript(data, form, label, base, article=article, load=load))
    except NoText as error:
        raise InputError(f"{label}: no text in it") from error


def _manuscript(
    data: bytes,
    form: Form,
    label: str,
    base: str,
    *,
    article: bool,
    load: Callable[[str], bytes | None] | None,
) -> Manuscript:
    title = "Text" if label in (base, "stdin") else Path(label).stem
    if form == "text":
        return text_manuscript(read_text(data, label), title)
    from penstock.reading.pages import article_manuscript, markdown_manuscript, page_manuscript

    if form == "markdown":
        return markdown_manuscript(read_text(data, label), title, load)
    if article:
        return article_manuscript(data, base, title, load)
    return page_manuscript(data, title, base, load)
