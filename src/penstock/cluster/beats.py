"""Signs of life of those who work on a run, in MongoDB beside its store."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, final

from penstock.address import hide

__all__ = ["Beats"]

_DEADLINE = 10.0
_KEPT = 86_400_000  # milliseconds for which a worker that ended without a word is shown


@final
class Beats:
    """Who works on the run that lands in a store, as they say themselves, on the server's clock.

    Args:
        address: The store: ``mongodb://host,host/DATABASE.COLLECTION``.

    Raises:
        InputError: The address cannot be used.
    """

    def __init__(self, address: str) -> None:
        from penstock.mongo import connect, place_in, resilient

        self._shown, place = hide(address), place_in(address)
        with self._translated():
            self._client = connect(address, deadline=_DEADLINE)
            beats = self._client[place.database][f"{place.collection}.workers"]
            self._beats = resilient(beats, idempotent=True)

    def _translated(self) -> AbstractContextManager[None]:
        from penstock.store import translated

        return translated(self._shown)

    def say(self, me: str, facts: Mapping[str, object]) -> bool:
        """Say how ``me`` is doing; return whether it was asked to stop.

        Raises:
            StorageError: The server does not answer.
        """
        told = {name: {"$literal": value} for name, value in facts.items()}
        with self._translated():
            found = self._beats.find_one_and_update(
                {"_id": me},
                [{"$set": {"host": socket.gethostname(), **told, "at": "$$NOW"}}],
                {"stop": 1},
                upsert=True,
                return_document=True,
            )
        return bool(found and found.get("stop"))

    def seen(self) -> list[dict[str, Any]]:
        """Return what each said last, with its ``age`` in seconds.

        Raises:
            StorageError: The server does not answer.
        """
        age = {"$divide": [{"$subtract": ["$$NOW", "$at"]}, 1000]}
        with self._translated():
            return list(self._beats.aggregate([{"$set": {"age": age}}, {"$sort": {"_id": 1}}]))

    def stop(self, group: str) -> None:
        """Ask those whose facts name ``group`` to stop; they see it with their next beat."""
        with self._translated():
            self._beats.update_many({"group": group}, {"$set": {"stop": True}})

    def leave(self, me: str) -> None:
        """Take away what ``me`` said, and what nobody has renewed for a day."""
        old = {"$lt": ["$at", {"$subtract": ["$$NOW", _KEPT]}]}
        with self._translated():
            self._beats.delete_many({"$or": [{"_id": me}, {"$expr": old}]})

    def close(self) -> None:
        """Let go of the connections. Closing twice is allowed."""
        self._client.close()
