"""What the endpoints see: the settings, the people, the counts; and one call upon them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, final

from penstock.simulator.auth import AuthCheck
from penstock.simulator.ledger import Account, Ledger
from penstock.simulator.request import ReceivedRequest
from penstock.simulator.settings import SimulatorSettings
from penstock.simulator.users import deleted_ids

__all__ = ["ReceivedCall", "World"]


class ReceivedCall(NamedTuple):
    """A request with who makes it and when: ``now`` is monotonic, ``epoch`` the true time."""

    request: ReceivedRequest
    key: str
    now: float
    epoch: float

    @property
    def base(self) -> str:
        """The URL the client used, without a path."""
        return f"http://{self.request.headers.get('host', '127.0.0.1')}"


@final
class World:
    """One server's state; only its event loop touches it."""

    def __init__(
        self, settings: SimulatorSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.deleted = deleted_ids(settings.seed, settings.users, settings.deleted)
        self.existing: Sequence[int] = range(settings.users)
        if self.deleted:
            self.existing = [id_ for id_ in range(settings.users) if id_ not in self.deleted]
        self.ledger = Ledger(settings)
        self.gate = AuthCheck(settings)

    def user_id(self, path: str) -> int | None:
        """Return the id in ``/anything/{id}.json``, or None where there is no such user.

        >>> world = World(SimulatorSettings(users=10))
        >>> world.user_id("/users/7.json"), world.user_id("/users/10.json")
        (7, None)
        """
        text = path[path.find("/", 1) + 1 : -len(".json")]
        if not text.isdecimal() or len(text) > 12:
            return None
        user_id = int(text)
        return user_id if user_id < self.settings.users and user_id not in self.deleted else None

    def account(self, key: str) -> Account:
        """Return the account of ``key``, opening it at its first request."""
        account = self.ledger.accounts.get(key)
        if account is None:
            account = Account(self.settings)
            self.ledger.accounts[key] = account
        return account

    def reset(self) -> None:
        """Forget all counts and limits; open connections and tokens stay."""
        connections = self.ledger.connections
        self.ledger = Ledger(self.settings)
        self.ledger.connections = self.ledger.peak_connections = connections
