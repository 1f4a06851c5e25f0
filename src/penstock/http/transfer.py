"""One exchange with a server: what to send, and what came of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

from penstock.errors import InputError, PenstockError

__all__ = ["Inbox", "Profile", "Transfer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How to connect, and how long to wait for what. Times are seconds; None waits for ever.

    Attributes:
        connect: Until the connection (TLS included) stands.
        first_byte: From the start until the first byte of the answer.
        stall: Between two signs of life of an answer that has begun.
        total: From the start to the last byte.
        max_body: Bytes a decoded body may have.
        proxy: URL of a proxy (``http://``, ``https://``, ``socks5h://``), ``""`` for none at
            all, or None to obey the usual environment variables.
        verify: Whether to check the server's certificate. Leave it on.
        ca_file: Bundle of trusted certificates in PEM form, or None for the system's.
        cert: Our own certificate in PEM form, for servers that ask for one, or None.
        key: Its private key, where it is in another file.
        http2: Whether to offer HTTP/2 over TLS.
        cert_file: Our own certificate in PEM form, for servers that ask for one, or None.
        key_file: Its key in PEM form, or None: in the same file.
        unix_socket: Path of the socket that the server listens at, or None: TCP.
    """

    connect: float | None = 10.0
    first_byte: float | None = 60.0
    stall: float | None = 60.0
    total: float | None = None
    max_body: int = 256 * 1024 * 1024
    proxy: str | None = field(default=None, repr=False)  # it may carry a password
    verify: bool = True
    ca_file: str | None = None
    cert: str | None = None
    key: str | None = None
    http2: bool = True
    cert_file: str | None = None
    key_file: str | None = None
    unix_socket: str | None = None

    def __post_init__(self) -> None:
        for name in ("connect", "first_byte", "stall", "total"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise InputError(f"{name}={value}: a timeout is more than 0 seconds, or None")
        if self.max_body <= 0:
            raise InputError(f"max_body={self.max_body}: at least 1 byte")


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
        fresh: Whether it wants a connection of its own, and none that was kept.
        stale: Whether the server had closed the kept connection it went out on, unanswered.
    """

    __slots__ = (
        "body",
        "content",
        "context",
        "error",
        "fresh",
        "head",
        "headers",
        "inbox",
        "method",
        "profile",
        "seconds",
        "stale",
        "status",
        "url",
    )

    def __init__(
        self, method: str, url: str, headers: list[str], content: bytes | None, profile: Profile
    ) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.content = content
        self.profile = profile
        self.inbox: Inbox | None = None
        self.context: object = None
        self.status = 0
        self.head = b""
        self.body = b""
        self.error: PenstockError | None = None
        self.seconds = 0.0
        self.fresh = False
        self.stale = False
