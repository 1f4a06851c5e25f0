"""Whatever is given becomes an EPUB in memory: a book as it is, all else composed into one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias, final

from penstock.errors import InputError
from penstock.reading.compose import Manuscript, compose
from penstock.reading.convert import by_calibre, fiction_page, office_form
from penstock.reading.plain_text import NoText, read_text, text_manuscript

__all__ = ["Form", "SourceOptions", "as_epub", "form_of", "manuscript_of"]

Form: TypeAlias = Literal["epub", "html", "markdown", "text", "fb2", "calibre"]
ENDINGS: dict[str, Form] = {
    ".epub": "epub", ".html": "html", ".htm": "html", ".xhtml": "html", ".md": "markdown",
    ".markdown": "markdown", ".txt": "text", ".fb2": "fb2", ".rtf": "calibre",
}  # fmt: skip
OTHER = {
    b"%PDF": "a PDF: its lines are painted, not written",
    b"\x1f\x8b": "a file packed by gzip",
    b"\xd0\xcf\x11\xe0": "an old Office file",
}
PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF")


def form_of(data: bytes, name: str = "") -> Form:
    """Say what ``data`` is: by its first bytes, then by the ending of ``name``.

    Raises:
        InputError: It is something penstock does not read.

    >>> form_of(b"<!DOCTYPE html><p>a"), form_of(b"# One", "a.md"), form_of(b"One")
    ('html', 'markdown', 'text')
    """
    if data.startswith(b"PK\x03\x04"):
        zipped: dict[str, Form] = {"": "epub", ".fb2": "fb2"}
        return zipped.get(office_form(data), "calibre")
    if data.startswith(PICTURES):
        raise InputError(f"{name or 'input'}: a picture: there is no text in it to set")
    for magic, what in OTHER.items():
        if data.startswith(magic):
            raise InputError(f"{name or 'input'}: {what}; convert it to EPUB or text first")
    if data[60:68] in (b"BOOKMOBI", b"TEXtREAd") or data.startswith(b"{\\rtf"):
        return "calibre"
    found = ENDINGS.get(Path(name).suffix.lower())
    if b"<FictionBook" in data[:2000]:
        return "fb2"
    if found == "epub":
        raise InputError(f"{name}: not an EPUB: it does not begin like a zip file")
    if found:
        return found
    head = data[:2000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return (
        "html" if re.match(rb"<(?:!doctype html|html|\?xml|head|body|article)\b", head) else "text"
    )


def as_epub(  # noqa: PLR0913 - each a thing that may be known of a file
    data: bytes,
    name: str = "",
    *,
    base: str = "",
    article: bool = False,
    load: Callable[[str], bytes | None] | None = None,
    language: str = "",
    notes: dict[str, int] | None = None,
) -> bytes:
    """Return ``data`` as an EPUB, composing one where it is none.

    Args:
        data: A book, a page or a text.
        name: Its file's name, for its form, its title and error texts.
        base: The address a page came from, for its links.
        article: Whether a page is an article to be taken out of its surroundings.
        load: Gives the bytes of an image a page refers to, or None.
        language: The language of what is composed, where it is known better than it says.
        notes: Added to: what could not be taken over, with how often.

    Raises:
        InputError: It cannot be read.
    """
    form, label = form_of(data, name), name or base or "stdin"
    if form == "epub":
        return data
    if form == "calibre":
        return by_calibre(data, label)
    title = "Text" if label in (base, "stdin") else Path(label).stem
    wanted = SourceOptions(title, label, base, article=article, load=load)
    try:
        found = manuscript_of(data, form, wanted)
    except NoText as error:
        raise InputError(f"{label}: no text in it") from error
    if notes is not None:
        notes.update(found.notes)
    return compose(replace(found, language=language) if language else found)


@final
@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How something becomes a manuscript.

    Attributes:
        title: Used where none is found.
        label: What error texts call it.
        base: The address it came from, or an empty string.
        article: Whether a page is to be cut down to its article.
        load: Gives the bytes of an image, or None.
    """

    title: str
    label: str
    base: str = ""
    article: bool = False
    load: Callable[[str], bytes | None] | None = None


def manuscript_of(data: bytes, form: Form, wanted: SourceOptions) -> Manuscript:
    """Return ``data`` as a manuscript.

    Raises:
        InputError: It cannot be read.
        MissingExtra: A library for its form is not installed.
    """
    if form == "text":
        return text_manuscript(read_text(data, wanted.label), wanted.title)
    from penstock.reading import pages

    title, load = wanted.title, wanted.load
    if form == "markdown":
        return pages.markdown_manuscript(read_text(data, wanted.label), title, load)
    if form == "fb2":
        page, load = fiction_page(data, wanted.label)
        return pages.page_manuscript(page, title, "", load)
    if form in ("epub", "calibre"):
        from penstock.reading.book_source import book_manuscript

        book = data if form == "epub" else by_calibre(data, wanted.label)
        return book_manuscript(book, wanted.label)
    if wanted.article:
        return pages.article_manuscript(data, wanted.base, title, load)
    return pages.page_manuscript(data, title, wanted.base, load)
