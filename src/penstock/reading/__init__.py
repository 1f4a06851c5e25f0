"""Speed-reading editions: short lines with a guide down the middle, every character kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.later import later
from penstock.reading.edition import Report, make_edition, unmake_edition
from penstock.reading.settings import DEVICES, Device, Look
from penstock.reading.stats import Count, Repairs

if TYPE_CHECKING:
    from penstock.reading.archive import Archive
    from penstock.reading.blocks import book_blocks, book_identity
    from penstock.reading.contents import block_contents
    from penstock.reading.daily import Article, Daily, check_libraries, edition_name, write_daily
    from penstock.reading.feeds import Entry, feed_entries
    from penstock.reading.positions import Place, load_place, places_file, save_place
    from penstock.reading.screen import run_reader
    from penstock.reading.settings import GUIDES, Guide, parse_width
    from penstock.reading.sources import as_epub, form_of
    from penstock.reading.terminal import Reader
    from penstock.reading.texts import json_lines, text_lines
    from penstock.reading.web_page import write_page

__all__ = [
    "DEVICES",
    "GUIDES",
    "Archive",
    "Article",
    "Count",
    "Daily",
    "Device",
    "Entry",
    "Guide",
    "Look",
    "Place",
    "Reader",
    "Repairs",
    "Report",
    "as_epub",
    "block_contents",
    "book_blocks",
    "book_identity",
    "check_libraries",
    "edition_name",
    "feed_entries",
    "form_of",
    "json_lines",
    "load_place",
    "make_edition",
    "parse_width",
    "places_file",
    "run_reader",
    "save_place",
    "text_lines",
    "unmake_edition",
    "write_daily",
    "write_page",
]

# What an EPUB in and an edition out do without: loaded when it is asked for.
_HOMES = {
    "Archive": "archive",
    "Article": "daily",
    "Daily": "daily",
    "Entry": "feeds",
    "GUIDES": "settings",
    "Guide": "settings",
    "Place": "positions",
    "Reader": "terminal",
    "as_epub": "sources",
    "block_contents": "contents",
    "book_blocks": "blocks",
    "book_identity": "blocks",
    "check_libraries": "daily",
    "edition_name": "daily",
    "feed_entries": "feeds",
    "form_of": "sources",
    "json_lines": "texts",
    "load_place": "positions",
    "parse_width": "settings",
    "places_file": "positions",
    "run_reader": "screen",
    "save_place": "positions",
    "text_lines": "texts",
    "write_daily": "daily",
    "write_page": "web_page",
}

if not TYPE_CHECKING:  # a name that is not there is found by the type checker
    __getattr__ = later(__name__, _HOMES)
