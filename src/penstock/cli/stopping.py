"""Ending on request: Ctrl-C and SIGTERM stop a run in an orderly way, a second one at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from penstock.errors import Stopped

__all__ = ["stoppable"]


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM in the block into :class:`~penstock.errors.Stopped`.

    It is raised wherever the block is; what was settled by then is made safe on the way out. A
    second signal ends the process at once: the store survives that as it survives ``kill -9``.
    """

    def stop(number: int, _frame: FrameType | None) -> None:
        for again in (signal.SIGINT, signal.SIGTERM):
            signal.signal(again, _at_once)
        raise Stopped(f"stopped by {signal.Signals(number).name}")

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _at_once(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)
