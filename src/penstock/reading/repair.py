"""Broken books made whole: only what is wrong is touched, and each repair is counted by name.

Repairs are edits of the text at the place of the fault, so a sound document keeps every byte.
"""

from __future__ import annotations

import html
import mimetypes
import re
from dataclasses import dataclass, field
from functools import partial
from typing import final

from penstock.errors import InputError
from penstock.reading.addresses import SCHEME, Addresses
from penstock.reading.archive import Archive
from penstock.reading.harmless import harmless
from penstock.reading.inspection import BLOCKS, LISTS, NEWER, REFERENCES, Facts, inspect
from penstock.reading.markup import ATTRIBUTE, TAG, attribute
from penstock.reading.package import Package
from penstock.reading.package_repair import mend_contents, mend_package
from penstock.reading.sheets import harmless_sheet
from penstock.reading.stats import Repairs
from penstock.reading.well_formed import check, decode, encode

__all__ = ["mend_book", "readable"]

LOOSE = re.compile(
    r"&(?!#\d{1,7};|#x[0-9A-Fa-f]{1,6};|[A-Za-z][\w.-]{0,63};)|<(?![A-Za-z_/!?])"
    r"|<(?=[\w.+-]{1,64}@)"
)
NAMED = re.compile(r"&([A-Za-z][A-Za-z0-9]{0,63});")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
STYLE_ADDRESS = re.compile(
    r"""(@import\s{0,9})?url\(\s*+(?:"([^"\n]*+)"|'([^'\n]*+)'|([^"'()\s]*+))\s*+\)"""
)
DECLARED = re.compile(r"""^(\ufeff?<\?xml[^<>]*?encoding\s{0,9}=\s{0,9}["'])[^"'<>]*+""")
PREDEFINED = frozenset({"lt", "gt", "amp", "quot", "apos"})
# Of these a reference that leads nowhere is mended; others stay as they are, whatever they name.
LINKS = frozenset({"a", "area"})


def mend_book(archive: Archive, package: Package, repairs: Repairs) -> dict[str, bytes]:
    """Return the members that had to be mended, and note what was done in ``repairs``.

    Raises:
        InputError: A document is too broken to be read.
    """
    return _Mender(archive, package, repairs).members()


def readable(archive: Archive, name: str, repairs: Repairs) -> bytes:
    """Return a document as well-formed XML; nothing else about it is looked at.

    Raises:
        InputError: It is too broken to be read.
    """
    data = archive.read(name)
    reason = check(data)
    return _well_formed(data, name, archive.label, reason, repairs) if reason else data


def _well_formed(data: bytes, name: str, label: str, reason: str, repairs: Repairs) -> bytes:
    try:
        source = decode(data)
    except (UnicodeDecodeError, LookupError):
        source = data.decode("windows-1252", "replace")
        repairs.note("encoding mended")
    if "<!ENTITY" in source:
        raise InputError(f"{label}: {name}: {reason}; refused")
    source = source.lstrip("\ufeff \t\r\n")  # before a declaration nothing may stand
    fixed = CONTROL.sub("", LOOSE.sub(lambda m: "&lt;" if m[0] == "<" else "&amp;", source))
    fixed = DECLARED.sub(r"\1utf-8", NAMED.sub(_numbered, fixed))
    if check(fixed.encode()):
        fixed = _rebuilt(fixed, name, repairs)
        repairs.note("document rebuilt from tag soup")
    else:
        repairs.note("markup mended")
    return fixed.encode()


@final
@dataclass
class _Mender:
    archive: Archive
    package: Package
    repairs: Repairs
    mended: dict[str, bytes] = field(default_factory=dict)
    facts: dict[str, Facts] = field(default_factory=dict)
    disarmed: bool = False  # whether something was taken out that acts

    @property
    def old(self) -> bool:
        return self.package.version.startswith("2")

    def members(self) -> dict[str, bytes]:
        """Mend documents one by one, then what leads from one to the other."""
        self.kinds = {item.name: item.media_type for item in self.package.manifest.items}
        for document in self.package.documents:
            self.facts[document.name] = self._sound(document.name)
        for name in self.archive:
            if name not in self.facts:
                self._disarm(name)
        ids = {name: facts.ids for name, facts in self.facts.items()}
        self.addresses = Addresses(self.package.members, ids)
        for document in self.package.documents:
            self._document(document.name, navigation=document.navigation)
        for name in self.archive:
            if name.endswith(".css"):
                self._sheet(name)
        reached = self._reached() if self.disarmed else None
        self.mended.update(
            mend_package(self.data, self.package, self.addresses, self.repairs, reached)
        )
        package = decode(self.data(self.package.name))
        contents = [name for name in self.archive if name.endswith(".ncx")]
        self.mended.update(
            mend_contents(self.data, contents, package, self.addresses, self.repairs)
        )
        return self.mended

    def data(self, name: str) -> bytes:
        """Return a member as it is by now."""
        return self.mended[name] if name in self.mended else self.archive.read(name)

    def _sound(self, name: str) -> Facts:
        """Make a document well-formed and take out what acts; return what is in it then."""
        facts = inspect(self.archive.read(name), old=self.old)
        if facts.reason:
            label = self.archive.label
            self.mended[name] = _well_formed(
                self.data(name), name, label, facts.reason, self.repairs
            )
        if self._disarm(name, sound=True) or facts.reason:
            facts = inspect(self.data(name), old=self.old)
        return facts

    def _disarm(self, name: str, *, sound: bool = False) -> bool:
        """Take out what acts, of a document, a drawing or a style sheet, whatever it is called."""
        kind = f"{self.kinds.get(name)} {mimetypes.guess_type(name)[0]}"
        package = name == self.package.name or name.endswith(".opf")  # its links are not loaded
        if package or not any(part in kind for part in ("css", "xml", "html")):
            return False
        data, left_out = self.data(name), list[str]()
        if "css" in kind:
            source = data.replace(b"\0", b"").decode("utf-8", "surrogateescape")  # of UTF-16
            made = harmless_sheet(source, left_out.append).encode("utf-8", "surrogateescape")
        elif not sound and check(data):
            made = b""
            left_out.append("all of it, which is not XML")
        else:
            inside = partial(self._inside, name)
            made = encode(harmless(decode(data), left_out.append, inside), data)
        if left_out:
            self.disarmed = True
            self.mended[name] = made
        for what in left_out:
            self.repairs.remove(f"{name}: {what}, which acts or loads from elsewhere")
        return bool(left_out)

    def _inside(self, name: str, address: str) -> bool:
        return bool(self.package.members.find(name, address.partition("#")[0]))

    def _reached(self) -> set[str]:
        """Return the members that a link or a table of contents leads to."""
        targets = {name: facts.targets for name, facts in self.facts.items()}
        if contents := self.package.contents:
            targets[contents] = inspect(self.archive.read(contents)).targets
        find = self.package.members.find
        return {find(name, t.partition("#")[0]) for name, ts in targets.items() for t in ts}

    def _document(self, name: str, *, navigation: bool) -> None:
        facts = self.facts[name]
        if "base" in facts.odd:
            return  # its addresses start from somewhere else
        moved = {t: to for t in facts.targets if (to := self.addresses.mend(name, t)) != t}
        if not facts.odd and not moved:
            return
        data = self.data(name)
        editor = _Editor(self, name, moved, navigation=navigation)
        self.mended[name] = encode(editor.edit(decode(data)), data)

    def _sheet(self, name: str) -> None:
        source = self.data(name).decode("utf-8", "surrogateescape")

        def mend(match: re.Match[str]) -> str:
            target = (match[2] or match[3] or match[4] or "").strip()
            if match[1] or not target or SCHEME.match(target):
                return match[0]
            if self.addresses.mend(name, target) is not None:
                return match[0]
            self.repairs.remove(f"{name}: {target}, a picture of the style sheet, is missing")
            return "none"

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


def _rebuilt(source: str, name: str, repairs: Repairs) -> str:
    """Return a document of the same text in elements that are surely valid."""
    from penstock.reading.pages import rebuilt_page

    title, links, body = rebuilt_page(source)
    if not body:
        repairs.remove(f"{name}: a document with nothing in it that can be read")
    sheets = "".join(
        f'<link rel="stylesheet" type="text/css" href="{html.escape(link)}"/>' for link in links
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<html xmlns="http://www.w3.org/1999/xhtml">'
        f"<head><title>{html.escape(title) or '-'}</title>{sheets}</head><body>{body}</body></html>"
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
        self, mender: _Mender, name: str, moved: dict[str, str | None], *, navigation: bool
    ) -> None:
        odd = mender.facts[name].odd
        self.title = mender.package.title or "-"
        self.name = name
        self.repairs = mender.repairs
        self.note = mender.repairs.note
        self.nearest = mender.addresses.first_from(name)
        self.old = mender.old
        self.moved = moved
        self.navigation = navigation
        self.crowded = "block in a paragraph" in odd
        self.untitled = "no title" in odd
        self.seen: set[str] = set()
        self.names: list[tuple[str, str]] = [("", "")]  # open elements: as written, as kept

    def edit(self, source: str) -> str:
        """Return ``source`` with its tags mended."""
        return TAG.sub(self._tag, source)

    def _tag(self, match: re.Match[str]) -> str:
        if match[2] is None:
            return match[0]
        return self._end(match) if match[1] else self._start(match)

    def _end(self, match: re.Match[str]) -> str:
        written, kept = self.names.pop()
        if written and not kept:
            return ""
        tag = match[0] if written == kept else f"</{kept}>"
        if written == "head" and self.untitled:
            self.note("no title")
            return f"<title>{html.escape(self.title)}</title>{tag}"
        return tag

    def _start(self, match: re.Match[str]) -> str:
        name, attributes, empty = match[2], match[3], match[4]
        inside = self.names[-1][0]
        if name in ("img", "link") and inside != "picture" and self._gone(attributes):
            target = attribute(attributes, "src") or attribute(attributes, "href")
            self.repairs.remove(f"{self.name}: {html.unescape(target)}, of <{name}>, is missing")
            if not empty:
                self.names.append((name, ""))
            alternative = attribute(attributes, "alt") if name == "img" else ""
            return f"[{alternative}]" if alternative else ""
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
        return name

    def _attribute(self, element: str, match: re.Match[str], attributes: str) -> str:
        key, value = match[2], html.unescape(match[3][1:-1])
        if key == "id":
            return self._identity(match, value)
        if key == "name" and element == "a":
            self.note("name of an anchor")
            free = value not in self.seen and not attribute(attributes, "id")
            if free and re.fullmatch(r"[^\W\d][\w.-]*", value):
                self.seen.add(value)
                return f'{match[1]}id="{html.escape(value)}"'
            return ""
        if key in REFERENCES and value in self.moved:
            return self._reference(element, match, value)
        if key == "href" and element == "a" and not SCHEME.match(value):
            self.nearest = value
        if key in ("lang", "xml:lang") and "_" in value:
            self.note("language mended")
            return f'{match[1]}{key}="{html.escape(value.replace("_", "-"))}"'
        return match[0]

    def _reference(self, element: str, match: re.Match[str], value: str) -> str:
        to = self.moved[value]
        if to is None and element not in LINKS:
            return match[0]
        if to is None and self.navigation:  # an entry must lead somewhere
            to = self.nearest
        if to is None:
            self.repairs.remove(f"{self.name}: a link to {value}, which is not in the book")
            return ""
        self.note("link mended")
        self.nearest = to if element == "a" else self.nearest
        return f'{match[1]}{match[2]}="{html.escape(to) or "#"}"'

    def _identity(self, match: re.Match[str], value: str) -> str:
        if value in self.seen:
            self.note("id twice")
            return ""
        self.seen.add(value)
        return match[0]
