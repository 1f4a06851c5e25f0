"""Two watchdogs: on the bytes that come, and on what can be made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from penstock.streaming.reconnecting import Ending

__all__ = ["Seen", "Watch"]


@final
@dataclass(frozen=True, slots=True)
class Seen:
    """How many bytes came so far, and how many could be decoded from them."""

    wire: int
    decoded: int


@final
@dataclass(slots=True)
class Watch:
    """Tells that a connection has gone silent, or that its server holds messages back.

    It is asked every now and then, and compares: the sinks count, and look at no clock.

    Attributes:
        wire_stall: Seconds without a byte.
        decoded_stall: Seconds in which bytes came and none could be decoded.

    >>> watch = Watch(wire_stall=90, decoded_stall=40)
    >>> watch.look(Seen(0, 0), 0.0), watch.look(Seen(10, 0), 30.0), watch.look(Seen(20, 0), 60.0)
    (None, None, None)
    >>> watch.look(Seen(20, 0), 70.0)
    <Ending.UNFLUSHED: 'the server keeps its compressed messages back'>
    >>> watch.look(Seen(20, 20), 100.0), watch.look(Seen(20, 20), 151.0).name
    (None, 'STALLED')
    """

    wire_stall: float
    decoded_stall: float
    _seen: Seen = Seen(-1, -1)
    _wire_at: float = 0.0
    _held_since: float | None = None

    def look(self, seen: Seen, now: float) -> Ending | None:
        """Return how the connection should be taken to have ended, or None."""
        before, self._seen = self._seen, seen
        if seen.wire != before.wire:
            self._wire_at = now
        if seen.decoded != before.decoded:
            self._held_since = None
        elif seen.wire != before.wire and self._held_since is None:
            self._held_since = now
        if self._held_since is not None and now - self._held_since >= self.decoded_stall:
            return Ending.UNFLUSHED
        if now - self._wire_at > self.wire_stall:
            return Ending.STALLED
        return None
