"""Locks that programs on many machines can trust: fair, leased, fenced."""

from penstock.locks.errors import LockLost, LockTimeout, NotHeld
from penstock.locks.fencing import fenced_update
from penstock.locks.handle import Held, Holding
from penstock.locks.manager import LockerRoom
from penstock.locks.status import Holder, Status

__all__ = [
    "Held",
    "Holder",
    "Holding",
    "LockLost",
    "LockTimeout",
    "LockerRoom",
    "NotHeld",
    "Status",
    "fenced_update",
]
