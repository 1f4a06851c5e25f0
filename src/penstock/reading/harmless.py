"""Documents of a book without what acts: scripts, and addresses that load from elsewhere.

An edition keeps the book's own markup. What a reader opens makes no request and goes nowhere
by itself; what is taken out for that is named, and everything else keeps its bytes.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from re import Match

from penstock.reading.markup import ATTRIBUTE
from penstock.reading.names import EVENT, Names, tree

__all__ = ["harmless", "harmless_sheet"]

# Attributes that are read, and never loaded or run; those with a prefix are too, but for these.
_TEXTS = frozenset(
    "alt title content class id lang name value label summary abbr cite about resource typeof "
    "property vocab prefix datatype itemtype itemprop itemid rel rev role scope headers "
    "placeholder profile version alttext requiredextensions required-namespace algorithm type "
    "uri".split()
)
NOTHING = (
    "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="  # a picture has to have an address
)
_FOLLOWED = ("href", "base", "src")
_FRAMES = ("iframe", "frame", "object", "embed")
_OUTSIDE = re.compile(r"(?:^|;)[\x00-\x20]*+(?:[A-Za-z][A-Za-z0-9+.\-\s]*+:|[/\\]\s*+[/\\])")
_UNKNOWN = re.compile(r"&[\w.-]++;")  # an entity of the document's own that was not resolved
_LINK = re.compile(r"\s*+(?:https?|mailto|tel|ftp|news|geo|urn|doi|isbn|kindle):", re.IGNORECASE)
_SEEN = re.compile(r"\s*+data:(?:image|audio|video)/", re.IGNORECASE)
_LOADS = re.compile(
    r"""(@import\s*+(?:url\(\s*+)?["']?\s*+|(?:url\(|image-set\(|src\()["'\s]*+"""
    r"""(?!data:(?:image|font|application)/))(?!about:invalid)(?=[a-z][\w+.-]*+:|[/\\]{2})""",
    re.IGNORECASE,
)
_ESCAPED = re.compile(r"\\([0-9A-Fa-f]{1,6})\s?|\\|/\*[^*]*+(?:\*(?!/)[^*]*+)*+(?:\*/)?+")
_DEFAULTS = re.compile(r"""<!ATTLIST(?:"[^"<]*+"|'[^'<]*+'|[^"'<>])*+>""")


def harmless(source: str, tell: Callable[[str], object]) -> str:
    """Return a well-formed document without what acts, and ``tell`` of each thing taken out.

    >>> harmless('<p onclick="x()">a<script>b</script></p>', print)
    onclick of p
    script
    '<p>a</p>'
    """
    if "<!ATTLIST" in source:
        tell("attributes that the document type gives")
        source = _DEFAULTS.sub("", source)
    out: list[str] = []
    names = Names(source)
    within = style = 0  # how deep in a script; behind which piece a style begins
    for match in EVENT.finditer(source):
        closing, name, _, empty = match.groups()
        local = name.rpartition(":")[2].lower() if name else ""
        if within or (local == "script" and not closing):
            if not within:
                tell(local)
            within += bool(name) and (-1 if closing else not empty)
        elif closing and local == "style":
            read = "".join(str(c) for c in tree("".join(out[style:]), names).children)
            if (fixed := harmless_sheet(read, tell)) != read:
                out[style:] = [html.escape(fixed, quote=False)]
            out.append(match[0])
        else:
            out.append(_tag(local, match, names, tell) if name else _other(match[0], tell))
            style = len(out) if local == "style" else style
    return "".join(out)


def harmless_sheet(source: str, tell: Callable[[str], object]) -> str:
    """Return a style sheet that loads nothing from elsewhere.

    >>> harmless_sheet('p { background: url("http://a.example/b") }', print)
    an address in a style
    'p { background: url("about:invalid#http://a.example/b") }'
    """
    if not _loads(source):
        return source
    tell("an address in a style")
    fixed = _LOADS.sub(r"\1about:invalid#", source)
    return "" if _loads(fixed) else fixed  # by escapes: nobody writes so who means well


def _loads(style: str) -> bool:
    if not any(sign in style for sign in "(@&\\"):  # most values, the long ones of drawings too
        return False
    plain = _ESCAPED.sub(lambda m: chr(min(int(m[1], 16), 0x10FFFF)) if m[1] else "", style)
    return any(found.search(style) for found in (_LOADS, _UNKNOWN)) or bool(_LOADS.search(plain))


def _tag(element: str, match: Match[str], names: Names, tell: Callable[[str], object]) -> str:
    def kept(attribute: Match[str]) -> str:
        if not _acts(element, attribute[2], names.text(attribute[3][1:-1])):
            return attribute[0]
        tell(f"{attribute[2]} of {element}")
        return f'{attribute[1]}src="{NOTHING}"' if (element, attribute[2]) == ("img", "src") else ""

    return ATTRIBUTE.sub(kept, match[0]) if match[3] and not match[1] else match[0]


def _other(piece: str, tell: Callable[[str], object]) -> str:
    """Return what is no tag; nothing of an instruction that brings a style from elsewhere."""
    styles = piece.startswith("<?xml-stylesheet")
    if not styles or ("text/css" in piece and "//" not in piece):
        return piece
    tell("a style sheet")
    return ""


def _acts(element: str, attribute: str, value: str) -> bool:
    prefix, _, local = attribute.lower().rpartition(":")
    if local.startswith("on") or local in ("srcdoc", "ping"):
        return True
    if local == "http-equiv":
        return value.strip().lower() not in ("content-type", "default-style")
    read = local in _TEXTS or local.startswith(("aria-", "data-"))
    if read or prefix == "xmlns" or attribute == "xmlns" or (prefix and local not in _FOLLOWED):
        return False
    if local == "style":
        return _loads(value)
    outside = (
        _OUTSIDE.search(value)
        or _UNKNOWN.search(value)
        or (local.endswith("srcset") and "//" in value)
    )
    if local == "href" and element in ("a", "area"):
        return bool(outside) and _LINK.match(value) is None
    return _loads(value) or (bool(outside) and (element in _FRAMES or _SEEN.match(value) is None))
