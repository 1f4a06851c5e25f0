"""``penstock lock``: run a command under a lock, and look after locks."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from penstock.assembly import store_named
from penstock.cli.guarded import Guarded, check_command
from penstock.cli.output import JSON, table, tell
from penstock.cli.stopping import stoppable
from penstock.errors import InputError, Stopped, StorageError
from penstock.locks import LockerRoom, LockLost, LockTimeout, Status

if TYPE_CHECKING:
    from penstock.locks import Held, Holder

__all__ = ["lock"]

_LOOK = frozenset({"status", "list", "release", "watch", "migrate"})


def _named(context: click.Context) -> str:
    """Return the store, which must be there for a command that only looks.

    Raises:
        InputError: None is named, or the directory is not there.
    """
    if context.obj is None:
        raise InputError("Missing option '--store': name a directory or a mongodb:// URI")
    store = store_named(context.obj)
    if context.info_name in _LOOK and "://" not in store and not Path(store).exists():
        raise InputError(f"{store}: no such directory, so there are no locks in it")
    return store


def with_store(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the store as its first argument: its --help needs none."""

    @click.pass_context
    @functools.wraps(function)
    def called(context: click.Context, /, *args: object, **kwargs: object) -> None:
        function(_named(context), *args, **kwargs)

    return called


NAME = click.argument("name")


@click.group()
@click.option(
    "--store",
    envvar="PENSTOCK_LOCK_STORE",
    metavar="PATH_OR_URI",
    help="Where the locks are: a directory of this machine, a mongodb URI, or env:NAME or "
    "file:PATH that holds it.  "
    "[env var: PENSTOCK_LOCK_STORE]",
)
@click.pass_context
def lock(context: click.Context, store: str | None) -> None:
    """Run a command under a lock, and see and manage who holds what."""
    context.obj = store


@lock.command(context_settings={"ignore_unknown_options": True})
@NAME
@click.option(
    "--timeout",
    "-w",
    type=float,
    metavar="S",
    help="Seconds to wait for the lock, 0 for not at all; else as long as it takes.",
)
@click.option("--nonblock", "-n", is_flag=True, help="Do not wait: the same as --timeout 0.")
@click.option(
    "--conflict-exit-code",
    "-E",
    type=click.IntRange(0, 255),
    default=3,
    metavar="N",
    help="The exit code where the lock was not got in time.",
)
@click.option(
    "--lease",
    type=float,
    default=30.0,
    metavar="S",
    help="Seconds without a sign of life after which others go on.",
)
@click.option("--owner", help="Who holds it; else user, host, process and command.")
@click.option(
    "--grace",
    type=float,
    default=5.0,
    metavar="S",
    help="Seconds between SIGTERM and SIGKILL when the lock is lost.",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@with_store
def run(  # noqa: PLR0913, PLR0917 - click passes what the command line has
    store: str,
    name: str,
    timeout: float | None,
    lease: float,
    owner: str | None,
    grace: float,
    command: tuple[str, ...],
    *,
    nonblock: bool,
    conflict_exit_code: int,
) -> None:
    """Run COMMAND while holding NAME; its exit code is passed on.

    Write -- before COMMAND. It finds the fencing token in PENSTOCK_LOCK_TOKEN, and the lock's name
    in PENSTOCK_LOCK_NAME. Where the lock is lost it is ended (SIGTERM, then SIGKILL).

    Exit codes beside those of COMMAND: 2 bad input, 3 not got in time (see -E), or lost, 4 the
    store gave up, 126 COMMAND cannot be run, 127 there is no such command.
    """
    check_command(command)
    if not grace >= 0:
        raise InputError(f"--grace {grace}: seconds of 0 or more")
    guarded = Guarded(command)  # before any thread is there
    with LockerRoom(store, purpose=command[0]) as room:
        reads, writes = os.pipe()
        try:
            with stoppable():
                wait = 0.0 if nonblock else timeout
                held = room.lock(
                    name, owner, wait, lease=lease, lost=lambda _: os.write(writes, b"!")
                )
        except LockTimeout as error:
            guarded.cancel()
            click.echo(f"penstock: {error}", err=True)
            raise SystemExit(conflict_exit_code) from None
        except BaseException:
            guarded.cancel()
            raise
        code = _guard(guarded, held, reads, grace)
    raise SystemExit(code)


def _guard(guarded: Guarded, held: Held, lost: int, grace: float) -> int:
    variables = {"PENSTOCK_LOCK_TOKEN": str(held.token), "PENSTOCK_LOCK_NAME": held.name}
    try:
        code = guarded.run(variables, lost, grace)
        held.check()
    except LockLost as error:
        raise LockLost(f"{error}; the command was ended") from error
    finally:
        try:
            held.release()
        except StorageError as error:  # what the command did counts; the lease ends by itself
            click.echo(f"penstock: {held.name} was not released: {error}", err=True)
    return code


@lock.command()
@NAME
@JSON
@with_store
def status(store: str, name: str, *, as_json: bool) -> None:
    """Show who holds NAME, since when, and who waits."""
    with LockerRoom(store) as room:
        found = room.status(name)
    tell(found.plain(), _sentence(found), as_json=as_json)


@lock.command("list")
@click.option("--all", "everything", is_flag=True, help="Also locks that nobody holds or awaits.")
@JSON
@with_store
def list_locks(store: str, *, everything: bool, as_json: bool) -> None:
    """List the locks: holder, since when, lease left, waiters."""
    with LockerRoom(store) as room:
        found = [s for s in room.locks() if everything or s.locked or s.waiters]
    tell({"locks": [status.plain() for status in found]}, _table(found), as_json=as_json)


@lock.command()
@NAME
@click.option("--force", is_flag=True, help="Take it away from whoever holds it.")
@JSON
@with_store
def release(store: str, name: str, *, force: bool, as_json: bool) -> None:
    """Take NAME away from its holder: it learns so when it renews or checks."""
    with LockerRoom(store) as room:
        before = room.status(name)
        if not force:
            raise InputError(
                f"release {name}: {_sentence(before)}; only its holder releases it, "
                "--force takes it away"
            )
        after = room.force(name)
    taken = f"taken from {before.owner}; now {_sentence(after)}" if before.locked else "was free"
    facts = {**after.plain(), "taken_from": before.owner}
    tell(facts, f"{name}: {taken}", as_json=as_json)


@lock.command()
@click.option("--force", is_flag=True, help="Also what is held: its holder is not notified.")
@JSON
@with_store
def migrate(store: str, *, force: bool, as_json: bool) -> None:
    """Take over the locks of the original LockerRoom ({_id, locked, owner, timestamp}).

    End its programs first. Exit code 1 where some are held and stay as they are.
    """
    with LockerRoom(store) as room:
        taken, held = room.migrate(force=force)
    words = f"{len(taken)} taken over, {len(held)} held and left: {', '.join(held) or '-'}"
    tell({"migrated": taken, "held": held}, words, as_json=as_json)
    raise SystemExit(1 if held else 0)


@lock.command()
@click.argument("name", required=False)
@click.option("--every", type=float, default=0.5, help="Seconds between looks.")
@click.option("--changes", type=int, help="End after so many lines.")
@JSON
@with_store
def watch(
    store: str, name: str | None, every: float, changes: int | None, *, as_json: bool
) -> None:
    """Print a line whenever NAME, or any lock, changes hands or gets waiters, until Ctrl-C."""
    if not every > 0:
        raise InputError(f"--every {every}: seconds above 0")
    with LockerRoom(store) as room, contextlib.suppress(Stopped), stoppable():
        for count, found in enumerate(_changes(room, name, every), 1):
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            line = f"{now}  {found.name}: {_sentence(found)}"
            tell({"at": now, **found.plain()}, line, as_json=as_json)
            sys.stdout.flush()
            if count == changes:
                return


def _changes(room: LockerRoom, name: str | None, every: float) -> Iterator[Status]:
    seen: dict[str, tuple[object, ...]] = {}
    while True:
        for found in [room.status(name)] if name else room.locks():
            told = (found.token, [h.token for h in found.holders], len(found.waiters))
            if seen.get(found.name) != told:
                seen[found.name] = told
                yield found
        time.sleep(every)


def _sentence(status: Status) -> str:
    if not status.holders:
        return "free"
    holders = ", ".join(f"{h.owner} (token {h.token})" for h in status.holders)
    first = status.holders[0]
    waiters = f", {len(status.waiters)} waiting" if status.waiters else ""
    since = first.since.strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"held by {holders} since {since}, lease left {first.lease_left:.1f} s{waiters}"


def _table(found: Sequence[Status]) -> Table:
    rows = [_row(status, holder) for status in found for holder in status.holders or (None,)]
    columns = ("lock", "holder", "since", "lease left", "token", "waiters")
    return table(columns, rows, right=("lease left", "token"))


def _row(status: Status, holder: Holder | None) -> list[str]:
    held = ["free", "", "", str(status.token)]
    if holder is not None:
        since = holder.since.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        held = [holder.owner, since, f"{holder.lease_left:.1f} s", str(holder.token)]
    return [status.name, *held, ", ".join(place.owner for place in status.waiters)]
