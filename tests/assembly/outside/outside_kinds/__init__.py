"""One kind of every slot, by somebody who knows only what the rooms' faces offer."""

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from penstock.assembly import Kind, Site, Used
from penstock.clock import Clock
from penstock.cluster import Decide, Shared, begin
from penstock.destinations import Batch
from penstock.http import Bearer, End, Get, Next, PageNumber, Response, Secret, Unreadable
from penstock.locks import Granted, LockRequest, LockState, Reply, Waiter, step
from penstock.pipeline import Key, Landing, Result, Stage
from penstock.resilience import Budget, BudgetView, Dialect, Fields, Hints, Quota, Reset, Ticket
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

    def apply(self, name: str, request: LockRequest, limit: float | None = None) -> Reply:
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


def _shop(fields: Fields) -> Iterable[Quota]:
    """``X-Shop-Left: 3``, renewed within the hour."""
    if (left := fields.get("x-shop-left")) is not None:
        yield Quota("shop", remaining=float(left), reset=Reset(3600.0))


SHOP = Dialect("shop", "x-shop-", _shop)


class Counted:
    """Counts the calls it gave leave for, in a file.

    Args:
        path: The file.
        reserve: Requests that are never spent.
    """

    def __init__(self, path: str, reserve: float = 0) -> None:
        self._path = Path(path)
        self._budget = Budget(reserve=reserve)
        self._taken = 0

    def take(
        self, now: float, cost: Mapping[str, float] | None = None, path: str = ""
    ) -> Ticket | float:
        return self._budget.take(now, cost, path)

    def settle(
        self, ticket: Ticket, now: float, hints: Hints | None = None, status: int = 200
    ) -> None:
        self._taken += 1
        self._path.write_text(str(self._taken))
        self._budget.settle(ticket, now, hints, status)

    def abandon(self, ticket: Ticket) -> None:
        self._budget.abandon(ticket)

    def available(self) -> int:
        return self._budget.available()

    def renewed_in(self) -> float:
        return self._budget.renewed_in()

    def view(self, now: float) -> BudgetView:
        return self._budget.view(now)


class Attic:
    """Budgets of this process, at ``attic://anywhere``."""

    lease, life = 60.0, 0.0

    def __init__(self, address: str, name: str, clock: Clock) -> None:
        self.process = f"{address} {name}"
        self._shared = begin(clock.time() - clock.monotonic())

    def offset(self) -> tuple[float, float]:
        return 0.0, 0.0

    def change(self, decide: Decide) -> None:
        self._shared = decide(self._shared, frozenset())

    def read(self) -> Shared:
        return self._shared

    def seen(self) -> Shared:
        return self._shared

    def close(self) -> None:
        pass


class Crew(ThreadPoolExecutor):
    """Threads that write down what they were given.

    Args:
        workers: How many there are.
        log: The file.
    """

    def __init__(self, log: str, workers: int = 2) -> None:
        super().__init__(workers)
        self._log = Path(log)

    def submit(self, function: Callable[..., object], /, *keys: object) -> Future[object]:  # type: ignore[override] # its callers give one key
        with self._log.open("a") as log:
            log.write(f"{keys[0]}\n")
        return super().submit(function, *keys)


class Pile:
    """Tables at ``pile://file``: a JSON object of each row, by its key."""

    def __init__(self, address: str) -> None:
        self._path = Path(address.removeprefix("pile://"))

    def _read(self) -> dict[str, dict[str, object]]:
        found: dict[str, dict[str, object]] = (
            json.loads(self._path.read_text()) if self._path.exists() else {}
        )
        return found

    def state(self, table: str) -> bytes | None:
        found = self._read().get(table)
        return None if found is None else str(found["state"]).encode()

    def commit(self, batch: Batch) -> None:
        whole = self._read()
        rows = whole.get(batch.table, {}).get("rows", {})
        assert isinstance(rows, dict)
        rows |= {str(row[0]): repr(row) for row in batch.values()}
        whole[batch.table] = {"state": batch.after.decode(), "rows": rows}
        self._path.write_text(json.dumps(whole))

    def close(self) -> None:
        pass
