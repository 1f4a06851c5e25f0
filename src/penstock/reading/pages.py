"""Web pages, articles and Markdown as manuscripts."""

from __future__ import annotations

import base64
import binascii
import hashlib
import html
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote_to_bytes

from penstock.errors import InputError, MissingExtra
from penstock.reading.compose import Chapter, Manuscript, Picture
from penstock.reading.language import LANGUAGE, language_of
from penstock.reading.plain_text import CHAPTER_LENGTH, NoText, clean
from penstock.reading.tidy import Tidier, link_chapters

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = [
    "article_manuscript",
    "markdown_manuscript",
    "page_manuscript",
    "rebuilt_page",
    "xhtml_manuscript",
]

Load: TypeAlias = Callable[[str], bytes | None]  # gives the bytes of an image
MAGIC = re.compile(
    rb"(?P<png>\x89PNG\r\n\x1a\n)|(?P<jpeg>\xff\xd8\xff)|(?P<gif>GIF8)|(?P<webp>RIFF.{4}WEBP)",
    re.DOTALL,
)
CHARSET = re.compile(rb"""(?:charset|<\?xml[^<>]*?encoding)\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)
# Names of encodings that browsers take for a larger one (WHATWG Encoding, section 4.2).
LABELS = {
    **dict.fromkeys(("iso-8859-1", "latin1", "us-ascii", "ascii"), "windows-1252"),
    **dict.fromkeys(("gb2312", "gbk", "x-gbk"), "gb18030"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis"), "cp932"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987"), "cp949"),
    "big5": "big5hkscs",
    "iso-8859-9": "cp1254",
    **dict.fromkeys(("utf8", "utf-16", "utf-16le", "utf-16be", "unicode"), "utf-8"),
    "utf-7": "windows-1252",
}
HIDDEN = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
APART = "\ufdd0"  # a character that is none, and that no text holds
ENDED = re.compile(r"</(?:body|html)\s*>", re.IGNORECASE)
FRONT = re.compile(
    r"\A(---|\+\+\+)[ \t]*\n((?:[A-Za-z][\w-]*[ \t]*[:=].*\n|[ \t]+\S.*\n|[-#\]].*\n|[ \t]*\n)*?)"
    r"(?:\1|\.\.\.)[ \t]*(?:\n|\Z)"
)
FIELD = re.compile(r"^([A-Za-z][\w-]*)[ \t]*[:=][ \t]*(.*(?:\n[ \t]*- .*)*)$", re.MULTILINE)
ENTRY = re.compile(r"^[ \t]*-[ \t]*|[\"'\[\]]|[ \t]+$", re.MULTILINE)
HEADING = re.compile(
    r"<h([12])((?: [\w:]+=\"[^\"]*+\")*+)>((?:[^<]++|<(?!/?h[12]\b))*+)</h\1>", re.DOTALL
)


def page_manuscript(
    data: bytes, title: str = "", base: str = "", load: Load | None = None
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
    return _manuscript(root, found or _heading(root) or title, _meta(root, "author"), base, load)


def markdown_manuscript(text: str, title: str = "", load: Load | None = None) -> Manuscript:
    """Return a manuscript of Markdown; HTML in it is text.

    CommonMark with tables, footnotes, task lists, struck text and front matter, whose title,
    author, date and language are taken.

    Raises:
        InputError: There is no text in it.
        MissingExtra: markdown-it-py, mdit-py-plugins or lxml is not installed.
    """
    try:
        from markdown_it import MarkdownIt
        from mdit_py_plugins.footnote import footnote_plugin
        from mdit_py_plugins.tasklists import tasklists_plugin
    except ImportError as error:
        raise MissingExtra(
            "reading Markdown", "markdown-it-py and mdit-py-plugins", "reading"
        ) from error
    text = clean(text)
    front = FRONT.match(text)
    said = {m[1].lower(): _value(m[2]) for m in FIELD.finditer(front[2])} if front else {}
    reader = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    reader.use(footnote_plugin).use(tasklists_plugin)
    markup = reader.render(text[front.end() :] if front and said else text)
    root = _parse(f'<html><meta charset="utf-8"><body>{markup}</body></html>'.encode())
    language = said.get("lang") or said.get("language") or ""
    if language:
        root.set("lang", language)
    name = said.get("title") or _heading(root) or title
    return _manuscript(root, name, said.get("author", ""), "", load, date=said.get("date", ""))


def _value(source: str) -> str:
    r"""Return a value of front matter; of a list its entries, with commas.

    >>> _value("'A: b'"), _value("[X, Y]"), _value("\n  - X Y\n  - Z")
    ('A: b', 'X, Y', 'X Y, Z')
    """
    if source.lstrip(" ").startswith(("[", "\n")):
        return ", ".join(filter(None, ENTRY.sub("", source).split("\n")))
    return source.strip(" \"'")


def article_manuscript(
    data: bytes, url: str, title: str = "", load: Load | None = None
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
        from trafilatura import extract_metadata
    except ImportError as error:
        raise MissingExtra("reading an article", "trafilatura", "reading") from error
    root = _parse(data)
    said = _said(root)
    try:
        found = extract_metadata(root, default_url=url)
        markup = _article(_told_apart(_without_hidden(root)), url) or _article(_parse(data), url)
    except Exception as error:
        raise InputError(f"{url}: the page cannot be read: {error}") from error
    if not markup:
        raise InputError(f"{url}: no article found in the page")
    root = _parse(markup.replace(APART, "").encode(), "utf-8")
    if said:
        root.set("lang", said)
    name, author = found.title or title or url, found.author or ""
    return _manuscript(root, name, author, url, load, date=found.date or "")


def _article(root: _Element, url: str) -> str:
    from trafilatura import extract

    return (
        extract(
            root,
            url=url,
            output_format="html",
            include_comments=False,
            include_formatting=True,
            include_links=True,
            include_images=True,
            include_tables=True,
        )
        or ""
    )


def _without_hidden(root: _Element) -> _Element:
    """Return a page without what its own styles hide, unless that is most of it."""
    whole = len("".join(map(str, root.itertext())))
    for node in list(root.iter("*")):
        unseen = node.get("hidden") is not None or HIDDEN.search(node.get("style", ""))
        if unseen and 2 * len("".join(map(str, node.itertext()))) < whole:
            node.text = None
            for child in list(node):
                node.remove(child)
    return root


def _told_apart(root: _Element) -> _Element:
    """Return a page whose paragraphs are all different: of two alike one would be taken."""
    seen: Counter[str] = Counter()
    for node in root.iter("p", "li", "blockquote", "pre", "div", "td", "dd"):
        if text := (node.text or "").strip():
            node.text = f"{node.text}{APART * seen[text]}"
            seen[text] += 1
    return root


def rebuilt_page(source: str) -> tuple[str, list[str], str]:
    """Return title, style sheets and body of a document that is not XML, in valid elements.

    The body is empty where there is nothing to read.

    Raises:
        MissingExtra: lxml is not installed.
    """
    try:
        root = _parse(_undeclared(source), "utf-8")
    except MissingExtra:
        raise
    except InputError:
        return "", [], ""
    body = root.find("body")
    blocks = Tidier(lambda address: address).blocks(body) if body is not None else []
    title = " ".join((root.findtext(".//title") or "").split())
    links = [e.get("href", "") for e in root.iter("link") if e.get("rel") == "stylesheet"]
    return title, [link for link in links if link], "\n".join(blocks)


def xhtml_manuscript(source: str, title: str, load: Load) -> Manuscript:
    """Return a manuscript of a document of a book.

    Raises:
        InputError: There is no text in it.
        MissingExtra: lxml is not installed.
    """
    return _manuscript(_parse(_undeclared(source), "utf-8"), title, "", "", load)


def _undeclared(source: str) -> bytes:
    return re.sub(r"\A\ufeff?<\?xml[^<>]*+>", "", source).encode()


def _parse(data: bytes, encoding: str = "") -> _Element:
    try:
        from lxml import html as parser
    except ImportError as error:
        raise MissingExtra("reading HTML", "lxml", "reading") from error
    if not data.strip():
        raise InputError("the page is empty")
    text = ENDED.sub("", _decoded(data, encoding))  # what follows them is the page's all the same
    try:
        root: _Element = parser.document_fromstring(
            text.encode("utf-8", "replace"), parser=parser.HTMLParser(encoding="utf-8")
        )
    except (ValueError, LookupError, AssertionError, parser.etree.ParserError) as error:
        raise InputError(f"the page cannot be read: {error}") from error
    return root


def _decoded(data: bytes, encoding: str = "") -> str:
    """Return a page as text, as browsers do: by its mark, by what it declares, else by its bytes.

    Where the bytes are not what is declared, each that is none is shown as U+FFFD.
    """
    for mark, name in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            return data.decode(name, "replace")
    declared = CHARSET.search(data[:4096])
    label = encoding or (declared[1].decode().lower() if declared else "")
    for name in (LABELS.get(label, label), "utf-8"):
        try:
            return data.decode(name)
        except (LookupError, ValueError):
            pass
    known = label in LABELS or label == "utf-8"
    return data.decode(LABELS.get(label, label) if known else "windows-1252", "replace")


def _manuscript(
    root: _Element, title: str, author: str, base: str, load: Load | None, date: str = ""
) -> Manuscript:
    pictures: dict[str, Picture] = {}

    def picture(address: str) -> str:
        data = _inline_picture(address) or (load(address) if load and address else None)
        kind = MAGIC.match(data or b"")
        if not data or not kind:
            return ""
        name = f"{hashlib.sha256(data).hexdigest()[:12]}.{kind.lastgroup}"
        pictures[name] = Picture(name, data, f"image/{kind.lastgroup}")
        return f"pictures/{name}"

    tidier = Tidier(picture, base)
    body = root.find("body")
    blocks = tidier.blocks(body if body is not None else root)
    if not blocks:
        raise NoText(f"{title or base or 'page'}: no text in it")
    groups = list(_split(blocks))
    bodies = link_chapters(groups)
    chapters = [_chapter(body, title, number) for number, body in enumerate(bodies)]
    text = " ".join(str(piece) for piece in (body if body is not None else root).itertext())
    return Manuscript(
        title=clean(title),
        creator=clean(author),
        language=language_of(text, _said(root)),
        chapters=chapters,
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


def _heading(root: _Element) -> str:
    """Return the first heading of a page, or an empty string."""
    heading = root.find(".//h1")
    return " ".join("".join(map(str, heading.itertext())).split()) if heading is not None else ""


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


def _chapter(body: str, title: str, number: int) -> Chapter:
    """Return a document whose headings the contents list, each with an id."""
    sections: list[tuple[str, str]] = []

    def listed(match: re.Match[str]) -> str:
        name = " ".join(html.unescape(re.sub(r"<[^<>]+>", " ", match[3])).split())
        if not name:
            return match[0]
        found = re.search(r' id="([^"]*)"', match[2])
        place = found[1] if found else f"part-{number + 1}-{len(sections) + 1}"
        sections.append((name, place))
        given = "" if found else f' id="{place}"'
        return f"<h{match[1]}{given}{match[2]}>{match[3]}</h{match[1]}>"

    body = HEADING.sub(listed, body)
    begins = body.lstrip().startswith(("<h1", "<h2"))
    if begins and sections:
        return Chapter(title=sections[0][0], body=body, sections=sections[1:])
    return Chapter(title=title, body=body, sections=sections, listed=not number)


def _meta(root: _Element, name: str) -> str:
    """Return what a page says of itself in a ``meta`` element."""
    for element in root.iter("meta"):
        key = element.get("name") or element.get("property") or element.get("http-equiv") or ""
        if key.lower() == name and (content := element.get("content", "").strip()):
            return content
    return ""


def _said(root: _Element) -> str:
    """Return the language that a page says it is in, or an empty string."""
    for said in (
        root.get("lang"),
        root.get("{http://www.w3.org/XML/1998/namespace}lang"),
        root.get("xml:lang"),
        _meta(root, "content-language"),
        _meta(root, "og:locale"),
        next((e.get("lang") for e in root.iter("body", "article") if e.get("lang")), None),
    ):
        tag = (said or "").split(",")[0].strip().replace("_", "-")
        if LANGUAGE.fullmatch(tag):
            return tag
    return ""
