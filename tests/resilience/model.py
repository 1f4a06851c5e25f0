"""A world in virtual time: model servers with exact limits, and a client that obeys a budget."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from penstock.resilience import Budget, Ticket, parse_hints

Header = Callable[["FixedWindow", float], bytes]


@dataclass
class FixedWindow:
    """A window per key from its first call on, as express-rate-limit's memory store has it."""

    limit: int
    length: float
    header: Header
    wall: float = 1_800_000_000.0
    end: float = -math.inf
    used: int = 0
    lowest: int = 10**9
    accepted_at: list[float] = field(default_factory=list)
    refused_at: list[float] = field(default_factory=list)

    def answer(self, now: float) -> tuple[int, bytes]:
        if now >= self.end:
            self.end, self.used = now + self.length, 0
        self.used += 1
        self.lowest = min(self.lowest, self.limit - self.used)
        accepted = self.used <= self.limit
        (self.accepted_at if accepted else self.refused_at).append(now)
        head = self.header(self, now) + b"Date: " + http_date(self.wall + now) + b"\r\n"
        if not accepted and self.header is not silent:
            head += b"Retry-After: %d\r\n" % math.ceil(self.end - now)
        return (200 if accepted else 429), head

    @property
    def left(self) -> int:
        return max(0, self.limit - self.used)


@dataclass
class LeakyBucket:
    """nginx's limit_req with nodelay: a rate, a burst, and a bare 429."""

    rate: float
    burst: int
    level: float = 0.0
    last: float = 0.0
    accepted_at: list[float] = field(default_factory=list)
    refused_at: list[float] = field(default_factory=list)

    def answer(self, now: float) -> tuple[int, bytes]:
        level = max(0.0, self.level - (now - self.last) * self.rate)
        if level > self.burst:
            self.refused_at.append(now)
            return 429, b"Server: model\r\n"
        self.level, self.last = level + 1.0, now
        self.accepted_at.append(now)
        return 200, b"Server: model\r\n"


def http_date(wall: float) -> bytes:
    from email.utils import formatdate

    return formatdate(math.floor(wall), usegmt=True).encode()


def draft8(s: FixedWindow, now: float) -> bytes:
    return b'RateLimit: "all"; r=%d; t=%d\r\nRateLimit-Policy: "all"; q=%d; w=%d\r\n' % (
        *(s.left, math.ceil(s.end - now)),
        *(s.limit, round(s.length)),
    )


def draft7(s: FixedWindow, now: float) -> bytes:
    return b"RateLimit: limit=%d, remaining=%d, reset=%d\r\n" % (
        *(s.limit, s.left),
        math.ceil(s.end - now),
    )


def draft6(s: FixedWindow, now: float) -> bytes:
    return b"RateLimit-Limit: %d\r\nRateLimit-Remaining: %d\r\nRateLimit-Reset: %d\r\n" % (
        *(s.limit, s.left),
        math.ceil(s.end - now),
    )


def legacy(s: FixedWindow, now: float) -> bytes:
    del now
    return b"X-RateLimit-Limit: %d\r\nX-RateLimit-Remaining: %d\r\nX-RateLimit-Reset: %d\r\n" % (
        *(s.limit, s.left),
        math.ceil(s.wall + s.end),
    )


def retry_after(s: FixedWindow, now: float) -> bytes:
    del s, now
    return b""


def silent(s: FixedWindow, now: float) -> bytes:
    del s, now
    return b""


class WorldClock:
    """The client's clock; its wall clock may be wrong by ``skew`` seconds."""

    def __init__(self, wall: float, skew: float = 0.0) -> None:
        self.now = 0.0
        self._wall = wall + skew

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self._wall + self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def wait(self, condition: object, timeout: float | None) -> None:
        del condition
        self.now += timeout or 0.0


@dataclass
class World:
    """``concurrency`` workers fetch ``items`` from ``server``, each answer after ``latency``."""

    server: FixedWindow | LeakyBucket
    budget: Budget
    clock: WorldClock
    items: int
    concurrency: int = 32
    latency: float = 0.002
    seed: int = 1

    def run(self) -> float:
        """Return the virtual seconds until the last item was accepted."""
        rng = random.Random(self.seed)
        events: list[tuple[float, int, str, object]] = []
        todo, out, done, count = self.items, 0, 0, 0
        while done < self.items:
            now = self.clock.now
            wait = math.inf
            while todo and out < self.concurrency:
                ticket = self.budget.take(now)
                if not isinstance(ticket, Ticket):
                    wait = ticket
                    break
                todo, out, count = todo - 1, out + 1, count + 1
                there = now + self.latency * rng.uniform(0.2, 0.8)
                heapq.heappush(events, (there, count, "arrive", ticket))
            due = events[0][0] if events else math.inf
            assert min(due, now + wait) < math.inf, "everybody waits for everybody"
            if now + wait < due:
                self.clock.now = now + max(wait, 1e-6)
                continue
            moment, _, kind, what = heapq.heappop(events)
            self.clock.now = max(now, moment)
            if kind == "arrive":
                count += 1
                back = moment + self.latency * rng.uniform(0.2, 0.8)
                heapq.heappush(events, (back, count, "return", (what, self.server.answer(moment))))
                continue
            assert isinstance(what, tuple)
            returned, (status, head) = what
            self.budget.settle(returned, self.clock.now, parse_hints(head), status)
            out -= 1
            if status == 200:
                done += 1
            else:
                todo += 1
        return self.clock.now
