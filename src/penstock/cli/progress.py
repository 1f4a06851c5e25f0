"""Live progress of a run: a bar where somebody looks, a line now and then where nobody does."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, final

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from penstock.errors import InputError
from penstock.events import BudgetSeen, Event, Events, Failed, Landed, Retry, Waiting

__all__ = ["Meter", "log_to", "progress"]

_EVERY = 30.0
_SPAN = 10.0


@final
class Meter:
    """What has happened, from events: numbers that a line or a bar shows.

    >>> meter = Meter(total=10, done=2, clock=lambda: 0.0)
    >>> meter.saw(Landed(count=3)); meter.saw(Failed(key=7, reason="404"))
    >>> meter.done, meter.failed
    (6, 1)
    """

    def __init__(
        self, total: int | None, done: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.total = total
        self.done = done
        self.failed = 0
        self.retries = 0
        self.refused = 0
        self._clock = clock
        self._recent: deque[tuple[float, int]] = deque([(clock(), done)])
        self._budget: BudgetSeen | None = None
        self._budget_at = 0.0
        self._waiting_until = 0.0
        self._reason = ""

    def saw(self, event: Event) -> None:
        """Take an event into account."""
        match event:
            case Landed():
                self.done += event.count
            case Failed():
                self.done += 1
                self.failed += 1
            case Retry():
                if event.status in (420, 429):
                    self.refused += 1
                else:
                    self.retries += 1
            case BudgetSeen():
                self._budget, self._budget_at = event, self._clock()
            case Waiting():
                self._waiting_until = self._clock() + event.seconds
                self._reason = event.reason
            case _:
                pass

    def expect(self, total: int | None) -> None:
        """Take over how many there are in all."""
        self.total = total

    def rate(self) -> float:
        """Items a second over the last ten seconds."""
        now = self._clock()
        if now - self._recent[-1][0] >= 0.2:
            self._recent.append((now, self.done))
        while len(self._recent) > 2 and self._recent[0][0] < now - _SPAN:
            self._recent.popleft()
        then, had = self._recent[0]
        return (self.done - had) / (now - then) if now > then else 0.0

    def budget(self) -> str:
        """What is left, and when it is renewed."""
        seen = self._budget
        if seen is None or seen.remaining is None:
            return "not told"
        limit = "" if seen.limit is None else f"/{seen.limit:g}"
        text = f"{seen.remaining:g}{limit}"
        if seen.reset is not None:
            text += f", resets in {span(max(0.0, seen.reset - (self._clock() - self._budget_at)))}"
        return text

    def eta(self) -> str:
        """When it will be done, at the present rate."""
        rate = self.rate()
        if self.total is None or rate <= 0:
            return "?"
        return span(max(0, self.total - self.done) / rate)

    def waiting(self) -> str:
        """What we wait for, or nothing."""
        left = self._waiting_until - self._clock()
        return f"{self._reason}, {span(left)}" if left > 0.2 else ""

    def line(self) -> str:
        """Everything in one line, for logs."""
        total = "" if self.total is None else f"/{self.total:,}"
        parts = [
            f"done {self.done:,}{total}",
            f"{self.rate():.0f}/s",
            f"budget {self.budget()}",
            f"retries {self.retries}",
            f"refused {self.refused}",
            f"failed {self.failed}",
            f"ETA {self.eta()}",
        ]
        return " · ".join(parts + ([self.waiting()] if self.waiting() else []))


def span(seconds: float) -> str:
    """Return a time span as people read it.

    >>> span(0.4), span(75), span(7500)
    ('0.4 s', '1 min 15 s', '2 h 5 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@contextmanager
def progress(events: Events, meter: Meter, title: str, *, quiet: bool = False) -> Iterator[None]:
    """Show ``meter`` on standard error while the block runs."""
    console = Console(stderr=True)
    with ExitStack() as stack:
        stack.callback(events.subscribe(meter.saw))
        if quiet:
            pass
        elif console.is_terminal:
            view = _View(meter, title)
            stack.enter_context(Live(view, console=console, refresh_per_second=8))
        else:
            stack.callback(events.subscribe(_Lines(meter, title, sys.stderr)))
        yield


@final
class _View:
    """A bar and the numbers beneath it, drawn anew at each refresh."""

    def __init__(self, meter: Meter, title: str) -> None:
        self._meter = meter
        self._title = title

    def __rich__(self) -> Table:
        meter = self._meter
        total = "" if meter.total is None else f" / {meter.total:,}"
        head = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=meter.total, completed=meter.done, width=40, pulse=not meter.total)
        head.add_row(
            f"[bold]{self._title}[/]", bar, f"[bold]{meter.done:,}[/]{total}", f"ETA {meter.eta()}"
        )
        numbers = Table.grid(padding=(0, 3))
        numbers.add_row(
            f"[cyan]{meter.rate():.0f}[/] items/s",
            f"budget [cyan]{meter.budget()}[/]",
            f"retries [yellow]{meter.retries}[/]",
            f"refused (420, 429) [yellow]{meter.refused}[/]",
            f"failed [red]{meter.failed}[/]",
        )
        whole = Table.grid()
        whole.add_row(head)
        whole.add_row(numbers)
        whole.add_row(f"[dim]{'waiting: ' + meter.waiting() if meter.waiting() else ' '}[/]")
        return whole


@final
class _Lines:
    """A line at most every half minute."""

    def __init__(self, meter: Meter, title: str, out: IO[str]) -> None:
        self._meter = meter
        self._title = title
        self._out = out
        self._next = time.monotonic() + _EVERY

    def __call__(self, event: Event) -> None:  # noqa: ARG002 - a subscriber's shape
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _EVERY
            print(f"{self._title}: {self._meter.line()}", file=self._out, flush=True)


@contextmanager
def log_to(path: str | None, events: Events) -> Iterator[None]:
    """Append every event as a JSON line to ``path`` while the block runs."""
    if path is None:
        yield
        return
    try:
        file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115 - closed below
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error

    def write(event: Event) -> None:
        fields = {"at": round(time.time(), 3), **event.fields()}
        file.write(json.dumps(fields, default=str) + "\n")
        if not isinstance(event, Landed):
            file.flush()

    with file:
        stop = events.subscribe(write)
        try:
            yield
        finally:
            stop()
