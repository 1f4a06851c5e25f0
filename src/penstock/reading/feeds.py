"""Feeds of articles: RSS, Atom and lists of feeds (OPML)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final
from xml.etree import ElementTree as ET

from penstock.reading.tidy import joined
from penstock.reading.well_formed import check

__all__ = ["Entry", "feed_entries"]

FEEDS = frozenset({"rss", "feed", "RDF", "opml"})


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An article that a feed names, or a feed that a list of feeds names.

    Attributes:
        url: Where it is.
        title: As the feed says.
        body: The whole article as HTML, or an empty string where it has to be fetched.
        author: As the feed says.
        published: As the feed says.
        feed: Whether it is a feed itself.
    """

    url: str
    title: str = ""
    body: str = ""
    author: str = ""
    published: str = ""
    feed: bool = False


def feed_entries(data: bytes, base: str = "") -> list[Entry] | None:
    """Return what a feed names, newest first as it has them; None for what is not a feed.

    >>> feed_entries(b"<rss><channel><item><title>A</title><link>http://x/a</link></item></channel></rss>")
    [Entry(url='http://x/a', title='A', body='', author='', published='', feed=False)]
    """
    head = data[:2000]
    if not any(f"<{name}".encode() in head or f":{name}".encode() in head for name in FEEDS):
        return None
    if check(data):
        return None
    root = ET.fromstring(data)  # noqa: S314 - checked: no entities of its own
    kind = _local(root)
    if kind == "opml":
        return [
            Entry(url=joined(base, url), title=e.get("title") or e.get("text") or "", feed=True)
            for e in root.iter()
            if _local(e) == "outline" and (url := e.get("xmlUrl", "").strip())
        ]
    if kind not in FEEDS:
        return None
    return [_entry(e, base) for e in root.iter() if _local(e) in ("item", "entry")]


def _entry(node: ET.Element, base: str) -> Entry:
    whole = _text(node, "encoded", "content")
    author = _text(node, "creator") or _text(node, "author")
    return Entry(
        url=joined(base, _link(node)),
        title=_text(node, "title"),
        body=whole if "<" in whole and len(whole) > 500 else "",
        author=author,
        published=_text(node, "pubDate", "published", "date", "updated"),
    )


def _link(node: ET.Element) -> str:
    for child in _children(node, "link"):
        if child.get("rel", "alternate") == "alternate":
            found = (child.get("href") or child.text or "").strip()
            if found:
                return found
    guid = _text(node, "guid", "id")
    return guid if guid.startswith(("http://", "https://")) else ""


def _text(node: ET.Element, *names: str) -> str:
    for name in names:
        for child in _children(node, name):
            text = "".join(child.itertext()).strip()
            if text:
                return text
    return ""


def _children(node: ET.Element, name: str) -> Iterator[ET.Element]:
    return (child for child in node if _local(child) == name)


def _local(node: ET.Element) -> str:
    return node.tag.rpartition("}")[2]
