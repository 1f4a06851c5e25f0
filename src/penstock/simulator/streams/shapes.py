"""What messages look like: those of the services one rehearses for, made by a template each.

Message ``n`` follows from the seed and ``n`` alone. Each has a character of several bytes, so that
it can be cut inside one, and separators that JSON allows and careless readers take for line ends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple, final

from penstock.simulator.settings import SimulatorSettings
from penstock.simulator.streams import templates
from penstock.simulator.streams.settings import ShapeName

__all__ = ["SHAPES", "UNDELIVERED", "ServiceShape", "message", "stream_message", "too_old_text"]

UNDELIVERED = 7  # messages that each limit notice adds

Put = Callable[[int, int, str], str]


@final
class ServiceShape(NamedTuple):
    """One service's messages. Each function is pure; JSON comes without line breaks.

    Attributes:
        message: (seed, number, text) to the message.
        key: The number to the id that the message carries, as a client sees it.
        after: A cursor's text to the number after which to go on; None where it is none of ours.
        delete: The number to the notice that this message is gone.
        limit: How many were undelivered in all, to the notice.
        warning: The notice of falling behind.
        disconnect: The last words of a server that ends.
        too_old: (wanted, floor) to the words within a 200, where the service says it there.
        hello: What the service says before any message.
        event: The type of its server-sent events.
        event_id: The number to the id of its server-sent events.
    """

    message: Put
    key: Callable[[int], int | str]
    after: Callable[[str], int | None]
    delete: Callable[[int], str] | None = None
    limit: Callable[[int], str] | None = None
    warning: str | None = None
    disconnect: str | None = None
    too_old: Callable[[int, int], str] | None = None
    hello: str = ""
    event: str = ""
    event_id: Callable[[int], str] = str


def _number(text: str) -> int | None:
    found = re.fullmatch(r"\d{1,12}", text.partition("-")[0])
    return int(found[0]) if found else None


def _offset(text: str) -> int | None:
    found = re.search(r'"offset":\s*(\d{1,12})', text)
    return int(found[1]) if found else _number(text)


def _before(text: str) -> int | None:
    """Etcd's start_revision is the first wanted, not the last seen."""
    number = _number(text)
    return None if number is None else max(0, number - 1)


def _microseconds(text: str) -> int | None:
    if not re.fullmatch(r"\d{1,17}", text):
        return None
    # Jetstream tells the cursor's own message again: it is inclusive.
    return max(0, (int(text) - templates.JETSTREAM_START) // 1000 - 1)


SHAPES: Mapping[ShapeName, ServiceShape] = MappingProxyType(
    {
        "tweets": ServiceShape(
            templates.tweet,
            int,
            _number,
            delete=templates.tweet_gone,
            limit=lambda track: f'{{"limit":{{"track":{track}}}}}',
            warning='{"warning":{"code":"FALLING_BEHIND","message":"Your connection is falling '
            'behind and messages are being queued for delivery to you.","percent_full":60}}',
            disconnect='{"disconnect":{"code":1,"stream_name":"penstock","reason":"Shutdown"}}',
        ),
        "x": ServiceShape(
            templates.post,
            str,
            _number,
            disconnect='{"errors":[{"title":"operational-disconnect","disconnect_type":'
            '"UpstreamOperationalDisconnect","detail":"This stream has been disconnected upstream '
            'for operational reasons.","type":"https://problems.example/operational-disconnect"}]}',
        ),
        "mastodon": ServiceShape(templates.toot, str, _number, delete=str, event="update"),
        "wikimedia": ServiceShape(
            templates.edit,
            lambda n: f"edit-{n}",
            _offset,
            event="message",
            event_id=lambda n: f'[{{"topic":"eqiad.change","partition":0,"offset":{n}}}]',
        ),
        "couchdb": ServiceShape(
            templates.change,
            lambda n: f"doc-{n}",
            _number,
            delete=lambda n: (
                f'{{"seq":"{n + 1}-g1AAAA","id":"doc-{n}","changes":'
                f'[{{"rev":"2-{n:08x}"}}],"deleted":true}}'
            ),
        ),
        "kubernetes": ServiceShape(
            templates.watched,
            str,
            _number,
            delete=lambda n: (
                f'{{"type":"DELETED","object":{{"kind":"Pod","metadata":'
                f'{{"name":"pod-{n}","uid":"uid-{n}","resourceVersion":"{n + 1}"}}}}}}'
            ),
            too_old=lambda wanted, floor: (
                '{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure",'
                f'"message":"too old resource version: {wanted} ({floor})","reason":"Expired",'
                '"code":410}}'
            ),
        ),
        "etcd": ServiceShape(
            templates.revision,
            str,
            _before,
            hello='{"result":{"header":{"revision":"1"},"created":true}}',
            too_old=lambda _wanted, floor: (
                f'{{"result":{{"header":{{"revision":"{floor}"}},"canceled":true,'
                f'"compact_revision":"{floor}"}}}}'
            ),
        ),
        "jetstream": ServiceShape(templates.commit, str, _microseconds),
    }
)


def too_old_text(wanted: int, floor: int) -> str:
    """Return the body of the refusal where a service refuses with a status.

    >>> too_old_text(3, 10)
    '{"error":"CursorTooOld","message":"cursor 3 is before the oldest kept, 10"}'
    """
    message = f"cursor {wanted} is before the oldest kept, {floor}"
    return json.dumps({"error": "CursorTooOld", "message": message}, separators=(",", ":"))


def message(shape: ShapeName, seed: int, number: int, size: int = 0) -> bytes:
    """Return message ``number`` of a stream, as the simulator with this seed sends it.

    >>> json.loads(message("x", 1, 7))["data"]["id"]
    '7'
    """
    put = SHAPES[shape].message
    made = put(seed, number, templates.text_of(seed, number, 0)).encode()
    if len(made) < size:
        made = put(seed, number, templates.text_of(seed, number, size - len(made))).encode()
    return made


def stream_message(
    settings: SimulatorSettings, shape: ShapeName, number: int, *, size: int = 0
) -> bytes:
    """Return message ``number``, from 1, of a stream as a server with these settings tells it.

    Args:
        settings: Its seed matters.
        shape: Which service's messages they are.
        number: Which one.
        size: Least length in bytes, as the stream's path has it.

    >>> json.loads(stream_message(SimulatorSettings(), "tweets", 7))["id_str"]
    '7'
    """
    return message(shape, settings.seed, number, size)
