"""What can go wrong with a lock, each named by what to do next."""

from __future__ import annotations

from typing import final

from penstock.errors import InputError, Stopped

__all__ = ["LeaseTooShort", "LockLost", "LockTimeout", "NotHeld"]


@final
class LockTimeout(Stopped):
    """Somebody else held the lock for as long as the caller would wait. Exit code 3."""


@final
class LockLost(Stopped):
    """The lock is not ours any more: stop what it protects. Exit code 3."""


@final
class LeaseTooShort(InputError):
    """A lock came later than its lease ended. Exit code 2."""


@final
class NotHeld(InputError):
    """A release of what the caller does not hold. Exit code 2."""
