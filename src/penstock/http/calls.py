"""Many calls at once under one policy: what `Api.calls` gives to a pipeline.

One thread owns a :class:`Calls` and does all the deciding: what may be sent now, what an answer
means, when to try again. The I/O thread only performs. So a call's life reads top to bottom here:
submitted, allowed by breaker and budget, sent, answered, and then finished or put back.
"""

from __future__ import annotations

import heapq
import math
import random
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, final

from penstock.clock import Clock
from penstock.errors import (
    Absent,
    GaveUp,
    InputError,
    MissingExtra,
    PenstockError,
    PermanentError,
    RetryableError,
)
from penstock.events import BudgetSeen, Called, Events, Retry, Waiting
from penstock.http.body import decode_or_none
from penstock.http.io_thread import engine
from penstock.http.request import Get, Request
from penstock.http.response import Headers, Response, phrase
from penstock.http.transfer import Inbox, Transfer
from penstock.http.url import join, resolve, shown
from penstock.pipeline import Key, Result
from penstock.resilience import (
    QUOTA,
    Breaker,
    Dialect,
    Fault,
    Gate,
    Hints,
    RetryBudget,
    RetryPolicy,
    Ticket,
    hints_in_body,
    parse_hints,
    seconds_until,
    too_fast,
)

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_PASSED = 64  # waiting calls that others of another resource may pass
_CREDENTIALS = frozenset({401, 403, 407})
_NEVER_SAYS_WHEN = 0.05  # seconds between looks at a gate that another thread will open


class _Service(Protocol):
    """What makes transfers of requests, and knows what its answers mean: an ``Api``."""

    base: str
    max_redirects: int
    retry: RetryPolicy
    budget: Gate
    breaker: Breaker
    retries: RetryBudget
    dialects: tuple[Dialect, ...]
    events: Events | None
    clock: Clock
    rng: random.Random

    @property
    def prepares(self) -> bool: ...
    def prepare_to_call(self, now: float) -> None: ...
    def transfer(self, request: Request) -> Transfer: ...
    def is_failure(self, response: Response, method: str) -> bool: ...
    def renews(self, headers: list[str]) -> bool: ...
    def redirected(self, request: Request, target: str) -> Request: ...
    def led_to(self, request: Request, url: str) -> Request: ...
    def guards(self, peer: str) -> bool: ...
    def guard(self, transfer: Transfer) -> None: ...


@final
@dataclass(slots=True, eq=False)
class Call:
    """One item on its way through retries, quota waits and redirects."""

    key: Key
    request: Request
    first: float | None = None
    attempts: int = 0
    failures: int = 0
    hops: int = 0
    guarded: bool = False  # a server led there: to public addresses only
    raw: bool = False  # libcurl could not undo the content coding
    fresh: bool = False  # the kept connection was closed: on a new one, this time
    refusals: int = 0  # answers of 403 that were taken for "too fast"
    renewed: bool = False
    ticket: Ticket | None = None


@final
class Calls:
    """Calls to one service. Owned by one thread; only :meth:`wake` is for others."""

    def __init__(self, service: _Service) -> None:
        self._service = service
        self._retry = service.retry
        self._budget = service.budget
        self._breaker = service.breaker
        self._retries = service.retries
        self._events = service.events
        self._dialects = service.dialects
        self._rng = service.rng
        self._engine = engine()
        self._clock = service.clock
        self._waiting: deque[Call] = deque()
        self._delayed: list[tuple[float, int, Call]] = []
        self._flying: set[Transfer] = set()
        self._results: list[Result[Key, Response]] = []
        self._serial = 0
        self._condition = threading.Condition(threading.Lock())
        self._inbox = Inbox(self._notify)
        self._tell: Callable[[], None] | None = None  # in place of the condition, with asyncio
        self._woken = False
        self._told_until = -math.inf
        self._apart = False  # whether the server counts some paths apart from others

    @property
    def pending(self) -> int:
        """Calls submitted whose results were not collected yet."""
        queued = len(self._waiting) + len(self._delayed)
        return queued + len(self._flying) + len(self._results)

    def submit(self, key: Key, request: Request, *, guarded: bool = False) -> None:
        """Take a call on; it is sent by the next :meth:`send` or :meth:`collect`.

        Where it is ``guarded``, it goes to a public address or nowhere.
        """
        self._waiting.append(Call(key, request, guarded=guarded))

    def wake(self) -> None:
        """Make :meth:`collect` return, from any thread."""
        self._woken = True
        self._notify()

    def close(self) -> None:
        """Drop everything that is under way. What was sent counts as spent."""
        self._engine.cancel(self._flying)
        if self._flying:
            self._breaker.dropped()
        for transfer in self._flying:
            self._abandon(transfer)
        self._flying.clear()
        self._waiting.clear()
        self._delayed.clear()

    def _abandon(self, transfer: Transfer) -> None:
        call = transfer.context
        assert isinstance(call, Call)  # we put it there
        if call.ticket is not None:
            self._budget.abandon(call.ticket)

    def _notify(self) -> None:
        if self._tell is not None:
            self._tell()
            return
        with self._condition:
            self._condition.notify()

    def collect(self) -> list[Result[Key, Response]]:
        """Return the results that are there; wait for one where there is none.

        Returns an empty list when :meth:`wake` was called, or when nothing is pending.

        Raises:
            InputError: The server refused our credentials; nothing more was sent.
            GaveUp: The server has failed for longer than the breaker's policy waits.
        """
        while (wait := self._turn()) is not None:
            self._sleep(wait)
        return self._collected()

    async def acollect(self) -> list[Result[Key, Response]]:
        """Do as :meth:`collect` does, while the running event loop goes on with other tasks.

        Raises:
            InputError: The server refused our credentials; nothing more was sent.
            GaveUp: The server has failed for longer than the breaker's policy waits.
        """
        import asyncio

        loop, told = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            with suppress(RuntimeError):  # the loop has ended, and nobody waits
                loop.call_soon_threadsafe(told.set)

        self._tell = tell
        while True:
            if self._waiting and self._service.prepares:  # by calls of its own, which block
                await asyncio.to_thread(self._service.prepare_to_call, self._clock.monotonic())
            if (wait := self._turn()) is None:
                return self._collected()
            with suppress(TimeoutError):
                await asyncio.wait_for(told.wait(), self._patience(wait))
            told.clear()

    def _turn(self) -> float | None:
        """Do all there is to do; return for how long to wait then, None where results are there."""
        while True:
            wait = self.send()
            received = bool(self._inbox.received)
            while self._inbox.received:
                self._answered(self._inbox.received.popleft())
            if self._results or self._woken:
                return None
            if received:
                continue  # an answer to be asked for again: the wait is another one now
            return wait if self._waiting or self._delayed or self._flying else None

    def _collected(self) -> list[Result[Key, Response]]:
        self._woken = False
        results, self._results = self._results, []
        return results

    def idle(self, seconds: float) -> None:
        """Wait until :meth:`wake` is called, with nothing under way, at most ``seconds``."""
        with self._condition:
            if not self._woken:
                self._clock.wait(self._condition, seconds)
        self._woken = False

    def _sleep(self, wait: float) -> None:
        with self._condition:
            if self._inbox.received or self._woken:
                return
            self._clock.wait(self._condition, self._patience(wait))

    def _patience(self, wait: float) -> float | None:
        """Return for how many seconds to wait at most; None where somebody will tell."""
        if math.isinf(wait):
            return None if self._flying else _NEVER_SAYS_WHEN
        return wait

    def send(self) -> float:
        """Send what may be sent now; return the seconds until more may be."""
        now = self._clock.monotonic()
        delayed = self._delayed
        while delayed and delayed[0][0] <= now:
            self._waiting.append(heapq.heappop(delayed)[2])
        wait = self._send_waiting(now) if self._waiting else math.inf
        return min(wait, delayed[0][0] - now) if delayed else wait

    def _send_waiting(self, now: float) -> float:
        self._service.prepare_to_call(now)
        ready: list[Transfer] = []
        wait = math.inf
        held: list[Call] = []
        try:
            while self._waiting:
                if (pause := self._breaker.wait(now)) > 0:
                    wait = min(wait, pause)
                    break
                call = self._waiting.popleft()
                ticket = self._budget.take(now, call.request.cost, call.request.path)
                if isinstance(ticket, Ticket):
                    call.ticket = ticket
                    self._begin(call, ticket, now, ready)
                    continue
                held.append(call)
                wait = min(wait, ticket)
                # Another resource of the server may have room: but no search through thousands.
                if not self._apart or len(held) >= _MOST_PASSED:
                    break
        finally:
            self._waiting.extendleft(reversed(held))
            self._flying.update(ready)
            if ready:
                self._engine.submit(ready)
        if wait > _NEVER_SAYS_WHEN and self._waiting:
            self._tell_wait(wait, now)
        return wait

    def _begin(self, call: Call, ticket: Ticket, now: float, ready: list[Transfer]) -> None:
        try:
            ready.append(self._start(call, now))
        except MissingExtra:
            raise
        except Exception as error:  # noqa: BLE001 - a request that cannot be sent is one item's trouble
            self._budget.abandon(ticket)
            self._results.append(Result(call.key, None, self._unsendable(call, error), 0))

    def _tell_wait(self, wait: float, now: float) -> None:
        if math.isinf(wait) or self._events is None:
            return
        if abs(now + wait - self._told_until) > _NEVER_SAYS_WHEN:  # each wait is told once
            self._told_until = now + wait
            reason = "server is down" if self._breaker.is_open else "out of quota"
            self._events.emit(Waiting(seconds=wait, reason=reason))
            self._tell_budget(now)

    def _tell_budget(self, now: float) -> None:
        if self._events is not None:
            view = self._budget.view(now)
            self._events.emit(
                BudgetSeen(limit=view.limit, remaining=view.remaining, reset=view.reset)
            )

    def _unsendable(self, call: Call, error: Exception) -> PenstockError:
        if isinstance(error, PenstockError):
            return error
        problem = InputError(f"{call.request.method} {shown(call.request.path)}: {error}")
        problem.__cause__ = error
        return problem

    def _start(self, call: Call, now: float) -> Transfer:
        transfer = self._service.transfer(call.request)
        if call.guarded:
            self._service.guard(transfer)
        if call.first is None:
            call.first = now
            self._retries.called()
        call.attempts += 1
        self._breaker.started(now)
        transfer.inbox = self._inbox
        transfer.context = call
        transfer.fresh, call.fresh = call.fresh, False
        transfer.raw = call.raw
        return transfer

    def _answered(self, transfer: Transfer) -> None:
        self._flying.discard(transfer)
        call = transfer.context
        assert isinstance(call, Call)  # we put it there
        now = self._clock.monotonic()
        if self._events is not None and self._events.calls_wanted:
            self._tell_call(call, transfer)
        if transfer.error is not None:
            self._no_answer(call, transfer, transfer.error, now)
            return
        status = transfer.status
        hints = parse_hints(transfer.head, self._dialects)
        response = Response(status, transfer.url, transfer.head, transfer.body, transfer.seconds)
        response.peer = transfer.peer
        if status in QUOTA or status == 403:
            hints = hints_in_body(decode_or_none(response.body), hints)
        if (
            status not in self._retry.fatal
            and too_fast(status, hints)
            and self._believed(call, status)
        ):
            self._out_of_quota(call, response, hints, now)
            return
        self._settle(call, hints, status, now)
        if hints is not None and hints.quotas:
            self._apart = self._apart or bool(hints.quotas[0].resource)
            self._tell_budget(now)
        if status >= 500:
            self._breaker.failed(now)
        else:
            self._breaker.succeeded()
        if self._retry.takes(status, asks=call.request.asks) or (
            status == 304 and call.request.conditional
        ):
            self._arrived(call, response, now)
        elif status in _REDIRECTS and "location" in (headers := response.headers):
            call.guarded = call.guarded or self._service.guards(transfer.peer)
            self._redirect(call, response, headers)
        else:
            self._bad_status(call, transfer, response, hints, now)

    def _settle(self, call: Call, hints: Hints | None, status: int, now: float) -> None:
        assert call.ticket is not None  # it was sent
        self._budget.settle(call.ticket, now, hints, status)

    def _believed(self, call: Call, status: int) -> bool:
        """Whether a refusal is still taken for "too fast"; a 403 may mean what it says."""
        call.refusals += status not in QUOTA
        return call.refusals <= self._retry.attempts

    def _tell_call(self, call: Call, transfer: Transfer) -> None:
        assert self._events is not None  # the caller has looked
        told = Called(
            key=call.key,
            method=transfer.method,
            status=transfer.status or None,
            seconds=transfer.seconds,
            attempt=call.attempts,
        )
        self._events.emit(told)

    def _arrived(self, call: Call, response: Response, now: float) -> None:
        problem: PenstockError | None = None
        try:
            if self._service.is_failure(response, call.request.method):
                problem = PermanentError(f"{self._where(call)}: error in the body")
        except PermanentError as error:
            self._failed(call, error, response)  # it is whole and not JSON: so it would be again
            return
        if problem is None:
            self._results.append(Result(call.key, response, None, call.attempts))
        else:
            fault = Fault(status=response.status, in_body=True)
            self._again(call, fault, problem, response, now)

    def _no_answer(self, call: Call, transfer: Transfer, error: PenstockError, now: float) -> None:
        assert call.ticket is not None  # it was sent
        self._budget.abandon(call.ticket)
        if isinstance(error, GaveUp):
            raise error
        if transfer.stale and call.request.repeatable:
            # The server had closed the connection before: again at once, and not an attempt.
            call.fresh = True
            call.attempts -= 1
            self._breaker.dropped()
            self._waiting.appendleft(call)
            return
        if transfer.undecoded and call.request.repeatable and not call.raw:
            call.raw = True  # once more, to undo it ourselves
            self._breaker.dropped()
            self._waiting.appendleft(call)
            return
        if not isinstance(error, RetryableError):
            self._breaker.succeeded()
            self._failed(call, error, None)
            return
        self._breaker.failed(now)
        fault = Fault(sent=error.sent, retry_after=error.retry_after)
        self._again(call, fault, error, None, now)

    def _out_of_quota(
        self, call: Call, response: Response, hints: Hints | None, now: float
    ) -> None:
        """Put the call back: the budget knows when to go on, and waiting is not an attempt."""
        self._settle(call, hints, response.status, now)
        self._breaker.succeeded()
        self._tell_budget(now)
        error = PermanentError(f"{self._where(call)}: {phrase(response.status)}")
        fault = Fault(status=response.status, quota=response.status not in QUOTA)
        wait = self._retry.wait(
            fault,
            failures=call.failures,
            elapsed=now - (call.first or now) + self._budget.renewed_in(),
            idempotent=call.request.repeatable,
        )
        if wait is None:
            self._failed(call, error, response)
            return
        self._tell_retry(call, self._budget.renewed_in(), error, response.status)
        self._waiting.appendleft(call)

    def _bad_status(
        self,
        call: Call,
        transfer: Transfer,
        response: Response,
        hints: Hints | None,
        now: float,
    ) -> None:
        error = PermanentError(f"{self._where(call)}: {phrase(response.status)}")
        if response.status == 401 and not call.renewed and self._service.renews(transfer.headers):
            call.renewed = True
            self._waiting.appendleft(call)
            return
        if response.status in self._retry.absent:
            self._failed(call, Absent(str(error)), response)
            return
        if response.status in self._retry.fatal:
            raise self._refusal(error, response)
        retry_after = None
        if hints is not None and hints.retry_after is not None:
            retry_after = seconds_until(hints.retry_after, hints.date or self._clock.time())
        fault = Fault(status=response.status, retry_after=retry_after)
        self._again(call, fault, error, response, now)

    def _refusal(self, error: PenstockError, response: Response) -> InputError:
        what = (
            "the server refuses our credentials; stopped at once. Check the secret, then run again"
        )
        if response.status not in _CREDENTIALS:
            what = "stopped at once, as the policy (fatal) says"
        refusal = InputError(f"{error}: {what}. It said: {response.excerpt(200)!r}")
        refusal.status = response.status
        return refusal

    def _redirect(self, call: Call, response: Response, headers: Headers) -> None:
        """Go where the server points; credentials go along to the same origin only."""
        call.hops += 1
        try:
            call.request = self._pointed(call, response, headers["location"])
        except (InputError, PermanentError) as unusable:
            self._failed(call, unusable, response)
            return
        call.attempts -= 1
        self._waiting.appendleft(call)

    def _pointed(self, call: Call, response: Response, location: str) -> Request:
        target = join(response.url, location)
        most = self._service.max_redirects
        if call.hops > most or not target.startswith(("http://", "https://")):
            what = "redirected too often" if most else "redirected"
            raise PermanentError(f"{self._where(call)}: {what}, to {shown(target)}")
        request = call.request
        reads = request.idempotent is True and response.status != 303  # its body is the question
        if becomes_get(request.method, response.status) and not reads:
            request = Get(target, headers=request.headers, cost=request.cost)
        else:
            request = self._service.redirected(request, target)
        return self._service.led_to(request, response.url)

    def _again(
        self,
        call: Call,
        fault: Fault,
        error: PenstockError,
        response: Response | None,
        now: float,
    ) -> None:
        """Put the call back for later, or let it fail."""
        if self._breaker.gave_up(now):
            raise GaveUp(f"{error}: the server has failed for too long", attempts=call.attempts)
        if not self._breaker.is_open or call.failures + 1 < self._retry.attempts:
            call.failures += 1  # while all fails, the server is at fault, not the item
        wait = self._retry.wait(
            fault,
            failures=call.failures,
            elapsed=now - (call.first or now),
            idempotent=call.request.repeatable,
            rng=self._rng,
        )
        if wait is None:
            self._failed(call, error, response)
            return
        wait = max(wait, self._retries.take(now))
        self._serial += 1
        heapq.heappush(self._delayed, (now + wait, self._serial, call))
        self._tell_retry(call, wait, error, fault.status)

    def _tell_retry(
        self, call: Call, wait: float, error: PenstockError, status: int | None
    ) -> None:
        if self._events is not None:
            told = Retry(
                key=call.key, attempt=call.attempts, wait=wait, reason=str(error), status=status
            )
            self._events.emit(told)

    def _failed(self, call: Call, error: PenstockError, response: Response | None) -> None:
        if call.attempts > 1 and call.failures > 1 and not isinstance(error, Absent):
            gave_up = GaveUp(f"{error} (after {call.attempts} calls)", attempts=call.attempts)
            gave_up.__cause__ = error
            error = gave_up
        if response is not None:
            error.status = response.status
            error.excerpt = response.excerpt()
        self._results.append(Result(call.key, None, error, call.attempts))

    def _where(self, call: Call) -> str:
        url = resolve(self._service.base, call.request.path)
        return f"{call.request.method} {shown(url)}"


def becomes_get(method: str, status: int) -> bool:
    """Whether a redirect of ``status`` turns a request of ``method`` into a GET."""
    # RFC 9110 section 15.4 allows it for POST after 301 and 302, and asks for it after 303.
    return (status == 303 and method not in ("GET", "HEAD")) or (
        status in (301, 302) and method == "POST"
    )
