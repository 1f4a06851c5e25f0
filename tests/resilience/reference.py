"""A reference server that counts exactly, and a client whose answers are late, lost, overtaken."""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.resilience.model import WorldClock, http_date

from penstock.resilience import Budget, Ticket, parse_hints

WALL = 1_800_000_000.25

Heap: TypeAlias = list[tuple[float, int, str, Ticket, str, tuple[int, bytes] | None]]


@dataclass
class Counter:
    """One limit: a window from its first call on."""

    name: str
    limit: int
    length: float
    end: float = -math.inf
    used: int = 0
    lowest: int = 10**9
    refused: int = 0

    def left(self, now: float) -> int:
        return self.limit if now >= self.end else max(0, self.limit - self.used)

    def count(self, now: float) -> bool:
        if now >= self.end:
            self.end, self.used = now + self.length, 0
        self.used += 1
        self.lowest = min(self.lowest, self.limit - self.used)
        self.refused += self.used > self.limit
        return self.used <= self.limit


@dataclass
class Several:
    """Limits of every call, all reported in one field (draft 8)."""

    counters: list[Counter]

    def of(self, path: str) -> list[Counter]:
        del path
        return self.counters

    def head(self, path: str, now: float) -> bytes:
        told = (f'"{c.name}";r={c.left(now)};t={math.ceil(c.end - now)}' for c in self.of(path))
        policy = (f'"{c.name}";q={c.limit};w={c.length:g}' for c in self.of(path))
        return f"RateLimit: {', '.join(told)}\r\nRateLimit-Policy: {', '.join(policy)}\r\n".encode()


@dataclass
class Resources:
    """A limit each resource, named in the answer (GitHub)."""

    counters: dict[str, Counter]  # by the beginning of the path

    def of(self, path: str) -> list[Counter]:
        return [self.counters[path.split("/")[1]]]

    def head(self, path: str, now: float) -> bytes:
        (c,) = self.of(path)
        reset = math.ceil(WALL + c.end)
        return (
            f"X-RateLimit-Resource: {c.name}\r\nX-RateLimit-Limit: {c.limit}\r\n"
            f"X-RateLimit-Remaining: {c.left(now)}\r\nX-RateLimit-Reset: {reset}\r\n"
        ).encode()


@dataclass
class Rehearsal:
    """``items`` calls of ``paths``; what the client may never do is asserted on the way.

    Attributes:
        lost: Share of answers that never come; half of those calls were not even counted.
    """

    server: Several | Resources
    reserve: int
    paths: list[str]
    seed: int
    items: int = 60
    concurrency: int = 5
    latency: float = 0.05
    lost: float = 0.1
    known: set[str] = field(default_factory=set)

    def run(self) -> None:
        rng = random.Random(self.seed)
        clock = WorldClock(WALL)
        budget = Budget(reserve=self.reserve, clock=clock)
        events: Heap = []
        todo, serial = self.items, 0
        free_since: dict[str, float] = {}
        while todo or events:
            now, wait = clock.now, math.inf
            out = [event[4] for event in events]
            for path in (
                rng.sample(self.paths, len(self.paths)) if len(out) < self.concurrency else ()
            ):
                if not todo or len(out) >= self.concurrency:
                    break
                ticket = budget.take(now, path=path)
                if isinstance(ticket, Ticket):
                    todo, serial, wait = todo - 1, serial + 1, 0.0
                    out.append(path)
                    free_since.pop(path, None)
                    self._send(events, rng, ticket, path, serial)
                    continue
                wait = min(wait, ticket)
                if self._allows(path, out, now):
                    since = free_since.setdefault(path, now)
                    assert now - since <= self.bound, f"waits at {now} for {path} since {since}"
                else:
                    free_since.pop(path, None)
            due = events[0][0] if events else math.inf
            assert min(due, now + wait) < math.inf or not todo, "everybody waits for everybody"
            if now + wait < due:
                clock.now = now + max(wait, 1e-6)
            elif events:
                serial += 1
                clock.now = max(now, due)
                self._happen(events, rng, budget, serial)

    @property
    def bound(self) -> float:
        """Seconds for which it may wait although the server would let it pass."""
        return 1.1 + 4 * self.latency  # whole seconds, then the round trips of those who find out

    def _allows(self, path: str, out: list[str], now: float) -> bool:
        if self.lost or (self.reserve and path not in self.known):
            return False  # nobody knows what was spent, or whose reserve it would be
        taken = len(out) + self.reserve
        return all(c.left(now) > taken for c in self.server.of(path))

    def _send(
        self, events: Heap, rng: random.Random, ticket: Ticket, path: str, serial: int
    ) -> None:
        there = ticket.sent + self.latency * rng.uniform(0.1, 1.0)
        heapq.heappush(events, (there, serial, "arrive", ticket, path, None))

    def _happen(self, events: Heap, rng: random.Random, budget: Budget, serial: int) -> None:
        moment, _, kind, ticket, path, answer = heapq.heappop(events)
        counters = self.server.of(path)
        if kind == "arrive":
            # What was never heard of cannot be kept: the first answers of all arrive.
            fate = rng.random() if all(c.name in self.known for c in counters) else 1.0
            if fate > self.lost / 2:  # else it never got there
                passed = min(c.count(moment) for c in counters)
                head = self.server.head(path, moment) + b"Date: " + http_date(WALL + moment)
                answer = (200 if passed else 429, head + b"\r\n") if fate > self.lost else None
            back = moment + self.latency * rng.uniform(0.1, 1.0)
            heapq.heappush(events, (back, serial, "return", ticket, path, answer))
        elif answer is None:
            budget.abandon(ticket)
        else:
            status, head = answer
            self.known |= {c.name for c in counters} | {path}
            budget.settle(ticket, moment, parse_hints(head), status)
