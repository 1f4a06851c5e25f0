"""Locks that programs on many machines can trust: fair, leased, fenced."""

from penstock.locks.backend import Backend, Granted, Reply, Waiter
from penstock.locks.errors import LeaseTooShort, LockLost, LockTimeout, NotHeld
from penstock.locks.fencing import fenced_update
from penstock.locks.handle import Held, Holding
from penstock.locks.manager import LockerRoom
from penstock.locks.places import BACKENDS, OpenBackend, lock_place
from penstock.locks.process_identity import boot, has_ended, myself
from penstock.locks.rules import step
from penstock.locks.state import LockState, Place, Request
from penstock.locks.status import Holder, Status

__all__ = [
    "BACKENDS",
    "Backend",
    "Granted",
    "Held",
    "Holder",
    "Holding",
    "LeaseTooShort",
    "LockLost",
    "LockState",
    "LockTimeout",
    "LockerRoom",
    "NotHeld",
    "OpenBackend",
    "Place",
    "Reply",
    "Request",
    "Status",
    "Waiter",
    "boot",
    "fenced_update",
    "has_ended",
    "lock_place",
    "myself",
    "step",
]
