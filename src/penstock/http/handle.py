"""A reusable curl handle: configured once for a profile, given a new URL for each transfer."""

from __future__ import annotations

import time

import pycurl

from penstock.errors import PermanentError, RetryableError
from penstock.http.completeness import cut_short
from penstock.http.faults import translate
from penstock.http.transfer import Profile, Transfer
from penstock.http.trust import trusted_certificates
from penstock.http.url import shown

__all__ = ["Handle"]

_ENCODINGS = ""  # libcurl: all it can decode (gzip, br, zstd where built in)


class Handle:
    """One easy handle with its sinks. Touched by the I/O thread only."""

    __slots__ = (
        "_chunks",
        "_head",
        "_headers",
        "_plain",
        "_profile",
        "_requests",
        "_room",
        "_seen",
        "_seen_at",
        "easy",
        "shard",
        "started",
        "transfer",
    )

    def __init__(self, profile: Profile) -> None:
        self.easy = pycurl.Curl()
        self.transfer: Transfer | None = None
        self.shard = 0
        self.started = 0.0
        self._profile = profile
        self._head: list[bytes] = []
        self._chunks: list[bytes] = []
        self._room = profile.max_body
        self._requests = 0
        self._headers: list[str] | None = None
        self._plain = True
        self._seen = 0
        self._seen_at = 0.0
        self._configure()

    def _configure(self) -> None:
        profile, easy = self._profile, self.easy
        easy.setopt(pycurl.NOSIGNAL, 1)
        easy.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        easy.setopt(pycurl.FOLLOWLOCATION, 0)  # we follow: credentials must not
        easy.setopt(pycurl.TCP_KEEPALIVE, 1)
        version = pycurl.CURL_HTTP_VERSION_2TLS if profile.http2 else pycurl.CURL_HTTP_VERSION_1_1
        easy.setopt(pycurl.HTTP_VERSION, version)
        easy.setopt(pycurl.CONNECTTIMEOUT_MS, round((profile.connect or 300.0) * 1000))
        easy.setopt(pycurl.TIMEOUT_MS, round((profile.total or 0.0) * 1000))
        if profile.proxy is not None:
            easy.setopt(pycurl.PROXY, profile.proxy)
        if profile.cert is not None:
            easy.setopt(pycurl.SSLCERT, profile.cert)
            easy.setopt(pycurl.SSLKEY, profile.key or profile.cert)
        if profile.verify:
            easy.setopt(pycurl.CAINFO, profile.ca_file or trusted_certificates())
        else:
            easy.setopt(pycurl.SSL_VERIFYPEER, 0)
            easy.setopt(pycurl.SSL_VERIFYHOST, 0)
        for option, value in (
            (pycurl.SSLCERT, profile.cert_file),
            (pycurl.SSLKEY, profile.key_file),
            (pycurl.UNIX_SOCKET_PATH, profile.unix_socket),
        ):
            if value is not None:
                easy.setopt(option, value)
        easy.setopt(pycurl.PREREQFUNCTION, self._before_request)
        self._configure_body()

    def _configure_body(self) -> None:
        easy = self.easy
        easy.setopt(pycurl.ACCEPT_ENCODING, _ENCODINGS)
        # Bound C methods: no Python frame per header line.
        easy.setopt(pycurl.HEADERFUNCTION, self._head.append)
        easy.setopt(pycurl.WRITEFUNCTION, self._write)

    def _write(self, chunk: bytes) -> int:
        size = len(chunk)
        self._room -= size
        if self._room < 0:
            return 0
        self._chunks.append(chunk)
        return size

    def _before_request(self, *_addresses: object) -> int:
        # libcurl silently sends a request again when a kept-alive connection turns out dead.
        # That would spend quota unseen, and repeat what may not be repeated: we decide instead.
        self._requests += 1
        return int(pycurl.PREREQFUNC_OK if self._requests == 1 else pycurl.PREREQFUNC_ABORT)

    def begin(self, transfer: Transfer, now: float) -> None:
        """Take up ``transfer``: set what differs from the one before."""
        self.transfer = transfer
        self.started = now
        self._seen = 0
        self._seen_at = now
        self._requests = 0
        self._room = self._profile.max_body
        easy = self.easy
        if not self._plain:
            easy.reset()
            self._configure()
            self._headers = None
            self._plain = True
        if transfer.method != "GET" or transfer.content is not None:
            self._set_method(transfer)
        if transfer.fresh:
            self._plain = False
            easy.setopt(pycurl.FRESH_CONNECT, 1)
        easy.setopt(pycurl.URL, transfer.url)
        if transfer.headers is not self._headers:
            easy.setopt(pycurl.HTTPHEADER, transfer.headers)
            self._headers = transfer.headers

    def _set_method(self, transfer: Transfer) -> None:
        self._plain = False
        easy = self.easy
        if transfer.content is not None or transfer.method in ("POST", "PUT", "PATCH"):
            content = transfer.content or b""
            easy.setopt(pycurl.POST, 1)
            easy.setopt(pycurl.POSTFIELDSIZE, len(content))
            easy.setopt(pycurl.POSTFIELDS, content)
        if transfer.method == "HEAD":
            easy.setopt(pycurl.NOBODY, 1)
        elif transfer.method != "POST":
            easy.setopt(pycurl.CUSTOMREQUEST, transfer.method)

    def overdue(self, now: float) -> str | None:
        """Return which of the waiting times has passed, or None.

        Signs of life are counted, not timed: the sinks stay bare C calls.
        """
        profile = self._profile
        seen = len(self._head) + len(self._chunks)
        if seen != self._seen:
            self._seen = seen
            self._seen_at = now
        elif seen == 0 and profile.first_byte and now - self.started > profile.first_byte:
            return f"no answer within {profile.first_byte:g} s"
        elif seen and profile.stall and now - self._seen_at > profile.stall:
            return f"answer stalled for {profile.stall:g} s"
        return None

    def finish(self, code: int, message: str) -> Transfer:
        """Return the transfer with its outcome, and be ready for the next."""
        transfer = self.transfer
        assert transfer is not None  # curl reports a handle only once
        self.transfer = None
        transfer.seconds = time.monotonic() - self.started
        if code == 0:
            transfer.status = self.easy.getinfo(pycurl.RESPONSE_CODE)
            transfer.head = b"".join(self._head)
            chunks = self._chunks
            transfer.body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            self._check_whole(transfer)
        else:
            self._fail(transfer, code, message)
        self._head.clear()
        self._chunks.clear()
        return transfer

    def _check_whole(self, transfer: Transfer) -> None:
        method, status = transfer.method, transfer.status
        if cut := cut_short(method, status, transfer.head, transfer.body):
            transfer.error = RetryableError(f"{method} {shown(transfer.url)}: {cut}")

    def _fail(self, transfer: Transfer, code: int, message: str) -> None:
        where = f"{transfer.method} {shown(transfer.url)}"
        sent = self._requests > 0
        transfer.stale = code == pycurl.E_ABORTED_BY_CALLBACK  # see _before_request
        if code == pycurl.E_WRITE_ERROR and self._room < 0:
            limit = self._profile.max_body
            transfer.error = PermanentError(f"{where}: body is larger than max_body={limit} bytes")
        else:
            transfer.error = translate(code, message, where, sent=sent)

    def abandon(self, reason: str) -> Transfer:
        """Return the transfer, failed by us because of ``reason``."""
        transfer = self.finish(pycurl.E_OPERATION_TIMEDOUT, reason)
        if isinstance(transfer.error, RetryableError):
            where = f"{transfer.method} {shown(transfer.url)}"
            transfer.error = RetryableError(f"{where}: {reason}", sent=transfer.error.sent)
        return transfer

    def close(self) -> None:
        """Free the handle."""
        self.easy.close()
