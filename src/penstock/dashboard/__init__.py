"""Looking at runs from a browser: stores and heartbeats, drawn live, with two buttons."""

from penstock.dashboard.server import Dashboard
from penstock.dashboard.watch import Watch

__all__ = ["Dashboard", "Watch"]
