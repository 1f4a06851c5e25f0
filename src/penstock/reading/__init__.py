"""Speed-reading editions: short lines with a guide down the middle, every character kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.later import homes, later
from penstock.reading.edition import Report, make_edition, unmake_edition
from penstock.reading.settings import DEVICES, GUIDES, Device, Guide, Look, parse_width
from penstock.reading.stats import Count, Repairs

if TYPE_CHECKING:
    from penstock.reading.archive import Archive
    from penstock.reading.blocks import book_blocks, book_identity
    from penstock.reading.contents import block_contents
    from penstock.reading.daily import Article, Daily, check_libraries, edition_name, write_daily
    from penstock.reading.feeds import Entry, feed_entries
    from penstock.reading.positions import Place, load_place, places_file, save_place
    from penstock.reading.screen import run_reader
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
if not TYPE_CHECKING:  # a name that is not there is found by the type checker
    __getattr__ = later(
        __name__,
        homes(
            archive="Archive",
            blocks="book_blocks book_identity",
            contents="block_contents",
            daily="Article Daily check_libraries edition_name write_daily",
            feeds="Entry feed_entries",
            positions="Place load_place places_file save_place",
            screen="run_reader",
            sources="as_epub form_of",
            terminal="Reader",
            texts="json_lines text_lines",
            web_page="write_page",
        ),
    )
