"""Documents of a book without what acts: scripts, and addresses that load from elsewhere.

An edition keeps the book's own markup. What a reader opens makes no request and goes nowhere
by itself; what is taken out for that is named, and everything else keeps its bytes.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from re import Match
from typing import final

from penstock.reading.addresses import SCHEME, joined
from penstock.reading.markup import ATTRIBUTE, TAG
from penstock.reading.names import EVENT, Names, tree
from penstock.reading.sheets import UNKNOWN, harmless_sheet, loads
from penstock.reading.visible import BLOCKS, ELSEWHERE, LOADED, PARTS

__all__ = ["harmless"]

# Attributes that are read, and never loaded or run; those with a prefix are too, but for these.
_TEXTS = frozenset(
    "alt title content class id lang name value label summary abbr cite about resource typeof "
    "property vocab prefix datatype itemtype itemprop itemid rel rev role scope headers "
    "placeholder profile version alttext requiredextensions required-namespace algorithm type "
    "uri".split()
)
# A picture has to have an address, whatever is drawn or pressed.
NOTHING = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="
_PICTURES = frozenset({"img", "image", "feimage", "input"})
_FOLLOWED = ("href", "base", "src")
_ADDRESSES = frozenset({"href", "src", "srcset", "data", "srcdoc", "http-equiv"})
# What is nothing without its address goes, or what it holds stays in an element of another name.
_BARE = frozenset("source track link meta base font-face-uri font-face-src mpath".split())
_STANDING = {"use": "g", "tref": "tspan", **dict.fromkeys(LOADED, "span")}
_FOR_ANY = frozenset("id class title lang xml:lang dir style transform epub:type".split())
_FRAMES = ("iframe", "frame", "object", "embed")
_OUTSIDE = re.compile(r"(?:^|;)[\x00-\x20]*+(?:[A-Za-z][A-Za-z0-9+.\-\s]*+:|[/\\]\s*+[/\\])")
_LINK = re.compile(r"\s*+(?:https?|mailto|tel|ftp|news|geo|urn|doi|isbn|kindle):", re.IGNORECASE)
_SEEN = re.compile(r"\s*+data:(?:image|audio|video)/", re.IGNORECASE)
_DEFAULTS = re.compile(r"""<!ATTLIST(?:"[^"<]*+"|'[^'<]*+'|[^"'<>])*+>""")
_BASE = re.compile(
    r"""(?:<(?:[\w.-]{1,64}:)?base\b[^<>]*?\shref|\sxml:base)\s*+=\s*+("[^"<]*+"|'[^'<]*+')"""
)

# Signs of what acts: in a document, and in its start tags with attributes. Most have none.
_SIGNS = ("<script", ":script", "<style", ":style", "<!attlist", "<!entity", "<?xml-s")
_TAGS = re.compile(r"""<[^\s<>!?/]+\s(?:[^<>"']|"[^"<]*"|'[^'<]*')*>""")
_SUSPECT = re.compile(
    r"""(?:^|[\s:])(?:on[^\s=]*|srcdoc|ping|http-equiv)\s*=|(?<=[\s:])(?<!xmlns:)"""
    r"""(?!(?:xmlns|class|id|title|alt|type|prefix|lang|content|property|name)\s*=)"""
    r"""[^\s=<>"'/:]+\s*=\s*(?:"[^"]*(?:[:\\&@(]|//)|'[^']*(?:[:\\&@(]|//))""",
    re.IGNORECASE,
)


def harmless(
    source: str, tell: Callable[[str], object], inside: Callable[[str], object] = bool
) -> str:
    """Return a well-formed document without what acts.

    An element that is nothing without its address goes with it. What a sound, a film, an object
    or a frame holds for readers that cannot show it stays.

    Args:
        source: The document.
        tell: Takes each thing that was taken out.
        inside: Whether the book holds what an address means, of a document whose addresses start
            from elsewhere.

    >>> harmless('<p onclick="x()">a<script>b</script></p>', print)
    onclick of p
    script
    '<p>a</p>'
    >>> harmless('<p><audio><source src="//a.example/b"/>A <i>song</i>.</audio></p>', print)
    src of source
    '<p><span>A <i>song</i>.</span></p>'
    """
    lower = source.lower()
    quiet = not any(sign in lower for sign in _SIGNS)
    if quiet and not _SUSPECT.search(" ".join({*_TAGS.findall(source)})):
        return source
    if "<!ATTLIST" in source:
        tell("attributes that the document type gives")
        source = _DEFAULTS.sub("", source)
    return _Disarmer(source, tell, inside).out_of(source)


@final
@dataclass(slots=True)
class _Open:
    """An element that is open: its start, where it stands, and what it lost."""

    start: Match[str]
    local: str
    at: int
    lost: list[str] = field(default_factory=list)  # addresses that it, or a source in it, had
    kept: bool = False  # whether it, or a source in it, has one still


@final
class _Disarmer:
    """Goes through a document once."""

    def __init__(
        self, source: str, tell: Callable[[str], object], inside: Callable[[str], object]
    ) -> None:
        self.tell = tell
        self.inside = inside
        self.names = Names(source)
        self.out: list[str] = []
        self.open: list[_Open] = []
        based = _BASE.finditer(source) if "<base" in source or ":base" in source else ()
        values = (self.names.text(m[1][1:-1]) for m in based)
        self.base = next((value for value in values if _OUTSIDE.search(value)), "")

    def out_of(self, source: str) -> str:
        """Return ``source`` without what acts."""
        script = 0  # how deep in one
        for match in EVENT.finditer(source):
            closing, name, _, empty = match.groups()
            local = _local(match)
            if script or (local == "script" and not closing):
                if not script:
                    self.tell(local)
                script += bool(name) and (-1 if closing else not empty)
            elif not name:
                self.out.append(_other(match[0], self.tell))
            elif not closing:
                self._start(local, match)
            elif self.open:
                self._end(self.open.pop(), match[0])
            else:
                self.out.append(match[0])
        return "".join(self.out)

    def _start(self, local: str, match: Match[str]) -> None:
        element = _Open(match, local, len(self.out))
        self.out.append(ATTRIBUTE.sub(lambda m: self._attribute(element, m), match[0]))
        if match[4]:
            self._end(element, "")
        else:
            self.open.append(element)

    def _end(self, element: _Open, tag: str) -> None:
        local, at = element.local, element.at
        spoken = local == "audio" and bool(self.open) and self.open[0].local == "smil"
        gone = element.lost and not element.kept
        if local == "style":
            read = "".join(str(c) for c in tree("".join(self.out[at + 1 :]), self.names).children)
            if (fixed := harmless_sheet(read, self.tell)) != read:
                self.out[at + 1 :] = [html.escape(fixed, quote=False)]
        elif gone and local in _STANDING and not spoken:
            self.out[at:] = [self._standing(element)]
            return
        elif gone and (local in _BARE or spoken):
            self.out[at] = tag = ""
        if local in _BARE and local != "track" and self.open:
            parent = self.open[-1]
            parent.kept |= element.kept
            parent.lost += element.lost
        self.out.append(tag)

    def _standing(self, element: _Open) -> str:
        """Return what an element holds in one that needs no address."""
        pieces = [(_local(TAG.match(piece)), piece) for piece in self.out[element.at + 1 :]]
        held = [piece for local, piece in pieces if local not in PARTS]
        standing = _STANDING[element.local]
        if standing == "span" and any(local in BLOCKS for local, _ in pieces):
            standing = "div"
        shown = any(piece.strip() for piece in held if not piece.startswith(("<!--", "<?")))
        if standing == "span" and not shown and all(map(ELSEWHERE.match, element.lost)):
            held = [f"[{html.escape(element.lost[0].strip(), quote=False)}]"]
        tag = "".join(element.start[2].rpartition(":")[:2]) + standing
        kept = "".join(
            m[0]
            for m in ATTRIBUTE.finditer(self.out[element.at])
            if m[2] in _FOR_ANY or m[2].startswith("xmlns")
        )
        return f"<{tag}{kept}>{''.join(held)}</{tag}>"

    def _attribute(self, element: _Open, attribute: Match[str]) -> str:
        blank, name, quoted = attribute.groups()
        local = name.rpartition(":")[2].lower()
        written = value = self.names.text(quoted[1:-1])
        near = value.startswith("#") or SCHEME.match(value)
        if self.base and local in ("href", "src", "data") and not (near or self.inside(value)):
            value = joined(self.base, value)
        if not _acts(element.local, name, value):
            element.kept |= local in _ADDRESSES
            return attribute[0] if value == written else f'{blank}{name}="{html.escape(value)}"'
        if local == "style":
            fixed = harmless_sheet(value, self.tell).strip()
            return f'{blank}{name}="{html.escape(fixed)}"' if fixed else ""
        self.tell(f"{name} of {element.local}")
        if element.local in _PICTURES and local in ("src", "href"):
            return f'{blank}{name}="{NOTHING}"'
        if local in _ADDRESSES:
            element.lost.append(written)
        return ""


def _local(tag: Match[str] | None) -> str:
    return tag[2].rpartition(":")[2].lower() if tag and tag[2] else ""


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
        return loads(value)
    outside = (
        _OUTSIDE.search(value)
        or UNKNOWN.search(value)
        or (local.endswith("srcset") and "//" in value)
    )
    if (local == "href" and element in ("a", "area")) or (element, local) == ("content", "src"):
        return bool(outside) and _LINK.match(value) is None
    return loads(value) or (bool(outside) and (element in _FRAMES or _SEEN.match(value) is None))
