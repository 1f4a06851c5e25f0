"""Ending on request: Ctrl-C and SIGTERM stop a run in an orderly way, a second one at once."""

from __future__ import annotations

import os
import signal
import threading
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
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    earlier = signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reads,), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(earlier)
        os.close(writes)
        for number, handler in before.items():
            signal.signal(number, handler)


def _at_once(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)


def _watch(reads: int) -> None:
    """End at the second signal, also where the main thread is inside a slow system call.

    A handler in Python runs when that call returns; the system writes here at once.
    """
    count = 0
    while told := os.read(reads, 1):
        count += told[0] in (signal.SIGINT, signal.SIGTERM)
        if count > 1:
            os._exit(128 + told[0])
    os.close(reads)
