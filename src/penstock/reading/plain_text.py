"""Plain text as a manuscript: paragraphs, headings and verse found by their shape."""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Iterator
from contextlib import suppress
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
GUTENBERG_START = re.compile(  # before 2000 the small print came first
    r"^(?:\*\*\* ?START OF |\*END ?\*? ?THE SMALL PRINT).{0,200}$", re.MULTILINE
)
GUTENBERG_END = re.compile(
    r"^(?:\*\*\* ?END OF |End of (?:the |this )?Project Gutenberg).{0,200}$",
    re.MULTILINE | re.IGNORECASE,
)
GUTENBERG_CODING = re.compile(rb"^Character set encoding: *([\w-]+)", re.MULTILINE)
ITEM = re.compile(r"\s*(?:[-*+\u2022\u2013\u2014]|\d{1,3}[.)])\s+\S")  # begins a line of its own
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
    """Return bytes as text: UTF-8, UTF-16 or UTF-32, or what Project Gutenberg's header says.

    Raises:
        InputError: They are none of these.
    """
    said = GUTENBERG_CODING.search(data, 0, 20_000)
    try:
        return data.decode(_wide(data) or "utf-8-sig")
    except UnicodeDecodeError as error:
        with suppress(UnicodeDecodeError, LookupError):
            if said:
                return data.decode(said[1].decode())
        raise InputError(
            f"{label}: byte {error.start} is not UTF-8: convert it first "
            "(iconv -f CP1252 -t UTF-8, or from what it is in)"
        ) from error


def _wide(data: bytes) -> str:
    """Return the encoding of a text with more than one byte for each letter, or an empty string."""
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    first, second = data[::2].count(0), data[1::2].count(0)
    few = first + second < max(2, len(data) // 50)  # a blank or a line's end in fifty letters
    if few or len(data) % 2 or min(first, second):
        return ""
    return "utf-16-be" if first > second else "utf-16-le"


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
    start = GUTENBERG_START.search(text)
    end = GUTENBERG_END.search(text, start.end()) if start else None
    if not start:
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
    items = [ITEM.match(line) is not None for line in lines]
    if items[0] and sum(items) > 1:
        parted = [f"{'<br/>' * item}\n{word}" for item, word in zip(items, words, strict=True)]
        return f"<p>{''.join(parted).removeprefix('<br/>').strip()}</p>"
    if len(words) > 2 and max(map(len, words[:-1])) <= 50:
        return '<p class="verse">' + "<br/>\n".join(words) + "</p>"
    return f"<p>{' '.join(words)}</p>"
