"""What one simulated stream is like, said in its path: ``/stream/sse;messages=100;rate=20``.

In the path, since the query belongs to the service that is rehearsed: its ``track``, ``since`` and
``heartbeat`` pass through untouched, and a misspelt option of ours is still an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple, final, get_args, get_origin, get_type_hints
from urllib.parse import unquote

from penstock.registry import did_you_mean

__all__ = [
    "BadPath",
    "EndingKind",
    "Framing",
    "ScriptedEnding",
    "ShapeName",
    "StreamSettings",
    "read_stream",
]

Framing = Literal["crlf", "lf", "length", "sse", "json-seq", "concatenated", "chunk", "websocket"]
ShapeName = Literal[
    "tweets", "x", "mastodon", "wikimedia", "couchdb", "kubernetes", "etcd", "jetstream"
]
EndingKind = Literal[
    "hold", "close", "reset", "truncate", "character", "stall", "disconnect", "random"
]
Gzip = Literal["off", "sync", "members", "never"]
Coding = Literal["chunked", "close"]
Resume = Literal["cursor", "none"]

PREFIX = "/stream/"
LONGEST = 10_000_000


class BadPath(ValueError):
    """A path says something that no stream here can be; the text tells what."""


class ScriptedEnding(NamedTuple):
    """How a connection ends, and after how many of its messages; None: after the last there is."""

    kind: EndingKind
    after: int | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """One stream. Immutable; times are seconds.

    Attributes:
        framing: What tells messages apart.
        shape: Which service's messages they are.
        messages: How many there are; they are numbered from 1.
        rate: Messages published a second from the first connect on; 0: all are there at once.
        block: Bytes a block is cut to, whatever the messages; 0: one message a block.
        coding: ``chunked``, or ``close``: the end of the connection is the end of the body.
        gzip: For clients that accept it: flushed with each block (``sync``), a member each
            block (``members``), or never flushed before the end (``never``).
        beat: Quiet seconds before a heartbeat; 0: there are none.
        size: Least length of a message in bytes.
        ends: How the first connection ends, the second and so on; the last one repeats.
        refuse: Statuses of the first connects, ``html`` being a 200 with a web page.
        retry_after: Seconds told in a Retry-After of these; 0: not told.
        resume: ``cursor``: a client goes on behind the one it sends, from the start without one;
            ``none``: every connection goes on where the last one ended.
        missed: Messages lost between two connections of a stream without resume.
        overlap: Messages told again at each reconnect.
        floor: The oldest message that is kept: a cursor before it is too old.
        limits: Messages between two limit notices, each of which owns up to 7 undelivered.
        deletes: Messages between two deletions, each of the message before the last.
        warnings: Messages between two warnings of falling behind.
        unknown: Messages between two that no documentation knows.

    >>> StreamSettings(framing="sse").messages
    1000
    """

    framing: Framing
    shape: ShapeName = "tweets"
    messages: int = 1000
    rate: float = 0.0
    block: int = 0
    coding: Coding = "chunked"
    gzip: Gzip = "off"
    beat: float = 15.0
    size: int = 0
    ends: tuple[ScriptedEnding, ...] = (ScriptedEnding("hold"),)
    refuse: tuple[str, ...] = ()
    retry_after: int = 0
    resume: Resume = "cursor"
    missed: int = 0
    overlap: int = 0
    floor: int = 0
    limits: int = 0
    deletes: int = 0
    warnings: int = 0
    unknown: int = 0


def _whole(name: str, text: str) -> int:
    if not re.fullmatch(r"\d{1,8}", text) or int(text) > LONGEST:
        raise BadPath(f"{name} is a whole number up to {LONGEST:,}, not {text!r}")
    return int(text)


def _seconds(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1e6:
        raise BadPath(f"{name} is a number from 0 up, not {text!r}")
    return number


def _choice(choices: tuple[str, ...]) -> Callable[[str, str], str]:
    def read(name: str, text: str) -> str:
        if text not in choices:
            raise BadPath(f"{name} is one of {', '.join(choices)}, not {text!r}")
        return text

    return read


def _ends(name: str, text: str) -> tuple[ScriptedEnding, ...]:
    known: tuple[EndingKind, ...] = get_args(EndingKind)
    endings = []
    for part in text.split(","):
        word, mark, after = part.partition("@")
        kind = next((kind for kind in known if kind == word), None)
        if kind is None:
            raise BadPath(f"{name} knows {', '.join(known)}, each with @COUNT, not {part!r}")
        endings.append(ScriptedEnding(kind, _whole(name, after) if mark else None))
    return tuple(endings)


def _refuse(name: str, text: str) -> tuple[str, ...]:
    statuses: list[str] = []
    for part in text.split(","):
        status, _, times = part.partition("*")
        if status not in REFUSALS:
            raise BadPath(f"{name} knows {', '.join(REFUSALS)}, each with *TIMES, not {part!r}")
        statuses += [status] * _whole(name, times or "1")
    return tuple(statuses)


_STATUSES = (204, 400, 401, 403, 404, 406, 410, 420, 429, 500, 502, 503)
REFUSALS = (*map(str, _STATUSES), "html")


def _reader(name: str, kind: object) -> Callable[[str, str], object]:
    """Return what reads an option, by the type of its field."""
    if name in {"ends", "refuse"}:
        return _ends if name == "ends" else _refuse
    if get_origin(kind) is Literal:
        return _choice(get_args(kind))
    return _whole if kind is int else _seconds


READERS: Mapping[str, Callable[[str, str], object]] = MappingProxyType(
    {
        name: _reader(name, kind)
        for name, kind in get_type_hints(StreamSettings).items()
        if name != "framing"
    }
)


def read_stream(path: str) -> StreamSettings:
    """Return the stream that ``path`` describes.

    Raises:
        BadPath: It describes none; the text says which part and what is known.

    >>> read_stream("/stream/crlf;messages=10;ends=reset@4,hold").ends
    (ScriptedEnding(kind='reset', after=4), ScriptedEnding(kind='hold', after=None))
    >>> read_stream("/stream/crlf;mesages=10")
    Traceback (most recent call last):
    ...
    penstock.simulator.streams.settings.BadPath: unknown option 'mesages'; did you mean messages?
    """
    framing, *options = unquote(path[len(PREFIX) :]).split(";")
    if framing not in get_args(Framing):
        raise BadPath(f"a stream is one of {', '.join(get_args(Framing))}, not {framing!r}")
    values: dict[str, object] = {"framing": framing}
    for option in options:
        name, mark, text = option.partition("=")
        if name == "name" and mark:
            continue  # tells apart streams that are alike
        if name not in READERS:
            hint = did_you_mean(name, READERS, str, "known: name, ")
            raise BadPath(f"unknown option {name!r}; {hint}")
        values[name] = READERS[name](name, text)
    settings = StreamSettings(**values)  # type: ignore[arg-type]  # each was read by its reader
    _refuse_contradictions(settings)
    return settings


def _refuse_contradictions(settings: StreamSettings) -> None:
    if settings.framing == "chunk" and (settings.block or settings.coding == "close"):
        raise BadPath("chunk is cut by its messages: it has neither block nor coding=close")
    if settings.framing == "websocket" and (settings.gzip != "off" or settings.block):
        raise BadPath("websocket has neither gzip nor block")
