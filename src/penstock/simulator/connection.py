"""One client's connection: performs plans at the byte level, one after the other."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from typing import final

from penstock.simulator.answer import PlannedAnswer
from penstock.simulator.request import BODY_LIMIT, BadRequest, lex, wants_continue
from penstock.simulator.service import SimulatedService
from penstock.simulator.streams.framing import frame
from penstock.simulator.streams.script import Last, Play
from penstock.simulator.streams.websocket import incoming

__all__ = ["ServedConnection"]

PIECES = 20
BUFFER_LIMIT = BODY_LIMIT + 1024 * 1024  # room for any one request
LINGER = 2.0
STEPS = 64  # of a stream, before others have their turn
CLOSE, PONG = 8, 10  # RFC 6455 §5.2


@final
class ServedConnection(asyncio.BufferedProtocol):
    """HTTP/1.1 with keep-alive; pipelined requests are answered in order."""

    def __init__(
        self, service: SimulatedService, others: set[ServedConnection], inlet: memoryview
    ) -> None:
        self._service = service
        self._others = others
        self._inlet = inlet
        self._buffer = b""
        self._busy = False  # a plan is being performed
        self._full = False  # the client does not read
        self._crowded = False  # the client sent so much that we stopped reading
        self._ended = False  # nothing more will be answered
        self._peer = ""
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None
        self._play: Play | None = None  # a stream under way
        self._held = False  # it goes on when the client reads
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)  # a TCP server's always is
        self._transport = transport
        peer = transport.get_extra_info("peername")  # None: gone already
        self._peer = peer[0] if peer else ""
        self._others.add(self)
        self._service.world.ledger.opened()

    def connection_lost(self, exc: Exception | None) -> None:
        """End: what was not sent yet never will be."""
        self._busy = True
        self._buffer = b""
        self._play = None
        if self._timer is not None:
            self._timer.cancel()
        self._others.discard(self)
        self._service.world.ledger.closed()

    def abort(self) -> None:
        """Close at once: the server ends."""
        self._transport.abort()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where to put what arrives.

        All connections share one place: the loop fills it and empties it in one step.
        """
        return self._inlet

    def buffer_updated(self, nbytes: int) -> None:
        """Take what arrived and answer what is complete."""
        if self._ended:
            return
        data = bytes(self._inlet[:nbytes])
        self._buffer = self._buffer + data if self._buffer else data
        if self._play is not None and self._play.socket:
            self._listen(self._play)
        self._pump()

    def pause_writing(self) -> None:
        """Stop answering while the client does not read."""
        self._full = True

    def resume_writing(self) -> None:
        """Go on answering."""
        self._full = False
        if self._held:
            self._step()
        self._pump()

    def _pump(self) -> None:
        while self._buffer and not self._busy and not self._full and self._answer_one():
            pass
        crowded = len(self._buffer) > BUFFER_LIMIT
        if crowded != self._crowded:
            self._crowded = crowded
            (self._transport.pause_reading if crowded else self._transport.resume_reading)()

    def _answer_one(self) -> bool:
        try:
            lexed = lex(self._buffer)
        except BadRequest as error:
            self._begin(self._service.refuse(error, time.time()))
            return False
        if lexed is None:
            if wants_continue(self._buffer):
                self._continue()
            return False
        request, length = lexed
        self._buffer = self._buffer[length:]
        self._begin(self._service.plan(request, self._peer, time.monotonic(), time.time()))
        return True

    def _continue(self) -> None:
        # RFC 9110 §10.1.1: told once, and the header taken out so that it stays at once.
        self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"expect:")]
        self._buffer = b"\r\n".join(lines) + end + rest

    def _begin(self, plan: PlannedAnswer) -> None:
        if plan.delay:
            self._busy = True
            self._after(plan.delay, lambda: self._perform(plan))
        else:
            self._perform(plan)

    def _perform(self, plan: PlannedAnswer) -> None:
        if plan.manner == "send":  # by far the most frequent, so without the detour
            self._transport.write(plan.head + plan.body)
            self._complete(plan)
        else:
            self._busy = True
            self._misbehave(plan)

    def _misbehave(self, plan: PlannedAnswer) -> None:
        match plan.manner:
            case "truncate":
                self._truncate(plan)
            case "drip":
                self._drip(plan)
            case "stall":
                self._stall(plan)
            case "stream":
                self._transport.write(plan.head)
                self._play = plan.play
                self._step()
            case _:
                self._reset()

    def _complete(self, plan: PlannedAnswer) -> None:
        if plan.user is not None:
            self._service.world.ledger.sent(plan.user)
        if not plan.keep_alive:
            self._close()
        elif self._busy:
            self._busy = False
            self._pump()

    def _close(self) -> None:
        # Closing with unread bytes would make the kernel reset the connection, and the client
        # might never see the answer: so only our half ends, until the client ends its own.
        self._busy = self._ended = True
        self._buffer = b""
        self._transport.write_eof()
        self._after(LINGER, self._transport.close)

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._timer = self._loop.call_later(seconds, action)

    def _step(self) -> None:
        """Go on with the stream, up to a pause, a client that does not read, or its end."""
        self._held = False
        for _ in range(STEPS):
            if self._play is None:
                return
            if self._full:
                self._held = True
                return
            step = next(self._play.steps)
            if step.data:
                self._transport.write(step.data)
            if step.last is not None:
                self._finish_stream(step.last)
                return
            if step.wait:
                self._after(step.wait, self._step)
                return
        self._after(0, self._step)  # the other connections have their turn

    def _finish_stream(self, last: Last) -> None:
        self._play = None
        if last == "stall":
            self._after(self._service.settings.stall, self._close)
        elif last == "reset":
            self._reset()
        else:
            self._close()

    def _listen(self, play: Play) -> None:
        """Take the frames a client of a WebSocket sends."""
        while (found := incoming(self._buffer)) is not None:
            self._buffer = self._buffer[found.length :]
            if found.opcode == PONG:
                play.pong()
            elif found.opcode == CLOSE:
                self._transport.write(frame(CLOSE, b"\x03\xe8"))
                self._play = None
                self._close()
                return

    def _reset(self) -> None:
        # Lingering for 0 seconds makes the kernel send RST instead of FIN.
        sock: socket.socket = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _truncate(self, plan: PlannedAnswer) -> None:
        self._transport.write(plan.head + plan.body[: len(plan.body) // 2])
        self._close()

    def _stall(self, plan: PlannedAnswer) -> None:
        self._transport.write(plan.head)
        self._after(self._service.settings.stall, self._close)

    def _drip(self, plan: PlannedAnswer) -> None:
        self._transport.write(plan.head)
        self._drip_from(plan, 0)

    def _drip_from(self, plan: PlannedAnswer, start: int) -> None:
        size = -(-len(plan.body) // PIECES)
        following = start + size
        self._transport.write(plan.body[start:following])
        if following >= len(plan.body):
            self._complete(plan)  # at once: the client has it all and may ask for the truth
            return
        pause = self._service.settings.drip / PIECES
        self._after(pause, lambda: self._drip_from(plan, following))
