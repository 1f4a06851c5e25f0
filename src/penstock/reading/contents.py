"""The book's own table of contents, of EPUB 3 and EPUB 2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import final

from penstock.reading.archive import Archive
from penstock.reading.blocks import TextBlock
from penstock.reading.names import Names, Node, tree
from penstock.reading.package import Package, open_package
from penstock.reading.visible import seen
from penstock.reading.well_formed import check, decode

__all__ = ["Heading", "block_contents", "book_contents", "targets_of"]


@final
@dataclass(frozen=True, slots=True)
class Heading:
    """A line of the contents.

    Attributes:
        level: 1 for what is not inside another.
        title: As shown.
        target: The member, with ``#`` and the id where it has one.
    """

    level: int
    title: str
    target: str


def book_contents(archive: Archive, package: Package) -> list[Heading]:
    """Return the contents as the book has them; none where it has none that can be read."""
    for document in package.documents:
        if document.navigation:
            node = _read(archive, document.name)
            navs = [n for n in node.all() if n.name == "nav"]
            toc = next(
                (n for n in navs if "toc" in n.attributes.get("epub:type", "").split()), None
            )
            found = list(_entries(toc or node, package, document.name, 0))
            if found:
                return found
    name = package.contents or next((n for n in archive if n.lower().endswith(".ncx")), "")
    return list(_points(_read(archive, name), package, name, 1)) if name else []


def block_contents(archive: Archive, blocks: Sequence[TextBlock]) -> list[tuple[int, str, int]]:
    """Return level, title and block of each line of the contents that leads into ``blocks``.

    Raises:
        InputError: The book cannot be read.
    """
    targets = targets_of(blocks)
    found = []
    for heading in book_contents(archive, open_package(archive)):
        near = targets.get(heading.target.partition("#")[0])
        at = targets.get(heading.target, near)
        if at is not None:
            found.append((heading.level, heading.title, at))
    return found


def targets_of(blocks: Iterable[TextBlock]) -> dict[str, int]:
    """Return the number of the block that each document and each id in it leads to."""
    targets: dict[str, int] = {}
    for number, block in enumerate(blocks):
        for name in (block.document, *(f"{block.document}#{name}" for name in block.ids)):
            targets.setdefault(name, number)
    return targets


def _read(archive: Archive, name: str) -> Node:
    data = archive.read(name)
    if check(data):
        return Node("", {})
    source = decode(data)
    return tree(source, Names(source))


def _entries(node: Node, package: Package, base: str, level: int) -> Iterator[Heading]:
    """Yield the links of lists in lists."""
    for child in node.elements():
        if child.name == "a" and child.attributes.get("href"):
            title = " ".join(seen(child).split()) or child.attributes.get("title", "")
            target = _target(package, base, child.attributes["href"])
            if title and target:
                yield Heading(max(1, level), title, target)
        else:
            yield from _entries(child, package, base, level + (child.name == "ol"))


def _points(node: Node, package: Package, base: str, level: int) -> Iterator[Heading]:
    """Yield the points of an EPUB 2 table of contents."""
    for child in node.elements():
        if child.name != "navPoint":
            yield from _points(child, package, base, level)
            continue
        parts = {part.name: part for part in reversed(list(child.elements()))}
        label, content = parts.get("navLabel"), parts.get("content")
        title = " ".join(seen(label).split()) if label else ""
        target = _target(package, base, content.attributes.get("src", "")) if content else ""
        if title and target:
            yield Heading(level, title, target)
        yield from _points(child, package, base, level + 1)


def _target(package: Package, base: str, href: str) -> str:
    path, mark, fragment = href.partition("#")
    name = package.members.find(base, path) if path else base
    return name + mark + fragment if name else ""
