"""What a stream looks like while it runs: a line of numbers, or a picture on a terminal."""

from __future__ import annotations

import re
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import final

import click
from rich.console import Group
from rich.table import Table
from rich.text import Text

from penstock.cli.progress import span
from penstock.cli.screen import marked
from penstock.events import Event, Retry
from penstock.pipeline import Rate
from penstock.streaming import Counters, StreamStatus

__all__ = ["StreamView", "Troubles"]

_SHOWN = 8


@final
class StreamView:
    """How a stream is doing, in numbers.

    Args:
        title: What it is called.
        look: Gives its counters and its status.
        clock: Monotonic seconds.

    >>> seen = Counters(messages=7, reconnects=1)
    >>> view = StreamView("tweets", lambda: (seen, StreamStatus()), clock=lambda: 0.0)
    >>> print(view.line())
    tweets: 7 messages · 0/s · lag not known · reconnects 1 · gaps 0 · new
    """

    def __init__(
        self,
        title: str,
        look: Callable[[], tuple[Counters, StreamStatus]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.title = title
        self.look = look
        self.lag: float | None = None
        self.last: deque[str] = deque(maxlen=_SHOWN)
        self._rate = Rate(clock=clock)

    def line(self) -> str:
        """Everything in one line, for logs."""
        counters, status = self.look()
        parts = [
            f"{counters.messages:,} messages",
            f"{self._rate.at(counters.messages):.0f}/s",
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
            marked("[bold]{}[/]", self.title),
            marked("[bold]{}[/] messages", f"{counters.messages:,}"),
            marked("[cyan]{}[/]/s", f"{self._rate.at(counters.messages):.0f}"),
            marked("lag [cyan]{}[/]", self.behind()),
            _state(status),
        )
        table.add_row(
            "",
            marked("reconnects [yellow]{}[/]", counters.reconnects),
            marked("gaps [red]{}[/]", counters.gaps),
            f"heartbeats {counters.keepalives:,}",
            f"{counters.wire_bytes / 1e6:.1f} MB ({counters.duplicates:,} twice)",
        )
        lines = [Text(text, no_wrap=True, overflow="ellipsis", style="dim") for text in self.last]
        return Group(table, *lines)


@final
class Troubles:
    """Says on standard error, once each, why a connection was not made; a view shows the same.

    Args:
        look: Gives the stream's status.
        name: The stream's, where there are several and no view shows it.
    """

    def __init__(self, look: Callable[[], StreamStatus], name: str = "") -> None:
        self._look = look
        self._name = name
        self._lives = 0
        self._said = ""

    def __call__(self, event: Event) -> None:
        """Look at one event."""
        if not isinstance(event, Retry) or (sys.stderr.isatty() and not self._name):
            return
        lives = self._look().lives
        reason = re.sub(r"(?<!\d)\d+ ms", "", event.reason)  # how long it took is no other reason
        if lives == self._lives and reason != self._said:
            self._said = reason
            name = f"{self._name}: " if self._name else ""
            click.echo(f"penstock: {name}{event.reason}; connecting again", err=True)
        self._lives = lives


def _state(status: StreamStatus) -> str:
    if status.state == "waiting":
        return f"waiting {span(status.wait)}: {status.reason}"
    if status.state == "live" and status.silent >= 1:
        return f"live, silent for {span(status.silent)}"
    return status.state
