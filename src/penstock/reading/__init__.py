"""Speed-reading editions: short lines with a guide down the middle, every character kept."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

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


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'penstock.reading' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"penstock.reading.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
