"""Feeds of articles: RSS, Atom and lists of feeds (OPML)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final
from xml.etree import ElementTree as ET

from penstock.errors import MissingExtra
from penstock.reading.tidy import joined
from penstock.reading.well_formed import check

__all__ = ["Entry", "feed_entries"]

FEEDS = ("rss", "feed", "RDF", "opml")
LEAST = 500  # characters: what is shorter is a summary, not the article


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
    """Return what a feed names, in its own order; None for what is not a feed.

    Raises:
        MissingExtra: feedparser is not installed.

    >>> feed_entries(b"<rss><channel><item><title>A</title><link>http://x/a</link></item></channel></rss>")
    [Entry(url='http://x/a', title='A', body='', author='', published='', feed=False)]
    """
    head = data[:2000]
    if not any(f"<{name}".encode() in head or f":{name}".encode() in head for name in FEEDS):
        return None
    if b"<opml" in head:
        return _listed(data, base)
    if b"<!ENTITY" in data:
        return None  # entities of its own may nest or load others
    try:
        import feedparser
    except ImportError as error:
        raise MissingExtra("reading a feed", "feedparser", "reading") from error
    place = {"content-location": base} if base else {}
    feed = feedparser.parse(data, response_headers=place, sanitize_html=False)
    return [_entry(entry) for entry in feed.entries] if feed.version else None


def _listed(data: bytes, base: str) -> list[Entry] | None:
    """Return the feeds that a list of feeds names."""
    if check(data):
        return None
    root = ET.fromstring(data)  # noqa: S314 - checked: no entities of its own
    return [
        Entry(url=joined(base, url), title=e.get("title") or e.get("text") or "", feed=True)
        for e in root.iterfind(".//{*}outline")
        if (url := e.get("xmlUrl", "").strip())
    ]


def _entry(entry: Mapping[str, str]) -> Entry:
    parts: Iterable[Mapping[str, str]] = entry.get("content") or ()  # type: ignore[assignment]
    whole = next((part["value"] for part in parts if part.get("value")), "")
    return Entry(
        url=entry.get("link", ""),
        title=entry.get("title", ""),
        body=whole if "<" in whole and len(whole) > LEAST else "",
        author=entry.get("author", ""),
        published=entry.get("published") or entry.get("updated") or "",
    )
