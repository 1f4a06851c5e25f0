"""Feeds of articles: RSS, Atom, JSON Feed and lists of feeds (OPML)."""

from __future__ import annotations

import html
import io
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

import msgspec

from penstock.errors import MissingExtra
from penstock.reading.addresses import joined

__all__ = ["Entry", "feed_entries"]

FEEDS = ("rss", "feed", "RDF", "opml")
LARGEST = 64 << 20  # bytes of a feed, unpacked
TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
LOOSE = re.compile(rb"&(?!#?\w{1,40};)")
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
    if data.startswith(b"\x1f\x8b"):
        try:
            data = zlib.decompressobj(31).decompress(data, LARGEST)
        except zlib.error:
            return None
    head = data[:8192].replace(b"\0", b"")  # of UTF-16 too
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and b"jsonfeed.org/version" in head:
        return _json(data, base)
    if not any(f"<{name}".encode() in head or f":{name}".encode() in head for name in FEEDS):
        return None
    if b"<!ENTITY" in data:
        return None  # entities of its own may nest or load others
    if b"<opml" in head:
        return _listed(data, base)
    try:
        import feedparser
    except ImportError as error:
        raise MissingExtra("reading a feed", "feedparser", "reading") from error
    place = {"content-location": base} if base else {}
    feed = feedparser.parse(io.BytesIO(data), response_headers=place, sanitize_html=False)
    return [_entry(entry) for entry in feed.entries] if feed.version else None


def _listed(data: bytes, base: str) -> list[Entry]:
    """Return the feeds that a list of feeds names; its XML may be broken."""
    try:
        from lxml import etree
    except ImportError as error:
        raise MissingExtra("reading a list of feeds", "lxml", "reading") from error
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    whole = data if b"\0" in data else LOOSE.sub(b"&amp;", data)
    root = etree.fromstring(whole, parser)
    return [
        Entry(url=joined(base, url), title=e.get("title") or e.get("text") or "", feed=True)
        for e in (root.iter("{*}outline") if root is not None else ())
        if (url := e.get("xmlUrl", "").strip())
    ]


class _Author(msgspec.Struct, frozen=True):
    name: str | None = None


class _Item(msgspec.Struct):
    """An item of a JSON Feed (jsonfeed.org, version 1.1)."""

    id: str | int | float | None = None
    url: str | None = None
    external_url: str | None = None
    title: str | None = None
    content_html: str | None = None
    date_published: str | None = None
    authors: list[_Author] | None = None
    author: _Author | None = None  # of version 1


class _JsonFeed(msgspec.Struct):
    items: list[_Item] = []


def _json(data: bytes, base: str) -> list[Entry] | None:
    try:
        feed = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=_JsonFeed)
    except msgspec.DecodeError:
        return None
    return [_item(item, base) for item in feed.items]


def _item(item: _Item, base: str) -> Entry:
    authors = item.authors or ([item.author] if item.author else [])
    whole = item.content_html or ""
    return Entry(
        url=joined(base, item.url or item.external_url or str(item.id or "")),
        title=item.title or "",
        body=whole if len(whole) > LEAST else "",
        author=", ".join(author.name for author in authors if author.name),
        published=item.date_published or "",
    )


def _entry(entry: Mapping[str, str]) -> Entry:
    parts: Iterable[Mapping[str, str]] = entry.get("content") or ()  # type: ignore[assignment]
    whole = next((part["value"] for part in parts if part.get("value")), "")
    url = entry.get("link", "")
    title = entry.get("title", "")
    said = entry.get("summary", "")
    detail: Mapping[str, str] = entry.get("title_detail") or {}  # type: ignore[assignment]
    if detail.get("type") != "text/plain":
        title = html.unescape(TAG.sub("", title))
    return Entry(
        url=url,
        title=" ".join(title.split()),
        # What has no address has nothing but what the feed says of it.
        body=whole if "<" in whole and len(whole) > LEAST else "" if url else whole or said,
        author=entry.get("author", ""),
        published=entry.get("published") or entry.get("updated") or "",
    )
