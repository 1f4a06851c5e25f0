"""Fetched again, where it changed: requests carry the validators that came with what has landed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final
from zlib import crc32

import msgspec

from penstock.http import Api, Calls, Request, Response
from penstock.pipeline import Checkpoint, Key, LandedRecord, Result, entry_of
from penstock.store import WritableStore

_ASKED = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}


@final
class _Validators(msgspec.Struct):
    """What the server gave with a record, of which the checksum tells that it is still the one."""

    crc32: int
    headers: dict[str, str]


@final
class Revalidating:
    """A service whose answer 304 stands for the record that has landed.

    Args:
        api: The service.
        store: Where records land; validators are kept in its checkpoints.
    """

    def __init__(self, api: Api, store: WritableStore) -> None:
        self._api = api
        self._store = store

    def calls(self, concurrency: int = 1) -> _Revalidated:
        """Return a session of calls."""
        return _Revalidated(self._api.calls(concurrency), self._store)


@final
class _Revalidated:
    def __init__(self, calls: Calls, store: WritableStore) -> None:
        self._calls = calls
        self._store = store
        self.send, self.idle = calls.send, calls.idle
        self.wake, self.close = calls.wake, calls.close

    @property
    def pending(self) -> int:
        return self._calls.pending

    def submit(self, key: Key, request: Request) -> None:
        known = self._store.mark(_name(key))
        if known and request.method == "GET" and (body := self._store.get(key)) is not None:
            validators = msgspec.json.decode(known, type=_Validators)
            if validators.crc32 == crc32(body):
                headers = {**(request.headers or {}), **validators.headers}
                request = msgspec.structs.replace(request, headers=headers)
        self._calls.submit(key, request)

    def collect(self) -> Sequence[Result[Key, Response | LandedRecord]]:
        return [self._seen(result) for result in self._calls.collect()]

    def _seen(self, result: Result[Key, Response]) -> Result[Key, Response | LandedRecord]:
        answer = result.value
        if answer is None:
            return Result(result.key, None, result.error, result.attempts)
        if answer.status == 304 and (body := self._store.get(result.key)) is not None:
            same = LandedRecord(result.key, body)
            return Result(result.key, same, None, result.attempts)
        headers = answer.headers
        told = {asks: headers.get(name, "") for name, asks in _ASKED.items()}
        given = {asks: one for asks, one in told.items() if one.isascii() and one.isprintable()}
        given = {asks: one for asks, one in given.items() if one}
        entry = entry_of(result)
        if given and isinstance(entry, LandedRecord):
            kept = msgspec.json.encode(_Validators(crc32(entry.body), given)).decode()
            self._store.settle([Checkpoint(_name(result.key), kept)], _ignore)
        return Result(result.key, answer, None, result.attempts)


def _name(key: Key) -> str:
    return f"validators {msgspec.json.encode(key).decode()}"


def _ignore(_count: int) -> None:
    """Nobody waits for it."""
