"""A transfer that does not end: its bytes go to a sink as they come."""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import dataclass
from typing import Protocol, cast, final

import pycurl

from penstock.errors import InputError, PenstockError, PermanentError
from penstock.http.handle import Handle
from penstock.http.transfer import Profile, Transfer

# libcurl hands out 16 KiB at a time, but receives as much as this at once.
_BUFFER = 512 * 1024
_TURN = 1024 * 1024  # bytes after which a turn of the I/O thread is enough, about
_FRAMES = {
    "text": "WS_TEXT",
    "binary": "WS_BINARY",
    "ping": "WS_PING",
    "pong": "WS_PONG",
    "close": "WS_CLOSE",
}


def check_websockets() -> None:
    """See whether this libcurl speaks WebSocket.

    Raises:
        InputError: It does not.
    """
    if not hasattr(pycurl.Curl, "ws_meta") or "ws" not in pycurl.version_info()[8]:
        raise InputError(
            f"a WebSocket needs pycurl 7.47 with a libcurl that speaks it, not {pycurl.version}: "
            "pip install -U pycurl"
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StreamProfile(Profile):
    """How to connect for a stream; ``total``, ``stall`` and ``max_body`` bound nothing here.

    Attributes:
        raw: Whether the sink wants HTTP's chunked coding left on.
        websocket: Whether it is a WebSocket; the sink gets its frames as they are on the wire.
    """

    raw: bool = False
    websocket: bool = False


class Sink(Protocol):
    """Where the bytes go. Called by the I/O thread: be quick, and wait for nobody.

    An exception that is raised ends the transfer with it, and no other.

    Attributes:
        outgoing: Frames that a WebSocket has to send: their kind (``"text"``, ``"binary"``,
            ``"ping"``, ``"pong"``, ``"close"``) and payload. Filled and emptied by the I/O thread.
    """

    outgoing: deque[tuple[str, bytes]]

    def opened(self, status: int, head: bytes) -> None:
        """Take note of the answer's status and headers."""
        ...

    def receive(self, chunks: list[bytes]) -> bool:
        """Take ``chunks``, still content-coded; return False to be given no more for now."""
        ...

    def ready(self) -> bool:
        """Whether more may be given, after :meth:`receive` had returned False."""
        ...

    def overdue(self, now: float) -> str | None:
        """Return why the transfer should be given up, or None; asked every now and then."""
        ...


class StreamTransfer(Transfer):
    """A transfer with a sink. It is put into its inbox when it has ended, however."""

    __slots__ = ("sink",)

    def __init__(self, transfer: Transfer, profile: StreamProfile, sink: Sink) -> None:
        # pycurl takes texts of ASCII only, and bytes as they are.
        headers = [h if h.isascii() else h.encode() for h in transfer.headers]
        lines = cast("list[str]", headers)
        super().__init__(transfer.method, transfer.url, lines, transfer.content, profile)
        self.sink = sink
        self.guarded = transfer.guarded


@final
class StreamHandle(Handle):
    """One easy handle of a stream. Touched by the I/O thread only.

    Callbacks only put aside what comes; :meth:`deliver` hands it over once a turn. So a consumer
    thread is woken once for all that came, and does not fight for the interpreter meanwhile.
    """

    def __init__(self, profile: Profile, flowing: set[StreamHandle]) -> None:
        self._flowing = flowing
        self._stream: StreamTransfer | None = None
        self._open = False
        self._paused = False
        self._left = _TURN  # bytes that may still come in this turn
        self._full = False  # whether more than that came
        super().__init__(profile)

    def _configure_body(self) -> None:
        easy, profile = self.easy, self._profile
        easy.setopt(pycurl.HEADERFUNCTION, self._head.append)
        easy.setopt(pycurl.BUFFERSIZE, _BUFFER)
        # A connection of its own: a kept one may be dead, and nobody may come after a stream.
        easy.setopt(pycurl.FRESH_CONNECT, 1)
        easy.setopt(pycurl.FORBID_REUSE, 1)
        easy.setopt(pycurl.TIMEOUT_MS, 0)
        assert isinstance(profile, StreamProfile)  # StreamTransfer has no other
        if profile.websocket:
            # There is no name for ws alone; the URL is ours, and no redirect is followed.
            easy.setopt(pycurl.PROTOCOLS, pycurl.PROTO_ALL)
            # libcurl's own frames hide empty ones: the end of a message, a ping without payload.
            easy.setopt(pycurl.WS_OPTIONS, pycurl.WS_RAW_MODE)
        easy.setopt(pycurl.WRITEFUNCTION, self._put)
        if profile.raw:
            easy.setopt(pycurl.HTTP_TRANSFER_DECODING, 0)

    def _put(self, data: bytes) -> int | None:
        """Put ``data`` aside. A fast server would keep libcurl reading for many megabytes."""
        if self._left <= 0:
            self._full = True
            return pycurl.WRITEFUNC_PAUSE  # it comes again when reading goes on
        self._left -= len(data)
        self._chunks.append(data)
        self._flowing.add(self)
        return None

    def _send(self, outgoing: deque[tuple[str, bytes]]) -> None:
        """Send what the sink wants sent; a connection that breaks is told anyway."""
        easy = self.easy
        easy.setopt(pycurl.WS_OPTIONS, 0)  # libcurl masks and frames what is sent, not what comes
        try:
            while outgoing:
                kind, payload = outgoing[0]
                easy.ws_send(payload, getattr(pycurl, _FRAMES[kind]))
                outgoing.popleft()
        except BlockingIOError:
            pass  # when there is room again, in a later turn
        except pycurl.error:
            outgoing.clear()
        finally:
            easy.setopt(pycurl.WS_OPTIONS, pycurl.WS_RAW_MODE)

    def begin(self, transfer: Transfer, now: float) -> None:
        """Take up ``transfer``."""
        assert isinstance(transfer, StreamTransfer)  # its profile led here
        self._stream = transfer
        self._open = self._paused = self._full = False
        self._left = _TURN
        super().begin(transfer, now)
        self._flowing.add(self)

    @property
    def holds(self) -> bool:
        """Whether there is something to deliver."""
        return bool(self._chunks)

    def deliver(self) -> PenstockError | None:
        """Hand over what came; return the sink's error, where it wants no more at all."""
        stream = self._stream
        if stream is None:
            return None
        error: PenstockError | None = None
        try:
            self._turn(stream.sink)
        except PenstockError as raised:
            error = raised
        except Exception as broke:  # noqa: BLE001 - the transfers of others go on
            error = PermanentError(f"the stream broke: {broke!r}")
            error.__cause__ = broke
        if self._open and stream.sink.outgoing:
            self._send(stream.sink.outgoing)
        if self._open and not (self._paused or self._chunks or stream.sink.outgoing):
            self._flowing.discard(self)  # nobody has to look at it until something comes
        return error

    def _turn(self, sink: Sink) -> None:
        if not self._open and self._head and (self._chunks or not self._head[-1].strip()):
            self._opened(sink)
        if self._chunks:
            self._hand_over(sink)
        elif self._paused and sink.ready():
            self._paused = False
            self._pause(pycurl.PAUSE_CONT)

    def _opened(self, sink: Sink) -> None:
        status = self.easy.getinfo(pycurl.RESPONSE_CODE)
        if status < 200 and status != 101:
            return  # an interim answer or a proxy's: the real one follows
        self._open = True
        sink.opened(status, b"".join(self._head))

    def _hand_over(self, sink: Sink) -> None:
        chunks = self._chunks[:]
        self._chunks.clear()
        self._left = _TURN
        full, self._full = self._full, False
        if not sink.receive(chunks):
            if not self._paused:
                self._paused = True
                self._pause(pycurl.PAUSE_RECV)
        elif full and not self._paused:
            self._pause(pycurl.PAUSE_CONT)

    def _pause(self, what: int) -> None:
        with contextlib.suppress(pycurl.error):  # of an answer that has ended there is no more
            self.easy.pause(what)

    def overdue(self, now: float) -> str | None:
        """Return which of the waiting times has passed, or what the sink has against it."""
        stream = self._stream
        if not self._head or stream is None:
            return super().overdue(now)
        try:
            why = None if self._paused else stream.sink.overdue(now)
        except Exception as broke:  # noqa: BLE001 - the transfers of others go on
            return f"the stream broke: {broke!r}"
        if stream.sink.outgoing:
            self._flowing.add(self)
        return why

    def _check_whole(self, transfer: Transfer) -> None:
        """A stream has no end: whoever receives it sees where it was cut."""

    def finish(self, code: int, message: str) -> Transfer:
        """Return the transfer with its outcome, after its last bytes."""
        error = self.deliver()
        self._flowing.discard(self)
        self._stream = None
        transfer = super().finish(code, message)
        transfer.error = error or transfer.error
        return transfer

    def close(self) -> None:
        """Free the handle."""
        self._flowing.discard(self)
        super().close()
