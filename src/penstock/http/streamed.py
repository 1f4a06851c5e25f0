"""A transfer that does not end: its bytes go to a sink as they come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, final

import pycurl

from penstock.errors import PenstockError
from penstock.http.handle import Handle
from penstock.http.transfer import Profile, Transfer

__all__ = ["Sink", "StreamHandle", "StreamProfile", "StreamTransfer"]

# libcurl hands out 16 KiB at a time, but receives as much as this at once.
_BUFFER = 512 * 1024


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


@final
class StreamHandle(Handle):
    """One easy handle of a stream. Touched by the I/O thread only.

    Callbacks only put aside what comes; :meth:`deliver` hands it over once a turn. So a consumer
    thread is woken once for all that came, and does not fight for the interpreter meanwhile.
    """

    __slots__ = ("_flowing", "_open", "_paused", "_received", "_stream")

    def __init__(self, profile: Profile, flowing: set[StreamHandle]) -> None:
        self._flowing = flowing
        self._stream: StreamTransfer | None = None
        self._open = False
        self._paused = False
        self._received = 0
        super().__init__(profile)

    def _configure_body(self) -> None:
        easy, profile = self.easy, self._profile
        easy.setopt(pycurl.HEADERFUNCTION, self._head.append)
        easy.setopt(pycurl.BUFFERSIZE, _BUFFER)
        # A connection of its own: a kept one may be dead, and nobody may come after a stream.
        easy.setopt(pycurl.FRESH_CONNECT, 1)
        easy.setopt(pycurl.FORBID_REUSE, 1)
        easy.setopt(pycurl.TIMEOUT_MS, 0)
        if not isinstance(profile, StreamProfile) or not profile.websocket:
            easy.setopt(pycurl.WRITEFUNCTION, self._chunks.append)
        if isinstance(profile, StreamProfile) and profile.raw:
            easy.setopt(pycurl.HTTP_TRANSFER_DECODING, 0)

    def begin(self, transfer: Transfer, now: float) -> None:
        """Take up ``transfer``."""
        assert isinstance(transfer, StreamTransfer)  # noqa: S101 - its profile led here
        self._stream = transfer
        self._open = self._paused = False
        self._received = 0
        super().begin(transfer, now)
        self._flowing.add(self)

    def deliver(self) -> PenstockError | None:
        """Hand over what came; return the sink's error, where it wants no more at all."""
        stream = self._stream
        if stream is None:
            return None
        try:
            if not self._open and self._head and (self._chunks or not self._head[-1].strip()):
                self._opened(stream.sink)
            if self._chunks:
                self._hand_over(stream.sink)
            elif self._paused and stream.sink.ready():
                self._paused = False
                self.easy.pause(pycurl.PAUSE_CONT)
        except PenstockError as error:
            return error
        return None

    def _opened(self, sink: Sink) -> None:
        status = self.easy.getinfo(pycurl.RESPONSE_CODE)
        if status < 200 and status != 101:
            return  # an interim answer or a proxy's: the real one follows
        self._open = True
        sink.opened(status, b"".join(self._head))

    def _hand_over(self, sink: Sink) -> None:
        chunks = self._chunks[:]
        self._chunks.clear()  # the same list stays: curl appends to it
        self._received += len(chunks)
        if not sink.receive(chunks) and not self._paused:
            self._paused = True
            self.easy.pause(pycurl.PAUSE_RECV)

    def overdue(self, now: float) -> str | None:
        """Return which of the waiting times has passed, or what the sink has against it."""
        stream = self._stream
        if self._head and stream is not None:
            return None if self._paused else stream.sink.overdue(now)
        return super().overdue(now)

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
