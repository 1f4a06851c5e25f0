"""``penstock stream``: a stream watched live."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import final

import click

from penstock.assembly import (
    PipelineFile,
    StreamFile,
    StreamsFile,
    build_stream,
    lag,
    parts,
    plan,
    read_several,
    seconds_of,
)
from penstock.cli.progress import showing
from penstock.cli.screen import console
from penstock.cli.stopping import stoppable
from penstock.cli.stream_view import StreamView, Troubles
from penstock.errors import GaveUp, InputError
from penstock.events import Events
from penstock.streaming import Gap, Item, Message, ServerNotice

__all__ = ["DURATION", "stream"]

_LOOK = 0.25


@final
class Duration(click.ParamType):  # type: ignore[type-arg]  # generic in the stubs only
    """A time span as people write it: ``90``, ``90s``, ``10m``, ``1.5h``, ``2d``."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return it in seconds."""
        try:
            seconds = seconds_of(str(value))
        except InputError as error:
            self.fail(str(error), param, ctx)
        return seconds or self.fail("a time span is more than 0", param, ctx)


DURATION = Duration()


@click.command()
@click.argument("file", type=click.Path())
@click.option("--name", help="Which, of a file with several streams.")
@click.option("--for", "seconds", type=DURATION, help="Stop after a time, such as 10m.")
@click.option("--max-messages", type=click.IntRange(1), help="Stop after so many messages.")
def stream(file: str, *, name: str | None, seconds: float | None, max_messages: int | None) -> None:
    """Watch the stream of FILE live: rate, lag, reconnects, gaps and the last messages.

    Nothing lands and no cursor moves: penstock run does that. Where the output is not a terminal,
    every message is a line of it, and gaps and notices are lines on standard error.
    """
    described = read_several(file)
    if isinstance(described, StreamsFile):
        described = _named(described, name, file)
    if not isinstance(described, StreamFile):
        raise InputError(f"{file} has no [stream]: penstock run harvests it")
    plan(described, Path(file).parent)
    events = Events()
    with stoppable(), build_stream(described, events=events) as source:
        events.subscribe(Troubles(lambda: source.status))
        view = StreamView(Path(file).stem, lambda: (source.counters, source.status))
        show = _on_screen(view, described.stream.time)
        live = console().is_terminal
        until = None if seconds is None else time.monotonic() + seconds
        left = max_messages
        with showing(view, events, quiet=not live):
            for items in source.batches(_LOOK):
                left = _shown(items, left, show if live else _as_lines)
                if left == 0 or (until is not None and time.monotonic() >= until):
                    break
        if live:
            click.echo(view.line(), err=True)
        status = source.status
        if not status.lives and status.state != "ended":
            raise GaveUp(f"the stream was never live: {status.last_reason}", attempts=0)


def _named(file: StreamsFile, name: str | None, path: str) -> PipelineFile | StreamFile:
    found = {part.name: part.file for part in parts(file)}
    if name not in found:
        raise InputError(f"{path} has several streams: name one with --name {'|'.join(found)}")
    return found[name]


Show = Callable[[Item[bytes]], None]


def _shown(items: Sequence[Item[bytes]], left: int | None, show: Show) -> int | None:
    """Show items while messages are wanted, and return how many still are."""
    for item in items:
        show(item)
        if left is not None and isinstance(item, Message):
            left -= 1
            if left == 0:
                break
    sys.stdout.flush()
    return left


def _on_screen(view: StreamView, path: str | None) -> Show:
    def show(item: Item[bytes]) -> None:
        match item:
            case Message():
                if path is not None:
                    view.lag = lag(item.body, path, time.time())
                view.last.append(_printable(item.body[:500].decode("utf-8", "replace")))
            case ServerNotice():
                view.last.append(_printable(f"{item.kind}: {item.text}"))
            case Gap():
                view.last.append(_gap(item))

    return show


def _printable(text: str) -> str:
    """Return ``text`` as one line that no terminal takes for a command."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _as_lines(item: Item[bytes]) -> None:
    if isinstance(item, Message):
        click.echo(item.body.decode("utf-8", "backslashreplace").replace("\n", " "))
    elif isinstance(item, Gap):
        click.echo(f"penstock: {_gap(item)}", err=True)
    else:
        click.echo(f"penstock: {item.kind}: {item.text}".replace("\n", " "), err=True)


def _gap(gap: Gap) -> str:
    count = "" if gap.count is None else f", {gap.count:,} messages"
    return f"gap from {gap.since} to {gap.until or 'who knows'}: {gap.reason}{count}"
