"""A sign of life beside a local store: what only the run knows of itself, for those who watch."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

import msgspec

__all__ = ["Heartbeat", "beating", "last_beat"]

_FILE = "lock-beat.json"
_EVERY = 0.5  # seconds between two beats
_STALE = 15.0  # seconds without one after which a process that is still there counts as lost


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What a run said last. Times are seconds.

    Attributes:
        pid: Its process.
        host: Its machine.
        at: When it said so, since 1970 UTC.
        remaining: What the server still allows, or None.
        limit: Of how many, or None.
        reset: Until that is renewed, or None.
        waiting: For how long nothing may be sent.
        reason: What closed the gate, or the state of a stream.
        retries: Calls made again after a failure.
        refused: Calls refused for lack of quota.
    """

    pid: int
    host: str
    at: float
    remaining: float | None = None
    limit: float | None = None
    reset: float | None = None
    waiting: float = 0.0
    reason: str = ""
    retries: int = 0
    refused: int = 0

    def lost(self, now: float) -> bool:
        """Return whether the run is gone without a word."""
        if self.host == socket.gethostname():
            try:
                os.kill(self.pid, 0)
            except ProcessLookupError:
                return True
            except PermissionError:
                pass  # it is there, and somebody else's
        return now - self.at > _STALE


@contextmanager
def beating(place: Path | str, facts: Callable[[], dict[str, object]]) -> Iterator[None]:
    """Leave a heartbeat with ``facts`` in a local store twice a second while the block runs."""
    if not isinstance(place, Path):
        yield
        return
    file, over = place / _FILE, threading.Event()
    who = {"pid": os.getpid(), "host": socket.gethostname()}

    def beat() -> None:
        draft = file.with_name(f"{_FILE}.new")
        while True:
            # Where it cannot be written (a full disk), nobody sees it: landing comes first.
            with contextlib.suppress(OSError):
                draft.write_text(json.dumps({**who, "at": time.time(), **facts()}))
                draft.replace(file)
            if over.wait(_EVERY):
                return

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        with contextlib.suppress(OSError):
            file.unlink()


def last_beat(place: Path | str) -> Heartbeat | None:
    """Return what the run in a local store said last; None where none goes on, or nobody can say.

    A run that ended well has taken it away.
    """
    if not isinstance(place, Path):
        return None
    try:
        return msgspec.json.decode((place / _FILE).read_bytes(), type=Heartbeat)
    except (OSError, msgspec.MsgspecError):
        return None
