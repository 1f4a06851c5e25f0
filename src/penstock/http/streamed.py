"""A transfer that does not end: its bytes go to a sink as they come."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Protocol, final

import pycurl

from penstock.errors import InputError, PenstockError, PermanentError
from penstock.http.handle import Handle
from penstock.http.transfer import Profile, Transfer

__all__ = ["Sink", "StreamHandle", "StreamProfile", "StreamTransfer", "check_websockets"]

# libcurl hands out 16 KiB at a time, but receives as much as this at once.
_BUFFER = 512 * 1024
_TURN = 1024 * 1024  # bytes after which a turn of the I/O thread is enough, about
_LARGEST = 64 * 1024 * 1024  # bytes of one message of a WebSocket


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
        websocket: Whether it is a WebSocket; the sink gets each message whole.
    """

    raw: bool = False
    websocket: bool = False


class Sink(Protocol):
    """Where the bytes go. Called by the I/O thread: be quick, and wait for nobody.

    Of a WebSocket each chunk is a whole message, and an empty one a ping, answered already.
    A :class:`~penstock.errors.PenstockError` that is raised ends the transfer with it.
    """

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
        super().__init__(transfer.method, transfer.url, transfer.headers, transfer.content, profile)
        self.sink = sink
        self.guarded = transfer.guarded


@final
class StreamHandle(Handle):
    """One easy handle of a stream. Touched by the I/O thread only.

    Callbacks only put aside what comes; :meth:`deliver` hands it over once a turn. So a consumer
    thread is woken once for all that came, and does not fight for the interpreter meanwhile.
    """

    __slots__ = (
        "_fault",
        "_flowing",
        "_full",
        "_left",
        "_open",
        "_parts",
        "_paused",
        "_pings",
        "_stream",
        "_whole",
    )

    def __init__(self, profile: Profile, flowing: set[StreamHandle]) -> None:
        self._flowing = flowing
        self._stream: StreamTransfer | None = None
        self._open = False
        self._paused = False
        self._left = _TURN  # bytes that may still come in this turn
        self._full = False  # whether more than that came
        self._fault: PenstockError | None = None
        self._parts: list[bytes] = []  # of a WebSocket's message that is not whole yet
        self._pings: list[bytes] = []
        self._whole = 0  # bytes of its present frame that came
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
            easy.setopt(pycurl.WRITEFUNCTION, self._frame)
            # libcurl would answer pings without telling: no sign of life for the watchdogs.
            easy.setopt(pycurl.WS_OPTIONS, pycurl.WS_NOAUTOPONG)
        else:
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
        return None

    def _frame(self, data: bytes) -> int | None:
        """Put frames of a WebSocket together to messages; libcurl cuts them as it likes."""
        meta = self.easy.ws_meta()
        if meta is None:  # not a frame: an answer that refuses the upgrade
            return None
        self._whole += len(data)
        ended = self._whole >= meta.offset + meta.len + meta.bytesleft
        if ended:
            self._whole = 0
        if meta.flags & (pycurl.WS_TEXT | pycurl.WS_BINARY):
            self._parts.append(data)
            if ended and not meta.flags & pycurl.WS_CONT:
                self._chunks.append(b"".join(self._parts))
                self._parts.clear()
            elif sum(map(len, self._parts)) > _LARGEST:
                self._fault = PermanentError(f"a message is larger than {_LARGEST} bytes")
                return 0
        elif meta.flags & pycurl.WS_PING:
            self._pings.append(data)  # RFC 6455 section 5.5: control frames are never cut
            self._chunks.append(b"")
        return None

    def _answer_pings(self) -> None:
        for payload in self._pings:
            with contextlib.suppress(pycurl.error):  # a connection that breaks is told anyway
                # RFC 6455 section 5.5.3: a pong carries what its ping did.
                self.easy.ws_send(payload, pycurl.WS_PONG)
        self._pings.clear()

    def begin(self, transfer: Transfer, now: float) -> None:
        """Take up ``transfer``."""
        assert isinstance(transfer, StreamTransfer)  # its profile led here
        self._stream = transfer
        self._open = self._paused = self._full = False
        self._left = _TURN
        self._fault, self._whole = None, 0
        self._parts.clear()
        self._pings.clear()
        super().begin(transfer, now)
        self._flowing.add(self)

    def deliver(self) -> PenstockError | None:
        """Hand over what came; return the sink's error, where it wants no more at all."""
        stream = self._stream
        if stream is None:
            return None
        try:
            if self._pings:
                self._answer_pings()
            if not self._open and self._head and (self._chunks or not self._head[-1].strip()):
                self._opened(stream.sink)
            if self._chunks:
                self._hand_over(stream.sink)
            elif self._paused and stream.sink.ready():
                self._paused = False
                self.easy.pause(pycurl.PAUSE_CONT)
        except PenstockError as error:
            return error
        return self._fault

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
                self.easy.pause(pycurl.PAUSE_RECV)
        elif full and not self._paused:
            self.easy.pause(pycurl.PAUSE_CONT)

    def overdue(self, now: float) -> str | None:
        """Return which of the waiting times has passed, or what the sink has against it."""
        stream = self._stream
        if self._head and stream is not None:
            return None if self._paused else stream.sink.overdue(now)
        return super().overdue(now)

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
