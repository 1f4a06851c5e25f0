"""Speed-reading editions: short lines with a guide down the middle, every character kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.later import later
from penstock.reading.counting import Count
from penstock.reading.edition import Report, make_edition, unmake_edition
from penstock.reading.settings import DEVICES, Device, Look

if TYPE_CHECKING:
    from penstock.reading.archive import Archive
    from penstock.reading.blocks import book_blocks
    from penstock.reading.daily import Article, Daily, check_libraries, edition_name, write_daily
    from penstock.reading.places import Place, load_place, places_file, save_place
    from penstock.reading.screen import run_reader
    from penstock.reading.settings import GUIDES, Guide, parse_width
    from penstock.reading.sources import as_epub
    from penstock.reading.terminal import Reader
    from penstock.reading.texts import json_lines, text_lines
    from penstock.reading.webpage import write_page

__all__ = [
    "DEVICES",
    "GUIDES",
    "Archive",
    "Article",
    "Count",
    "Daily",
    "Device",
    "Guide",
    "Look",
    "Place",
    "Reader",
    "Report",
    "as_epub",
    "book_blocks",
    "check_libraries",
    "edition_name",
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
    "GUIDES": "settings",
    "Guide": "settings",
    "Place": "places",
    "Reader": "terminal",
    "as_epub": "sources",
    "book_blocks": "blocks",
    "check_libraries": "daily",
    "edition_name": "daily",
    "json_lines": "texts",
    "load_place": "places",
    "parse_width": "settings",
    "places_file": "places",
    "run_reader": "screen",
    "save_place": "places",
    "text_lines": "texts",
    "write_daily": "daily",
    "write_page": "webpage",
}

__getattr__ = later(__name__, _HOMES)
