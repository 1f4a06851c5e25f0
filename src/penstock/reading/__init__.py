"""Speed-reading editions: short lines with a guide down the middle, every character kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.later import later
from penstock.reading.counting import Count
from penstock.reading.edition import Report, make_edition, unmake_edition
from penstock.reading.settings import DEVICES, Device, Look

if TYPE_CHECKING:
    from penstock.reading.daily import Article, Daily, write_daily
    from penstock.reading.sources import as_epub

__all__ = [
    "DEVICES",
    "Article",
    "Count",
    "Daily",
    "Device",
    "Look",
    "Report",
    "as_epub",
    "make_edition",
    "unmake_edition",
    "write_daily",
]

# What an EPUB in and an edition out do without: loaded when it is asked for.
_HOMES = {"Article": "daily", "Daily": "daily", "as_epub": "sources", "write_daily": "daily"}

__getattr__ = later(__name__, _HOMES)
