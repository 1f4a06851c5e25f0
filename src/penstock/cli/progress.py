"""Live progress of a run: a bar where somebody looks, a line now and then where nobody does."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Protocol, final

from rich.console import RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from penstock.assembly import RunStatus
from penstock.cli.screen import console, marked
from penstock.errors import InputError
from penstock.events import Event, Events, Landed
from penstock.pipeline import Progress
from penstock.redaction import redacted

__all__ = ["RunView", "View", "line", "log_to", "showing", "span"]

_EVERY = 30.0


def line(seen: Progress) -> str:
    """Return everything in one line, for logs.

    >>> line(Progress(done=6, total=10, failed=1, rate=2.0, eta=2.0))
    'done 6/10 · 2/s · budget not known · retries 0 · refused 0 · failed 1 · ETA 2.0 s'
    """
    total = "" if seen.total is None else f"/{seen.total:,}"
    parts = [
        f"done {seen.done:,}{total}",
        f"{seen.rate:.0f}/s",
        f"budget {_budget(seen)}",
        f"retries {seen.retries}",
        f"refused {seen.refused}",
        f"failed {seen.failed}",
        f"ETA {_eta(seen)}",
    ]
    return " · ".join(parts + ([_waiting(seen)] if _waiting(seen) else []))


def _budget(seen: Progress) -> str:
    """What is left, and when it is renewed."""
    if seen.remaining is None:
        return "not known"
    limit = "" if seen.limit is None else f"/{seen.limit:g}"
    renewed = "" if seen.reset is None else f", resets in {span(seen.reset)}"
    return f"{seen.remaining:g}{limit}{renewed}"


def _eta(seen: Progress) -> str:
    return "?" if seen.eta is None else span(seen.eta)


def _waiting(seen: Progress) -> str:
    return f"{seen.reason}, {span(seen.waiting)}" if seen.waiting > 0.2 else ""


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
def showing(
    view: View, events: Events, *, quiet: bool = False, lines: bool = False
) -> Iterator[None]:
    """Show ``view`` on standard error while the block runs, as ``lines`` also on a terminal."""
    out = console(stderr=True)
    if quiet:
        yield
    elif out.is_terminal and not lines:
        with Live(view, console=out, refresh_per_second=8):
            yield
    else:
        stop = events.subscribe(_Lines(view, sys.stderr))
        try:
            yield
        finally:
            stop()


class View(Protocol):
    """What a run looks like: as a picture, or as a line."""

    def line(self) -> str:
        """Return everything in one line, for logs."""
        ...

    def __rich__(self) -> RenderableType: ...


@final
class RunView:
    """A bar and the numbers beneath it, drawn again at each refresh.

    Args:
        title: What the run is called.
        look: Says how it is doing.
    """

    def __init__(self, title: str, look: Callable[[], RunStatus]) -> None:
        self._title = title
        self._look = look

    def line(self) -> str:
        """Return everything in one line, for logs."""
        return f"{self._title}: {line(self._look().progress)}"

    def __rich__(self) -> Table:
        seen = self._look().progress
        total = "" if seen.total is None else f" / {seen.total:,}"
        head = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=seen.total, completed=seen.done, width=40, pulse=not seen.total)
        head.add_row(
            marked("[bold]{}[/]", self._title),
            bar,
            marked("[bold]{}[/]{}", f"{seen.done:,}", total),
            f"ETA {_eta(seen)}",
        )
        numbers = Table.grid(padding=(0, 3))
        numbers.add_row(
            marked("[cyan]{}[/] items/s", f"{seen.rate:.0f}"),
            marked("budget [cyan]{}[/]", _budget(seen)),
            marked("retries [yellow]{}[/]", seen.retries),
            marked("refused (420, 429) [yellow]{}[/]", seen.refused),
            marked("failed [red]{}[/]", seen.failed),
        )
        whole = Table.grid()
        whole.add_row(head)
        whole.add_row(numbers)
        waiting = _waiting(seen)
        whole.add_row(marked("[dim]{}[/]", f"waiting: {waiting}" if waiting else " "))
        return whole


@final
class _Lines:
    """A line at most every half minute."""

    def __init__(self, view: View, out: IO[str]) -> None:
        self._view = view
        self._out = out
        self._next = time.monotonic() + _EVERY

    def __call__(self, event: Event) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _EVERY
            print(self._view.line(), file=self._out, flush=True)


@contextmanager
def log_to(path: str | None, events: Events) -> Iterator[None]:
    """Append every event as a JSON line to ``path`` while the block runs."""
    if path is None:
        yield
        return
    try:
        made = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        file = os.fdopen(made, "a", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error

    def write(event: Event) -> None:
        fields = {"at": round(time.time(), 3), **event.fields()}
        file.write(redacted(json.dumps(fields, default=str)) + "\n")
        if not isinstance(event, Landed):
            file.flush()

    with file:
        stop = events.subscribe(write)
        try:
            yield
        finally:
            stop()
