"""Plain text as a manuscript: paragraphs, headings and verse found by their shape."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import final

from penstock.errors import InputError
from penstock.reading.compose import Chapter, Manuscript
from penstock.reading.language import language_of

__all__ = ["NoText", "clean", "read_text", "text_manuscript"]

HEADING = re.compile(
    r"(?:chapter|part|book|act|scene|kapitel|teil|buch|chapitre|partie|cap[ií]tulo|parte|capitolo|luku)"
    r"\s+(?:[ivxlcdm]+|\d+)\b.{0,60}",
    re.IGNORECASE,
)
# A number with the title in the line below.
NUMBERED = re.compile(r"(?:\w{1,12}\s+)?(?:[IVXLCDM]+|\d+)\.?[ \t]*\n[ \t]*\S[^\n]{0,60}")
LANGUAGES = dict(
    pair.split("=")
    for pair in "english=en french=fr german=de spanish=es italian=it dutch=nl finnish=fi "
    "portuguese=pt swedish=sv danish=da norwegian=nb polish=pl hungarian=hu chinese=zh japanese=ja "
    "greek=el latin=la esperanto=eo catalan=ca czech=cs".split()
)
GUTENBERG_START = re.compile(r"^\*\*\* ?START OF .{0,200}$", re.MULTILINE)
GUTENBERG_END = re.compile(r"^\*\*\* ?END OF .{0,200}$", re.MULTILINE)
GUTENBERG_FIELD = re.compile(
    r"^(Title|Author|Language):[ \t]*(.{1,300}(?:\n[ \t]{1,20}\S.{0,200})*)$", re.MULTILINE
)
# A document of more than this many characters makes some readers slow; the next heading or
# paragraph then begins a new one.
CHAPTER_LENGTH = 250_000
# XML 1.0 §2.2 has no other control characters.
FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


@final
class NoText(InputError):
    """There is nothing to read: who knows what it was that held nothing says so better."""


def read_text(data: bytes, label: str) -> str:
    """Return bytes as text: UTF-8, or UTF-16 with a byte order mark.

    Raises:
        InputError: They are neither.
    """
    try:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return data.decode("utf-16")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{label}: byte {error.start} is not UTF-8: convert it first (iconv -f LATIN1 -t UTF-8)"
        ) from error


def clean(text: str) -> str:
    r"""Return ``text`` without characters that XML cannot hold, line ends as ``\n``."""
    return FORBIDDEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n"))


def text_manuscript(text: str, title: str, language: str = "") -> Manuscript:
    r"""Return a manuscript of plain text.

    Blank lines part paragraphs; a text without any has a paragraph a line. Several short lines
    are verse, indented ones code, and both keep their line breaks. What Project Gutenberg puts
    before and after its texts gives title, author and language, and is a chapter of its own.

    Raises:
        InputError: There is no text.

    >>> text_manuscript("CHAPTER I\n\nIt was\nlate.", "A").chapters[0].body
    '<h2>CHAPTER I</h2>\n<p>It was late.</p>'
    """
    text = clean(text).strip("\n")
    if not text.strip():
        raise NoText(f"{title}: no text in it")
    start, end = GUTENBERG_START.search(text), GUTENBERG_END.search(text)
    if not start or (end and end.start() < start.end()):
        chapters = list(_chapters(_stanzas(text), title))
        return Manuscript(title=title, chapters=chapters, language=language_of(text, language))
    before, after = text[: start.end()], text[end.start() :] if end else ""
    said = {m[1]: " ".join(m[2].split()) for m in GUTENBERG_FIELD.finditer(before)}
    title, body = said.get("Title") or title, text[start.end() : end.start() if end else None]
    named = LANGUAGES.get(said.get("Language", "").lower(), "")
    about = "Project Gutenberg"
    chapters = [
        *_chapters(_stanzas(before), about, headings=False),
        *_chapters(_stanzas(body), title),
        *_chapters(_stanzas(after), about, headings=False),
    ]
    return Manuscript(
        title=title,
        creator=said.get("Author", ""),
        chapters=[chapter for chapter in chapters if chapter.body],
        language=language_of(body, language, named),
    )


def _stanzas(text: str) -> Iterator[str]:
    stanzas = re.split(r"\n[ \t]*\n\s*?", text)
    return filter(str.strip, stanzas if len(stanzas) > 1 else text.split("\n"))


def _chapters(stanzas: Iterator[str], title: str, *, headings: bool = True) -> Iterator[Chapter]:
    body: list[str] = []
    name, length = title, 0
    for stanza in stanzas:
        heading = headings and is_heading(stanza)
        if body and (heading or length > CHAPTER_LENGTH):
            yield Chapter(title=name, body="\n".join(body))
            body, length = [], 0
        if heading:
            name = " ".join(stanza.split())
        body.append(f"<h2>{html.escape(name, quote=False)}</h2>" if heading else _element(stanza))
        length += len(stanza)
    yield Chapter(title=name, body="\n".join(body))


def is_heading(stanza: str) -> bool:
    r"""Whether a paragraph has the shape of a heading: ``CHAPTER IV`` or a short line of capitals.

    >>> [is_heading(line) for line in ("Chapter 4: The Sea", "I.\nTHE SEA", "The sea.")]
    [True, True, False]
    """
    line = " ".join(stanza.split()) if NUMBERED.fullmatch(stanza.strip()) else stanza.strip()
    if "\n" in line or len(line) > 70:
        return False
    return bool(HEADING.fullmatch(line)) or (line.isupper() and len(line) > 3)


def _element(stanza: str) -> str:
    lines = stanza.strip("\n").split("\n")
    if len(lines) > 1 and all(line.startswith(("    ", "\t")) or not line for line in lines):
        return f"<pre>{html.escape(stanza, quote=False)}</pre>"
    words = [html.escape(" ".join(line.split()), quote=False) for line in lines]
    if len(words) > 2 and max(map(len, words[:-1])) <= 50:
        return '<p class="verse">' + "<br/>\n".join(words) + "</p>"
    return f"<p>{' '.join(words)}</p>"
