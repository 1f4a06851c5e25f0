"""Keeping a coordinator out that was replaced: it may have stood still and know nothing of it.

A run holds a lock and gets a token with it, larger than that of every run before. The ledger keeps
the token of the run that may write, and every transaction begins by comparing: SQLite lets one
transaction at a time write, so that nothing of an earlier run comes after the takeover.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import final

import msgspec

from penstock.errors import StoreInUse
from penstock.store.ledger import begun, read, translated

__all__ = ["Fence", "check", "current", "last_token_of", "replaced", "take_over"]

_READ = "SELECT value FROM fact WHERE name = 'fence'"


@final
@dataclass(frozen=True, slots=True)
class Fence:
    """A run's right to write.

    Attributes:
        scope: Which lock the token is of: tokens of two locks cannot be compared.
        token: The token; a larger one of the same lock is a later run's.
    """

    scope: str
    token: int


def current(connection: sqlite3.Connection) -> Fence | None:
    """Return who may write, or None where nobody with a token ever did."""
    row: tuple[str] | None = connection.execute(_READ).fetchone()
    return None if row is None else msgspec.json.decode(row[0], type=Fence)


def last_token_of(directory: Path, scope: str) -> int:
    """Return the token of the last run that had the store by this lock, 0 where none had."""
    with translated(directory):
        if not begun(directory):
            return 0
    with translated(directory), closing(read(directory)) as connection:
        now = current(connection)
    return now.token if now is not None and now.scope == scope else 0


def take_over(connection: sqlite3.Connection, fence: Fence) -> None:
    """Make ``fence`` the one that may write; to be called in a transaction.

    Raises:
        StoreInUse: A later run was here.
    """
    before = current(connection)
    if before is not None and before.scope == fence.scope and before.token > fence.token:
        raise replaced(before, fence)
    told = msgspec.json.encode(fence).decode()
    connection.execute("INSERT OR REPLACE INTO fact VALUES ('fence', ?)", (told,))


def check(connection: sqlite3.Connection, fence: Fence | None) -> None:
    """Return where ``fence`` may write; to be called first in each transaction.

    Raises:
        StoreInUse: Another run has taken over.
    """
    if fence is not None and (now := current(connection)) != fence:
        raise replaced(now, fence)


def replaced(by: Fence | None, fence: Fence) -> StoreInUse:
    """Return what to tell a run that wants to write after another took its place."""
    token = "none" if by is None else by.token
    return StoreInUse(
        f"another run has taken this store over (its token is {token}, ours {fence.token}): "
        "nothing more of this run is written; run again to go on"
    )
