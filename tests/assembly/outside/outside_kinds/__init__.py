"""One kind of every slot, by somebody who knows only what the rooms' faces offer."""

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from penstock.assembly import Kind, Site, Used
from penstock.http import Bearer, End, Get, Next, PageNumber, Response, Secret, Unreadable
from penstock.locks import Granted, LockState, Reply, Request, Waiter, step
from penstock.pipeline import Key, Landing, Result, Stage
from penstock.store import Fence, LocalStore, StoreReader, last_token, open_readonly
from penstock.streaming import Framer, NoResume, Preset, framing


def evens(stop: int) -> Iterator[int]:
    """Even numbers.

    Args:
        stop: The first number that is not a key any more.
    """
    yield from range(0, stop, 2)


@dataclass(frozen=True)
class Hop:
    """Page numbers, as ``page`` has them."""

    param: str = "page"
    first: int = 1

    @property
    def _like(self) -> PageNumber:
        return PageNumber(param=self.param, size=4, items="items")

    def ask(self, request: Get, position: str | int | None) -> Get:
        return self._like.ask(request, position)

    def following(self, response: Response, position: str | int | None) -> Next | End | Unreadable:
        return self._like.following(response, position)

    def count(self, response: Response) -> range | None:
        return None


def door(phrase: str | Secret) -> Bearer:
    """A bearer token by another name."""
    return Bearer(phrase)


@dataclass(frozen=True)
class StampSection:
    """Puts a word into each record.

    Attributes:
        word: The word.
    """

    word: str


def _stamping(section: StampSection, site: Site) -> Stage[object, object]:
    def stage(results: Sequence[Result[Key, object]]) -> Sequence[Result[Key, object]]:
        stamped: list[Result[Key, object]] = []
        for one in results:
            assert isinstance(one.value, Response)
            record = msgspec.json.decode(one.value.body, type=dict[str, object])
            record |= {"word": section.word, "folder": site.folder.name}
            body = json.dumps(record).encode()
            stamped.append(Result(one.key, Landing(one.key, body), None, one.attempts))
        return stamped

    return stage


STAMP = Kind("stamp", StampSection, _stamping, lambda section: f"stamp: {section.word}")


@dataclass(frozen=True)
class Tally:
    """Counts what landed."""

    describes = "tally: counts"

    def catch_up(self, store: StoreReader) -> None:
        pass

    def finish(self, store: StoreReader) -> Used:
        return Used("tally", "counted", store.status().landed)


class _Shelf:
    """Stores at ``shelf:///directory``."""

    def _path(self, address: str) -> Path:
        return Path(address.removeprefix("shelf://"))

    def open(self, address: str, fence: Fence | None) -> LocalStore:
        self._path(address).mkdir(parents=True, exist_ok=True)
        return LocalStore(self._path(address) / "records", fence=fence)

    def read(self, address: str) -> StoreReader:
        return open_readonly(self._path(address) / "records")

    def last_token(self, address: str, scope: str) -> int:
        return last_token(self._path(address) / "records", scope)


Shelf = _Shelf()


class InMemory:
    """Locks of this process."""

    interval = 0.01

    def __init__(
        self, address: str, database: str | None = None, collection: str | None = None
    ) -> None:
        self.process = f"process {uuid.uuid4()}"
        self._states: dict[str, LockState] = {}
        self._mutex = threading.Lock()

    def apply(self, name: str, request: Request, limit: float | None = None) -> Reply:
        with self._mutex:
            sent = time.monotonic()
            state = step(self._states.get(name, LockState()), request, sent)
            self._states[name] = state
            return Reply(state, sent, sent)

    def waiter(self) -> AbstractContextManager[Waiter]:
        return contextlib.nullcontext(_Ear())

    def read(self, name: str) -> Reply:
        now = time.monotonic()
        return Reply(self._states.get(name, LockState()), now, now)

    def read_all(self) -> Iterator[tuple[str, Reply]]:
        return iter([(name, self.read(name)) for name in sorted(self._states)])

    def ended(self, state: LockState) -> frozenset[str]:
        return frozenset()

    def wall(self, moment: float) -> float:
        return time.time() - time.monotonic() + moment

    def describe(self) -> str:
        return "in memory; waiters look"

    def close(self) -> None:
        pass


class _Ear:
    address = ""

    def __init__(self) -> None:
        self._nudged = threading.Event()

    def expect(self, place_id: str) -> None:
        pass

    def wait(self, reply: Reply, place_id: str, timeout: float) -> Granted | frozenset[str] | None:
        self._nudged.wait(min(timeout, 0.01))
        return frozenset()

    def nudge(self) -> None:
        self._nudged.set()


def pipes(max_bytes: int) -> Framer:
    """Lines, as CouchDB sends them."""
    return framing.lf(max_bytes)


TICKER = Preset(service="a ticker", framing="pipes", id=("id",))


def never() -> NoResume:
    """As ``none``."""
    return NoResume()
