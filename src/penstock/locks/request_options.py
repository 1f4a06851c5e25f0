"""What somebody wants of a lock, checked before anything happens."""

from __future__ import annotations

import functools
import getpass
import math
import os
import socket
import sys
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias, TypedDict, final

from penstock.errors import InputError
from penstock.locks.leases import Lost
from penstock.locks.process_identity import elapsed
from penstock.locks.state import QueuePlace

__all__ = ["ALL", "LockOptions", "Terms", "Timeout", "check_name", "deadline_of", "default_owner"]

Timeout: TypeAlias = float | datetime | None
"""How long to wait: seconds, a moment with its time zone, or None for as long as it takes."""

ALL = 1_000_000
"""The capacity of a read-write lock: a writer takes all of it, a reader 1."""

LEAST_LEASE = 0.05
"""Seconds: a lease shorter than this could not be renewed in time anywhere."""

_ETERNITY = 1e12  # seconds
_LONGEST_NAME = 512
_LONGEST_LEASE = 366 * 86_400.0
_MOST_TOKENS = 1 << 62


class Terms(TypedDict, total=False):
    """What may be said of any hold beside whose it is and how long to wait for it.

    Attributes:
        lease: Seconds that the holder may be silent, instead of the room's.
        lost: Called with the reason, in a thread of its own, when the lock is lost.
    """

    lease: float | None
    lost: Lost | None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LockOptions:
    """One wish to hold a lock.

    Attributes:
        name: The lock.
        owner: Who wants it, for people.
        lease: Seconds it may hold without a renewal.
        weight: How much of the capacity it takes.
        capacity: What the lock is: 1 for plain, n for a semaphore, ``ALL`` for read-write.
        reserve: Tokens to take at once.
        above: What the token is to be larger than, whatever was given out before.
        lost: Who wants to be told when it is lost.
        reentrant: Whether who holds it already just gets it once more.

    Raises:
        InputError: A name, an owner, a lease or a size cannot be.
    """

    name: str
    owner: str
    lease: float
    weight: int = 1
    capacity: int = 1
    reserve: int = 1
    above: int = 0
    lost: Lost | None = None
    reentrant: bool = False

    def __post_init__(self) -> None:
        check_name(self.name)
        check_name(self.owner, "an owner")
        if not is_number(self.lease) or not LEAST_LEASE <= self.lease <= _LONGEST_LEASE:
            raise InputError(
                f"lease={self.lease!r}: a lease is at least {LEAST_LEASE} seconds, so that it can "
                "be renewed in time, and at most a year"
            )
        if type(self.capacity) is not int or not self.weight <= self.capacity <= ALL:
            raise InputError(f"a semaphore has 1 to {ALL:,} places, not {self.capacity!r}")
        whole = is_number(self.above) and not isinstance(self.above, float)  # or MongoDB's Int64
        if not whole or not 0 <= self.above < _MOST_TOKENS:
            raise InputError(f"above={self.above!r}: a token is a whole number from 0 on")

    def place(self, process: str, address: str = "") -> QueuePlace:
        """Return a new place for it, unlike any other."""
        return QueuePlace(
            id=uuid.uuid4().hex,
            owner=self.owner,
            lease=self.lease,
            process=process,
            address=address,
            weight=self.weight,
            reserve=self.reserve,
            floor=int(self.above),
        )


def check_name(name: object, what: str = "a lock's name") -> None:
    """Refuse a name that a store, a terminal or a person would trip over.

    >>> check_name("")
    Traceback (most recent call last):
    ...
    penstock.errors.InputError: a lock's name is a text of 1 to 512 characters, not ''
    """
    if not isinstance(name, str):
        raise InputError(f"{what} is a text, not {name!r}")
    if not 0 < len(name) <= _LONGEST_NAME:
        shown = f"one of {len(name):,}" if name else "''"
        raise InputError(f"{what} is a text of 1 to {_LONGEST_NAME} characters, not {shown}")
    if not name.isprintable():
        raise InputError(f"{what} holds printable characters only, not {name[:60]!r}")


def deadline_of(timeout: Timeout) -> float:
    """Return when waiting ends, on this machine's clock.

    Raises:
        InputError: It is negative, not a number, or a moment without a time zone.

    >>> deadline_of(None)
    inf
    """
    if timeout is None:
        return math.inf
    if isinstance(timeout, datetime):
        if timeout.tzinfo is None:
            raise InputError("timeout: a moment needs its time zone, as in datetime.now(UTC)")
        return elapsed() + max(0.0, (timeout - datetime.now(UTC)).total_seconds())
    if not is_number(timeout) or not timeout >= 0:
        raise InputError(f"timeout={timeout!r}: seconds of 0 or more, or None to wait indefinitely")
    return elapsed() + timeout if timeout < _ETERNITY else math.inf


def is_number(value: object) -> bool:
    """Whether it is a number that is meant as one."""
    return isinstance(value, int | float) and not isinstance(value, bool)


@functools.lru_cache
def default_owner(purpose: str | None, pid: int) -> str:
    """Return who a process is as a person would say it: user, host, process, and what for."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a number without a name, as in containers
        user = str(os.getuid())
    what = purpose or Path(sys.argv[0] or "python").name or "python"
    return f"{user}@{socket.gethostname()} pid {pid} ({what})"
