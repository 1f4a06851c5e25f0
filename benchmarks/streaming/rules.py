r"""Server-sent events by the WHATWG rules (HTML, 9.2.6): cases with what each must give."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.streaming import framing
from spine.figures import Figure, at_least
from spine.machine import Bench

__all__ = ["CASES", "rules"]

MESSAGE = "message"

# name, bytes, (data, type, last id) of each event
CASES: list[tuple[str, bytes, list[tuple[bytes, str, str]]]] = [
    ("one", b"data: a\n\n", [(b"a", MESSAGE, "")]),
    ("a byte order mark", b"\xef\xbb\xbfdata: a\n\n", [(b"a", MESSAGE, "")]),
    (
        "only one mark is taken",
        b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n",
        [(b"b", MESSAGE, "")],
    ),
    ("CR", b"data: a\r\rdata: b\r\r", [(b"a", MESSAGE, ""), (b"b", MESSAGE, "")]),
    ("CRLF", b"data: a\r\n\r\ndata: b\r\n\r\n", [(b"a", MESSAGE, ""), (b"b", MESSAGE, "")]),
    ("mixed line ends", b"data: a\r\ndata: b\rdata: c\n\r\n", [(b"a\nb\nc", MESSAGE, "")]),
    (
        "one leading space",
        b"data:  a\n\ndata:b\n\n",
        [(b" a", MESSAGE, ""), (b"b", MESSAGE, "")],
    ),
    ("several lines", b"data: a\ndata\ndata: b\n\n", [(b"a\n\nb", MESSAGE, "")]),
    (
        "an empty line of data",
        b"data\n\ndata:\ndata:\n\n",
        [(b"", MESSAGE, ""), (b"\n", MESSAGE, "")],
    ),
    ("no data, but its id holds", b"id: 1\n\ndata: a\n\n", [(b"a", MESSAGE, "1")]),
    (
        "an id with NUL",
        b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n",
        [(b"a", MESSAGE, "1"), (b"b", MESSAGE, "1")],
    ),
    (
        "an empty id",
        b"id: 1\ndata: a\n\nid\ndata: b\n\n",
        [(b"a", MESSAGE, "1"), (b"b", MESSAGE, "")],
    ),
    (
        "a type is for one event",
        b"event: x\ndata: a\n\ndata: b\n\n",
        [(b"a", "x", ""), (b"b", MESSAGE, "")],
    ),
    ("a type without data is forgotten", b"event: x\n\ndata: a\n\n", [(b"a", MESSAGE, "")]),
    ("comments", b": c\ndata: a\n:data: no\n\n", [(b"a", MESSAGE, "")]),
    ("an unfinished end", b"data: a\n\ndata: b\n", [(b"a", MESSAGE, "")]),
    (
        "retry of digits only",
        b"retry: 1x\nretry: 7\nretry: -3\ndata: a\n\n",
        [(b"a", MESSAGE, "")],
    ),
    (
        "separators of Unicode",
        "data: a\u2028b\u0085c\vd\fe\n\n".encode(),
        [("a\u2028b\u0085c\vd\fe".encode(), MESSAGE, "")],
    ),
]


def _events(data: bytes, size: int) -> list[tuple[bytes, str, str]]:
    framer = framing.sse()
    parts = (data[at : at + size] for at in range(0, len(data), size))
    events = [event for part in parts for event in framer.feed(part)]
    framer.close()
    return [(event.data, event.event, event.id or "") for event in events]


def rules(_bench: Bench) -> Iterator[Figure]:
    """The rules of server-sent events, a byte at a time and all at once."""
    wrong = [
        f"{name}, {'bytes' if size == 1 else 'at once'}"
        for name, data, wanted in CASES
        for size in (1, len(data))
        if _events(data, size) != wanted
    ]
    right = 2 * len(CASES) - len(wrong)
    yield Figure(
        what=f"right of {2 * len(CASES)}", value=right, aim=at_least(36), note="; ".join(wrong)
    )
