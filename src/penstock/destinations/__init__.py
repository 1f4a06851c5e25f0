"""What landed, in the place where people work: written as a file, or kept up to date."""

from penstock.destinations.exporting import Exported, Format, Progress, export
from penstock.destinations.target import refuse_existing

__all__ = ["Exported", "Format", "Progress", "export", "refuse_existing"]
