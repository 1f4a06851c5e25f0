"""Speed-reading editions: short lines with a guide down the middle, every character kept."""

from penstock.reading.counting import Count
from penstock.reading.daily import Article, Daily, write_daily
from penstock.reading.edition import Report, make_edition, unmake_edition
from penstock.reading.settings import DEVICES, Device, Look
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
