"""Keeps one connection up: dials, waits for its end, and does what the policy says.

It has a thread of its own, so that a slow consumer neither keeps a dropped connection down nor
lets heartbeats go unseen. All deciding is in values beside it: policy, preset, ways to resume.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal, TypeAlias, final
from urllib.parse import parse_qsl, urlsplit

import msgspec

from penstock.errors import GaveUp, InputError, PenstockError, PermanentError, RetryableError
from penstock.events import Retry
from penstock.http import (
    Api,
    Engine,
    Get,
    Headers,
    Inbox,
    Request,
    StreamProfile,
    StreamTransfer,
    becomes_get,
    engine,
    join,
    shown,
)
from penstock.streaming.answers import Answer, Outcome, refusal
from penstock.streaming.backlog import Ended
from penstock.streaming.coding import accepted
from penstock.streaming.events import ServerEvents
from penstock.streaming.inband import Then
from penstock.streaming.presets import Preset
from penstock.streaming.reception import Plan, Reception, newest_first
from penstock.streaming.reconnecting import Backoff, Ending
from penstock.streaming.resuming import Backfill, LastEventId, moment
from penstock.streaming.sorting import Verdict, last_cursor, last_word
from penstock.streaming.values import Gap

__all__ = ["Driver", "State"]

State: TypeAlias = Literal["new", "connecting", "live", "waiting", "ended"]

_OPEN = frozenset({101, 200})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


_PATIENCE = 1.0  # seconds


class _EndOfStream(Exception):
    """The server ended the stream in good order."""


@final
@dataclass(slots=True)
class Totals:
    """Counts over all connections that have ended."""

    connects: int = 0
    wire: int = 0
    decoded: int = 0
    keepalives: int = 0
    unfinished: int = 0
    unfinished_bytes: int = 0


@final
class Driver:
    """One stream's connections, one after the other, on a thread of their own.

    Attributes:
        state: ``"new"``, ``"connecting"``, ``"live"``, ``"waiting"`` or ``"ended"``.
        reason: Why it waits or ended.
        wait: Seconds of the present wait.
        totals: Counts of the connections before the present one.
        present: The present connection, or None.
    """

    def __init__(
        self,
        request: Request,
        api: Api,
        preset: Preset,
        profile: StreamProfile,
        plan: Plan,
    ) -> None:
        self.state: State = "new"
        self.reason = ""
        self.wait = 0.0
        self.totals = Totals()
        self.present: Reception | None = None
        self._request = request
        self._api = api
        self._preset = preset
        self._policy = preset.policy
        self._profile = profile
        self._plan = plan
        self._clock = api.clock
        self._cursor: str | None = None
        self._resumed = False
        self._too_old: str | None = None
        self._silent_gap = False
        self._last_heard: float | None = None
        self._gzip = preset.gzip and not profile.raw
        self._renewed = False
        self._backoff = Backoff()
        self._condition = threading.Condition()  # reentrant: a signal handler may stop us
        self._inbox = Inbox(self._notify)
        self._verdict: Verdict | None = None
        self._stopped = False
        self._engine: Engine | None = None
        self._thread = threading.Thread(target=self._run, name="penstock-stream", daemon=True)

    # From other threads

    def resume(self, cursor: str) -> None:
        """Ask for what comes after ``cursor``; before :meth:`start`."""
        self._cursor, self._resumed = cursor, True

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the connection; what was received stays in the backlog."""
        self._stopped = True
        self._notify()

    def join(self) -> None:
        """Wait until the thread has ended."""
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(_PATIENCE)  # it may be fetching a token

    def obey(self, connection: int, verdict: Verdict) -> None:
        """Do what a message of that connection asked for, if it is still the present one."""
        if self.present is not None and self.present.number == connection:
            self._verdict = verdict
            self._notify()

    def more(self) -> None:
        """There is room again: read on."""
        if self._engine is not None:
            self._engine.nudge()

    def _notify(self) -> None:
        with self._condition:
            self._condition.notify()

    # The thread

    def _run(self) -> None:
        error: PenstockError | None = None
        try:
            while not self._stopped:
                self._connection()
        except _EndOfStream as end:
            self.reason = str(end)
        except PenstockError as raised:
            error = raised
        except Exception as unexpected:  # noqa: BLE001 - nobody may wait for ever
            error = PermanentError(f"{self._where}: the stream broke: {unexpected!r}")
            error.__cause__ = unexpected
        if error is not None:
            self.reason = str(error)
        self.state = "ended"
        self._plan.backlog.tell(Ended(error))

    def _connection(self) -> None:
        """Dial, wait for the end, and then for as long as the policy says."""
        self._sleep(self._policy.closed(self._backoff, self._clock.monotonic()), "connected often")
        if self._stopped:
            return
        began = self._clock.monotonic()
        ended = self._transferred(began)
        if ended is None or self._stopped:
            return
        outcome, reception = ended
        now = self._clock.monotonic()
        healthy = now - began >= self._policy.healthy and spoke(reception)
        if healthy or brought(reception, outcome):
            self._backoff = self._policy.received(self._backoff)
        wait, self._backoff = self._policy.after(
            self._backoff,
            outcome.ending,
            now=now,
            healthy=healthy,
            told=outcome.told,
            rng=self._api.rng,
        )
        if self._policy.gave_up(self._backoff):
            raise GaveUp(f"{outcome.reason}: gave up", attempts=self._backoff.failures)
        wait = max(wait, retry_of(reception) if outcome.ending is Ending.DROPPED else 0.0)
        self._tell(outcome, wait)
        self._sleep(wait, outcome.reason)

    def _sleep(self, seconds: float, reason: str) -> None:
        if seconds <= 0:
            return
        self.state, self.reason, self.wait = "waiting", reason, seconds
        until = self._clock.monotonic() + seconds
        with self._condition:
            while not self._stopped and (left := until - self._clock.monotonic()) > 0:
                self._clock.wait(self._condition, left)

    def _tell(self, outcome: Outcome, wait: float) -> None:
        if self._api.events is not None:
            event = Retry(
                key=self._where,
                attempt=self.totals.connects,
                wait=wait,
                reason=outcome.reason,
                status=outcome.status,
            )
            self._api.events.emit(event)

    @property
    def _where(self) -> str:
        return f"{self._request.method} {shown(self._request.path)}"

    # One connection

    def _transferred(self, now: float) -> tuple[Outcome, Reception | None] | None:
        """Make one connection, redirects followed, and return how it ended; None where stopped."""
        request, guarded = self._going_on(), False
        for _hop in range(self._api.max_redirects + 1):
            self._backoff = self._policy.dialled(self._backoff, now)
            self.state, self.reason = "connecting", ""
            try:
                transfer, reception = self._begin(request, guarded=guarded)
            except (RetryableError, GaveUp) as error:  # no token
                return Outcome(Ending.UNREACHABLE, str(error)), None
            by_itself = self._wait_for(transfer)
            broken = reception.end()
            self._note_end(reception)
            if self._stopped:
                return None
            if not by_itself:
                return self._obeyed(), reception
            target = Headers(reception.head).get("location")
            if reception.status not in _REDIRECTS or target is None:
                return self._outcome(transfer, reception, broken), reception
            guarded = guarded or self._api.guards(transfer.peer)
            request = self._redirected(request, transfer, target)
        raise PermanentError(f"{self._where}: redirected too often")

    def _redirected(self, request: Request, transfer: StreamTransfer, target: str) -> Request:
        url = join(transfer.url, target)
        if becomes_get(request.method, transfer.status):
            there: Request = Get(url, headers=request.headers)
        else:
            there = self._api.redirected(request, url)
        return self._api.led_to(there, transfer.url)

    def _going_on(self) -> Request:
        preset, request = self._preset, self._request
        if preset.query:
            # What the caller says in the URL or the query comes first.
            said = {name for name, _ in parse_qsl(urlsplit(request.path).query)}
            query = {name: value for name, value in preset.query.items() if name not in said}
            request = msgspec.structs.replace(request, query={**query, **(request.query or {})})
        if self._cursor is None:
            return request
        return preset.resume.request(request, self._cursor, self._clock.time())

    def _begin(self, request: Request, *, guarded: bool) -> tuple[StreamTransfer, Reception]:
        self._api.prepare_to_call(self._clock.monotonic())
        made = self._api.transfer(request)
        if guarded:
            self._api.guard(made)
        if self._profile.websocket:
            made.url = "ws" + made.url.removeprefix("http")
        coding = accepted() if self._gzip else "identity"
        made.headers = [*made.headers, f"Accept-Encoding: {coding}"]
        self.totals.connects += 1
        reception = Reception(self.totals.connects, self._plan, self._opened)
        self.present = reception
        transfer = StreamTransfer(made, self._profile, reception)
        transfer.inbox = self._inbox
        self._engine = engine()
        self._engine.submit([transfer])
        return transfer, reception

    def _wait_for(self, transfer: StreamTransfer) -> bool:
        """Wait for the transfer's end; return False where we ended it."""
        with self._condition:
            received = self._inbox.received  # one that we gave up may turn up late
            while transfer not in received and not self._stopped and self._verdict is None:
                self._clock.wait(self._condition, None)
            if transfer in received:
                received.clear()
                return True
        assert self._engine is not None  # it has the transfer
        self._engine.cancel([transfer])
        return False

    def _opened(self) -> None:
        """The server began to stream; say what it can not give any more. In the I/O thread."""
        now = self._clock.time()
        self.state, self.reason = "live", ""
        gap: Gap | None = None
        if self._too_old is not None:
            gap = Gap(self._too_old, moment(now), "cursor-too-old")
        elif not self._silent_gap and (self._resumed or self._last_heard is not None):
            gap = self._missing(now)
        self._too_old, self._silent_gap = None, False
        self._last_heard = now
        if gap is not None:
            self._plan.backlog.tell(gap)

    def _missing(self, now: float) -> Gap | None:
        resume = self._preset.resume
        reason = resume.missing(self._cursor, now)
        if reason is None:
            return None
        until = now
        if isinstance(resume, Backfill) and self._cursor is not None:
            since, until = moment(float(self._cursor)), now - 60.0 * resume.most
        elif self._cursor is not None:
            since = self._cursor
        else:
            since = moment(now if self._last_heard is None else self._last_heard)
        return Gap(since, moment(until), reason)

    # Its end

    def _note_end(self, reception: Reception) -> None:
        totals = self.totals
        totals.wire += reception.wire
        totals.decoded += reception.decoded
        totals.keepalives += reception.keepalives
        totals.unfinished += reception.unfinished > 0
        totals.unfinished_bytes += reception.unfinished
        self.present = None
        if reception.status in _OPEN:
            self._last_heard = reception.at
            self._cursor = self._position(reception)

    def _position(self, reception: Reception) -> str | None:
        resume = self._preset.resume
        if isinstance(resume, LastEventId) and isinstance(reception.framer, ServerEvents):
            return reception.framer.last_id or None
        if isinstance(resume, Backfill):
            return f"{reception.at:.3f}" if reception.messages else self._cursor
        return last_cursor(self._preset, newest_first(reception.recent)) or self._cursor

    def _obeyed(self) -> Outcome:
        """Return what the consumer found the server to ask for."""
        verdict, self._verdict = self._verdict, None
        assert verdict is not None  # nothing else ends a connection so
        return self._asked(verdict)

    def _asked(self, verdict: Verdict) -> Outcome:
        if verdict.then is Then.STOP:
            raise PermanentError(f"{self._where}: the server ended the stream: {verdict.text}")
        if verdict.then is Then.TOO_OLD:
            self._cursor, self._silent_gap = None, True  # the gap stands among the messages
            return Outcome(Ending.TOO_OLD, f"{self._where}: {verdict.text}")
        return Outcome(Ending.ASKED, f"{self._where}: the server says {verdict.text}")

    def _outcome(
        self, transfer: StreamTransfer, reception: Reception, broken: PenstockError | None
    ) -> Outcome:
        self._verdict = None
        error = broken or transfer.error
        if error is not None and not isinstance(error, RetryableError):
            if type(error) in (InputError, PermanentError) and reception.status in _OPEN:
                raise type(error)(f"{self._where}: {error}") from error
            raise error
        if reception.ending is not None:
            return self._watched(reception.ending)
        if reception.status in _OPEN:
            self._renewed = False
            verdict = last_word(self._preset, newest_first(reception.recent))
            if verdict is not None:
                return self._asked(verdict)
            reason = f"{self._where}: closed by the server" if error is None else str(error)
            return Outcome(Ending.DROPPED, reason)
        if reception.status == 0:
            return Outcome(Ending.UNREACHABLE, str(error))
        return self._answered(transfer, reception)

    def _watched(self, ending: Ending) -> Outcome:
        if ending is Ending.UNFLUSHED:
            self._gzip = False  # for good: it will not learn
        return Outcome(ending, f"{self._where}: {ending.value}")

    def _answered(self, transfer: StreamTransfer, reception: Reception) -> Outcome:
        answer = Answer(
            self._where,
            reception.status,
            reception.head,
            reception.excerpt,
            self._clock.time(),
            self._api.shared.dialects,
        )
        if answer.status in self._policy.ended:
            raise _EndOfStream(answer.line)
        if answer.status == 401 and not self._renewed and self._api.renews(transfer.headers):
            self._renewed = True
            return Outcome(Ending.RENEWED, answer.line, status=401)
        if answer.status in self._preset.too_old and self._cursor is not None:
            self._too_old, self._cursor = self._cursor, None
            return Outcome(Ending.TOO_OLD, answer.line, status=answer.status)
        if (refused := refusal(answer, self._policy)) is not None:
            raise refused
        return answer.outcome()


def brought(reception: Reception | None, outcome: Outcome) -> bool:
    """Whether a connection brought anything but word of its own end."""
    words = 1 if outcome.ending in (Ending.ASKED, Ending.TOO_OLD) else 0
    return reception is not None and reception.messages > words


def spoke(reception: Reception | None) -> bool:
    """Whether a connection gave any sign of life."""
    return reception is not None and reception.messages + reception.keepalives > 0


def retry_of(reception: Reception | None) -> float:
    """Return the wait that server-sent events ask for, in seconds."""
    framer = None if reception is None else reception.framer
    return (framer.retry or 0.0) if isinstance(framer, ServerEvents) else 0.0
