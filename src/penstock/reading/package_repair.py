"""The package document and the old table of contents, mended where they are wrong."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, final
from urllib.parse import quote
from xml.etree import ElementTree as ET

from penstock.reading.addresses import SCHEME, Addresses
from penstock.reading.inspection import NAME, inspect
from penstock.reading.markup import TAG, attribute, attributes_of, with_attribute
from penstock.reading.package import Package, squeezed
from penstock.reading.stats import Repairs
from penstock.reading.well_formed import decode, encode

if TYPE_CHECKING:
    from re import Match

__all__ = ["identifier_of", "mend_contents", "mend_package"]

DAY = re.compile(r"(<dc:date\b[^<>]*+>\s*+)(\d{1,2})\.(\d{1,2})\.(\d{4})(?=\s*<)")
UUID = re.compile(r"(<dc:identifier\b[^<>]*+>\s*+)urn:uuid:([^<\s]*+)")
REAL_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
LANGUAGE = re.compile(r"(<dc:language\b[^<>]*+>\s*+[A-Za-z]{2,3})_(?=[A-Za-z]+\s*<)")
HEAD_ODD = re.compile(
    r"<title\b[^<>]*+(?<!/)>[^<]*+</title\s*+>|<(?:title|link|style)\b[^<>]*+(?<=/)>"
)
REFINES = re.compile(
    r"""<(?:[\w.-]{1,64}:)?(?:meta|link)\b[^<>]*?\srefines\s*+=\s*+["']#([^"'<>]*+)["'][^<>]*+"""
    r"""(?:(?<=/)>|>[^<]*+</[^<>]*+>)\s*+"""
)
FORM = b"<form"
IDENTIFIER = "{http://purl.org/dc/elements/1.1/}identifier"
LABEL = re.compile(r"(<text>)([^<]*+(?:<(?!/?text>)[^<]*+)*+)(</text>)")

Act: TypeAlias = "Callable[[Match[str]], str]"


def edit_tags(source: str, acts: Mapping[str, Act]) -> str:
    """Return well-formed ``source`` with start tags replaced by what ``acts`` make of them.

    Args:
        source: XML.
        acts: By an element's name without its prefix; called in order with a match of TAG.
    """

    def edited(match: Match[str]) -> str:
        act = acts.get(match[2].rpartition(":")[2]) if match[1] == "" else None
        return act(match) if act else match[0]

    return TAG.sub(edited, source)


def mend_package(
    data: Callable[[str], bytes],
    package: Package,
    addresses: Addresses,
    repairs: Repairs,
    reached: Container[str] | None,
) -> dict[str, bytes]:
    """Return the package document if it had to be mended.

    Args:
        data: Gives each member of the book as it is by now.
        package: What its package document says.
        addresses: Knows where references lead.
        repairs: Takes what was done.
        reached: The members that links lead to, of a book whose scripts were taken out.
    """
    fixed = _PackageMender(data, package, addresses, repairs, reached).edit(package.source)
    same = fixed == package.source
    return {} if same else {package.name: encode(fixed, data(package.name))}


@final
@dataclass
class _PackageMender:
    """Goes through the manifest first, then what refers to it.

    A line goes only where the file it names is nowhere in the book, or has a line already. That of
    a sound, a film, a style sheet and of what something stands for stays, unless it is elsewhere:
    nothing loads it.
    """

    data: Callable[[str], bytes]
    package: Package
    addresses: Addresses
    repairs: Repairs
    reached: Container[str] | None = None
    renamed: dict[str, str] = field(default_factory=dict)  # manifest ids: as written, as kept
    files: dict[str, str] = field(default_factory=dict)  # manifest: file, id
    spine: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Begin with the first line of the manifest."""
        self.note = self.repairs.note
        self.items = iter(self.package.manifest.items)

    def edit(self, source: str) -> str:
        """Return ``source`` mended."""
        source = self._identifier(source)
        source = DAY.sub(self._date, source)
        if "META-INF/encryption.xml" not in self.package.members:  # fonts are scrambled with it
            source = UUID.sub(self._uuid, source)
        source = edit_tags(source, {"item": self._item, "metadata": self._metadata})
        acts = {
            "item": self._fallback,
            "itemref": self._itemref,
            "reference": self._reference,
            "meta": self._meta,
            "link": self._link,
        }
        source = REFINES.sub(lambda m: "" if m[1] in self.gone else m[0], source)
        return LANGUAGE.sub(r"\1-", edit_tags(source, acts))

    def _metadata(self, match: Match[str]) -> str:
        """Take attributes away that belong to the package."""
        tag = match[0]
        for name in ("unique-identifier", "version"):
            tag = with_attribute(tag, name, None)
        return tag

    def _item(self, match: Match[str]) -> str:
        item = next(self.items)
        path, mark, _ = item.href.partition("#")
        remote = SCHEME.match(item.href) and not item.href.startswith("data:")
        named = item.fallback or item.media_type.startswith(("audio/", "video/", "text/css"))
        if named and not item.name and not remote:
            self.renamed.setdefault(item.identity, item.identity)
            return match[0]  # overlays, imports or the reading order name it: more faults
        if remote or not (item.name or SCHEME.match(item.href)):
            self.repairs.remove(f"{item.href}: listed, but not in the book")
            self.gone.add(item.identity)
            return ""
        file = item.name or item.href
        if file in self.files:
            self.note("file listed twice")
            self.renamed.setdefault(item.identity, self.files[file])
            return ""
        kept = item.identity
        if not NAME.fullmatch(kept) or kept in self.files.values():
            self.note("manifest id mended")
            kept = f"item-{len(self.files) + 1}"
        self.renamed.setdefault(item.identity, kept)
        self.files[file] = kept
        new = with_attribute(match[0], "id", kept) if kept != item.identity else match[0]
        left = {"scripted", "remote-resources"} & set(properties := item.properties.split())
        if "scripted" in left and FORM in self.data(item.name):  # that is meant, too
            left.remove("scripted")
        if left:
            kept_ones = " ".join(p for p in properties if p not in left)  # see harmless
            new = with_attribute(new, "properties", kept_ones or None)
        far = item.name and not self.package.members.same(self.package.name, path)
        if far:
            path = quote(posixpath.relpath(item.name, self.package.folder or "."))
        if not far and not mark:
            return new
        self.note("address mended")
        return with_attribute(new, "href", path)

    def _fallback(self, match: Match[str]) -> str:
        """Let what stood for something that is gone stand for what that stood for."""
        given = wanted = squeezed(attributes_of(match[3]).get("fallback", ""))
        for _ in self.gone:
            if wanted in self.gone and (item := self.package.manifest.find(wanted)):
                wanted = squeezed(item.fallback)
        return match[0] if wanted == given else with_attribute(match[0], "fallback", wanted or None)

    def _link(self, match: Match[str]) -> str:
        """Let a link lead to a document where what it led to in it is gone."""
        href = attributes_of(match[3]).get("href", "")
        to = self.addresses.mend(self.package.name, href) if "#" in href[1:] else href
        return match[0] if to in (href, None) else with_attribute(match[0], "href", to)

    def _itemref(self, match: Match[str]) -> str:
        written = attributes_of(match[3]).get("idref", "")
        wanted = squeezed(written)
        item = self.package.manifest.find(wanted)
        kept = self.renamed.get(item.identity, "") if item else ""
        if not kept:
            if not item or item.identity not in self.gone:
                self.repairs.remove(f"{wanted}: in the reading order, but nothing is listed so")
            return ""
        if kept in self.spine:
            self.note("place in the reading order that is a repetition")
            return ""
        self.spine.add(kept)
        tag = match[0] if kept == wanted else with_attribute(match[0], "idref", kept)
        aside = attribute(match[3], "linear").strip() == "no"
        if aside and item and self.reached is not None and item.name not in self.reached:
            self.note("page that only a script led to")  # it is read where it stands
            return with_attribute(tag, "linear", None)
        return tag

    def _reference(self, match: Match[str]) -> str:
        href = attributes_of(match[3]).get("href", "")
        path, mark, fragment = href.partition("#")
        members = self.package.members
        name = members.find(self.package.name, path)
        if not name or name not in self.files:
            self.repairs.remove(f"{href}: in the guide, but not in the book")
            return ""
        if members.same(self.package.name, path):
            return match[0]
        path = quote(posixpath.relpath(name, self.package.folder or "."))
        return with_attribute(match[0], "href", path + mark + fragment)

    def _meta(self, match: Match[str]) -> str:
        if attribute(match[3], "name") != "cover":
            return match[0]
        wanted = squeezed(attributes_of(match[3]).get("content", ""))
        if wanted in self.gone:
            return ""
        kept = self.renamed.get(wanted, wanted)
        return match[0] if kept == wanted else with_attribute(match[0], "content", kept)

    def _date(self, match: Match[str]) -> str:
        self.note("date mended")
        return f"{match[1]}{match[4]}-{int(match[3]):02}-{int(match[2]):02}"

    def _uuid(self, match: Match[str]) -> str:
        if REAL_UUID.fullmatch(match[2]):
            return match[0]
        self.note("identifier that is no UUID")
        return match[1] + match[2]

    def _identifier(self, source: str) -> str:
        """Make the package's identifier exist."""
        root = next(m for m in TAG.finditer(source) if m[2] and m[2].endswith("package"))
        wanted = squeezed(attribute(root[3], "unique-identifier")) or "book-id"
        tags = [m for m in TAG.finditer(source) if m[2] and not m[1]]
        tags = [m for m in tags if m[2].lower() == "dc:identifier"]
        if any(squeezed(attribute(m[3], "id")) == wanted for m in tags):
            return source
        self.note("identifier mended")
        if tags:
            first = next((m for m in tags if source.startswith("urn:", m.end())), tags[0])
            named = with_attribute(first[0], "id", wanted)
            return source[: first.start()] + named + source[first.end() :]
        digest = hashlib.sha256(source.encode()).hexdigest()[:32]
        ends = [m for m in TAG.finditer(source) if m[1] and m[2].endswith("metadata")]
        if not ends:
            return source
        new = f'<dc:identifier id="{wanted}">urn:penstock:{digest}</dc:identifier>'
        return source[: ends[0].start()] + new + source[ends[0].start() :]


def mend_contents(
    data: Callable[[str], bytes],
    names: list[str],
    package: str,
    addresses: Addresses,
    repairs: Repairs,
) -> dict[str, bytes]:
    """Return the EPUB 2 tables of contents that had to be mended; ``package`` is as mended."""
    mended: dict[str, bytes] = {}
    identifier = identifier_of(package)
    for name in names:
        facts = inspect(data(name))
        if facts.reason:
            continue
        source = decode(data(name))
        fixed = _text_only(_head(source, repairs), repairs)
        points = _Points(name, identifier, addresses, repairs.note, "id twice" in facts.odd)
        fixed = points.edit(fixed)
        if fixed != source:
            mended[name] = encode(fixed, data(name))
    return mended


def identifier_of(source: str) -> str:
    """Return the unique identifier of a package document, or an empty string."""
    root = ET.fromstring(source)  # noqa: S314 - read before: no entities of its own
    wanted = squeezed(root.get("unique-identifier", ""))
    named = (e for e in root.iter(IDENTIFIER) if squeezed(e.get("id", "")) == wanted)
    return next(("".join(e.itertext()).strip() for e in named), "")


def _head(source: str, repairs: Repairs) -> str:
    """Keep only what the head of a table of contents may hold."""
    start = source.find("<head>")
    end = source.find("</head>", start)
    if start < 0 or end < 0:
        return source
    inside = HEAD_ODD.sub("", source[start:end])
    if len(inside) != end - start:
        repairs.note("odd elements in the table of contents")
    return source[:start] + inside + source[end:]


def _text_only(source: str, repairs: Repairs) -> str:
    def bare(match: Match[str]) -> str:
        text = TAG.sub("", match[2])
        if text != match[2]:
            repairs.note("markup in the table of contents")
        return match[1] + text + match[3]

    return LABEL.sub(bare, source)


@final
@dataclass
class _Points:
    """Mends the entries of an EPUB 2 table of contents, and the identifier in its head."""

    name: str
    identifier: str
    addresses: Addresses
    note: Callable[[str], None]
    twice: bool
    count: int = 0
    moved: bool = False
    targets: list[str] = field(default_factory=list)  # of each entry, as it ends

    def edit(self, source: str) -> str:
        """Return ``source`` mended; entries that lead to one place get one number."""
        fixed = edit_tags(source, {"meta": self._meta, "content": self._content})
        numbered = self.twice or self.moved
        if not numbered:
            return fixed
        if self.twice:
            self.note("ids of the table of contents")
        orders: dict[str, int] = {}
        numbers = iter([orders.setdefault(t, len(orders) + 1) for t in self.targets])

        def point(match: Match[str]) -> str:
            self.count += 1
            tag = with_attribute(match[0], "id", f"point-{self.count}") if self.twice else match[0]
            order = next(numbers, 0)
            ordered = "playOrder" in tag and order
            return with_attribute(tag, "playOrder", str(order)) if ordered else tag

        return edit_tags(fixed, {"navPoint": point, "navTarget": point, "pageTarget": point})

    def _meta(self, match: Match[str]) -> str:
        found = attributes_of(match[3])
        wrong = found.get("content", "").strip() != self.identifier
        if found.get("name") != "dtb:uid" or not self.identifier or not wrong:
            return match[0]
        self.note("identifier of the table of contents")
        return with_attribute(match[0], "content", self.identifier)

    def _content(self, match: Match[str]) -> str:
        target = attributes_of(match[3]).get("src", "")
        to = self.addresses.mend(self.name, target)
        self.targets.append(target if to is None else to)
        if to == target:
            return match[0]
        self.note("contents entry mended")
        self.moved = True
        # An entry must lead somewhere: one that cannot be found leads where the one before does.
        before = self.targets[-2:-1] or [self.addresses.first_from(self.name)]
        nearest = to or before[0]
        self.targets[-1] = nearest
        return with_attribute(match[0], "src", nearest)
