"""Everything the server counts, so that loss, duplication and overspending can be proved."""

from __future__ import annotations

from array import array
from collections import Counter, deque
from typing import TypedDict, final

from penstock.simulator.limiter import LimitVerdict, limiter_for
from penstock.simulator.settings import SimulatorSettings
from penstock.simulator.streams.log import StreamLog, StreamTruth

__all__ = ["Account", "KeyTruth", "Ledger", "Truth", "WindowTruth"]

DETAILS = 1000


class WindowTruth(TypedDict):
    """One window of one key; ``start`` is in seconds since 1970."""

    start: float
    accepted: int
    rejected: int


class KeyTruth(TypedDict):
    """What one key did; ``windows`` has the last 1,000, ``lowest_remaining`` is over all time."""

    accepted: int
    rejected: int
    spent_total: int
    lowest_remaining: int | None
    windows: list[WindowTruth]


class Truth(TypedDict):
    """A snapshot of the counts. JSON writes the keys of the inner dicts as strings."""

    requests: int
    by_status: dict[str, int]
    faults: dict[str, int]
    served: int
    served_total: int
    served_more_than_once: dict[str, int]
    accepted: int
    rejected: int
    per_key: dict[str, KeyTruth]
    posted: dict[str, int]
    connections: int
    peak_connections: int
    users: int
    deleted: int
    ids: dict[str, int]
    streams: dict[str, StreamTruth]


@final
class Account:
    """One key: its limiter and what it did with it."""

    __slots__ = (
        "_end",
        "_settings",
        "accepted",
        "limiter",
        "lowest_remaining",
        "rejected",
        "windows",
    )

    def __init__(self, settings: SimulatorSettings) -> None:
        self.limiter = limiter_for(settings)
        self.accepted = 0
        self.rejected = 0
        self.lowest_remaining: int | None = None
        self.windows: deque[WindowTruth] = deque(maxlen=DETAILS)
        self._settings = settings
        self._end = float("-inf")

    def charge(self, now: float, epoch: float) -> LimitVerdict:
        """Let the limiter decide at ``now`` and write it down."""
        verdict = self.limiter.take(now)
        if now >= self._end:
            # The same rule as the fixed window's, so that the two begin together.
            self._end = now + self._settings.window
            self.windows.append({"start": epoch, "accepted": 0, "rejected": 0})
        window = self.windows[-1]
        if verdict.accepted:
            self.accepted += 1
            window["accepted"] += 1
            if self.lowest_remaining is None or verdict.remaining < self.lowest_remaining:
                self.lowest_remaining = verdict.remaining
        else:
            self.rejected += 1
            window["rejected"] += 1
            self.lowest_remaining = 0
        return verdict

    def truth(self) -> KeyTruth:
        """Return the counts."""
        return {
            "accepted": self.accepted,
            "rejected": self.rejected,
            "spent_total": self.accepted,
            "lowest_remaining": self.lowest_remaining if self._settings.limit else None,
            "windows": [window.copy() for window in self.windows],
        }


@final
class Ledger:
    """The counts of one server, changed by its event loop only.

    >>> ledger = Ledger(SimulatorSettings(users=3))
    >>> ledger.sent(2); ledger.sent(2)
    >>> truth = ledger.truth()
    >>> truth["served"], truth["served_more_than_once"]
    (1, {'2': 2})
    """

    def __init__(self, settings: SimulatorSettings) -> None:
        self._settings = settings
        self.requests = 0
        self.by_status: Counter[int] = Counter()
        self.faults: Counter[str] = Counter()
        self.accounts: dict[str, Account] = {}
        self.odd: set[bytes] = set()  # what was asked of the odd list
        self.posted: Counter[str] = Counter()
        self.streams: dict[str, StreamLog] = {}
        self.connections = 0
        self.peak_connections = 0
        self._sent = array("I", bytes(4 * settings.users))
        self._served = 0
        self._served_total = 0
        self._repeated: set[int] = set()

    def opened(self) -> None:
        """Count a connection."""
        self.connections += 1
        self.peak_connections = max(self.peak_connections, self.connections)

    def closed(self) -> None:
        """Count a connection's end."""
        self.connections -= 1

    def sent(self, user_id: int) -> None:
        """Count a user whose whole answer was handed to the network."""
        times = self._sent[user_id] + 1
        self._sent[user_id] = times
        self._served_total += 1
        if times == 1:
            self._served += 1
        elif times == 2:
            self._repeated.add(user_id)

    def truth(self, *, ids: bool = False) -> Truth:
        """Return a snapshot; ``ids`` adds how often each id was served."""
        accounts = self.accounts
        repeated = sorted(self._repeated)[:DETAILS]
        return {
            "requests": self.requests,
            "by_status": {str(status): n for status, n in sorted(self.by_status.items())},
            "faults": dict(sorted(self.faults.items())),
            "served": self._served,
            "served_total": self._served_total,
            "served_more_than_once": {str(id_): self._sent[id_] for id_ in repeated},
            "accepted": sum(account.accepted for account in accounts.values()),
            "rejected": sum(account.rejected for account in accounts.values()),
            "per_key": {key: account.truth() for key, account in accounts.items()},
            "posted": dict(self.posted),
            "connections": self.connections,
            "peak_connections": self.peak_connections,
            "users": self._settings.users,
            "deleted": self._settings.deleted,
            "ids": {str(id_): n for id_, n in enumerate(self._sent) if n} if ids else {},
            "streams": {path: log.truth(ids=ids) for path, log in self.streams.items()},
        }
