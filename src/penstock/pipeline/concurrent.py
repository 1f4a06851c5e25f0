"""A bounded window of calls under way: the one loop beneath `fetch` and `in_threads`."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar, final

from penstock.errors import InputError
from penstock.pipeline.ports import ApiPort, CallsPort
from penstock.pipeline.result import Key, Result

_PATIENCE = 0.5

R = TypeVar("R")
V = TypeVar("V")


@final
class Slots:
    """How many items may be under way at once; given back from any thread.

    An item holds its slot until it is safe: yielded, or durable where a store follows. So a
    crash never costs more than one window of repeated calls.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise InputError(f"concurrency={limit}: at least 1 call at a time")
        self.limit = limit
        self._free = limit
        self._lock = threading.Lock()
        self._wake: Callable[[], object] = _nobody

    @property
    def free(self) -> int:
        """How many slots may be taken now."""
        return self._free

    def on_return(self, wake: Callable[[], object]) -> None:
        """Call ``wake`` whenever slots are given back by :meth:`returned`."""
        self._wake = wake

    def take(self) -> bool:
        """Take a slot, if one is free."""
        with self._lock:
            if self._free == 0:
                return False
            self._free -= 1
            return True

    def release(self, count: int) -> None:
        """Give ``count`` slots back, on the thread that takes them."""
        with self._lock:
            self._free += count

    def returned(self, count: int) -> None:
        """Give ``count`` slots back from another thread, and wake the one that takes them."""
        self.release(count)
        self._wake()


def _nobody() -> None:
    """Nobody waits yet."""


def fetch(
    keys: Iterable[Key],
    api: ApiPort[R, V],
    request: Callable[[Key], R],
    *,
    concurrency: int = 10,
    ordered: bool = False,
) -> Iterator[Result[Key, V]]:
    """Yield a result for each key, with at most ``concurrency`` calls under way.

    Lazy: a key is drawn when there is room for it. One key's failure is its own result and ends
    nothing else. Closing the generator drops what is under way.

    Args:
        keys: What to fetch.
        api: What performs the requests.
        request: Makes a key's request.
        concurrency: Size of the window.
        ordered: Yield in the order of ``keys`` instead of as completed; a slow call then holds
            its successors back, but never more than a window of them.

    Raises:
        InputError: The window is smaller than 1, or the server refuses our credentials.
        GaveUp: The server has failed for too long.
    """
    slots = Slots(concurrency)
    if ordered:
        return _in_order(keys, api, request, slots)
    chunks = fetch_chunks(keys, api, request, slots, hold=False)
    return (result for chunk in chunks for result in chunk)


def _in_order(
    keys: Iterable[Key], api: ApiPort[R, V], request: Callable[[Key], R], slots: Slots
) -> Iterator[Result[Key, V]]:
    places: dict[Key, deque[int]] = defaultdict(deque)

    def numbered() -> Iterator[Key]:
        for place, key in enumerate(keys):
            places[key].append(place)
            yield key

    early: dict[int, Result[Key, V]] = {}
    following = 0
    for chunk in fetch_chunks(numbered(), api, request, slots, hold=True):
        for result in chunk:
            early[places[result.key].popleft()] = result
            if not places[result.key]:
                del places[result.key]
        while following in early:
            slots.release(1)
            yield early.pop(following)
            following += 1


def fetch_chunks(
    keys: Iterable[Key],
    api: ApiPort[R, V],
    request: Callable[[Key], R],
    slots: Slots,
    *,
    hold: bool,
) -> Iterator[Sequence[Result[Key, V]]]:
    """Yield results in chunks, as they come; :func:`fetch` is this for everyone.

    A chunk may be empty where ``hold`` is set.

    Args:
        keys: What to fetch.
        api: What performs the requests.
        request: Makes a key's request.
        slots: The window.
        hold: Whether results keep their slots until the receiver gives them back.
    """
    calls = api.calls(slots.limit)
    slots.on_return(calls.wake)
    source = KeySource(iter(keys), request)
    chunk: Sequence[Result[Key, V]] = ()
    try:
        while True:
            failed = source.fill(calls, slots)
            if not hold:
                slots.release(len(failed))
            chunk = [*chunk, *failed]
            if calls.pending:
                calls.send()  # before the yield: a slow reader delays nobody's next call
            if chunk or hold:
                yield chunk  # an empty one lets the receiver say that its store has failed
            chunk = ()
            if calls.pending:
                chunk = calls.collect()
                if not hold:
                    slots.release(len(chunk))  # now: the next calls fill the window first
            elif source.exhausted:
                break
            elif not slots.free:
                calls.idle(_PATIENCE)  # every slot waits for the receiver
        source.raise_trouble()
    finally:
        calls.close()


@final
class KeySource(Generic[R]):
    """Draws keys while there is room; remembers what went wrong until the rest is done."""

    def __init__(self, keys: Iterator[Key], request: Callable[[Key], R]) -> None:
        self._keys = keys
        self._request = request
        self._trouble: Exception | None = None
        self.exhausted = False

    def fill(self, calls: CallsPort[R, V], slots: Slots) -> list[Result[Key, V]]:
        """Submit calls until the window is full; return keys whose request could not be made."""
        failed: list[Result[Key, V]] = []
        while not self.exhausted and slots.take():
            try:
                key = next(self._keys)
                self._submit(key, calls, failed)
            except StopIteration:
                self.exhausted = True
            except Exception as error:  # noqa: BLE001 - raised when all under way has ended
                self.exhausted, self._trouble = True, error
            else:
                continue
            slots.release(1)
        return failed

    def _submit(self, key: Key, calls: CallsPort[R, V], failed: list[Result[Key, V]]) -> None:
        try:
            request = self._request(key)
        except Exception as error:  # noqa: BLE001 - the caller's function: one item's trouble
            failed.append(Result(key, None, error, 0))
        else:
            calls.submit(key, request)

    def raise_trouble(self) -> None:
        """Raise what ended the source, if it did not end by itself."""
        if self._trouble is not None:
            raise self._trouble
