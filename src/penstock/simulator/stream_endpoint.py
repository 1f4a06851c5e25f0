"""``/stream/...``: a request in, and what its connection is to tell out."""

from __future__ import annotations

import json
from collections.abc import Iterator

from penstock.simulator.answer import Headers, ServedAnswer, error_answer
from penstock.simulator.streams.framing import FRAMINGS
from penstock.simulator.streams.log import StreamLog
from penstock.simulator.streams.script import Play, Script, Step, ending_of
from penstock.simulator.streams.settings import BadPath, StreamSettings, read_stream
from penstock.simulator.streams.shapes import SHAPES, too_old_text
from penstock.simulator.streams.websocket import accept_key, wants_websocket
from penstock.simulator.world import ReceivedCall, World

__all__ = ["answer_stream"]

# Where the services that are rehearsed are told where to go on.
CURSORS = ("since", "cursor", "resourceVersion", "start_revision", "lastEventId")


def answer_stream(world: World, call: ReceivedCall) -> ServedAnswer:
    """Answer with a stream, or with why there is none."""
    try:
        log = _log(world, call)
    except BadPath as error:
        return error_answer(400, str(error))
    connect = log.connected(call.now)
    settings = log.settings
    if connect < len(settings.refuse):
        return _refused(log, settings.refuse[connect])
    if settings.framing == "websocket" and not wants_websocket(call.request):
        return error_answer(426, "this is a WebSocket", (("Upgrade", "websocket"),))
    try:
        start = _start(log, call, connect)
    except BadPath as error:
        return error_answer(400, str(error))
    script = Script(
        log,
        world.settings.seed,
        max(start, 0),
        ending_of(log, world.settings.seed, connect),
        gzipped="gzip" in call.request.headers.get("accept-encoding", ""),
        clock=world.clock,
    )
    if start < settings.floor and _cursor(call) is not None:
        return _too_old(log, script, start, call)
    return _streaming(settings, script.steps(), script, call)


def _log(world: World, call: ReceivedCall) -> StreamLog:
    path = call.request.path
    log = world.ledger.streams.get(path)
    if log is None:
        log = world.ledger.streams[path] = StreamLog(read_stream(path), call.now)
    return log


def _refused(log: StreamLog, status: str) -> ServedAnswer:
    log.refused[status] += 1
    after = log.settings.retry_after
    headers: Headers = (("Retry-After", str(after)),) if after else ()
    if status == "html":
        page = b"<!DOCTYPE html><title>Sign in</title><p>Please sign in to this network.</p>"
        return ServedAnswer(200, page, (*headers, ("Content-Type", "text/html; charset=utf-8")))
    if status == "204":
        return ServedAnswer(204, b"", headers)
    return error_answer(int(status), "not now, or never", headers)


def _cursor(call: ReceivedCall) -> str | None:
    """Return the cursor a client sends, in whichever way its service has it; None without one."""
    request = call.request
    parameters = request.parameters()
    told = [request.headers.get("last-event-id"), *map(parameters.get, CURSORS), _revision(call)]
    return next((text for text in told if text), None)


def _revision(call: ReceivedCall) -> str | None:
    try:
        body = json.loads(call.request.body)
        return str(body["create_request"]["start_revision"])
    except (ValueError, KeyError, TypeError):
        return None


def _start(log: StreamLog, call: ReceivedCall, connect: int) -> int:
    """Return the number of the message behind which this connection begins; less: it is gone."""
    settings, there = log.settings, log.published(call.now)
    if settings.resume == "none":
        return _live(log, there)
    text = _cursor(call)
    if text is None:
        return max(settings.floor, 0)
    if text in {"now", "0"}:
        return there if text == "now" else 0
    number = SHAPES[settings.shape].after(text)
    if number is None or number > there:
        raise BadPath(f"the cursor {text[:80]!r} is not one of ours")
    return number - settings.overlap if connect and number >= settings.overlap else number


def _live(log: StreamLog, there: int) -> int:
    settings = log.settings
    if not log.last:
        return 0
    start = log.last + settings.missed if not settings.rate else max(there, log.last)
    start = min(start, settings.messages)
    log.missed += start - log.last
    log.last = start
    return max(0, start - settings.overlap)


def _too_old(log: StreamLog, script: Script, wanted: int, call: ReceivedCall) -> ServedAnswer:
    settings = log.settings
    shape = SHAPES[settings.shape]
    log.too_old += 1
    if shape.too_old is not None:
        steps = script.refusal(shape.too_old(wanted, settings.floor))
        return _streaming(settings, steps, script, call)
    if settings.framing == "sse":  # an EventSource server tells the oldest it has, and no word
        script.begin_at(settings.floor)
        return _streaming(settings, script.steps(), script, call)
    return ServedAnswer(400, too_old_text(wanted, settings.floor).encode())


def _streaming(
    settings: StreamSettings, steps: Iterator[Step], script: Script, call: ReceivedCall
) -> ServedAnswer:
    play = Play(steps, script.pong, settings.framing == "websocket")
    if play.socket:
        key = call.request.headers["sec-websocket-key"]
        upgrade = (("Upgrade", "websocket"), ("Connection", "Upgrade"))
        return ServedAnswer(
            101, b"", (*upgrade, ("Sec-WebSocket-Accept", accept_key(key))), play=play
        )
    headers: list[tuple[str, str]] = [("Content-Type", FRAMINGS[settings.framing].content_type)]
    if settings.gzip != "off" and "gzip" in call.request.headers.get("accept-encoding", ""):
        headers.append(("Content-Encoding", "gzip"))
    if settings.coding == "chunked":
        headers.append(("Transfer-Encoding", "chunked"))
    else:
        headers.append(("Connection", "close"))
    return ServedAnswer(200, b"", tuple(headers), play=play)
