"""Shows a training while it runs, and keeps it on disk: a ``watch`` for the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, final

from rich.console import Console
from rich.live import Live
from rich.table import Table

from penstock.clock import Clock, SystemClock
from penstock.neural.checkpoint import save_training
from penstock.neural.model import Model
from penstock.neural.plot import bars
from penstock.neural.training import Training

__all__ = ["Follower", "curves"]


@final
class Follower:
    """Saves a training at most once a second, and draws its curves while a terminal looks on.

    Args:
        path: The checkpoint.
        named: Adds names to the model that is saved.
        live: Whether to draw.
        clock: What a second is.
    """

    def __init__(
        self,
        path: Path,
        named: Callable[[Model], Model],
        *,
        live: bool,
        clock: Clock | None = None,
    ) -> None:
        self._path, self._named = path, named
        self._clock = clock or SystemClock()
        self._saved = self._clock.monotonic()
        self._live = Live(console=Console(file=sys.__stderr__), transient=True) if live else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, training: Training, model: Model) -> None:
        """Take the training as it stands."""
        now = self._clock.monotonic()
        if training.reason or now - self._saved >= 1:
            save_training(self._path, training, self._named(model))
            self._saved = now
        if self._live is not None:
            self._live.update(curves(training))


def curves(training: Training) -> Table:
    """Return the channels as a table: name, curve, latest value."""
    table = Table.grid(padding=(0, 2))
    table.add_row("epoch", "", f"{training.epoch} (best {training.best_epoch})")
    for name, values in training.history.items():
        if name != "epoch":
            table.add_row(name, bars(values), f"{values[-1]:.4g}")
    return table
