"""Whether an answer came to its end: libcurl takes some that were cut off for whole ones."""

from __future__ import annotations

import re
from functools import lru_cache

from penstock.pipeline import closes, is_json

_NOTHING = frozenset({204, 205, 304})  # RFC 9110 section 6.4.1: these have no content
_ENDED_BY_CLOSE = (b"HTTP/1", b"HTTP/0")


def cut_short(method: str, status: int, head: bytes, body: bytes) -> str | None:
    r"""Return where an answer was cut off, or None where it is whole.

    A body with a stated length or in chunks has been counted by libcurl. One that ends with the
    connection (RFC 9112 section 6.3), and one that was compressed, can end early unseen: it is
    whole where it is JSON, or ends as JSON does, if it says that it is JSON.

    >>> cut_short("GET", 200, b"HTTP/1.1 200 OK\r\nContent-Le", b"")
    'answer ended within its headers'
    >>> cut_short("GET", 200, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"")
    >>> cut_short("GET", 206, b"HTTP/1.1 206 _\r\nContent-Range: bytes 0-1/9\r\n\r\n", b"[]")
    'answer is only a part of the body (206), which was not asked for'
    """
    answer, coded, counted = _framing(head)
    if status == 206 and _is_part(answer):
        return "answer is only a part of the body (206), which was not asked for"
    if status < 200 or not (b"\r\n\r\n" in answer or b"\n\n" in answer):
        return "answer ended within its headers"
    if method == "HEAD" or status in _NOTHING or (counted and not coded):
        return None
    fields = answer.lower().replace(b" ", b"")
    if b"\ncontent-length:0\r" in fields:
        return None
    if not body:
        return "answer ended before its body"
    says = b"json" in fields.partition(b"\ncontent-type:")[2].partition(b"\n")[0]
    says = says or (b"\ncontent-type:" not in fields and body.lstrip()[:1] in (b"{", b"[", b'"'))
    whole = not says or is_json(body) or closes(body) or _is_lines(body)
    return None if whole else "answer ended within its body"


def _is_lines(body: bytes) -> bool:
    """Whether a body is lines of JSON, as its first and its last are."""
    first, more, rest = body.strip().partition(b"\n")
    return bool(more) and closes(first) and closes(rest.rpartition(b"\n")[2])


def is_measured(head: bytes) -> bool:
    """Return whether an answer says where it ends, so that a cut would be seen."""
    return _framing(head)[2]


def _is_part(answer: bytes) -> bool:
    """Whether ``Content-Range`` says that bytes are missing; of rows it is the pages' matter."""
    found = re.search(rb"(?i)\ncontent-range:\s*bytes\s+(\d+)-(\d+)/(\d+|\*)", answer)
    if found is None:
        return False
    start, end, size = found.groups()
    return int(start) > 0 or (size != b"*" and int(end) + 1 < int(size))


def end_is_unseen(head: bytes) -> bool:
    r"""Return whether an answer is compressed and ends with its connection.

    libcurl then does not say whether the compressed data came to their end.

    >>> end_is_unseen(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
    True
    """
    _, coded, counted = _framing(head)
    return coded and not counted


@lru_cache(maxsize=16)  # within a second, most heads of a server are alike
def _framing(head: bytes) -> tuple[bytes, bool, bool]:
    """Return the head of the last answer, whether it is compressed, and whether it is counted."""
    answer = head[head.rfind(b"\nHTTP/") + 1 :]
    fields = answer.lower().replace(b" ", b"")
    counted = (
        b"\ncontent-length:" in fields
        or b"\ntransfer-encoding:chunked" in fields
        or not answer.startswith(_ENDED_BY_CLOSE)
    )
    coding = fields.partition(b"\ncontent-encoding:")[2].partition(b"\n")[0].strip()
    return answer, coding not in {b"", b"identity", b"none"}, counted
