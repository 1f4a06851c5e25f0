"""Keeps one connection up: dials, waits for its end, and does what the policy says.

It has a thread of its own, so that a slow consumer neither keeps a dropped connection down nor
lets heartbeats go unseen. All deciding is in values beside it: policy, preset, ways to resume.
"""

from __future__ import annotations

import base64
import math
import os
import threading
from dataclasses import replace
from typing import final
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
from penstock.streaming.backlog import StreamEnd
from penstock.streaming.connection import CloseFrame, Connection, ConnectionPlan, NotAStream
from penstock.streaming.content_encoding import accepted
from penstock.streaming.control_messages import Action
from penstock.streaming.frames import FramingError, MessageTooLarge
from penstock.streaming.messages import Verdict, last_word
from penstock.streaming.reconnect_policy import Backoff, Ending
from penstock.streaming.responses import Answer, Outcome, refusal
from penstock.streaming.resume import LastEventId, moment
from penstock.streaming.server_sent_events import ServerEvents
from penstock.streaming.values import Counters, Gap, StreamStatus
from penstock.streaming.websocket import accept_of

__all__ = ["Driver", "as_http"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


_PATIENCE = 1.0  # seconds
_OURS = (InputError, NotAStream, PermanentError, FramingError, MessageTooLarge)
_GOOD = frozenset({1000, 1005})  # codes of a WebSocket that was closed in good order
_REFUSED = frozenset({425, 503})  # statuses after which a request was not acted on


class _EndOfStream(Exception):
    """The server ended the stream in good order."""


@final
class Driver:
    """One stream's connections, one after the other, on a thread of their own.

    Attributes:
        status: How it is doing.
        present: The present connection, or None.
    """

    def __init__(
        self,
        request: Request,
        api: Api,
        profile: StreamProfile,
        plan: ConnectionPlan,
    ) -> None:
        self.status = StreamStatus()
        self.present: Connection | None = None
        self._request = request
        self._api = api
        self._preset = preset = plan.preset
        self._policy = preset.policy
        self._ended_ones = Counters()  # of the connections before the present one
        self._profile = profile
        self._plan = plan
        self._clock = api.clock
        self._cursor: str | None = None
        self._too_old: str | None = None
        self._silent_gap = False
        self._last_heard: float | None = None
        self._alive = -math.inf  # monotonic time at which it was last live
        self._cut = False  # whether the last connection did not end in good order
        self._gzip = preset.gzip and not profile.raw
        self._renewed = False
        self._misframed = False  # whether the last connection ended by bytes framed otherwise
        self._backoff = Backoff()
        self._condition = threading.Condition()  # reentrant: a signal handler may stop us
        self._inbox = Inbox(self._notify)
        self._verdict: Verdict | None = None
        self._stopped = False
        self._room = True
        self._engine: Engine | None = None
        self._thread = threading.Thread(target=self._run, name="penstock-stream", daemon=True)

    # From other threads

    @property
    def counters(self) -> Counters:
        """What its connections have seen so far."""
        present = self.present
        return self._ended_ones + present.counters if present else self._ended_ones

    def missing(self) -> Gap | None:
        """Return what is missing so far of a source that cannot go back, while it is down."""
        live = self.present is not None and self.status.state == "live"
        if live or self._silent_gap or not self.status.lives or self.status.state == "ended":
            return None
        gap = self._missing()
        return gap if gap is not None and gap.reason == "no-resume" else None

    def resume(self, cursor: str) -> None:
        """Ask for what comes after ``cursor``; before :meth:`start`."""
        self._cursor, self._last_heard = cursor, self._clock.time()

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
        self._room = True
        self._notify()
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
            self.status = replace(self.status, reason=str(end))
            if self._cut and (gap := self._missing()) is not None:
                self._plan.backlog.tell(gap)
        except PenstockError as raised:
            error = raised
        except Exception as unexpected:  # noqa: BLE001 - nobody may wait for ever
            error = PermanentError(f"{self._where}: the stream broke: {unexpected!r}")
            error.__cause__ = unexpected
        if error is not None:
            self.status = replace(self.status, reason=str(error), last_reason=str(error))
        self.status = replace(self.status, state="ended")
        self._plan.backlog.tell(StreamEnd(error))

    def _connection(self) -> None:
        """Dial, wait for the end, and then for as long as the policy says."""
        self._sleep(self._policy.closed(self._backoff, self._clock.monotonic()), "connected often")
        if self._stopped:
            return
        began = self._clock.monotonic()
        ended = self._transferred(began)
        if ended is None or self._stopped:
            return
        outcome, connection = ended
        now = self._clock.monotonic()
        healthy = now - began >= self._policy.healthy and connection.spoke
        words = outcome.ending in (Ending.ASKED, Ending.TOO_OLD)  # they say why it ended
        if healthy or connection.messages > words:
            self._backoff = self._policy.received(self._backoff)
        if isinstance(connection.framer, ServerEvents) and connection.framer.retry is not None:
            self._backoff = replace(self._backoff, retry=connection.framer.retry)
        wait, self._backoff = self._policy.after(
            self._backoff,
            outcome.ending,
            now=now,
            healthy=healthy,
            told=outcome.told,
            rng=self._api.rng,
        )
        self.status = replace(self.status, last_reason=outcome.reason)
        if self._policy.gave_up(self._backoff):
            raise GaveUp(f"{outcome.reason}: gave up", attempts=self._backoff.failures)
        self._tell(outcome, wait)
        self._sleep(wait, self._waiting(outcome, wait))

    def _waiting(self, outcome: Outcome, wait: float) -> str:
        asked = max(outcome.told or 0.0, self._backoff.retry)
        if asked <= wait:
            return outcome.reason
        return f"{outcome.reason}; asked to wait {asked:.4g} s, which is cut to {wait:.4g}"

    def _sleep(self, seconds: float, reason: str) -> None:
        if seconds <= 0:
            return
        self.status = replace(self.status, state="waiting", reason=reason, wait=seconds)
        until = self._clock.monotonic() + seconds
        with self._condition:
            while not self._stopped and (left := until - self._clock.monotonic()) > 0:
                self._clock.wait(self._condition, left)

    def _tell(self, outcome: Outcome, wait: float) -> None:
        if self._api.events is not None:
            event = Retry(
                key=self._where,
                attempt=self._ended_ones.connects,
                wait=wait,
                reason=outcome.reason,
                status=outcome.status,
            )
            self._api.events.emit(event)

    @property
    def _where(self) -> str:
        return f"{self._request.method} {shown(self._request.path)}"

    # One connection

    def _transferred(self, now: float) -> tuple[Outcome, Connection] | None:
        """Make one connection, redirects followed, and return how it ended; None where stopped."""
        request, guarded = self._going_on(), False
        for _hop in range(self._api.max_redirects + 1):
            self._backoff = self._policy.dialled(self._backoff, now)
            self.status = replace(self.status, state="connecting", reason="")
            number = self._ended_ones.connects + 1
            connection = Connection(number, self._plan, self._cursor, self._opened)
            try:
                transfer = self._begin(request, connection, guarded=guarded)
            except (RetryableError, GaveUp) as error:  # no token
                return Outcome(Ending.UNREACHABLE, str(error)), connection
            by_itself = self._wait_for(transfer)
            self._drain(connection)
            broken = connection.end(whole=by_itself and transfer.error is None)
            self._note_end(connection, _ending_of(connection, broken or transfer.error))
            if self._stopped:
                return None
            if not by_itself:
                verdict, self._verdict = self._verdict, None
                assert verdict is not None  # nothing else ends a connection so
                return self._asked(verdict), connection
            target = Headers(connection.head).get("location")
            if connection.status not in _REDIRECTS or target is None:
                return self._outcome(transfer, connection, broken), connection
            guarded = guarded or self._api.guards(transfer.peer)
            request = self._redirected(request, transfer, target)
        raise PermanentError(f"{self._where}: redirected too often")

    def _redirected(self, request: Request, transfer: StreamTransfer, target: str) -> Request:
        # A WebSocket begins with HTTP, and its redirects name either.
        here = as_http(transfer.url)
        url = as_http(join(here, as_http(target)))
        if not url.startswith(("http://", "https://")):
            raise PermanentError(f"{self._where}: redirected, to {shown(url)}")
        if becomes_get(request.method, transfer.status):
            there: Request = Get(url, headers=request.headers)
        else:
            there = self._api.redirected(request, url)
        if self._plan.opening:  # what a WebSocket sends first is what a body is elsewhere
            self._api.reach.check_lead(here, url, body=True)
        return self._api.led_to(there, here)

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

    def _drain(self, connection: Connection) -> None:
        """Wait until the backlog has taken what a few bytes at the end stood for."""
        while not self._ending():
            self._room = False
            if connection.ready():
                return
            with self._condition:
                while not (self._room or self._ending()):
                    self._clock.wait(self._condition, None)

    def _ending(self) -> bool:
        return self._stopped or self._verdict is not None

    def _begin(self, request: Request, connection: Connection, *, guarded: bool) -> StreamTransfer:
        self._api.prepare_to_call(self._clock.monotonic())
        made = self._api.transfer(request)
        if guarded:
            self._api.guard(made)
        if self._profile.websocket:
            made.url = "ws" + made.url.removeprefix("http")
        coding = accepted() if self._gzip else "identity"
        made.headers = [*made.headers, f"Accept-Encoding: {coding}"]
        if isinstance(self._preset.resume, LastEventId) and self._cursor is not None:
            made.headers.append(f"Last-Event-ID: {self._cursor}")  # in UTF-8, by WHATWG's rules
        if self._profile.websocket:
            asked = Headers("\r\n".join(["", *made.headers]).encode())
            connection.protocols = asked.get("sec-websocket-protocol", "")
            key = base64.b64encode(os.urandom(16)).decode()
            connection.accept = accept_of(key)
            made.headers.append("Sec-WebSocket-Extensions: permessage-deflate")
            made.headers.append(f"Sec-WebSocket-Key: {key}")
        self.present = connection
        # Elsewhere, where a redirect led, the transfer that was made shows no certificate of ours.
        ours = replace(self._profile, cert=made.profile.cert, key=made.profile.key)
        transfer = StreamTransfer(made, ours, connection)
        transfer.inbox = self._inbox
        self._engine = engine()
        self._engine.submit([transfer])
        return transfer

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
        self.status = replace(self.status, state="live", reason="", lives=self.status.lives + 1)
        gap: Gap | None = None
        if self._too_old is not None:
            gap = Gap(self._too_old, moment(now), "cursor-too-old")
        elif not self._silent_gap:
            gap = self._missing()
        self._too_old, self._silent_gap = None, False
        self._last_heard = now
        if gap is not None:
            self._plan.backlog.tell(gap)

    def _missing(self) -> Gap | None:
        if self._last_heard is None:
            return None
        return self._preset.resume.gap(self._cursor, self._last_heard, self._clock.time())

    # Its end

    def _note_end(self, connection: Connection, error: PenstockError | None) -> None:
        self.present = None
        self._ended_ones += connection.counters
        if connection.framer is not None:
            self._last_heard = connection.at
            if connection.spoke:
                self._alive = self._clock.monotonic()
            self._cut = connection.cut or connection.unfinished > 0 or not _is_good(error)
            self._cursor = connection.position()

    def _asked(self, verdict: Verdict) -> Outcome:
        if verdict.then is Action.END:
            self._cut = False
            raise _EndOfStream(f"{self._where}: the server says {verdict.text}")
        if verdict.then is Action.STOP:
            raise PermanentError(f"{self._where}: the server ended the stream: {verdict.text}")
        if verdict.then is Action.TOO_OLD:
            self._cursor, self._silent_gap = None, True  # the gap stands among the messages
            return Outcome(Ending.TOO_OLD, f"{self._where}: {verdict.text}")
        return Outcome(Ending.ASKED, f"{self._where}: the server says {verdict.text}")

    def _outcome(
        self, transfer: StreamTransfer, connection: Connection, broken: PenstockError | None
    ) -> Outcome:
        self._verdict = None
        error = _ending_of(connection, broken or transfer.error)
        if type(error) is FramingError and connection.messages and not self._misframed:
            self._misframed = True
            return Outcome(Ending.DROPPED, f"{self._where}: {error}")
        self._misframed = False
        if isinstance(error, NotAStream) and self._was_live():
            return Outcome(Ending.STATUS, f"{self._where}: {error}", status=connection.status)
        if error is not None and not isinstance(error, RetryableError):
            if type(error) in _OURS and connection.status:
                raise type(error)(f"{self._where}: {error}") from error
            raise error
        if connection.ending is not None:
            return self._watched(connection.ending, error)
        if connection.framer is not None:
            return self._ended(connection, error)
        if connection.status == 0:
            outcome = Outcome(Ending.UNREACHABLE, str(error))
            return self._again(outcome) if getattr(error, "sent", False) else outcome
        return self._answered(transfer, connection)

    def _was_live(self) -> bool:
        """Whether it was live a while ago: then an error page may go away as it came."""
        return self._clock.monotonic() - self._alive < self._policy.tolerance

    def _ended(self, connection: Connection, error: PenstockError | None) -> Outcome:
        """Return what the end of a connection that was live means."""
        self._renewed = False
        verdict = last_word(self._preset, reversed(connection.recent))
        if verdict is not None:
            return self._asked(verdict)
        if isinstance(error, CloseFrame) and self._policy.closes(error.code):
            raise PermanentError(f"{self._where}: {error}")
        reason = f"{self._where}: {error or 'closed by the server'}"
        if self._preset.once and _is_good(error):
            if not connection.cut:
                raise _EndOfStream(reason)
            self._gzip = False  # without compression its end is seen
        if error is None and not self._repeats:
            raise _EndOfStream(reason)
        return self._again(Outcome(Ending.DROPPED, reason))

    @property
    def _repeats(self) -> bool:
        return self._preset.repeats or self._request.repeatable

    def _again(self, outcome: Outcome) -> Outcome:
        """Return ``outcome``, after which the request is sent again, unless it may have acted."""
        refused = outcome.ending is Ending.LIMITED or outcome.status in _REFUSED
        if self._repeats or refused:
            return outcome
        raise PermanentError(
            f"{outcome.reason}; a {self._request.method} is not sent again unasked: say "
            "repeat=true if it only reads"
        )

    def _watched(self, ending: Ending, error: PenstockError | None) -> Outcome:
        if ending is Ending.UNFLUSHED:
            if not self._gzip and error is not None:
                raise PermanentError(
                    f"{self._where}: the server sends an {error}, though it was asked for none"
                )
            self._gzip = False  # for good: it will not learn
            if error is not None:
                return Outcome(ending, f"{self._where}: the server sends an {error}")
        reason = ending.value if error is None else f"{ending.value} ({error})"
        return Outcome(ending, f"{self._where}: {reason}")

    def _answered(self, transfer: StreamTransfer, connection: Connection) -> Outcome:
        answer = Answer(
            self._where,
            connection.status,
            connection.head,
            connection.excerpt,
            self._clock.time(),
            self._api.dialects,
        )
        if answer.status in self._policy.ended:
            raise _EndOfStream(answer.line)
        if answer.status == 401 and not self._renewed and self._api.renews(transfer.headers):
            self._renewed = True
            return Outcome(Ending.RENEWED, answer.line, status=401)
        if answer.status in self._preset.too_old and self._cursor is not None:
            self._too_old, self._cursor = self._cursor, None
            return Outcome(Ending.TOO_OLD, answer.line, status=answer.status)
        refused = refusal(answer, self._policy)
        if refused is not None and (answer.status == 401 or not self._was_live()):
            raise refused
        return self._again(answer.outcome())


def _ending_of(connection: Connection, error: PenstockError | None) -> PenstockError | None:
    """Return why a connection ended: a WebSocket without a close frame was cut (code 1006)."""
    if error is None and connection.status == 101 and connection.framer is not None:
        return RetryableError("the connection ended without the close frame of a WebSocket")
    return error


def _is_good(error: PenstockError | None) -> bool:
    """Whether a connection that ended so was not cut."""
    return error is None or (isinstance(error, CloseFrame) and error.code in _GOOD)


def as_http(url: str) -> str:
    """Return a URL of a WebSocket as that of the request it begins with."""
    return "http" + url[2:] if url[:5].lower() in ("ws://", "wss:/") else url
