"""Many calls at once under one policy: what `Api.calls` gives to a pipeline.

One thread owns a :class:`Calls` and does all the deciding: what may be sent now, what an answer
means, when to try again. The I/O thread only performs. So a call's life reads top to bottom here:
submitted, allowed by breaker and budget, sent, answered, and then finished or put back.
"""

from __future__ import annotations

import heapq
import math
import threading
from collections import deque
from typing import TYPE_CHECKING, final

from penstock.errors import (
    GaveUp,
    InputError,
    MissingExtra,
    PenstockError,
    PermanentError,
    RetryableError,
)
from penstock.events import BudgetSeen, Retry, Waiting
from penstock.http.body import decode_or_none
from penstock.http.engine import engine
from penstock.http.request import Get, Request
from penstock.http.response import Headers, Response, phrase
from penstock.http.transfer import Inbox, Transfer
from penstock.http.url import join, origin, resolve, shown
from penstock.pipeline.result import Key, Result
from penstock.resilience import QUOTA, Fault, Hints, Ticket, hints_in_body, parse_hints

if TYPE_CHECKING:
    from penstock.http.api import Api

__all__ = ["Calls"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NEVER_SAYS_WHEN = 0.05  # seconds between looks at a gate that another thread will open


@final
class Call:
    """One item on its way through retries, quota waits and redirects."""

    __slots__ = ("attempts", "failures", "first", "hops", "key", "renewed", "request", "ticket")

    def __init__(self, key: Key, request: Request) -> None:
        self.key = key
        self.request = request
        self.first: float | None = None
        self.attempts = 0
        self.failures = 0
        self.hops = 0
        self.renewed = False
        self.ticket: Ticket | None = None


@final
class Calls:
    """A session of calls to one ``Api``. Owned by one thread; only :meth:`wake` is for others."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._engine = engine()
        self._clock = api.clock
        self._waiting: deque[Call] = deque()
        self._delayed: list[tuple[float, int, Call]] = []
        self._flying: set[Transfer] = set()
        self._results: list[Result[Key, Response]] = []
        self._serial = 0
        self._condition = threading.Condition(threading.Lock())
        self._inbox = Inbox(self._notify)
        self._woken = False
        self._told_until = -math.inf

    @property
    def pending(self) -> int:
        """Calls submitted whose results were not collected yet."""
        queued = len(self._waiting) + len(self._delayed)
        return queued + len(self._flying) + len(self._results)

    def submit(self, key: Key, request: Request) -> None:
        """Take a call on; it is sent by the next :meth:`send` or :meth:`collect`."""
        self._waiting.append(Call(key, request))

    def wake(self) -> None:
        """Make :meth:`collect` return, from any thread."""
        self._woken = True
        self._notify()

    def close(self) -> None:
        """Drop everything that is under way. What was sent counts as spent."""
        self._engine.cancel(self._flying)
        if self._flying:
            self._api.breaker.dropped()
        for transfer in self._flying:
            self._abandon(transfer)
        self._flying.clear()
        self._waiting.clear()
        self._delayed.clear()

    def _abandon(self, transfer: Transfer) -> None:
        call = transfer.context
        assert isinstance(call, Call)  # noqa: S101 - we put it there
        if call.ticket is not None:
            self._api.budget.abandon(call.ticket)

    def _notify(self) -> None:
        with self._condition:
            self._condition.notify()

    def collect(self) -> list[Result[Key, Response]]:
        """Return the results that are there; wait for one where there is none.

        Returns an empty list when :meth:`wake` was called, or when nothing is pending.

        Raises:
            InputError: The server refused our credentials; nothing more was sent.
            GaveUp: The server has failed for longer than the breaker's policy waits.
        """
        while True:
            wait = self.send()
            received = bool(self._inbox.received)
            while self._inbox.received:
                self._answered(self._inbox.received.popleft())
            if self._results or self._woken:
                break
            if received:
                continue  # an answer to be asked for again: the wait is another one now
            if self._waiting or self._delayed or self._flying:
                self._sleep(wait)
            else:
                break
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
            if not self._flying and math.isinf(wait):
                wait = _NEVER_SAYS_WHEN
            self._clock.wait(self._condition, None if math.isinf(wait) else wait)

    def send(self) -> float:
        """Send what may be sent now; return the seconds until more may be."""
        now = self._clock.monotonic()
        delayed = self._delayed
        while delayed and delayed[0][0] <= now:
            self._waiting.append(heapq.heappop(delayed)[2])
        wait = self._send_waiting(now) if self._waiting else math.inf
        return min(wait, delayed[0][0] - now) if delayed else wait

    def _send_waiting(self, now: float) -> float:
        api = self._api
        api.prepare_to_call(now)
        ready: list[Transfer] = []
        wait = math.inf
        try:
            while self._waiting:
                if (wait := api.breaker.wait(now)) > 0:
                    break
                call = self._waiting[0]
                ticket = api.budget.take(now, call.request.cost)
                if not isinstance(ticket, Ticket):
                    wait = ticket
                    break
                self._waiting.popleft()
                call.ticket = ticket
                try:
                    ready.append(self._start(call, now))
                except MissingExtra:
                    raise
                except Exception as error:  # noqa: BLE001 - a request that cannot be sent is one item's trouble
                    api.budget.abandon(ticket)
                    self._results.append(Result(call.key, None, self._unsendable(call, error), 0))
        finally:
            self._flying.update(ready)
            if ready:
                self._engine.submit(ready)
        if wait > _NEVER_SAYS_WHEN and self._waiting:
            self._tell_wait(wait, now)
        return wait

    def _tell_wait(self, wait: float, now: float) -> None:
        if math.isinf(wait) or self._api.events is None:
            return
        if abs(now + wait - self._told_until) > _NEVER_SAYS_WHEN:  # each wait is told once
            self._told_until = now + wait
            reason = "server is down" if self._api.breaker.is_open else "out of quota"
            self._api.events.emit(Waiting(seconds=wait, reason=reason))
            self._tell_budget(now)

    def _tell_budget(self, now: float) -> None:
        if self._api.events is not None:
            view = self._api.budget.view(now)
            self._api.events.emit(
                BudgetSeen(limit=view.limit, remaining=view.remaining, reset=view.reset)
            )

    def _unsendable(self, call: Call, error: Exception) -> PenstockError:
        if isinstance(error, PenstockError):
            return error
        problem = InputError(f"{call.request.method} {shown(call.request.path)}: {error}")
        problem.__cause__ = error
        return problem

    def _start(self, call: Call, now: float) -> Transfer:
        transfer = self._api.transfer(call.request)
        if call.first is None:
            call.first = now
            self._api.retries.called()
        call.attempts += 1
        self._api.breaker.started(now)
        transfer.inbox = self._inbox
        transfer.context = call
        return transfer

    def _answered(self, transfer: Transfer) -> None:
        self._flying.discard(transfer)
        call = transfer.context
        assert isinstance(call, Call)  # noqa: S101 - we put it there
        now = self._clock.monotonic()
        if transfer.error is not None:
            self._no_answer(call, transfer.error, now)
            return
        status = transfer.status
        hints = parse_hints(transfer.head)
        response = Response(status, transfer.url, transfer.head, transfer.body, transfer.seconds)
        if status in QUOTA:
            self._out_of_quota(call, response, hints, now)
            return
        assert call.ticket is not None  # noqa: S101 - it was sent
        self._api.budget.settle(call.ticket, now, hints, status)
        if hints is not None and hints.quotas and self._api.events is not None:
            self._tell_budget(now)
        if status >= 500:
            self._api.breaker.failed(now)
        else:
            self._api.breaker.succeeded()
        if 200 <= status < 300:
            self._arrived(call, response, now)
        elif status in _REDIRECTS and "location" in (headers := response.headers):
            self._redirect(call, response, headers)
        else:
            self._bad_status(call, transfer, response, hints, now)

    def _arrived(self, call: Call, response: Response, now: float) -> None:
        problem: PenstockError | None = None
        try:
            if self._api.is_failure(response, call.request.method):
                problem = PermanentError(f"{self._where(call)}: error in the body")
        except PermanentError as error:
            self._failed(call, error, response)  # it is whole and not JSON: so it would be again
            return
        if problem is None:
            self._results.append(Result(call.key, response, None, call.attempts))
        else:
            fault = Fault(status=response.status, in_body=True)
            self._again(call, fault, problem, response, now)

    def _no_answer(self, call: Call, error: PenstockError, now: float) -> None:
        assert call.ticket is not None  # noqa: S101 - it was sent
        self._api.budget.abandon(call.ticket)
        if isinstance(error, GaveUp):
            raise error
        if not isinstance(error, RetryableError):
            self._api.breaker.succeeded()
            self._failed(call, error, None)
            return
        self._api.breaker.failed(now)
        fault = Fault(sent=error.sent, retry_after=error.retry_after)
        self._again(call, fault, error, None, now)

    def _out_of_quota(
        self, call: Call, response: Response, hints: Hints | None, now: float
    ) -> None:
        """Put the call back: the budget knows when to go on, and waiting is not an attempt."""
        body = decode_or_none(response.body)
        hints = hints_in_body(body, hints)
        assert call.ticket is not None  # noqa: S101 - it was sent
        self._api.budget.settle(call.ticket, now, hints, response.status)
        self._api.breaker.succeeded()
        self._tell_budget(now)
        error = PermanentError(f"{self._where(call)}: {phrase(response.status)}")
        fault = Fault(status=response.status)
        wait = self._api.retry.wait(
            fault,
            failures=call.failures,
            elapsed=now - (call.first or now) + self._api.budget.renewed_in(),
            idempotent=call.request.repeatable,
        )
        if wait is None:
            self._failed(call, error, response)
            return
        self._tell_retry(call, self._api.budget.renewed_in(), error, response.status)
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
        if response.status == 401 and not call.renewed and self._api.renews(transfer.headers):
            call.renewed = True
            self._waiting.appendleft(call)
            return
        if response.status in self._api.retry.fatal:
            raise self._refusal(error, response)
        retry_after = None
        if hints is not None and hints.retry_after is not None:
            retry_after = hints.retry_after.value
            if hints.retry_after.epoch:
                retry_after = max(0.0, retry_after - (hints.date or self._clock.time()))
        fault = Fault(status=response.status, retry_after=retry_after)
        self._again(call, fault, error, response, now)

    def _refusal(self, error: PenstockError, response: Response) -> InputError:
        refusal = InputError(
            f"{error}: the server refuses our credentials; stopped at once. "
            f"Check the secret, then run again. It said: {response.excerpt(200)!r}"
        )
        refusal.status = response.status
        return refusal

    def _redirect(self, call: Call, response: Response, headers: Headers) -> None:
        """Go where the server points; credentials go along to the same origin only."""
        call.hops += 1
        try:
            target = join(response.url, headers["location"])
            origin(target)
        except InputError as unusable:
            self._failed(call, unusable, response)
            return
        if call.hops > self._api.max_redirects or not target.startswith(("http://", "https://")):
            error = PermanentError(f"{self._where(call)}: redirected too often, to {shown(target)}")
            self._failed(call, error, response)
            return
        request = call.request
        if becomes_get(request.method, response.status):
            call.request = Get(target, headers=request.headers, cost=request.cost)
        else:
            call.request = self._api.redirected(request, target)
        call.request = self._api.led_to(call.request, response.url)
        call.attempts -= 1
        self._waiting.appendleft(call)

    def _again(
        self,
        call: Call,
        fault: Fault,
        error: PenstockError,
        response: Response | None,
        now: float,
    ) -> None:
        """Put the call back for later, or let it fail."""
        api = self._api
        if api.breaker.gave_up(now):
            raise GaveUp(f"{error}: the server has failed for too long", attempts=call.attempts)
        if not api.breaker.is_open or call.failures + 1 < api.retry.attempts:
            call.failures += 1  # while all fails, the server is at fault, not the item
        wait = api.retry.wait(
            fault,
            failures=call.failures,
            elapsed=now - (call.first or now),
            idempotent=call.request.repeatable,
            rng=api.rng,
        )
        if wait is None:
            self._failed(call, error, response)
            return
        wait = max(wait, api.retries.take(now))
        self._serial += 1
        heapq.heappush(self._delayed, (now + wait, self._serial, call))
        self._tell_retry(call, wait, error, fault.status)

    def _tell_retry(
        self, call: Call, wait: float, error: PenstockError, status: int | None
    ) -> None:
        if self._api.events is not None:
            told = Retry(
                key=call.key, attempt=call.attempts, wait=wait, reason=str(error), status=status
            )
            self._api.events.emit(told)

    def _failed(self, call: Call, error: PenstockError, response: Response | None) -> None:
        if call.attempts > 1 and call.failures > 1:
            gave_up = GaveUp(f"{error} (after {call.attempts} calls)", attempts=call.attempts)
            gave_up.__cause__ = error
            error = gave_up
        if response is not None:
            error.status = response.status
            error.excerpt = response.excerpt()
        self._results.append(Result(call.key, None, error, call.attempts))

    def _where(self, call: Call) -> str:
        url = resolve(self._api.base, call.request.path)
        return f"{call.request.method} {shown(url)}"


def becomes_get(method: str, status: int) -> bool:
    # RFC 9110 section 15.4 allows it for POST after 301 and 302, and asks for it after 303.
    return (status == 303 and method not in ("GET", "HEAD")) or (
        status in (301, 302) and method == "POST"
    )
