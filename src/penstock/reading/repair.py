"""Broken books made whole: only what is wrong is touched, and each repair is counted by name.

Repairs are edits of the text at the place of the fault, so a sound document keeps every byte.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import final

from penstock.errors import InputError
from penstock.reading.addresses import Addresses, resolve
from penstock.reading.archive import Archive
from penstock.reading.inspection import BLOCKS, LISTS, NEWER, REFERENCES, Facts, inspect
from penstock.reading.markup import TAG
from penstock.reading.package import Package
from penstock.reading.packagerepair import identifier_of, mend_contents, mend_package
from penstock.reading.wellformed import check, decode, encode

__all__ = ["mend_book"]

ATTRIBUTE = re.compile(r"""(\s+)([\w:.-]+)\s*=\s*("[^"]*"|'[^']*')""")
LOOSE = re.compile(r"&(?!#\d+;|#x[0-9A-Fa-f]+;|[A-Za-z][\w.-]*;)|<(?![A-Za-z_/!?])|<(?=[\w.+-]+@)")
NAMED = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
STYLE_ADDRESS = re.compile(r"""url\(\s*["']?([^"')]+)["']?\s*\)""")
PREDEFINED = frozenset({"lt", "gt", "amp", "quot", "apos"})


def mend_book(archive: Archive, package: Package, repairs: dict[str, int]) -> dict[str, bytes]:
    """Return the members that had to be mended, and count what was done in ``repairs``.

    Raises:
        InputError: A document is too broken to be read.
    """
    return _Mender(archive, package, repairs).members()


@final
class _Mender:
    def __init__(self, archive: Archive, package: Package, repairs: dict[str, int]) -> None:
        self.archive = archive
        self.package = package
        self.repairs = repairs
        self.old = package.version.startswith("2")
        self.mended: dict[str, bytes] = {}
        self.facts: dict[str, Facts] = {}

    def note(self, what: str, count: int = 1) -> None:
        self.repairs[what] = self.repairs.get(what, 0) + count

    def members(self) -> dict[str, bytes]:
        """Mend documents one by one, then what leads from one to the other."""
        for document in self.package.documents:
            data = self.archive.read(document.name)
            facts = inspect(data, old=self.old)
            if facts.reason:
                data = self._well_formed(data, document.name, facts.reason)
                facts = inspect(data, old=self.old)
                self.mended[document.name] = data
            self.facts[document.name] = facts
        self.addresses = Addresses(self.archive, {n: f.ids for n, f in self.facts.items()})
        for document in self.package.documents:
            self._document(document.name, navigation=document.navigation)
        for name in self.archive:
            if name.endswith(".css"):
                self._sheet(name)
        linked = set().union(*self._targets())
        package = mend_package(self.archive, self.package, linked, self.note)
        self.mended.update(package)
        identifier = identifier_of(
            decode(package.get(self.package.name, b"")) or self.package.source
        )
        self.mended.update(mend_contents(self.archive, identifier, self.addresses, self.note))
        return self.mended

    def _targets(self) -> list[set[str]]:

        return [
            {resolve(name, t.partition("#")[0]) for t in facts.targets if not t.startswith("#")}
            for name, facts in self.facts.items()
        ]

    def _well_formed(self, data: bytes, name: str, reason: str) -> bytes:
        try:
            source = decode(data)
        except (UnicodeDecodeError, LookupError):
            source = data.decode("windows-1252", "replace")
            self.note("encoding mended")
        if "<!ENTITY" in source:
            raise InputError(f"{self.archive.label}: {name}: {reason}; refused")
        fixed = CONTROL.sub("", LOOSE.sub(lambda m: "&lt;" if m[0] == "<" else "&amp;", source))
        fixed = NAMED.sub(_numbered, fixed)
        fixed = re.sub(r"""^(\ufeff?<\?xml[^>]*?encoding\s*=\s*["'])[^"']*""", r"\1utf-8", fixed)
        if check(fixed.encode()):
            fixed = _rebuilt(fixed, name, self.archive.label)
            self.note("document rebuilt from tag soup")
        else:
            self.note("markup mended")
        return fixed.encode()

    def _document(self, name: str, *, navigation: bool) -> None:
        facts = self.facts[name]
        moved = {t: to for t in facts.targets if (to := self.addresses.mend(name, t)) != t}
        if not facts.odd and not moved:
            return
        data = self.mended.get(name) or self.archive.read(name)
        editor = _Editor(self, facts, moved, navigation=navigation)
        self.mended[name] = encode(editor.edit(decode(data)), data)

    def _sheet(self, name: str) -> None:
        source = self.archive.read(name).decode("utf-8", "surrogateescape")

        def mend(match: re.Match[str]) -> str:
            to = self.addresses.mend(name, match[1].strip())
            if to is None:
                self.note("picture of a style sheet that is missing")
                return "none"
            return match[0]

        fixed = STYLE_ADDRESS.sub(mend, source) if "url(" in source else source
        if fixed != source:
            self.mended[name] = fixed.encode("utf-8", "surrogateescape")


def _numbered(match: re.Match[str]) -> str:
    if match[1] in PREDEFINED:
        return match[0]
    text = html.unescape(match[0])
    if text == match[0]:
        return "&amp;" + match[0][1:]
    return "".join(f"&#{ord(c)};" for c in text)


def _rebuilt(source: str, name: str, label: str) -> str:
    """Return a document of the same text in elements that are surely valid."""
    from penstock.reading.pages import rebuilt_body

    title = re.search(r"<title[^>]*>([^<]*)</title", source)
    links = "".join(re.findall(r"<link\b[^<>]*/>", source))
    try:
        body = rebuilt_body(source)
    except InputError as error:
        raise InputError(f"{label}: {name}: {error}") from error
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<html xmlns="http://www.w3.org/1999/xhtml">'
        f"<head><title>{html.escape(html.unescape(title[1])) if title else '-'}</title>{links}"
        f"</head><body>{body}</body></html>"
    )


def _holds_block(start: re.Match[str]) -> bool:
    """Whether a block begins before the paragraph that begins at ``start`` ends."""
    depth = 1
    for match in TAG.finditer(start.string, start.end()):
        if match[2] == "p" and not match[4]:
            depth += -1 if match[1] else 1
        if not depth:
            return False
        if match[2] in BLOCKS and not match[1]:
            return True
    return False


@final
class _Editor:
    """Edits the tags of one document."""

    def __init__(
        self, mender: _Mender, facts: Facts, moved: dict[str, str | None], *, navigation: bool
    ) -> None:
        self.title = mender.package.title or "-"
        self.note: Callable[[str], None] = mender.note
        self.old = mender.old
        self.moved = moved
        self.navigation = navigation
        self.crowded = "block in a paragraph" in facts.odd
        self.untitled = "no title" in facts.odd
        self.seen: set[str] = set()
        self.names: list[tuple[str, str]] = [("", "")]  # open elements: as written, as kept

    def edit(self, source: str) -> str:
        """Return ``source`` with its tags mended."""
        out: list[str] = []
        done = 0
        for match in TAG.finditer(source):
            if match[2] is None:
                continue
            new = self._end(match) if match[1] else self._start(match)
            if new != match[0]:
                out += (source[done : match.start()], new)
                done = match.end()
        return "".join((*out, source[done:]))

    def _end(self, match: re.Match[str]) -> str:
        written, kept = self.names.pop()
        tag = match[0] if written == kept else f"</{kept}>"
        if written == "head" and self.untitled:
            self.note("no title")
            return f"<title>{html.escape(self.title)}</title>{tag}"
        return tag

    def _start(self, match: re.Match[str]) -> str:
        name, attributes, empty = match[2], match[3], match[4]
        if name in ("img", "link") and self._gone(attributes):
            self.note(f"{name} that is missing")
            if not empty:
                self.names.append((name, name))
            alternative = re.search(r"""\salt\s*=\s*("[^"]*"|'[^']*')""", attributes)
            return f"[{alternative[1][1:-1]}]" if name == "img" and alternative else ""
        kept = self._name(name, attributes)
        if name == "p" and not empty and self.crowded and _holds_block(match):
            self.note("block in a paragraph")
            kept = "div"
        if not empty:
            self.names.append((name, kept))
        fixed = ATTRIBUTE.sub(lambda m: self._attribute(name, m, attributes), attributes)
        if kept == name and fixed == attributes:
            return match[0]
        return f"<{kept}{fixed}{'/' if empty else ''}>"

    def _gone(self, attributes: str) -> bool:
        return any(
            m[2] in ("src", "href") and self.moved.get(html.unescape(m[3][1:-1]), "") is None
            for m in ATTRIBUTE.finditer(attributes)
        )

    def _name(self, name: str, attributes: str) -> str:
        if name in NEWER and self.old:
            self.note("element of EPUB 3 in an EPUB 2")
            return NEWER[name]
        if name == "tt" and not self.old:
            self.note("tt in an EPUB 3")
            return "code"
        if name == "li" and self.names[-1][0] not in LISTS:
            self.note("item outside a list")
            return "div"
        if name == "a" and self.navigation and self._gone(attributes):
            return "span"
        return name

    def _attribute(self, element: str, match: re.Match[str], attributes: str) -> str:
        key, value = match[2], html.unescape(match[3][1:-1])
        if key == "id":
            return self._identity(match, value)
        if key == "name" and element == "a":
            self.note("name of an anchor")
            free = value not in self.seen and not re.search(r"\sid\s*=", attributes)
            if free and re.fullmatch(r"[^\W\d][\w.-]*", value):
                self.seen.add(value)
                return f'{match[1]}id="{html.escape(value)}"'
            return ""
        if key in REFERENCES and value in self.moved:
            to = self.moved[value]
            self.note("link to nowhere" if to is None else "link mended")
            return "" if to is None else f'{match[1]}{key}="{html.escape(to) or "#"}"'
        if key in ("lang", "xml:lang") and "_" in value:
            self.note("language mended")
            return f'{match[1]}{key}="{html.escape(value.replace("_", "-"))}"'
        return match[0]

    def _identity(self, match: re.Match[str], value: str) -> str:
        if value in self.seen:
            self.note("id twice")
            return ""
        self.seen.add(value)
        return match[0]
