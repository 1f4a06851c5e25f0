"""What a stream brings, as what a store is told: messages, gaps, deletions, and how far we are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from penstock.pipeline.result import Deletion, Entry, Failing, Gap, Key, Landing
from penstock.streaming import Cursor, Item, Message, Notice

__all__ = ["cursor_of", "entry_of_item", "up_to"]

_EXCERPT = 500


def entry_of_item(item: Item[bytes], *, deletes: bool) -> Entry | None:
    """Return what a store is to be told of an item; None: nothing.

    >>> from penstock.streaming import Notice
    >>> entry_of_item(Notice("delete", None, b"{}", id=7), deletes=True)
    Deletion(key=7)
    >>> entry_of_item(Notice("unreadable", None, b"<p>", text="not JSON"), deletes=True).excerpt
    '<p>'
    """
    if isinstance(item, Message):
        return Landing(_hash(item.body) if item.id is None else item.id, item.body)
    if isinstance(item, Notice):
        if item.kind == "delete" and item.id is not None:
            return Deletion(item.id) if deletes else None
        if item.kind == "unreadable":
            excerpt = item.body[:_EXCERPT].decode("utf-8", "replace")
            return Failing(_hash(item.body), "Unreadable", item.text, excerpt=excerpt)
        return None
    return Gap(item.since, item.until, item.reason, item.count)


def _hash(body: bytes) -> Key:
    """Return the key of a message without an id: the same bytes are the same message."""
    return "#" + hashlib.blake2b(body, digest_size=16).hexdigest()


def up_to(items: Sequence[Item[bytes]], messages: int) -> Sequence[Item[bytes]]:
    """Return the items up to and with so many messages."""
    for place, item in enumerate(items):
        if isinstance(item, Message):
            messages -= 1
            if messages == 0:
                return items[: place + 1]
    return items


def cursor_of(items: Sequence[Item[bytes]], source: str) -> Cursor | None:
    """Return where to go on after the last of ``items`` that tells it."""
    for item in reversed(items):
        if isinstance(item, Message | Notice) and item.cursor is not None:
            return Cursor(source, item.cursor)
    return None
