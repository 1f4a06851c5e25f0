"""What landed, in the place where people work: written as a file, or kept up to date."""

from penstock.destinations.asking import ask
from penstock.destinations.exporting import Content, Exported, Format, Progress, export
from penstock.destinations.keeping import Keeper
from penstock.destinations.kinds import DESTINATIONS, open_destination
from penstock.destinations.ports import Batch, Destination
from penstock.destinations.target import refuse_existing

__all__ = [
    "DESTINATIONS",
    "Batch",
    "Content",
    "Destination",
    "Exported",
    "Format",
    "Keeper",
    "Progress",
    "ask",
    "export",
    "open_destination",
    "refuse_existing",
]
