"""HTTP/1.1 requests out of bytes: a pure lexer, no sockets."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple, final
from urllib.parse import parse_qsl

__all__ = ["BadRequest", "ReceivedRequest", "lex", "wants_continue"]

HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 8 * 1024 * 1024


@final
class BadRequest(Exception):
    """The bytes are not a request we serve; answer ``status`` and close."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ReceivedRequest(NamedTuple):
    """One request. Header names are in lower case; ``target`` is path and query as sent."""

    method: str
    target: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    keep_alive: bool

    def parameters(self) -> dict[str, str]:
        """Return the query's parameters, the last of a name winning."""
        return dict(parse_qsl(self.query, keep_blank_values=True))


def lex(data: bytes) -> tuple[ReceivedRequest, int] | None:
    r"""Return the first request in ``data`` and its length, or None while it is incomplete.

    Raises:
        BadRequest: It can never become a request.

    >>> request, length = lex(b"GET /users/7.json?a=1 HTTP/1.1\r\nHost: x\r\n\r\nGET /next")
    >>> request.path, request.parameters(), length
    ('/users/7.json', {'a': '1'}, 43)
    >>> lex(b"GET /users/7") is None
    True
    """
    end = data.find(b"\r\n\r\n")
    if end < 0 or end > HEAD_LIMIT:
        if len(data) > HEAD_LIMIT:
            raise BadRequest(431, "the head of a request may have 64 KiB")
        return None
    line_end = data.find(b"\r\n", 0, end)
    if line_end < 0:
        line_end = end
    headers = _headers(data[line_end + 2 : end])
    body = _body(data, end + 4, headers)
    if body is None:
        return None
    method, target, version = _request_line(data[:line_end])
    path, _, query = target.partition("?")
    connection = headers.get("connection", "").lower()
    keep_alive = connection != "close" if version == "HTTP/1.1" else connection == "keep-alive"
    content, length = body
    return ReceivedRequest(method, target, path, query, headers, content, keep_alive), length


def wants_continue(data: bytes) -> bool:
    """Return whether an incomplete request waits for ``100 Continue`` before its body."""
    head, end, _ = data.partition(b"\r\n\r\n")
    return bool(end) and b"\r\nexpect: 100-continue" in head.lower()


def _request_line(line: bytes) -> tuple[str, str, str]:
    try:
        method, target, version = line.decode("ascii").split(" ")
    except ValueError as error:  # UnicodeDecodeError is one, too
        raise BadRequest(400, "the request line must be METHOD TARGET HTTP/1.1") from error
    if version not in {"HTTP/1.1", "HTTP/1.0"}:
        raise BadRequest(505, f"this server speaks HTTP/1.1, not {version}")
    if not target.startswith("/"):
        # RFC 9112 §3.2.2: a server must accept the absolute form that proxies are sent
        _, scheme, rest = target.partition("://")
        if not scheme:
            raise BadRequest(400, "the target must be a path")
        target = "/" + rest.partition("/")[2]
    return method, target, version


@lru_cache(maxsize=512)
def _headers(block: bytes) -> Mapping[str, str]:
    # A client sends the same block again and again, so this is mostly a look-up.
    headers: dict[str, str] = {}
    for line in block.decode("latin-1").split("\r\n") if block else ():
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip() or "\n" in line or "\r" in line:
            raise BadRequest(400, f"not a header: {line[:80]!r}")
        headers[name.lower()] = value.strip()
    return MappingProxyType(headers)


def _body(data: bytes, start: int, headers: Mapping[str, str]) -> tuple[bytes, int] | None:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _chunks(data, start)
    text = headers.get("content-length", "0")
    if not text.isdecimal() or len(text) > 12:
        raise BadRequest(400, "Content-Length must be a number")
    length = int(text)
    if length > BODY_LIMIT:
        raise BadRequest(413, "a body may have 8 MiB")
    end = start + length
    return (data[start:end], end) if len(data) >= end else None


def _chunks(data: bytes, start: int) -> tuple[bytes, int] | None:
    body = bytearray()
    while (line_end := data.find(b"\r\n", start)) >= 0:
        try:
            size = int(data[start:line_end].partition(b";")[0], 16)
        except ValueError as error:
            raise BadRequest(400, "a chunk begins with its size in hexadecimal") from error
        if size < 0 or len(body) + size > BODY_LIMIT:
            raise BadRequest(413, "a body may have 8 MiB")
        start = line_end + 2
        if size == 0:  # trailers are not read: the next line has to be empty
            return (bytes(body), start + 2) if len(data) >= start + 2 else None
        if len(data) < start + size + 2:
            return None
        body += data[start : start + size]
        start += size + 2
    return None
