"""What a stream looks like while it runs: a line of numbers, or a picture on a terminal."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from penstock.cli.progress import span
from penstock.events import Event, Events
from penstock.streaming import Counters, Status

__all__ = ["StreamMeter", "showing"]

_EVERY = 30.0
_SPAN = 10.0
_SHOWN = 8


@final
class StreamMeter:
    """How a stream is doing, in numbers.

    Args:
        title: What it is called.
        look: Gives its counters and its status.
        clock: Monotonic seconds.

    >>> meter = StreamMeter("tweets", lambda: (Counters(messages=7, reconnects=1), Status()))
    >>> print(meter.line())
    tweets: 7 messages · 0/s · lag not known · reconnects 1 · gaps 0 · new
    """

    def __init__(
        self,
        title: str,
        look: Callable[[], tuple[Counters, Status]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.title = title
        self.look = look
        self.lag: float | None = None
        self.last: deque[str] = deque(maxlen=_SHOWN)
        self._clock = clock
        self._recent: deque[tuple[float, int]] = deque([(clock(), 0)])

    def rate(self, messages: int) -> float:
        """Messages a second over the last ten seconds."""
        now = self._clock()
        self._recent.append((now, messages))
        while len(self._recent) > 2 and self._recent[0][0] < now - _SPAN:
            self._recent.popleft()
        then, had = self._recent[0]
        return (messages - had) / (now - then) if now > then else 0.0

    def line(self) -> str:
        """Everything in one line, for logs."""
        counters, status = self.look()
        parts = [
            f"{counters.messages:,} messages",
            f"{self.rate(counters.messages):.0f}/s",
            f"lag {self.behind()}",
            f"reconnects {counters.reconnects}",
            f"gaps {counters.gaps}",
            _state(status),
        ]
        return f"{self.title}: {' · '.join(parts)}"

    def behind(self) -> str:
        """How far behind the messages are."""
        return "not known" if self.lag is None else span(max(0.0, self.lag))

    def __rich__(self) -> Group:
        counters, status = self.look()
        table = Table.grid(padding=(0, 3))
        table.add_row(
            f"[bold]{self.title}[/]",
            f"[bold]{counters.messages:,}[/] messages",
            f"[cyan]{self.rate(counters.messages):.0f}[/]/s",
            f"lag [cyan]{self.behind()}[/]",
            _state(status),
        )
        table.add_row(
            "",
            f"reconnects [yellow]{counters.reconnects}[/]",
            f"gaps [red]{counters.gaps}[/]",
            f"heartbeats {counters.keepalives:,}",
            f"{counters.wire_bytes / 1e6:.1f} MB ({counters.duplicates:,} twice)",
        )
        lines = [Text(text, no_wrap=True, overflow="ellipsis", style="dim") for text in self.last]
        return Group(table, *lines)


def _state(status: Status) -> str:
    if status.state == "waiting":
        return f"waiting {span(status.wait)}: {status.reason}"
    if status.state == "live" and status.silent >= 1:
        return f"live, silent for {span(status.silent)}"
    return status.state


@contextmanager
def showing(meter: StreamMeter, events: Events, *, quiet: bool = False) -> Iterator[None]:
    """Show ``meter`` on standard error while the block runs."""
    console = Console(stderr=True)
    if quiet:
        yield
    elif console.is_terminal:
        with Live(meter, console=console, refresh_per_second=4):
            yield
    else:
        stop = events.subscribe(_Lines(meter, sys.stderr))
        try:
            yield
        finally:
            stop()


@final
class _Lines:
    """A line at most every half minute."""

    def __init__(self, meter: StreamMeter, out: IO[str]) -> None:
        self._meter = meter
        self._out = out
        self._next = time.monotonic() + _EVERY

    def __call__(self, event: Event) -> None:  # noqa: ARG002 - a subscriber's shape
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _EVERY
            print(self._meter.line(), file=self._out, flush=True)
