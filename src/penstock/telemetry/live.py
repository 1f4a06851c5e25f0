"""The progress of ``land()`` in a notebook, or as one line on a terminal."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import IO, Protocol, final

from penstock.clock import Clock, SystemClock

__all__ = ["Live"]

_EVERY = 0.25  # seconds between two looks


class _Counts(Protocol):
    landed: int
    failed: int
    complete: bool


class _Handle(Protocol):
    def display(self, content: dict[str, str], *, raw: bool) -> object: ...

    def update(self, content: dict[str, str], *, raw: bool) -> object: ...


@final
class Live:
    """Shows counts as they grow: ``pipeline.land(store, progress=Live())``.

    Args:
        total: How many records are expected, where that is known.
        out: Where the line goes outside of a notebook; unset: standard error.
        clock: What tells the time.
    """

    def __init__(
        self, total: int | None = None, out: IO[str] | None = None, clock: Clock | None = None
    ) -> None:
        self._total = total
        self._out = out
        self._clock = clock or SystemClock()
        self._start = self._shown = self._clock.monotonic()
        self._cell: _Handle | None = None

    def __call__(self, counts: _Counts) -> None:
        """Take a look; four of them a second are shown, and the last."""
        now = self._clock.monotonic()
        if counts.complete or now - self._shown >= _EVERY:
            self._shown = now
            self._show(self._line(counts, max(now - self._start, 1e-9)), last=counts.complete)

    def _line(self, counts: _Counts, seconds: float) -> str:
        done = counts.landed + counts.failed
        of = f" of {self._total:,}" if self._total else ""
        failed = f", {counts.failed:,} failed" if counts.failed else ""
        return f"{counts.landed:,}{of} landed{failed}, {done / seconds:,.0f}/s"

    def _show(self, line: str, *, last: bool) -> None:
        if "ipykernel" in sys.modules and self._out is None:
            text = {"text/plain": line}
            if self._cell is None:
                self._cell = import_module("IPython.display").DisplayHandle()
                self._cell.display(text, raw=True)
            else:
                self._cell.update(text, raw=True)
            return
        out = self._out or sys.stderr
        out.write(f"\r\x1b[K{line}" + ("\n" if last else ""))
        out.flush()
