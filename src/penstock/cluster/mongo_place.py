"""A shared budget in MongoDB: one document, replaced by comparison, on the server's clock."""

from __future__ import annotations

import math
import random
import socket
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, final

import msgspec

from penstock.address import hide
from penstock.clock import Clock
from penstock.cluster.permits import Shared, begin
from penstock.errors import InputError, StorageError
from penstock.locks import myself

__all__ = ["MongoBudgetPlace"]

COLLECTION = "penstock.budgets"
_DEADLINE = 60.0
_REMEMBERED = 32  # replacements whose author can still be told
_APART = 0.1  # seconds that a member's clock may be ahead of, or behind, those of all
_LONGEST_PAUSE = 0.1
_TICK = 0.001  # seconds to which the server tells its time
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Shared)


@final
class MongoBudgetPlace:
    """A budget of all processes that reach a replica set.

    The document carries a version, and is only replaced where it still has the version that was
    read: two processes never decide from the same state. Its clock is the primary's; those of the
    other members, of which one may be the next, may be 0.2 s apart.

    Args:
        address: ``mongodb://host,host/DATABASE``.
        name: The budget's: the document's ``_id``.
        clock: Source of monotonic time.

    Raises:
        InputError: The address cannot be used.
        StorageError: Nobody answers.
    """

    lease = 5.0
    life = 0.25

    def __init__(self, address: str, name: str, clock: Clock) -> None:
        from penstock.mongo import connect, place_in, resilient
        from penstock.store import translated

        self._clock, self._name = clock, name
        self._shown = f"{hide(address)}: budget {name!r}"
        self.process = f"{socket.gethostname()}/{myself()}"
        self._low, self._high = -math.inf, math.inf
        self._translated = translated
        made = {
            "version": 0,
            "born": uuid.uuid4().hex,
            "by": [],
            "shared": _ENCODER.encode(begin(0.0)),
        }
        with translated(self._shown):
            self._client = connect(address, deadline=_DEADLINE)
            try:
                found = self._client[place_in(address).database][COLLECTION]
                self._budgets = resilient(found, idempotent=True)
                self._budgets.update_one({"_id": self._name}, {"$setOnInsert": made}, upsert=True)
                self._born = self._found().get("born")
                self._shared, self._version = self._looked()
            except BaseException:
                self._client.close()
                raise

    def offset(self) -> tuple[float, float]:
        """Return the bounds of (the server's clock - ours), whichever member is the primary."""
        return self._low - _APART, self._high + _APART

    def _heard(self, now: datetime, sent: float) -> None:
        moment = now.replace(tzinfo=UTC).timestamp()
        low, high = moment - self._clock.monotonic(), moment + _TICK - sent
        if low > self._high or high < self._low:
            self._low, self._high = low, high  # another primary, or a clock that was set
        else:
            self._low, self._high = max(low, self._low), min(high, self._high)

    def _found(self) -> dict[str, Any]:
        sent = self._clock.monotonic()
        shown = {"shared": 1, "version": 1, "by": 1, "born": 1, "now": "$$NOW"}
        with self._translated(self._shown):
            found = self._budgets.find_one({"_id": self._name}, shown)
        if found is None:
            raise StorageError(f"{self._shown}: its document is gone; who deleted it?")
        self._heard(found["now"], sent)
        return found

    def _looked(self) -> tuple[Shared, int]:
        return self._decoded(self._found())

    def _decoded(self, found: dict[str, Any]) -> tuple[Shared, int]:
        try:
            version = msgspec.convert(found["version"], int)
            msgspec.convert(found["by"], list[str])
            shared = _DECODER.decode(found["shared"])
        except (msgspec.MsgspecError, InputError, KeyError, TypeError) as error:
            raise StorageError(f"{self._shown}: written by something else: {error}") from error
        if found.get("born") != self._born:  # what was spent of the other is not known here
            raise StorageError(f"{self._shown}: its document is another one; who deleted it?")
        return shared, version

    def change(self, decide: Callable[[Shared, frozenset[str]], Shared]) -> None:
        """Replace the budget by what ``decide`` makes of it, where nobody else has replaced it."""
        pause = _TICK
        while True:
            before, version = self._shared, self._version
            after = decide(before, frozenset())
            if after is before:
                self._shared, self._version = self._looked()
                if self._version == version:
                    return
            elif self._replaced(after):
                return
            else:  # many at once would keep each other from it
                self._clock.sleep(random.random() * pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _replaced(self, after: Shared) -> bool:
        """Return whether the budget became ``after``; else it is known what it is instead."""
        us = uuid.uuid4().hex
        names = {"$slice": [{"$concatArrays": [[us], "$by"]}, _REMEMBERED]}
        data = {"$literal": _ENCODER.encode(after)}
        fresh = {"shared": data, "version": self._version + 1, "by": names, "at": "$$NOW"}
        sent = self._clock.monotonic()
        with self._translated(self._shown):
            found = self._budgets.find_one_and_update(
                {"_id": self._name, "version": self._version, "born": self._born},
                [{"$set": fresh}],
                {"at": 1},
                return_document=True,
            )
        if found is not None:
            self._heard(found["at"], sent)
            self._shared, self._version = after, self._version + 1
            return True
        found = self._found()
        self._shared, self._version = self._decoded(found)
        return us in found["by"]  # it was ours, only the reply was lost

    def read(self) -> Shared:
        """Return the budget as it is."""
        self._shared, self._version = self._looked()
        return self._shared

    def seen(self) -> Shared:
        """Return the budget as it was when last looked at."""
        return self._shared

    def close(self) -> None:
        """Let go of the connections. Closing twice is allowed."""
        self._client.close()
