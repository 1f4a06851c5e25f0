"""When to connect again, as a table and a state that is never changed in place.

Nothing here waits, connects or looks at a clock: it is told how a connection ended and what time
it is, and answers when the next may begin.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias, final

from penstock.errors import InputError

__all__ = [
    "RULES",
    "Backoff",
    "ConnectionWindow",
    "Curve",
    "Doubling",
    "Ending",
    "Linear",
    "LinearWaits",
    "ReconnectPolicy",
    "Window",
]


@final
@dataclass(frozen=True, slots=True)
class LinearWaits:
    """Waits that grow by a step.

    Attributes:
        first: The first wait, in seconds; the step, too.
        most: The longest, in seconds.

    >>> [LinearWaits(0.25, 16).wait(n) for n in (1, 2, 3, 64, 65)]
    [0.25, 0.5, 0.75, 16.0, 16]
    """

    first: float
    most: float = math.inf

    def wait(self, failures: int) -> float:
        """Return the seconds to wait after so many failures in a row, 1 or more."""
        return min(self.first * failures, self.most)


@final
@dataclass(frozen=True, slots=True)
class Doubling:
    """Waits that double.

    Attributes:
        first: The first wait, in seconds.
        most: The longest, in seconds.

    >>> [Doubling(5, 320).wait(n) for n in (1, 2, 3, 7, 8)]
    [5.0, 10.0, 20.0, 320.0, 320]
    """

    first: float
    most: float = math.inf

    def wait(self, failures: int) -> float:
        """Return the seconds to wait after so many failures in a row, 1 or more."""
        return min(self.first * 2.0 ** min(failures - 1, 64), self.most)


Curve: TypeAlias = LinearWaits | Doubling


@final
@dataclass(frozen=True, slots=True)
class ConnectionWindow:
    """At most so many connections in any so many seconds."""

    connects: int
    seconds: float

    def __post_init__(self) -> None:
        if self.connects < 1 or self.seconds <= 0:
            raise InputError(f"{self}: at least 1 connection in more than 0 seconds")


class Ending(StrEnum):
    """How a connection, or the try to make one, ended."""

    UNREACHABLE = "no connection, or none that answered"
    DROPPED = "closed, reset or cut short while streaming"
    STALLED = "nothing came for too long"
    UNFLUSHED = "the server keeps its compressed messages back"
    RENEWED = "credentials had expired and were renewed"
    ASKED = "the server asked us, within the stream, to come again"
    STATUS = "an HTTP error"
    LIMITED = "420 or 429: too many connections or calls"
    TOO_OLD = "the cursor is too old for the server"


@final
@dataclass(frozen=True, slots=True)
class Rule:
    """What follows an ending: the curve to wait by; at once where the connection was healthy."""

    curve: str | None
    at_once: bool = False


RULES = MappingProxyType(
    {
        Ending.UNREACHABLE: Rule("network"),
        Ending.DROPPED: Rule("network", at_once=True),
        Ending.STALLED: Rule("network", at_once=True),
        Ending.UNFLUSHED: Rule(None),
        Ending.RENEWED: Rule(None),
        Ending.ASKED: Rule("network", at_once=True),
        Ending.STATUS: Rule("http"),
        Ending.LIMITED: Rule("limited"),
        Ending.TOO_OLD: Rule("network", at_once=True),
    }
)
"""What follows each ending; the docs are drawn from it."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """What a policy has to remember: failures in a row by curve, and when we connected.

    Attributes:
        network: Failures in a row that wait by the curve of that name.
        http: Likewise.
        limited: Likewise.
        dials: Times of the connections that a window still counts.
        retry: Seconds that server-sent events asked us to wait at least, from then on.
    """

    network: int = 0
    http: int = 0
    limited: int = 0
    dials: tuple[float, ...] = ()
    retry: float = 0.0

    @property
    def failures(self) -> int:
        """Failures in a row, of whichever kind."""
        return self.network + self.http + self.limited


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ReconnectPolicy:
    """When to connect again. Immutable and shareable; the defaults are Twitter's documented ones.

    Attributes:
        network: After network faults.
        http: After HTTP errors.
        limited: After 420 and 429.
        healthy: Seconds a connection has to live, with messages, until its end is taken for a
            healthy drop, after which we connect again at once. The first message already
            takes the waits back to their beginnings.
        windows: Bounds on how often we connect, whatever happens.
        longest: Seconds we wait at most, whatever a server asks for.
        tolerance: Seconds for which a stream that was live outlives answers that would end it, such
            as a proxy's error page, a 403, a 404.
        fatal: Statuses that end the stream with an error; codes of a WebSocket's close, too.
        again: Codes of a close from 4000 on after which we connect again; others end the stream.
        ended: Statuses that end it in good order (server-sent events: 204).
        attempts: Failures in a row, without a message, after which the stream gives up, or None
            to go on for ever.
        jitter: Whether each wait is drawn between half of it and all of it. Off by default:
            the documented waits are exact.

    >>> policy = ReconnectPolicy()
    >>> state = Backoff()
    >>> for _ in range(3):
    ...     wait, state = policy.after(state, Ending.UNREACHABLE, now=0.0)
    ...     print(wait)
    0.25
    0.5
    0.75
    >>> policy.after(state, Ending.STATUS, now=0.0)[0]
    5.0
    >>> policy.after(state, Ending.LIMITED, now=0.0, told=900.0)[0]
    900.0
    """

    network: Curve = LinearWaits(0.25, 16.0)
    http: Curve = Doubling(5.0, 320.0)
    limited: Curve = Doubling(60.0)
    healthy: float = 5.0
    windows: tuple[ConnectionWindow, ...] = (ConnectionWindow(4, 4.0),)
    longest: float = 86_400.0
    tolerance: float = 300.0
    fatal: frozenset[int] = frozenset({401, 403, 404, 406, 1003, 1007, 1008, 1010})
    again: frozenset[int] = frozenset()
    ended: frozenset[int] = frozenset({204})
    attempts: int | None = None
    jitter: bool = False

    def after(
        self,
        state: Backoff,
        ending: Ending,
        *,
        now: float,
        healthy: bool = False,
        told: float | None = None,
        rng: random.Random | None = None,
    ) -> tuple[float, Backoff]:
        """Return the seconds to wait before connecting again, and the state from then on.

        Args:
            state: What was remembered so far.
            ending: How the connection ended.
            now: Monotonic time in seconds.
            healthy: Whether it had lived, with messages, for :attr:`healthy` seconds.
            told: Seconds that the server asked us to wait, or None. It takes the curve's place.
            rng: Source of the jitter, where there is to be any.
        """
        rule = RULES[ending]
        wait = 0.0
        if rule.curve is not None and not (rule.at_once and healthy):
            failures = getattr(state, rule.curve) + 1
            state = replace(state, **{rule.curve: failures})
            curve: Curve = getattr(self, rule.curve)
            wait = curve.wait(failures)
            if self.jitter and rng is not None:
                wait = rng.uniform(wait / 2, wait)
        if rule.curve == "network":
            wait = max(wait, min(state.retry, self.longest))
        if told is not None:
            wait = min(told, self.longest)
        return max(wait, self.closed(state, now)), state

    def closed(self, state: Backoff, now: float) -> float:
        """Return the seconds for which the windows allow no connection."""
        full = (window for window in self.windows if len(state.dials) >= window.connects)
        ends = (state.dials[-window.connects] + window.seconds for window in full)
        return max(0.0, max(ends, default=now) - now)

    def closes(self, code: int) -> bool:
        """Whether a WebSocket that was closed with ``code`` is not to be opened again.

        The codes from 4000 on are the service's own (RFC 6455, section 7.4.2): errors, mostly.
        """
        return code in self.fatal or (4000 <= code < 5000 and code not in self.again)

    def dialled(self, state: Backoff, now: float) -> Backoff:
        """Return the state after a connection was begun at ``now``."""
        longest = max((w.seconds for w in self.windows), default=0.0)
        kept = tuple(t for t in state.dials if now - t < longest)
        return replace(state, dials=(*kept, now))

    def received(self, state: Backoff) -> Backoff:
        """Return the state after a message came: all waits begin anew."""
        return Backoff(dials=state.dials, retry=state.retry)

    def gave_up(self, state: Backoff) -> bool:
        """Whether there were more failures in a row than :attr:`attempts` allows."""
        return self.attempts is not None and state.failures >= self.attempts


Linear = LinearWaits  # its name in earlier versions
Window = ConnectionWindow  # its name in earlier versions
