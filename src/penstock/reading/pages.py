"""Web pages, articles and Markdown as manuscripts."""

from __future__ import annotations

import base64
import binascii
import hashlib
import html
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from penstock.errors import InputError, MissingExtra
from penstock.reading.compose import Chapter, Manuscript, Picture
from penstock.reading.plaintext import CHAPTER_LENGTH, NoText, clean
from penstock.reading.tidy import Tidier, link_chapters

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["article_manuscript", "markdown_manuscript", "page_manuscript"]

MAGIC = {
    b"\x89PNG\r\n\x1a\n": ("png", "image/png"),
    b"\xff\xd8\xff": ("jpg", "image/jpeg"),
    b"GIF8": ("gif", "image/gif"),
}
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")


def page_manuscript(
    data: bytes,
    title: str = "",
    base: str = "",
    load: Callable[[str], bytes | None] | None = None,
) -> Manuscript:
    """Return a manuscript of all that an HTML page says.

    Args:
        data: The page, in any encoding it declares.
        title: Used where the page has none.
        base: Its address, for its links.
        load: Gives the bytes of an image's address, or None; without it only ``data:`` images
            are taken.

    Raises:
        InputError: There is no text in it.
        MissingExtra: lxml is not installed.
    """
    root = _parse(data)
    head = root.find("head")
    found = " ".join((head.findtext("title") or "").split()) if head is not None else ""
    author = root.xpath("string(//meta[@name='author']/@content)")
    return _manuscript(root, found or title, str(author), base, load)


def markdown_manuscript(
    text: str, title: str = "", load: Callable[[str], bytes | None] | None = None
) -> Manuscript:
    """Return a manuscript of Markdown (CommonMark and tables; HTML in it is text).

    Raises:
        InputError: There is no text in it.
        MissingExtra: markdown-it-py or lxml is not installed.
    """
    try:
        from markdown_it import MarkdownIt
    except ImportError as error:
        raise MissingExtra("reading Markdown", "markdown-it-py", "reading") from error
    markup = MarkdownIt("commonmark", {"html": False}).enable("table").render(clean(text))
    root = _parse(f'<html><meta charset="utf-8"><body>{markup}</body></html>'.encode())
    heading = root.find(".//h1")
    found = " ".join("".join(map(str, heading.itertext())).split()) if heading is not None else ""
    return _manuscript(root, found or title, "", "", load)


def article_manuscript(
    data: bytes,
    url: str,
    title: str = "",
    load: Callable[[str], bytes | None] | None = None,
) -> Manuscript:
    """Return a manuscript of the article in a page, without the page around it.

    Args:
        data: The page.
        url: Its address.
        title: Used where none is found.
        load: As for :func:`page_manuscript`.

    Raises:
        InputError: There is no article in it.
        MissingExtra: trafilatura is not installed.
    """
    try:
        from trafilatura import extract, extract_metadata
    except ImportError as error:
        raise MissingExtra("reading an article", "trafilatura", "reading") from error
    found = extract_metadata(data, default_url=url)
    markup = extract(
        data,
        url=url,
        output_format="html",
        include_comments=False,
        include_formatting=True,
        include_links=True,
        include_images=True,
        include_tables=True,
    )
    if not markup:
        raise InputError(f"{url}: no article found in the page")
    root = _parse(markup.encode())
    original = _parse(data)
    if original.get("lang"):
        root.set("lang", original.get("lang", ""))
    name = found.title or title or url
    author = found.author or ""
    return _manuscript(root, name, author, url, load, date=found.date or "")


def rebuilt_page(source: str) -> tuple[str, list[str], str]:
    """Return title, style sheets and body of a document that is not XML, in valid elements.

    Raises:
        InputError: There is no text in it.
    """
    tidier = Tidier(lambda address: address)
    root = _parse(re.sub(r"\A\ufeff?<\?xml[^<>]*+>", "", source).encode(), "utf-8")
    body = root.find("body")
    blocks = tidier.blocks(body) if body is not None else []
    if not blocks:
        raise InputError("nothing readable in it")
    title = " ".join((root.findtext(".//title") or "").split())
    links = [e.get("href", "") for e in root.iter("link") if e.get("rel") == "stylesheet"]
    return title, [link for link in links if link], "\n".join(blocks)


def _parse(data: bytes, encoding: str = "") -> _Element:
    try:
        from lxml import html as parser
    except ImportError as error:
        raise MissingExtra("reading HTML", "lxml", "reading") from error
    if not data.strip():
        raise InputError("the page is empty")
    declared = re.search(rb"""charset\s*=\s*["']?([\w-]+)""", data[:4096])
    encoding = encoding or (declared[1].decode() if declared else _guess(data))
    try:
        root: _Element = parser.document_fromstring(
            data, parser=parser.HTMLParser(encoding=encoding, huge_tree=False)
        )
    except (ValueError, LookupError, AssertionError) as error:
        raise InputError(f"the page cannot be read: {error}") from error
    except parser.etree.ParserError as error:
        raise InputError(f"the page cannot be read: {error}") from error
    return root


def _guess(data: bytes) -> str:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "windows-1252"  # what browsers take where nothing is declared
    return "utf-8"


def _manuscript(
    root: _Element,
    title: str,
    author: str,
    base: str,
    load: Callable[[str], bytes | None] | None,
    date: str = "",
) -> Manuscript:
    pictures: dict[str, Picture] = {}

    def picture(address: str) -> str:
        data = _inline_picture(address) or (load(address) if load and address else None)
        kind = next((k for magic, k in MAGIC.items() if data and data.startswith(magic)), None)
        if not data or not kind:
            return ""
        name = f"{hashlib.sha256(data).hexdigest()[:12]}.{kind[0]}"
        pictures[name] = Picture(name, data, kind[1])
        return f"pictures/{name}"

    tidier = Tidier(picture, base)
    body = root.find("body")
    blocks = tidier.blocks(body if body is not None else root)
    if not blocks:
        raise NoText(f"{title or base or 'page'}: no text in it")
    said = root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang") or ""
    groups = list(_split(blocks))
    bodies = link_chapters(groups)
    names = [_heading(group) or title for group in groups]
    return Manuscript(
        title=clean(title),
        creator=clean(author),
        language=said if LANGUAGE.fullmatch(said) else "en",
        chapters=[Chapter(title=n, body=b) for n, b in zip(names, bodies, strict=True)],
        pictures=list(pictures.values()),
        source=base,
        modified=_when(date),
        notes={f"left out: {name}": number for name, number in tidier.dropped.items()},
    )


def _when(date: str) -> datetime:
    try:
        return datetime.fromisoformat(date).replace(tzinfo=UTC)
    except ValueError:
        return datetime(2000, 1, 1, tzinfo=UTC)


def _inline_picture(address: str) -> bytes | None:
    match = re.match(r"data:image/[\w+.-]+(;base64)?,(.*)", address, re.DOTALL)
    if not match:
        return None
    try:
        return base64.b64decode(match[2]) if match[1] else unquote_to_bytes(match[2])
    except (binascii.Error, ValueError):
        return None


def _split(blocks: list[str]) -> Iterator[list[str]]:
    """Yield groups of blocks: a new document at a heading once one is long enough."""
    group: list[str] = []
    length = 0
    for block in blocks:
        if group and (
            length > CHAPTER_LENGTH or (length > 20_000 and block.startswith(("<h1", "<h2")))
        ):
            yield group
            group, length = [], 0
        group.append(block)
        length += len(block)
    yield group


def _heading(group: list[str]) -> str:
    for block in group:
        if re.match(r"<h[1-6]", block):
            return " ".join(html.unescape(re.sub(r"<[^>]+>", "", block)).split())
    return ""
