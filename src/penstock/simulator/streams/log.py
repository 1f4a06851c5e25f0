"""What the server knows of a stream: how far it is told, and everything that was counted."""

from __future__ import annotations

from array import array
from collections import Counter, deque
from typing import TypedDict, final

from penstock.simulator.streams.settings import StreamSettings

__all__ = ["StreamLog", "StreamTruth"]

DETAILS = 1000


class StreamTruth(TypedDict):
    """The counts of one stream.

    Attributes:
        messages: How many there are; they are numbered from 1.
        connects: Requests for it, the refused ones included.
        connected_at: When, in seconds after the first; the last 1,000.
        refused: How many got which status.
        told: Messages whose last byte was handed to the network, and how often in all.
        told_total: The same, each time counted.
        missed: Messages lost between connections, without resume.
        undelivered: Messages owned to be undelivered by the limit notices, over all connections.
        deleted: Numbers of the messages that were deleted; the first 1,000.
        notices: How many of each kind.
        beats: Heartbeats.
        pongs: Answers to the heartbeats of a WebSocket.
        endings: How connections were ended by the server.
        too_old: Connects with a cursor before the oldest message kept.
        numbers: ``{number: times told}``, with ``?ids=1``.
    """

    messages: int
    connects: int
    connected_at: list[float]
    refused: dict[str, int]
    told: int
    told_total: int
    missed: int
    undelivered: int
    deleted: list[int]
    notices: dict[str, int]
    beats: int
    pongs: int
    endings: dict[str, int]
    too_old: int
    numbers: dict[str, int]


@final
class StreamLog:
    """One stream's counts, changed by the server's event loop only."""

    def __init__(self, settings: StreamSettings, now: float) -> None:
        self.settings = settings
        self.began = now
        self.last = 0  # the highest number told or lost, for streams without resume
        self.connects = 0
        self.connected_at: deque[float] = deque(maxlen=DETAILS)
        self.refused: Counter[str] = Counter()
        self.missed = 0
        self.undelivered = 0
        self.deleted: dict[int, None] = {}
        self.notices: Counter[str] = Counter()
        self.beats = 0
        self.pongs = 0
        self.endings: Counter[str] = Counter()
        self.too_old = 0
        self._told = array("I", bytes(4 * (settings.messages + 1)))

    def connected(self, now: float) -> int:
        """Count a connect; return how many came before it."""
        self.connected_at.append(round(now - self.began, 4))
        self.connects += 1
        return self.connects - 1

    def published(self, now: float) -> int:
        """Return how many messages there are at ``now``."""
        settings = self.settings
        if not settings.rate:
            return settings.messages
        return min(settings.messages, int((now - self.began) * settings.rate))

    def told(self, number: int) -> None:
        """Count a message whose last byte has gone out."""
        self._told[number] += 1
        self.last = max(self.last, number)

    def truth(self, *, ids: bool) -> StreamTruth:
        """Return a snapshot."""
        return {
            "messages": self.settings.messages,
            "connects": self.connects,
            "connected_at": list(self.connected_at),
            "refused": dict(self.refused),
            "told": sum(1 for times in self._told if times),
            "told_total": sum(self._told),
            "missed": self.missed,
            "undelivered": self.undelivered,
            "deleted": sorted(self.deleted)[:DETAILS],
            "notices": dict(self.notices),
            "beats": self.beats,
            "pongs": self.pongs,
            "endings": dict(self.endings),
            "too_old": self.too_old,
            "numbers": {str(n): times for n, times in enumerate(self._told) if times}
            if ids
            else {},
        }
