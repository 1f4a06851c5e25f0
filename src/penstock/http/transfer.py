"""One exchange with a server: what to send, and what came of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

from penstock.errors import InputError, PenstockError


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How to connect, and how long to wait for what. Times are seconds; None waits indefinitely.

    Attributes:
        connect: Until the connection (TLS included) stands.
        first_byte: From the start until the first byte of the answer.
        stall: Between two signs of life of an answer that has begun.
        total: From the start to the last byte.
        least_rate: Bytes a second that an answer brings at least, on average over ``stall`` or
            longer; a server that lets it drip would hold a place for itself.
        max_body: Bytes a decoded body may have.
        max_bodies: Bytes that all bodies under way may have together, in this process.
        max_ratio: How many times larger than what came over the wire a body of more than 16 MiB
            may become by decompression.
        proxy: URL of a proxy (``http://``, ``https://``, ``socks5h://``), ``""`` for none at
            all, or None to obey the usual environment variables.
        verify: Whether to check the server's certificate. Leave it on.
        ca_file: Bundle of trusted certificates in PEM form, or None for the system's.
        cert: Our own certificate in PEM form, for servers that ask for one, or None.
        key: Its private key, where it is in another file.
        http2: Whether to offer HTTP/2 over TLS.
        cookies: Number of the jar where cookies are kept, 0 for none: see ``Api``.
        unix_socket: Path of the socket that the server listens at, or None: TCP.
    """

    connect: float | None = 10.0
    first_byte: float | None = 60.0
    stall: float | None = 60.0
    total: float | None = None
    least_rate: float | None = 10.0
    max_body: int = 256 * 1024 * 1024
    max_bodies: int = 1024 * 1024 * 1024
    max_ratio: float = 200.0
    proxy: str | None = field(default=None, repr=False)  # it may carry a password
    verify: bool = True
    ca_file: str | None = None
    cert: str | None = None
    key: str | None = None
    http2: bool = True
    cookies: int = 0
    unix_socket: str | None = None
    digest: tuple[str, str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("connect", "first_byte", "stall", "total", "least_rate"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                what = "a rate" if name == "least_rate" else "a timeout"
                raise InputError(f"{name}={value}: {what} is more than 0, or None")
        for name in ("max_body", "max_bodies", "max_ratio"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name):g}: at least 1")


@final
class Inbox:
    """Where finished transfers are put by the I/O thread, for one receiver.

    Args:
        notify: Called by the I/O thread after one or more transfers were put in.
    """

    __slots__ = ("notify", "received")

    def __init__(self, notify: Callable[[], object]) -> None:
        self.received: deque[Transfer] = deque()
        self.notify = notify


@dataclass(slots=True, eq=False)
class Transfer:
    """A request on its way, then its outcome. Owned by the I/O thread in between.

    Attributes:
        method: The method's name.
        url: Absolute, already encoded.
        headers: Header lines; a list that is the same object each time is set only once.
        content: The body to send, or None.
        profile: How to connect.
        inbox: Where it is put when it is finished.
        context: The receiver's own; not looked at here.
        status: The HTTP status; 0 where there was no answer.
        head: The raw header lines of the answer.
        body: The decoded body.
        error: Why there is no whole answer, or None.
        seconds: How long it took.
        raw: Whether its content coding is undone by us: libcurl could not.
        undecoded: Whether libcurl could not undo the content coding of a whole answer.
        fresh: Whether it wants a connection of its own, and none that was kept.
        stale: Whether the server had closed the kept connection it went out on, unanswered.
        guarded: Whether it may reach public addresses only.
        peer: The address that answered.
    """

    method: str
    url: str
    headers: list[str]
    content: bytes | None
    profile: Profile
    inbox: Inbox | None = None
    context: object = None
    status: int = 0
    head: bytes = b""
    body: bytes = b""
    error: PenstockError | None = None
    seconds: float = 0.0
    raw: bool = False
    undecoded: bool = False
    fresh: bool = False
    stale: bool = False
    guarded: bool = False
    peer: str = ""
