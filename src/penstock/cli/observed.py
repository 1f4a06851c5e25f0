"""What a run shows and to whom: options of the commands that run, and all that listens."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, TextIO, TypedDict, TypeVar, final

import click

from penstock.assembly import Run
from penstock.cli.progress import View, log_to, showing
from penstock.errors import InputError, Stopped
from penstock.store import StoreReader
from penstock.telemetry import Metrics, log_events

__all__ = ["Shown", "counted", "observed", "show_page", "shown_options"]

C = TypeVar("C", bound=Callable[..., None])


class Shown(TypedDict):
    """The options, by the names of their parameters."""

    as_json: bool
    quiet: bool
    log: str | None
    verbose: int
    metrics: str | None
    metrics_file: str | None
    dashboard: bool


_OPTIONS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("--json", "as_json"), {"is_flag": True, "help": "End with one JSON object."}),
    (("--quiet",), {"is_flag": True, "help": "Show no progress."}),
    (("--log",), {"metavar": "FILE", "help": "Append every event to FILE as a JSON line."}),
    (
        ("-v", "--verbose"),
        {"count": True, "show_default": False, "help": "Log what happens; -vv: every call, too."},
    ),
    (("--metrics",), {"metavar": "ADDRESS", "help": "Serve Prometheus metrics, such as :9464."}),
    (("--metrics-file",), {"metavar": "FILE", "help": "Leave metrics in FILE, for cron."}),
    (("--dashboard",), {"is_flag": True, "help": "Show the run in a browser, too."}),
)


def shown_options(command: C) -> C:
    """Add the options to a command, which takes them as ``**shown: Unpack[Shown]``."""
    for names, settings in reversed(_OPTIONS):
        command = click.option(*names, **settings)(command)
    return command


@contextmanager
def observed(
    view: View,
    work: Run,
    store: StoreReader,
    shown: Shown,
    *,
    several: bool = False,
    metrics: Metrics | None = None,
) -> Iterator[None]:
    """Show ``work``, log it and count it while the block runs.

    Of ``several``, in lines only; ``metrics`` and a page are up to the caller, for all of them.
    """
    with ExitStack() as held:
        held.enter_context(log_to(shown["log"], work.events))
        verbose = shown["verbose"]
        held.callback(_log_to_screen(verbose))
        if verbose:
            held.callback(log_events(work.events, calls=verbose > 1))
        if not several and (shown["metrics"] or shown["metrics_file"]):
            metrics = Metrics()
            held.enter_context(counted(shown, metrics))
        if metrics is not None:
            if work.is_stream:
                metrics.lag(lambda: work.lag(store, time.time()))
            held.callback(metrics.follow(work.events))
        if shown["dashboard"] and not several:
            held.enter_context(show_page(work))
        held.enter_context(
            showing(view, work.events, quiet=shown["quiet"], lines=several or verbose > 0)
        )
        yield


def show_page(*works: Run) -> AbstractContextManager[object]:
    """Return the dashboard, at its usual port, or at a free one where that is in use."""
    from penstock.dashboard import Dashboard, Watch

    watches = [Watch(work.place) for work in works]
    try:
        page = Dashboard(watches)
    except InputError:
        page = Dashboard(watches, port=0)
    click.echo(f"dashboard: {page.url}", err=True)
    return page


@final
class _Screen(logging.StreamHandler[TextIO]):
    """A handler that lets Ctrl-C through; logging's own takes what is raised while it writes."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base's name
        if isinstance(sys.exc_info()[1], Stopped):
            raise  # noqa: PLE0704 - logging calls this while it handles it
        super().handleError(record)


def _log_to_screen(verbose: int) -> Callable[[], None]:
    """Log to standard error until what is returned is called: a file may have several runs."""
    if any(isinstance(one, _Screen) for one in logging.getLogger("penstock").handlers):
        return lambda: None  # of another stream of the same file
    handler = _Screen(sys.stderr)
    if verbose:
        words = "%(asctime)s %(levelname)s %(name)s: %(message)s"
        handler.setFormatter(logging.Formatter(words))
    logger = logging.getLogger("penstock")
    logger.addHandler(handler)
    logger.setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)])
    return lambda: logger.removeHandler(handler)


@contextmanager
def counted(shown: Shown, *parts: Metrics) -> Iterator[None]:
    """Serve metrics, or leave them in a file, as the options say, while the block runs."""
    metrics = parts[0] if len(parts) == 1 else Metrics.together(parts)
    file, address = shown["metrics_file"], shown["metrics"]
    with ExitStack() as held:
        if file:
            for part in parts:
                part.recall(file)
            metrics.write(file)
            held.callback(metrics.write, file)
        if address:
            held.callback(metrics.serve(address))
        yield
