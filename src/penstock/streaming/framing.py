r"""Framings: where one message ends and the next begins, as pure lexers.

Each function makes an object with ``feed(bytes) -> list`` and ``close()``. However the bytes are
cut, the messages are the same. A tail without its end is never a message: ``close()`` forgets it
and returns its length. All take ``max_bytes``, the bound of one message.

>>> from penstock.streaming import framing
>>> lines = framing.crlf()
>>> lines.feed(b'{"id":1}\r\n\r\n{"id"'), lines.feed(b":2}\r"), lines.feed(b"\n{")
([b'{"id":1}'], [], [b'{"id":2}'])
>>> lines.keepalives, lines.close()
(1, 1)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

from penstock.errors import InputError
from penstock.registry import Registry
from penstock.streaming.frames import MAX_MESSAGE_BYTES, Framer
from penstock.streaming.json_scanner import Concatenated, JsonSequence
from penstock.streaming.length_framing import BinaryPrefixed, ChunkMessages, LengthPrefixed
from penstock.streaming.line_framing import CrlfLines, Delimited, Lines
from penstock.streaming.server_sent_events import ServerEvents

__all__ = [
    "FRAMINGS",
    "FRAMING_KINDS",
    "by_name",
    "chunk",
    "concatenated",
    "crlf",
    "delimited",
    "json_seq",
    "length",
    "lf",
    "prefixed",
    "sse",
]


def crlf(max_bytes: int = MAX_MESSAGE_BYTES) -> CrlfLines:
    r"""Messages that end with CRLF and nothing else (Twitter v1.1).

    >>> crlf().feed(b'{"a":\n1}\r\n')
    [b'{"a":\n1}']
    """
    return CrlfLines(max_bytes)


def lf(max_bytes: int = MAX_MESSAGE_BYTES) -> Lines:
    r"""Messages that end with LF, with or without a CR before it (CouchDB, Kubernetes, etcd).

    >>> lf().feed(b'{"a":1}\n\n{"a":2}\r\n')
    [b'{"a":1}', b'{"a":2}']
    """
    return Lines(max_bytes)


def length(max_bytes: int = MAX_MESSAGE_BYTES) -> LengthPrefixed:
    r"""Messages after their length in bytes (Twitter's ``delimited=length``).

    >>> length().feed(b'9\r\n{"a":1}\r\n\r\n')
    [b'{"a":1}']
    """
    return LengthPrefixed(max_bytes)


def sse(max_bytes: int = MAX_MESSAGE_BYTES) -> ServerEvents:
    r"""Server-sent events, exactly by the WHATWG rules; each a :class:`ServerEvent`.

    >>> sse().feed(b"id: 7\nevent: update\ndata: one\ndata: two\n\n")
    [ServerEvent(data=b'one\ntwo', event='update', id='7')]
    """
    return ServerEvents(max_bytes)


def json_seq(max_bytes: int = MAX_MESSAGE_BYTES) -> JsonSequence:
    r"""JSON text sequences (RFC 7464), ``application/json-seq``.

    >>> json_seq().feed(b'\x1e{"a":1}\n\x1e{"a":')
    [b'{"a":1}']
    """
    return JsonSequence(max_bytes)


def concatenated(max_bytes: int = MAX_MESSAGE_BYTES) -> Concatenated:
    """JSON values one after the other, pretty-printed or not (Docker's events).

    >>> concatenated().feed(b'{"a":"}"}{"b":[1,2]} 3')
    [b'{"a":"}"}', b'{"b":[1,2]}']
    """
    return Concatenated(max_bytes)


def chunk(max_bytes: int = MAX_MESSAGE_BYTES) -> ChunkMessages:
    r"""Each chunk of HTTP's chunked coding is a message (nchan's ``http-chunked``).

    >>> chunk().feed(b"5\r\nhello\r\n2\r\nhi")
    [b'hello']
    """
    return ChunkMessages(max_bytes)


def delimited(end: bytes, max_bytes: int = MAX_MESSAGE_BYTES) -> Delimited:
    """Messages that end with ``end``.

    Raises:
        InputError: It is empty.

    >>> delimited(b"||").feed(b"one||two|")
    [b'one']
    """
    if not end:
        raise InputError("end: messages end with 1 byte at least")
    return Delimited(max_bytes, end)


def prefixed(
    size: int, order: Literal["big", "little"] = "big", max_bytes: int = MAX_MESSAGE_BYTES
) -> BinaryPrefixed:
    r"""Messages after their length, a whole number of ``size`` bytes.

    >>> prefixed(2).feed(b"\x00\x03one\x00\x03tw")
    [b'one']
    """
    return BinaryPrefixed(max_bytes, size, order)


FRAMINGS: Mapping[str, Callable[[int], Framer]] = MappingProxyType(
    {
        framing.__name__.replace("_", "-"): framing
        for framing in (crlf, lf, length, sse, json_seq, concatenated, chunk)
    }
)
"""The framings by the names that a pipeline file uses."""


FRAMING_KINDS: Registry[Callable[[int], Framer]] = Registry(
    "framing", "penstock.framings", FRAMINGS
)
"""The framings, with those of installed packages."""


def by_name(name: str, max_bytes: int = MAX_MESSAGE_BYTES) -> Framer:
    """Return the framing of that name.

    Raises:
        InputError: There is none; the nearest one is named.
    """
    return FRAMING_KINDS.find(name)(max_bytes)
