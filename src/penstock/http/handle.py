"""A reusable curl handle: configured once for a profile, given a new URL for each transfer."""

from __future__ import annotations

import math
import socket
import time
import zlib
from functools import lru_cache

import pycurl

from penstock.errors import PermanentError, RetryableError
from penstock.http.completeness import cut_short, end_is_unseen
from penstock.http.faults import translate
from penstock.http.reach import is_public, not_public
from penstock.http.response import Headers
from penstock.http.transfer import Profile, Transfer
from penstock.http.trust import trusted_certificates
from penstock.http.url import shown

_STEP = 4 * 1024 * 1024  # bytes by which a body grows until it is looked at again
_LONGEST_NUMBER = 19
_SURE = 16 * 1024 * 1024  # bytes up to which no ratio matters
_RAW = "gzip, deflate"  # what we undo ourselves
_UNSEEN: set[str] = set()  # origins that compress answers and end them with the connection
_ENCODINGS = ""  # libcurl: all it can decode (gzip, br, zstd where built in)

_BODIES: dict[Handle, int] = {}
"""What the larger bodies under way hold. Of the I/O thread."""


@lru_cache(maxsize=256)
def _jar(_number: int) -> pycurl.CurlShare:
    """Return where the cookies of one ``Api`` are kept; used by the I/O thread alone."""
    jar = pycurl.CurlShare()
    jar.setopt(pycurl.SH_SHARE, pycurl.LOCK_DATA_COOKIE)
    return jar


_OF_LIBCURL = {"br": "brotli/", "zstd": "zstd/", "compress": "compress/"}  # what says it knows it


def decoded(head: bytes, body: bytes, most: int) -> bytes:
    """Return a body without its content coding; what is not a coding at all is passed over.

    Raises:
        PermanentError: It is a coding that libcurl knows, and not this one.
        ValueError: It is a coding that only libcurl knows, or the body is cut or too large.
        zlib.error: The body is damaged.
    """
    for coding in reversed(Headers(head).get("content-encoding", "").split(",")):
        if (name := coding.strip().lower()) in _OF_LIBCURL:
            if _OF_LIBCURL[name] in pycurl.version:
                raise ValueError(name)
            raise PermanentError(
                f"the body is compressed with {name}, which was not asked for: libcurl here does "
                "not undo it"
            )
        if coding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
            continue
        unpacking = zlib.decompressobj(47 if _has_header(body) else -15)
        body = unpacking.decompress(body, most)
        if not unpacking.eof:
            raise ValueError("it ends too early, or is larger than max_body")
    return body


def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


def _has_header(body: bytes) -> bool:
    """Return whether compressed data have the header of gzip or zlib; some servers leave it out."""
    return body[:2] == b"\x1f\x8b" or (
        len(body) > 1 and body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    )


class Handle:
    """One easy handle with its sinks. Touched by the I/O thread only."""

    def __init__(self, profile: Profile) -> None:
        self.easy = pycurl.Curl()
        self.transfer: Transfer | None = None
        self.shard = 0
        self.home: list[Handle] = []  # where it waits for its next transfer
        self._profile = profile
        self._head: list[bytes] = []
        self._chunks: list[bytes] = []
        self._headers: list[str] | None = None
        self._plain = True
        self._reset(0.0)
        self._configure()

    def _reset(self, now: float) -> None:
        self.started = self._seen_at = now
        self._seen = self._requests = 0
        self._refused = self._too_much = ""
        self._room = self._profile.max_body
        self._mark = max(0, self._room - _STEP)

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
        if profile.cookies:
            easy.setopt(pycurl.SHARE, _jar(profile.cookies))
            easy.setopt(pycurl.COOKIEFILE, "")
        if profile.digest is not None:
            easy.setopt(pycurl.HTTPAUTH, pycurl.HTTPAUTH_DIGEST)
            easy.setopt(pycurl.USERNAME, profile.digest[0])
            easy.setopt(pycurl.PASSWORD, profile.digest[1])
        if profile.unix_socket is not None:
            easy.setopt(pycurl.UNIX_SOCKET_PATH, profile.unix_socket)
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
        if self._room < self._mark and not self._may_grow():
            return 0
        self._chunks.append(chunk)
        return size

    def _may_grow(self) -> bool:
        """Look at a body that has grown by another step, by itself and with all others."""
        profile = self._profile
        size = profile.max_body - self._room
        if self._room < 0:
            self._too_much = f"body is larger than max_body={profile.max_body} bytes"
            return False
        _BODIES[self] = size
        self._mark = max(0, self._room - _STEP)
        if self._has_swollen(self._declared()):
            return False
        if (total := sum(_BODIES.values())) > profile.max_bodies:
            self._too_much = (
                f"the bodies under way hold {total:,} bytes, more than max_bodies="
                f"{profile.max_bodies}; lower concurrency"
            )
        return not self._too_much

    def _has_swollen(self, came: int | None) -> bool:
        """Return whether what came became too much of a body, and note it."""
        profile = self._profile
        size = profile.max_body - self._room
        if came is None or size <= _SURE or size <= profile.max_ratio * max(came, 1):
            return False
        self._too_much = (
            f"{came:,} bytes became {size:,} by decompression: more than max_ratio="
            f"{profile.max_ratio:g} times as many"
        )
        return True

    def _declared(self) -> int | None:
        """Return how many bytes the answer says it has; libcurl takes no more."""
        said = [line for line in self._head if line[:15].lower() == b"content-length:"]
        digits = said[-1][15:].strip() if said else b""
        return int(digits) if digits.isdigit() and len(digits) < _LONGEST_NUMBER else None

    def _before_request(self, address: str, *_others: object) -> int:
        # libcurl silently sends a request again when a kept-alive connection turns out dead.
        # That would spend quota unseen, and repeat what may not be repeated: we decide instead.
        transfer = self.transfer
        if transfer is not None and transfer.guarded and not is_public(address):
            self._refused = address  # of a connection that another call had opened
            return int(pycurl.PREREQFUNC_ABORT)
        self._requests += 1
        if self._requests > 1 and self._profile.digest is not None and self._head:
            return int(pycurl.PREREQFUNC_OK)  # the answer to the server's challenge
        return int(pycurl.PREREQFUNC_OK if self._requests == 1 else pycurl.PREREQFUNC_ABORT)

    def _connect(self, _purpose: int, target: tuple[int, int, int, tuple[str, int]]) -> object:
        # Asked for each address of a name, when it is connected to: what the name had been looked
        # up to before does not count.
        family, kind, protocol, address = target
        if not is_public(address[0]):
            self._refused = address[0]
            return pycurl.SOCKET_BAD
        return socket.socket(family, kind, protocol)

    def begin(self, transfer: Transfer, now: float) -> None:
        """Take up ``transfer``: set what differs from the one before."""
        self.transfer = transfer
        self._reset(now)
        easy = self.easy
        if not self._plain:
            easy.reset()
            self._configure()
            self._headers = None
            self._plain = True
        if transfer.method != "GET" or transfer.content is not None:
            self._set_method(transfer)
        if transfer.guarded:
            self._plain = False
            easy.setopt(pycurl.OPENSOCKETFUNCTION, self._connect)
        transfer.raw = transfer.raw or (bool(_UNSEEN) and _origin(transfer.url) in _UNSEEN)
        if transfer.raw:
            self._plain = False
            easy.setopt(pycurl.HTTP_CONTENT_DECODING, 0)
            easy.setopt(pycurl.ACCEPT_ENCODING, _RAW)
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
        if seen and self._has_swollen(self._came()):
            return self._too_much
        return self._dripping(now) if seen and profile.least_rate and profile.stall else None

    def _came(self) -> int:
        """Return how many bytes came over the wire; only libcurl knows, and not in a callback."""
        return int(self.easy.getinfo(pycurl.SIZE_DOWNLOAD_T))

    def _dripping(self, now: float) -> str | None:
        profile = self._profile
        took = now - self.started
        came = sum(map(len, self._head)) + profile.max_body - self._room
        least = profile.least_rate or 0.0
        if took < (profile.stall or math.inf) or came >= took * least:
            return None
        return (
            f"answer drips: {came:,} bytes in {took:.0f} s, less than least_rate={least:g} a second"
        )

    def finish(self, code: int, message: str) -> Transfer:
        """Return the transfer with its outcome, and be ready for the next."""
        transfer = self.transfer
        assert transfer is not None  # curl reports a handle only once
        self.transfer = None
        _BODIES.pop(self, None)
        transfer.seconds = time.monotonic() - self.started
        if code == 0:
            transfer.status = self.easy.getinfo(pycurl.RESPONSE_CODE)
            transfer.peer = self.easy.getinfo(pycurl.PRIMARY_IP)
            transfer.head = b"".join(self._head)
            chunks = self._chunks
            transfer.body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            if transfer.raw:
                self._decode(transfer)
            if self._room < self._profile.max_body - _SURE and self._has_swollen(self._came()):
                self._fail(transfer, pycurl.E_WRITE_ERROR, "")
            else:
                self._check_whole(transfer)
        else:
            self._fail(transfer, code, message)
        self._head.clear()
        self._chunks.clear()
        return transfer

    def _check_whole(self, transfer: Transfer) -> None:
        method, status = transfer.method, transfer.status
        if transfer.error is not None:
            return
        unseen = transfer.body and method != "POST" and not transfer.raw
        if unseen and end_is_unseen(transfer.head):
            # Once more, and whatever else comes from there: undone by us, who look for the end.
            _UNSEEN.add(_origin(transfer.url))
            transfer.undecoded = True
            words = "compressed answer of no stated length: its end cannot be seen"
            transfer.error = RetryableError(f"{method} {shown(transfer.url)}: {words}")
        elif cut := cut_short(method, status, transfer.head, transfer.body):
            transfer.error = RetryableError(f"{method} {shown(transfer.url)}: {cut}")

    def _decode(self, transfer: Transfer) -> None:
        try:
            if transfer.body:
                transfer.body = decoded(transfer.head, transfer.body, self._profile.max_body)
                self._room = self._profile.max_body - len(transfer.body)
        except PermanentError as error:
            transfer.error = PermanentError(f"{transfer.method} {shown(transfer.url)}: {error}")
        except (ValueError, zlib.error) as error:
            where = f"{transfer.method} {shown(transfer.url)}"
            transfer.error = RetryableError(f"{where}: compressed answer is damaged ({error})")

    def _fail(self, transfer: Transfer, code: int, message: str) -> None:
        where = f"{transfer.method} {shown(transfer.url)}"
        sent = self._requests > 0
        transfer.stale = code == pycurl.E_ABORTED_BY_CALLBACK  # see _before_request
        transfer.undecoded = code in (pycurl.E_WRITE_ERROR, pycurl.E_BAD_CONTENT_ENCODING)
        if self._refused:
            transfer.stale = False
            transfer.error = PermanentError(not_public(where, self._refused))
        elif code == pycurl.E_WRITE_ERROR and self._too_much:
            transfer.undecoded = False
            transfer.error = PermanentError(f"{where}: {self._too_much}")
        else:
            transfer.error = translate(code, message, where, sent=sent)

    def abandon(self, reason: str) -> Transfer:
        """Return the transfer, failed by us because of ``reason``."""
        transfer = self.finish(pycurl.E_OPERATION_TIMEDOUT, reason)
        if self._too_much:
            transfer.error = PermanentError(f"{transfer.method} {shown(transfer.url)}: {reason}")
        elif isinstance(transfer.error, RetryableError):
            where = f"{transfer.method} {shown(transfer.url)}"
            transfer.error = RetryableError(f"{where}: {reason}", sent=transfer.error.sent)
        return transfer

    def close(self) -> None:
        """Free the handle."""
        _BODIES.pop(self, None)
        self.easy.close()
