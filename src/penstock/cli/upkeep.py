"""``penstock verify``, ``repair`` and ``backup``: a store looked after."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from penstock.assembly import store_named
from penstock.cli.bar import bar
from penstock.cli.output import JSON, tell
from penstock.cli.stopping import stoppable
from penstock.store import Repaired, backup_store, repair_store, store_place, verify_store

__all__ = ["backup", "repair", "verify"]

_SHOWN = 20  # damages and keys that are shown to people


@click.command()
@click.argument("store", type=click.Path())
@JSON
@stoppable()
def verify(store: str, *, as_json: bool) -> None:
    """Compare every record in STORE with its checksum, and look at all that is known of them.

    STORE is a directory, mongodb://..., or env:NAME or file:PATH that holds either. A run may go
    on in it meanwhile. Exit codes: 0 all is well, 1 something is damaged, 4 nothing can be read.
    """
    with bar("verifying") as report:
        done = verify_store(place := store_named(store), progress=report)
    lines = [f"{damage.file}: {damage.what}" for damage in done.damages[:_SHOWN]]
    if (more := len(done.damages) - _SHOWN) > 0:
        lines.append(f"... and {more:,} more: --json shows all")
    state = "all is well" if not done.damages else f"{len(done.damages):,} damages"
    lines.append(f"{done.lines:,} records, {done.bytes:,} bytes: {state}")
    if done.damages and isinstance(store_place(place), Path):
        lines.append(f"next:  penstock repair {store} --dry-run")
    elif done.damages:
        lines.append("next:  mongorestore them, or delete those documents and run again")
    tell(done, "\n".join(lines), as_json=as_json)
    raise SystemExit(bool(done.damages))


@click.command()
@click.argument("store", type=click.Path())
@click.option("--dry-run", is_flag=True, help="Change nothing, only say what would be done.")
@JSON
@stoppable()
def repair(store: str, *, dry_run: bool, as_json: bool) -> None:
    """Make what is known of STORE agree again with its records; nothing is thrown away.

    The ledger is made again from the segments. Damaged lines are copied to STORE/aside, and their
    keys are to do again: run the pipeline. Exit codes: 0 all that landed is there, 1 something
    has to be fetched again, 3 a run has it open, 4 the disk refuses.
    """
    done = repair_store(store_named(store), dry_run=dry_run)
    tell(done, "\n".join(_words(store, done, dry_run=dry_run)), as_json=as_json)
    raise SystemExit(not done.whole)


@click.command()
@click.argument("store", type=click.Path())
@click.argument("target", type=click.Path())
@JSON
@stoppable()
def backup(store: str, target: str, *, as_json: bool) -> None:
    """Copy STORE to the directory TARGET, also while a run lands in it.

    The copy is the store at one moment: it opens and verifies. Where TARGET is an earlier backup
    of STORE, only what is new is copied.
    """
    with bar("copying") as report:
        done = backup_store(store_named(store), target, progress=report)
    words = f"{done.landed:,} records in {target} ({done.copied:,} bytes copied)"
    tell({"target": target, **dataclasses.asdict(done)}, words, as_json=as_json)


def _words(store: str, done: Repaired, *, dry_run: bool) -> list[str]:
    if not done.changed:
        return [f"{done.landed:,} records: nothing to mend"]
    told = [f"{'would be' if dry_run else 'mended'}: {done.landed:,} records"]
    for count, what in (
        (done.adopted, "lines that the ledger did not know have landed"),
        (done.damaged, f"damaged places are kept in {Path(store) / 'aside'}"),
        (done.twice, f"lines of keys that had landed already are kept in {Path(store) / 'aside'}"),
        (done.put_back, "keys are to do again: run their pipeline"),
    ):
        if count:
            told.append(f"  {count:,} {what}")
    if done.keys:
        told.append("  first of them: " + ", ".join(map(repr, done.keys[:_SHOWN])))
    if done.reset:
        told.append("  the pages of the source are walked through from the beginning")
    if done.lost:
        told.append(f"  could not be read in the old ledger: {', '.join(done.lost)}")
        told.append("  what only it knew (failures, marks, gaps, deletions) may be missing")
    return told
