"""``penstock dashboard`` and ``penstock watch``: looking at runs, in a browser or a terminal."""

from __future__ import annotations

import threading

import click
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from penstock.assembly import store_named
from penstock.cli.progress import span
from penstock.cli.screen import console, marked
from penstock.cli.stopping import stoppable
from penstock.errors import Stopped

__all__ = ["dashboard", "watch"]


@click.command()
@click.argument("stores", type=click.Path(), nargs=-1, required=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8765, help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", help="Where to listen.")
def dashboard(stores: tuple[str, ...], *, port: int, host: str) -> None:
    """Show STORES in a browser, live, until Ctrl-C.

    It only reads, but for two buttons: put failed keys back, and acknowledge them.
    """
    from penstock.dashboard import Dashboard, Watch

    watches = [Watch(store_named(store)) for store in stores]
    try:
        with stoppable(), Dashboard(watches, host, port) as page:
            click.echo(f"dashboard: {page.url}", err=True)
            page.join()
    except Stopped:
        return


@click.command()
@click.argument("stores", type=click.Path(), nargs=-1, required=True)
def watch(stores: tuple[str, ...]) -> None:
    """Show STORES in this terminal, live, until Ctrl-C; where there is no terminal, once."""
    from penstock.dashboard import Watch

    watches = [Watch(store_named(store)) for store in stores]

    def drawn() -> Group:
        return Group(*(_drawn(one.look()) for one in watches))

    out = console()
    if not out.is_terminal:
        out.print(drawn())
        return
    try:
        with stoppable(), Live(get_renderable=drawn, console=out, refresh_per_second=1):
            threading.Event().wait()
    except Stopped:
        return


def _drawn(seen: dict[str, object]) -> Table:
    """Return a table of what a store looks like."""
    table = Table.grid(padding=(0, 2))
    reason = f": {seen['reason']}" if seen["reason"] else ""
    colour = _COLOURS.get(str(seen["state"]), "red")
    state = marked(f"[{colour}]{{}}[/]", f"{seen['state']}{reason}")
    table.add_row(marked("[bold]{}[/]", seen["name"]), state)
    if seen["problem"]:
        table.add_row("", marked("[red]{}[/]", seen["problem"]))
    if "landed" not in seen:
        return table
    expected = seen["expected"]
    if isinstance(expected, int):
        done = int(str(seen["landed"])) + int(str(seen["failed"]))
        table.add_row("", ProgressBar(total=expected or 1, completed=done, width=40))
    eta = seen["eta"]
    table.add_row("landed", f"{seen['landed']:,} of {_number(expected)}")
    table.add_row("rate", f"{seen['rate']:.0f}/s, to go {_span(eta)}")
    table.add_row("failed", f"{seen['failed']:,}, {seen['acknowledged']:,} acknowledged")
    if beat := seen["beat"]:
        assert isinstance(beat, dict)
        table.add_row("budget", f"{_number(beat['remaining'])} of {_number(beat['limit'])}")
    return table


_COLOURS = {"running": "green", "waiting": "yellow", "done": "dim", "idle": "dim"}


def _span(seconds: object) -> str:
    return span(seconds) if isinstance(seconds, float) else "not known"


def _number(value: object) -> str:
    return f"{value:,.0f}" if isinstance(value, int | float) else "not known"
