"""Two watchdogs: on the bytes that come, and on what can be made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from penstock.streaming.reconnect_policy import Ending

__all__ = ["SilenceWatch"]

_HEADER = 32  # bytes: gzip's header and an empty block are no message that was held back


@final
@dataclass(slots=True)
class SilenceWatch:
    """Tells that a connection has gone silent, or that its server holds messages back.

    It is asked every now and then, and compares: the sinks count, and look at no clock.

    Attributes:
        wire_stall: Seconds without a byte.
        decoded_stall: Seconds in which bytes came and none could be decoded.

    >>> watch = SilenceWatch(wire_stall=90, decoded_stall=40)
    >>> watch.look(0, 0, 0.0), watch.look(90, 0, 30.0), watch.look(99, 0, 60.0)
    (None, None, None)
    >>> watch.look(99, 0, 70.0)
    <Ending.UNFLUSHED: 'the server keeps its compressed messages back'>
    >>> watch.look(99, 20, 100.0), watch.look(99, 20, 151.0).name
    (None, 'STALLED')
    """

    wire_stall: float
    decoded_stall: float
    _wire: int = 0
    _decoded: int = 0
    _wire_at: float | None = None
    _held: int = 0  # bytes from which nothing could be decoded yet
    _held_since: float = 0.0

    def quiet(self, now: float) -> float:
        """Return the seconds since the last byte."""
        return 0.0 if self._wire_at is None else now - self._wire_at

    def look(self, wire: int, decoded: int, now: float) -> Ending | None:
        """Return how the connection should be taken to have ended, or None.

        Args:
            wire: Bytes that came so far.
            decoded: Bytes that could be decoded from them.
            now: Monotonic time in seconds.
        """
        came, self._wire = wire - self._wire, wire
        news, self._decoded = decoded - self._decoded, decoded
        if came or self._wire_at is None:
            self._wire_at = now
        if news:
            self._held = 0
        elif came:
            self._held_since = self._held_since if self._held else now
            self._held += came
        if self._held > _HEADER and now - self._held_since >= self.decoded_stall:
            return Ending.UNFLUSHED
        if now - self._wire_at > self.wire_stall:
            # A server that has sent the compression's header and nothing since may hold back all.
            return Ending.UNFLUSHED if self._held and not decoded else Ending.STALLED
        return None
