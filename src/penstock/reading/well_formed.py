"""Is a text well-formed XML? The standard library's parser says so, without loading anything."""

from __future__ import annotations

import re
from xml.parsers import expat

__all__ = ["check", "decode", "encode", "encoding_of", "reason"]

DECLARATION = re.compile(rb"""^<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)["']""")


def check(source: bytes) -> str:
    """Return why ``source`` is no well-formed XML, or an empty string.

    Entities are not expanded: one that a named document type may declare passes, one of the
    document's own that nests or loads others is a reason.

    >>> check(b"<p>one</p>"), check(b"<p>one")
    ('', 'no element found: line 1, column 6')
    """
    return reason(expat.ParserCreate(), source)


def reason(parser: expat.XMLParserType, source: bytes) -> str:
    """Return what :func:`check` does, by a parser that may have handlers of its own."""
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    reasons: list[str] = []

    def entity(
        name: str, _parameter: int, value: str | None, _base: object, system: str | None, *_: object
    ) -> None:
        if value is None or system or "&" in value or "<" in value:
            reasons.append(f"entity {name} nests or loads others")

    parser.EntityDeclHandler = entity
    try:
        parser.Parse(source, True)  # noqa: FBT003 - the parser's own signature
    except (expat.ExpatError, LookupError, ValueError) as error:
        return reasons[0] if reasons else str(error)
    return reasons[0] if reasons else ""


def encoding_of(source: bytes) -> str:
    """Return a document's encoding by its first bytes or its declaration; UTF-8 otherwise.

    >>> encoding_of(b"<?xml version='1.0' encoding='iso-8859-1'?><p/>")
    'iso-8859-1'
    """
    if source.startswith((b"\xff\xfe", b"<\0")):  # XML 1.0, appendix F.1
        return "utf-16-le"
    if source.startswith((b"\xfe\xff", b"\0<")):
        return "utf-16-be"
    found = DECLARATION.match(source[:200].lstrip(b"\xef\xbb\xbf"))
    return found[1].decode() if found else "utf-8"


def decode(source: bytes) -> str:
    """Return an XML document as text; a byte order mark stays as its first character.

    Raises:
        UnicodeDecodeError: The bytes are not what they say.
        LookupError: The encoding is not known.
    """
    return source.decode(encoding_of(source))


def encode(text: str, like: bytes) -> bytes:
    """Return ``text`` in the encoding of the document it was, so that its declaration holds."""
    return text.encode(encoding_of(like), "xmlcharrefreplace")
