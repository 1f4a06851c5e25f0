"""The package document and the old table of contents, mended where they are wrong."""

from __future__ import annotations

import hashlib
import html
import posixpath
import re
from collections.abc import Callable
from typing import final

from penstock.reading.addresses import Addresses, resolve
from penstock.reading.archive import Archive
from penstock.reading.inspection import NAME, inspect
from penstock.reading.markup import TAG, attribute
from penstock.reading.package import Package
from penstock.reading.wellformed import decode, encode

__all__ = ["mend_contents", "mend_package"]

# Attributes that belong to the package, found on its metadata.
METADATA = re.compile(
    r"""(<(?:\w+:)?metadata\b[^>]*?)\s+unique-identifier="[^"]*"\s+version="[^"]*"(\s*>)"""
)

DAY = re.compile(r"(<dc:date\b[^>]*>\s*)(\d{1,2})\.(\d{1,2})\.(\d{4})(?=\s*<)")
UUID = re.compile(r"(<dc:identifier\b[^>]*>\s*)urn:uuid:([^<\s]*)")
REAL_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def mend_package(
    archive: Archive, package: Package, linked: set[str], note: Callable[[str], None]
) -> dict[str, bytes]:
    """Return the package document if it had to be mended.

    Args:
        archive: The book.
        package: What its package document says.
        linked: The members that some document links to.
        note: Told each repair.
    """
    mender = _PackageMender(archive, package, linked, note)
    fixed = mender.edit(package.source)
    data = archive.read(package.name)
    return {package.name: encode(fixed, data)} if fixed != package.source else {}


@final
class _PackageMender:
    def __init__(
        self, archive: Archive, package: Package, linked: set[str], note: Callable[[str], None]
    ) -> None:
        self.archive = archive
        self.package = package
        self.linked = linked
        self.note = note
        self.renamed: dict[str, str] = {}  # manifest ids: as written, as they must be
        self.files: dict[str, str] = {}  # manifest: file, id
        self.spine: set[str] = set()
        self.gone: set[str] = set()

    def edit(self, source: str) -> str:
        """Return ``source`` mended: the manifest first, then what refers to it."""
        source = self._identifier(source)
        source = re.sub(METADATA, r"\1\2", source)
        source = DAY.sub(self._date, source)
        if "META-INF/encryption.xml" not in self.archive:  # fonts are scrambled with it
            source = UUID.sub(self._uuid, source)
        source = self._each(source, "item", self._item)
        source = self._each(source, "itemref", self._itemref)
        source = self._each(source, "reference", self._reference)
        source = self._each(source, "meta", self._meta)
        return re.sub(r"(<dc:language[^>]*>\s*[A-Za-z]{2,3})_(?=[A-Za-z]+\s*<)", r"\1-", source)

    def _each(self, source: str, wanted: str, act: Callable[[re.Match[str]], str]) -> str:
        out: list[str] = []
        done = 0
        for match in TAG.finditer(source):
            if match[1] == "" and match[2].rpartition(":")[2] == wanted:
                new = act(match)
                if new != match[0]:
                    out += (source[done : match.start()], new)
                    done = match.end()
        return "".join((*out, source[done:]))

    def _item(self, match: re.Match[str]) -> str:
        identity = html.unescape(attribute(match[3], "id"))
        href = html.unescape(attribute(match[3], "href"))
        path, mark, _ = href.partition("#")
        name = resolve(self.package.name, path)
        remote = re.match(r"[A-Za-z][\w+.-]*:", href)
        if not remote and name not in self.archive:
            self.note("listed file that is missing")
            self.gone.add(identity)
            return ""
        if not remote and name in self.files:
            self.note("file listed twice")
            self.renamed[identity] = self.files[name]
            return ""
        kept = identity
        if not NAME.fullmatch(identity) or identity in self.files.values():
            self.note("manifest id mended")
            kept = f"item-{len(self.files) + 1}"
        self.renamed.setdefault(identity, kept)
        self.files[name] = kept
        new = _with(match[0], "id", kept) if kept != identity else match[0]
        return _with(new, "href", html.escape(path)) if mark else new

    def _itemref(self, match: re.Match[str]) -> str:
        wanted = html.unescape(attribute(match[3], "idref"))
        kept = self.renamed.get(wanted, "")
        if wanted in self.gone or not kept or kept in self.spine:
            self.note("place in the reading order that is a repetition or leads nowhere")
            return ""
        self.spine.add(kept)
        new = match[0] if kept == wanted else _with(match[0], "idref", kept)
        if attribute(match[3], "linear") == "no" and self.package.version.startswith("3"):
            name = next((n for n, i in self.files.items() if i == kept), "")
            if name not in self.linked:
                self.note("page outside the reading order that nothing leads to")
                new = _with(new, "linear", "yes")
        return new

    def _reference(self, match: re.Match[str]) -> str:
        path = html.unescape(attribute(match[3], "href")).partition("#")[0]
        if resolve(self.package.name, path) in self.files:
            return match[0]
        self.note("guide entry that leads nowhere")
        return ""

    def _meta(self, match: re.Match[str]) -> str:
        if attribute(match[3], "name") != "cover":
            return match[0]
        wanted = html.unescape(attribute(match[3], "content"))
        kept = self.renamed.get(wanted, wanted)
        if wanted in self.gone:
            return ""
        return match[0] if kept == wanted else _with(match[0], "content", kept)

    def _date(self, match: re.Match[str]) -> str:
        self.note("date mended")
        return f"{match[1]}{match[4]}-{int(match[3]):02}-{int(match[2]):02}"

    def _uuid(self, match: re.Match[str]) -> str:
        if REAL_UUID.fullmatch(match[2]):
            return match[0]
        self.note("identifier that is no UUID")
        return match[1] + match[2]

    def _identifier(self, source: str) -> str:
        """Make the package's identifier exist."""
        root = next(m for m in TAG.finditer(source) if m[2] and m[2].endswith("package"))
        wanted = attribute(root[3], "unique-identifier") or "book-id"
        tags = [m for m in TAG.finditer(source) if m[2] == "dc:identifier" and not m[1]]
        if any(attribute(m[3], "id") == wanted for m in tags):
            return source
        self.note("identifier mended")
        if tags:
            first = next((m for m in tags if source.startswith("urn:", m.end())), tags[0])
            named = _with(first[0], "id", wanted)
            return source[: first.start()] + named + source[first.end() :]
        digest = hashlib.sha256(source.encode()).hexdigest()[:32]
        end = re.search(r"</(?:[\w.-]+:)?metadata\s*>", source)
        if not end:
            return source
        new = f'<dc:identifier id="{wanted}">urn:penstock:{digest}</dc:identifier>'
        return source[: end.start()] + new + source[end.start() :]


def _with(tag: str, name: str, value: str) -> str:
    """Return the source of a tag with an attribute set."""
    pattern = rf"""(\s{re.escape(name)}\s*=\s*)(?:"[^"]*"|'[^']*')"""
    if re.search(pattern, tag):
        return re.sub(pattern, lambda m: f'{m[1]}"{value}"', tag, count=1)
    return re.sub(r"\s*(/?)>$", lambda m: f' {name}="{value}"{m[1]}>', tag)


def mend_contents(
    archive: Archive, identifier: str, addresses: Addresses, note: Callable[[str], None]
) -> dict[str, bytes]:
    """Return the EPUB 2 table of contents if it had to be mended."""
    mended: dict[str, bytes] = {}
    for name in archive:
        if not name.endswith(".ncx"):
            continue
        data = archive.read(name)
        facts = inspect(data)
        if facts.reason:
            continue
        source = decode(data)
        fixed = _points(_text_only(_head(source, note), note), name, addresses, note)
        fixed = _identified(fixed, identifier, note)
        if "id twice" in facts.odd:
            fixed = _numbered(fixed, note)
        if fixed != source:
            mended[name] = encode(fixed, data)
    return mended


def identifier_of(source: str) -> str:
    """Return the unique identifier of a package document, or an empty string."""
    root = re.search(r"""<(?:\w+:)?package\b[^>]*?unique-identifier\s*=\s*["']([^"']+)""", source)
    for match in re.finditer(r"<dc:identifier\b([^>]*)>([^<]*)<", source):
        if root and attribute(match[1], "id") == root[1]:
            return html.unescape(match[2].strip())
    return ""


def _identified(source: str, identifier: str, note: Callable[[str], None]) -> str:
    """Make the table of contents name the book it is of."""

    def name(match: re.Match[str]) -> str:
        if html.unescape(match[2]).strip() == identifier or not identifier:
            return match[0]
        note("identifier of the table of contents")
        return match[1] + html.escape(identifier) + match[3]

    return re.sub(r"""(<meta\b[^>]*name="dtb:uid"[^>]*content=")([^"]*)(")""", name, source)


def _head(source: str, note: Callable[[str], None]) -> str:
    """Keep only what the head of a table of contents may hold."""
    head = re.search(r"<head>(.*?)</head>", source, re.DOTALL)
    if not head:
        return source
    inside = re.sub(r"<(title)\b.*?</\1>|<(?:link|style)\b[^>]*/>", "", head[1], flags=re.DOTALL)
    if inside != head[1]:
        note("odd elements in the table of contents")
    return source[: head.start(1)] + inside + source[head.end(1) :]


def _text_only(source: str, note: Callable[[str], None]) -> str:
    def bare(match: re.Match[str]) -> str:
        text = TAG.sub("", match[2])
        if text != match[2]:
            note("markup in the table of contents")
        return match[1] + text + match[3]

    return re.sub(r"(<text>)(.*?)(</text>)", bare, source, flags=re.DOTALL)


def _points(source: str, name: str, addresses: Addresses, note: Callable[[str], None]) -> str:
    def mend(match: re.Match[str]) -> str:
        target = html.unescape(match[2])
        to = addresses.mend(name, target)
        if to == target:
            return match[0]
        note("contents entry mended")
        # An entry must lead somewhere: one that cannot be found leads to the first document.
        nearest = to or posixpath.relpath(addresses.first, posixpath.dirname(name) or ".")
        return match[1] + html.escape(nearest) + match[3]

    return re.sub(r"""(<content\b[^>]*?\ssrc\s*=\s*["'])([^"']*)(["'])""", mend, source)


def _numbered(source: str, note: Callable[[str], None]) -> str:
    count = 0

    def give(match: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return f'{match[1]}"point-{count}"'

    note("ids of the table of contents")
    return re.sub(r"""(<navPoint\b[^>]*?\sid\s*=\s*)(?:"[^"]*"|'[^']*')""", give, source)
