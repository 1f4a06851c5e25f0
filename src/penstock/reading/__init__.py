"""Speed-reading editions: short lines with a guide down the middle, every character kept."""

from penstock.reading.edition import Report, make_edition, unmake_edition
from penstock.reading.lines import Count
from penstock.reading.settings import DEVICES, Device, Look

__all__ = ["DEVICES", "Count", "Device", "Look", "Report", "make_edition", "unmake_edition"]
