"""``penstock mongo``: a replica set for the desk, and what a set of yours is like now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from penstock.cli.output import JSON, table, tell
from penstock.cli.screen import console
from penstock.errors import InputError

if TYPE_CHECKING:
    from penstock.mongo import DevSet, DrillReport, MemberStatus, SetStatus

__all__ = ["mongo"]

DIR = click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default="mongo-dev",
    help="Where the set lives: its data, its logs.",
)


@click.group()
def mongo() -> None:
    """Run a MongoDB replica set here, and ask one how it is."""


@mongo.command("status")
@click.argument("uri")
@click.option("--timeout", type=float, default=5.0, help="Seconds to wait for an answer.")
@JSON
def cluster(uri: str, *, timeout: float, as_json: bool) -> None:
    """Show the members of the set at URI, and where each kind of read would go now.

    URI may be env:NAME or file:PATH, so that a password stands in no command.
    """
    from penstock.assembly import store_named
    from penstock.mongo import cluster_status

    now = cluster_status(store_named(uri), timeout=timeout)
    name = f" {now.name}" if now.name else ""
    if not as_json:
        click.echo(f"{now.uri}\n{now.kind}{name}, MongoDB {now.version}")
    columns = ("member", "role", "lag", "ping", "tags", "problem")
    members = table(columns, map(_member, now.members), right=("lag", "ping"))
    tell(now, members, as_json=as_json)
    if not as_json:
        words = "none: it would wait, then fail"
        reads = [(mode, "\n".join(hosts) or words) for mode, hosts in now.reads.items()]
        title = "a read would go now to one of"
        console().print(table(("read preference", "members"), reads, title=title))


def _member(one: MemberStatus) -> list[str]:
    lag = "" if one.lag is None else f"{one.lag:.0f} s"
    ping = "" if one.ping is None else f"{1000 * one.ping:.1f} ms"
    tags = ", ".join(f"{name}={value}" for name, value in one.tags.items())
    return [one.host, one.role, lag, ping, tags, one.error or ""]


@mongo.command("drill")
@click.argument("uri")
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="The set of penstock mongo dev whose nodes are failed; without it you fail your own.",
)
@click.option("--seconds", type=float, default=60.0, help="How long, at least.")
@click.option(
    "--faults",
    default="kill,stepdown,pause",
    help="Which kinds of fault, in turn, with commas between.",
)
@JSON
def run_drill(
    uri: str, directory: Path | None, seconds: float, faults: str, *, as_json: bool
) -> None:
    """Rehearse failover on the set at URI: a workload, faults under it, and an audit of all data.

    Fifteen kinds of operation run through penstock's proxy and through plain PyMongo, side by
    side, in a database of their own. Use a set for tests: its nodes are failed. Exit code 1 where
    the proxy showed an error, or lost or doubled anything.
    """
    from penstock.assembly import store_named
    from penstock.mongo import DRILL_FAULTS as FAULTS
    from penstock.mongo import run_drill as drill

    kinds = [kind for kind in FAULTS if kind in faults.split(",")]
    unknown = set(faults.split(",")) - set(kinds)
    if unknown:
        raise InputError(f"--faults {faults}: choose from {', '.join(FAULTS)}")
    found = drill(
        store_named(uri),
        dev=None if directory is None else _set(directory),
        seconds=seconds,
        faults=kinds,
        tell=lambda words: click.echo(words, err=True),
    )
    tell(found, _compared(found), as_json=as_json)
    ours = found.proxy
    if ours.errors or ours.lost or ours.duplicated or ours.torn:
        raise SystemExit(1)


def _compared(found: DrillReport) -> Table:
    arms = (found.proxy, found.plain)
    counts = ("operations", "errors", "lost", "duplicated", "torn")
    rows = [[name, *(f"{getattr(arm, name):,}" for arm in arms)] for name in counts]
    rows.append(["longest stall", *(f"{arm.longest_stall:.1f} s" for arm in arms)])
    title = f"{found.faults} faults in {found.seconds:.0f} s"
    return table(("", "proxy", "plain"), rows, title=title, right=("proxy", "plain"))


@mongo.group()
def dev() -> None:
    """Start a real replica set on this machine, fail its nodes, and stop it.

    The nodes go on running when a command has ended. NODE is a number from 1 on, or host:port.
    """


def _set(directory: Path) -> DevSet:
    from penstock.mongo import DevSet

    return DevSet(directory)


@dev.command()
@click.option("--nodes", type=int, default=3, help="How many, arbiters included: 1 to 7.")
@click.option(
    "--arbiters", type=int, default=0, help="How many of them only vote and hold no data."
)
@click.option("--standalone", is_flag=True, help="One server that is not a set.")
@click.option(
    "--election",
    type=float,
    default=1.0,
    help="Seconds without a primary before another is elected.",
)
@DIR
def start(nodes: int, arbiters: int, *, standalone: bool, election: float, directory: Path) -> None:
    """Start a set and leave it running; the last line is its URI.

    Where there is one in the folder already, it is started again with its data.
    """
    from penstock.mongo import DevSet

    made = DevSet.start(
        directory,
        nodes=1 if standalone else nodes,
        arbiters=arbiters,
        standalone=standalone,
        election=election,
    )
    click.echo(f"running; stop it with: penstock mongo dev stop --dir {directory}")
    click.echo(made.uri)


@dev.command("status")
@DIR
@JSON
def dev_status(directory: Path, *, as_json: bool) -> None:
    """Show the nodes: which processes run, and in which role."""
    now = _set(directory).status()
    if not as_json:
        click.echo(now.uri)
    tell(now, _nodes(now), as_json=as_json)


def _nodes(now: SetStatus) -> Table:
    rows = [
        (str(one.number), one.host, one.process, one.role or "", str(one.pid or ""))
        for one in now.nodes
    ]
    return table(("node", "host", "process", "role", "pid"), rows)


@dev.command()
@click.argument("target", metavar="primary|NODE", default="primary")
@click.option(
    "--seconds",
    type=click.IntRange(1),
    default=10,
    help="How long it does not stand for election again.",
)
@DIR
def stepdown(target: str, seconds: int, directory: Path) -> None:
    """Have the primary give up its role, by force."""
    _tell("stepped down", _set(directory).step_down(target, seconds=seconds))


def _on_nodes(name: str, done: str, words: str, default: str | None = None) -> None:
    """Add a command that does something to nodes: the method of the set that has its name."""

    @dev.command(name, help=words)
    @click.argument(
        "target", metavar="primary|secondary|all|NODE", default=default, required=default is None
    )
    @DIR
    def command(target: str, directory: Path) -> None:
        _tell(done, getattr(_set(directory), name)(target))


_on_nodes("kill", "killed", "End nodes at once, as a crash does (SIGKILL).")
_on_nodes("pause", "paused", "Freeze nodes (SIGSTOP): connections stay open, nothing answers.")
_on_nodes("resume", "resumed", "Let paused nodes go on; a role means every one that is paused.")
_on_nodes(
    "restart", "restarted", "Start dead nodes again; a role means every one that is dead.", "all"
)


@dev.command()
@click.option("--remove", is_flag=True, help="Delete the set and its data as well.")
@DIR
def stop(directory: Path, *, remove: bool) -> None:
    """Stop all nodes; their data stays for the next start."""
    _set(directory).stop(remove=remove)
    click.echo("stopped and removed" if remove else "stopped")


def _tell(what: str, numbers: list[int]) -> None:
    nodes = ", ".join(map(str, numbers))
    click.echo(f"{what}: node {nodes}" if numbers else f"{what}: none")
