"""The server's decision: a request and a time in, a plan for the connection out. No sockets."""

from __future__ import annotations

import hashlib
from typing import final

from penstock.simulator.answer import (
    Headers,
    Manner,
    PlannedAnswer,
    ServedAnswer,
    encodings,
    error_answer,
    http_date,
    stream_head,
    wire,
)
from penstock.simulator.dialects import rate_headers
from penstock.simulator.faults import Faults, InjectedFault, share
from penstock.simulator.limiter import LimitVerdict
from penstock.simulator.pages import NotANumber
from penstock.simulator.request import BadRequest, ReceivedRequest
from penstock.simulator.routes import Route, find
from penstock.simulator.settings import SimulatorSettings
from penstock.simulator.world import ReceivedCall, World

__all__ = ["SimulatedService"]

STATUS_FAULTS = {
    "420": (420, "enhance your calm"),
    "429": (429, "too many requests, or so it seems"),
    "500": (500, "internal error"),
    "503": (503, "over capacity"),
    "520": (520, "unknown error"),
    "error": (200, "something is technically wrong"),
}


@final
class SimulatedService:
    r"""Decides what each request gets.

    >>> from penstock.simulator.request import lex
    >>> service = SimulatedService(SimulatorSettings(users=10, chunked=0))
    >>> request, _ = lex(b"GET /users/99.json HTTP/1.1\r\n\r\n")
    >>> service.plan(request, "127.0.0.1", 0.0, 1_800_000_000.0).body
    b'{"error":"no such user"}'
    """

    def __init__(self, settings: SimulatorSettings) -> None:
        self.settings = settings
        self.world = World(settings)
        self._faults = Faults(settings)

    def plan(self, request: ReceivedRequest, peer: str, now: float, epoch: float) -> PlannedAnswer:
        """Return what to do about ``request``.

        Args:
            request: What was asked.
            peer: The client's address.
            now: Monotonic seconds, for windows and tokens.
            epoch: Seconds since 1970, the true time.
        """
        call = ReceivedCall(request, self.world.gate.key(request, peer), now, epoch)
        route = find(request.path)
        if route is not None and not route.counted:
            return self._finish(call, self._answer(route, call), counted=False)
        self.world.ledger.requests += 1
        if route is None:
            return self._finish(call, error_answer(404, "no such endpoint"))
        if request.method not in route.methods:
            allow = (("Allow", ", ".join(route.methods)),)
            return self._finish(call, error_answer(405, f"not {request.method}", allow))
        if route.data:
            return self._data_plan(route, call)
        return self._finish(call, self._answer(route, call))

    def refuse(self, error: BadRequest, epoch: float) -> PlannedAnswer:
        """Return the plan for bytes that were no request."""
        self.world.ledger.requests += 1
        self.world.ledger.by_status[error.status] += 1
        answer = error_answer(error.status, str(error))
        head, body = wire(answer, self._second(epoch), keep_alive=False)
        return PlannedAnswer("send", head, body, keep_alive=False)

    def _data_plan(self, route: Route, call: ReceivedCall) -> PlannedAnswer:
        latency = self.settings.latency
        clock = call.epoch + self.settings.date_skew
        refusal = self.world.gate.refusal(call.request, call.now, clock)
        if refusal is not None:
            return self._finish(call, refusal, delay=latency)
        target = _fault_target(call.request)
        fault = self._faults.peek(target)
        if fault is not None and fault.kind == "reset-before":
            self._faults.take(target)
            self.world.ledger.faults[fault.kind] += 1
            return PlannedAnswer("reset", keep_alive=False, delay=latency)
        verdict, headers = self._charge(call)
        if not verdict.accepted:
            answer = error_answer(429, "rate limit exceeded", headers)
            return self._finish(call, answer, delay=latency)
        # Only now: how often the limiter said no must not change which fault comes when.
        self._faults.take(target)
        if fault is None:
            answer = self._answer(route, call)
            return self._finish(call, _with(answer, headers), delay=latency, varied=True)
        self.world.ledger.faults[fault.kind] += 1
        return self._faulty(route, call, fault, headers)

    def _charge(self, call: ReceivedCall) -> tuple[LimitVerdict, Headers]:
        resource = call.request.path.split("/")[1] if self.settings.odd == "apart" else ""
        account = self.world.account(f"{call.key} {resource}".rstrip())
        verdict = account.charge(call.now, call.epoch)
        if not self.settings.limit:
            return verdict, ()
        epoch = call.epoch + self.settings.date_skew
        headers = rate_headers(self.settings, verdict, call.key, epoch)
        return verdict, (*headers, ("X-RateLimit-Resource", resource)) if resource else headers

    def _answer(self, route: Route, call: ReceivedCall) -> ServedAnswer:
        try:
            return route.answer(self.world, call)
        except NotANumber as error:
            return error_answer(400, str(error))

    def _faulty(
        self, route: Route, call: ReceivedCall, fault: InjectedFault, headers: Headers
    ) -> PlannedAnswer:
        latency = self.settings.latency
        if fault.kind in STATUS_FAULTS:
            status, message = STATUS_FAULTS[fault.kind]
            extra = self._retry_after(fault, call.epoch)
            return self._finish(call, error_answer(status, message, headers + extra), delay=latency)
        answer = _with(self._answer(route, call), headers)
        plan = self._finish(call, answer, delay=latency, counted=fault.kind != "reset-after")
        if fault.kind == "drip":
            return plan if plan.play else plan._replace(manner="drip")
        if fault.kind == "reset-after":
            return PlannedAnswer("reset", keep_alive=False, delay=latency)
        manner: Manner = "truncate" if fault.kind == "truncate" else "stall"
        return plan._replace(manner=manner, user=None, keep_alive=False)

    def _retry_after(self, fault: InjectedFault, epoch: float) -> Headers:
        if fault.kind == "429":
            return (("Retry-After", "1"),)
        if fault.kind != "503" or not fault.bits & 1:
            return ()
        if self.settings.retry_dates and fault.bits & 2:
            # RFC 9110 §10.2.3: the other form is a date, by the server's own clock; 2, because
            # its fraction is cut off and one second is to be left
            return (("Retry-After", http_date(self._second(epoch) + 2)),)
        return (("Retry-After", "1"),)

    def _finish(
        self,
        call: ReceivedCall,
        answer: ServedAnswer,
        *,
        delay: float = 0.0,
        counted: bool = True,
        varied: bool = False,
    ) -> PlannedAnswer:
        request = call.request
        if counted:
            self.world.ledger.by_status[answer.status] += 1
        if answer.play is not None:
            head = stream_head(answer, self._second(call.epoch))
            return PlannedAnswer("stream", head, keep_alive=False, delay=delay, play=answer.play)
        gzipped = chunked = False
        if varied and request.method != "HEAD":
            gzipped, chunked = self._encodings(request)
        head, body = wire(
            answer,
            self._second(call.epoch),
            keep_alive=request.keep_alive,
            gzipped=gzipped,
            chunked=chunked,
        )
        if request.method == "HEAD":
            body = b""
        # What the head says of the connection, and what becomes of it, may be two things.
        kept = request.keep_alive and self.settings.odd != "closing"
        return PlannedAnswer("send", head, body, answer.user, kept, delay)

    def _encodings(self, request: ReceivedRequest) -> tuple[bool, bool]:
        accepted = request.headers.get("accept-encoding", "")
        if not (self.settings.chunked or (accepted and self.settings.gzip)):
            return False, False
        draw = share(self.settings.seed, "coding", request.target)
        return encodings(self.settings, accepted, draw)

    def _second(self, epoch: float) -> int:
        return int(epoch + self.settings.date_skew)


def _with(answer: ServedAnswer, headers: Headers) -> ServedAnswer:
    return answer._replace(headers=answer.headers + headers)


def _fault_target(request: ReceivedRequest) -> str:
    if request.method == "POST":
        # Posts share a path: the body tells them apart, whatever order they arrive in.
        return f"{request.target}#{hashlib.blake2b(request.body, digest_size=8).hexdigest()}"
    return request.target
