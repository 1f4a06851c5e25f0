"""Answers as values, and their bytes on the wire."""

from __future__ import annotations

import gzip
import json
from functools import lru_cache
from http import HTTPStatus
from typing import Literal, NamedTuple
from wsgiref.handlers import format_date_time

from penstock.simulator.settings import SimulatorSettings
from penstock.simulator.streams.script import Play

__all__ = [
    "Headers",
    "Manner",
    "PlannedAnswer",
    "ServedAnswer",
    "encodings",
    "error_answer",
    "http_date",
    "json_answer",
    "stream_head",
    "wire",
]

Headers = tuple[tuple[str, str], ...]

# How a connection performs a plan.
Manner = Literal["send", "truncate", "drip", "stall", "reset", "stream"]

REASONS = {
    **{status.value: status.phrase for status in HTTPStatus},
    420: "Enhance Your Calm",
    520: "Web Server Returned an Unknown Error",
}


class ServedAnswer(NamedTuple):
    """What is said: ``user`` is the id whose record this is, to be counted once it is sent.

    ``play`` is told behind the head, as its connection goes on, instead of a body.
    """

    status: int
    body: bytes
    headers: Headers = ()
    user: int | None = None
    play: Play | None = None


class PlannedAnswer(NamedTuple):
    """What a connection is to do: ``head`` and ``body`` are bytes as they go out."""

    manner: Manner
    head: bytes = b""
    body: bytes = b""
    user: int | None = None
    keep_alive: bool = True
    delay: float = 0.0
    play: Play | None = None


def json_answer(status: int, value: object, headers: Headers = ()) -> ServedAnswer:
    """Return ``value`` as JSON in UTF-8.

    >>> json_answer(200, {"a": "é"}).body.decode()
    '{"a":"é"}'
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return ServedAnswer(status, text.encode(), headers)


def error_answer(status: int, message: str, headers: Headers = ()) -> ServedAnswer:
    """Return ``{"error": message}``, the shape of every refusal here."""
    return json_answer(status, {"error": message}, headers)


@lru_cache(maxsize=16)
def http_date(second: int) -> str:
    """Return an IMF-fixdate (RFC 9110 §5.6.7).

    >>> http_date(0)
    'Thu, 01 Jan 1970 00:00:00 GMT'
    """
    return format_date_time(second)


@lru_cache(maxsize=64)
def _status_line(status: int, second: int) -> str:
    reason = REASONS[status]
    return (
        f"HTTP/1.1 {status} {reason}\r\nServer: penstock-simulator\r\nDate: {http_date(second)}\r\n"
    )


def stream_head(answer: ServedAnswer, second: int) -> bytes:
    """Return the head of an answer that goes on as long as it likes."""
    lines = [f"{name}: {value}\r\n" for name, value in answer.headers]
    return "".join([_status_line(answer.status, second), *lines, "\r\n"]).encode("latin-1")


def wire(
    answer: ServedAnswer,
    second: int,
    *,
    keep_alive: bool = True,
    gzipped: bool = False,
    chunked: bool = False,
) -> tuple[bytes, bytes]:
    """Return the head and the body of ``answer`` as bytes.

    Args:
        answer: Its headers go out as they are; Content-Length and the like are added.
        second: For the Date header, in seconds since 1970.
        keep_alive: False adds ``Connection: close``.
        gzipped: Compress the body.
        chunked: Send it in chunks, without a Content-Length.
    """
    body = answer.body
    lines = [_status_line(answer.status, second)]
    if not any(name == "Content-Type" for name, _ in answer.headers):
        lines.append("Content-Type: application/json; charset=utf-8\r\n")
    lines += [f"{name}: {value}\r\n" for name, value in answer.headers]
    if gzipped:
        body = gzip.compress(body, 1, mtime=0)
        lines.append("Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n")
    if chunked:
        body = _in_chunks(body)
        lines.append("Transfer-Encoding: chunked\r\n")
    else:
        lines.append(f"Content-Length: {len(body)}\r\n")
    lines.append("\r\n" if keep_alive else "Connection: close\r\n\r\n")
    return "".join(lines).encode("latin-1"), body


def _in_chunks(body: bytes) -> bytes:
    size = max(1, (len(body) + 2) // 3)
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def encodings(settings: SimulatorSettings, accepted: str, draw: float) -> tuple[bool, bool]:
    """Return (gzipped, chunked) for an answer whose target drew ``draw`` in [0, 1).

    >>> encodings(SimulatorSettings(gzip=0.25, chunked=0.1), "gzip, br", 0.0)
    (True, True)
    """
    gzipped = "gzip" in accepted and draw < settings.gzip
    # An own digit of the same draw, so that both kinds also meet in one answer.
    return gzipped, draw * 1000 % 1 < settings.chunked
