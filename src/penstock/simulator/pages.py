"""List endpoints: the same rows in every style of pagination."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from urllib.parse import urlencode

from penstock.simulator.answer import ServedAnswer, error_answer
from penstock.simulator.feeds import DAYS, price_json
from penstock.simulator.users import follower_ids, row_json
from penstock.simulator.world import ReceivedCall, World

__all__ = [
    "LONGEST",
    "by_cursor",
    "by_header_cursor",
    "by_link_body",
    "by_link_header",
    "by_offset",
    "by_page",
    "follower_page",
    "id_page",
    "looping",
    "page_of",
    "page_url",
    "price_page",
    "rows_of",
]

LONGEST = 1000

# Twitter's cursors are integers beyond 2**53 that say nothing: 1374004777531007833.
CURSOR_BASE = 1 << 60


class NotANumber(ValueError):
    """A parameter is not a number in its range."""


def _number(call: ReceivedCall, name: str, default: int, least: int) -> int:
    text = call.request.parameters().get(name, "")
    if text and (len(text) > 20 or not text.removeprefix("-").isdecimal()):
        raise NotANumber(f"{name} must be a number, not {text[:40]!r}")
    number = int(text) if text else default
    if number < least:
        raise NotANumber(f"{name} must be at least {least}, not {number}")
    return number


def _size(world: World, call: ReceivedCall, name: str = "per_page") -> int:
    return min(_number(call, name, world.settings.pages, 1), LONGEST)


def rows_of(world: World, ids: Sequence[int]) -> str:
    """Return rows as JSON."""
    return "[" + ",".join(row_json(world.settings.seed, id_) for id_ in ids) + "]"


def _json(text: str, *headers: tuple[str, str]) -> ServedAnswer:
    return ServedAnswer(200, text.encode(), headers)


def page_of(
    world: World, call: ReceivedCall, most: int = LONGEST, first: int = 1
) -> tuple[int, str, bool]:
    """Return which page is asked for, from 1, its rows (``most``), and whether it is the last."""
    name = "cursor" if "cursor" in call.request.parameters() else "page"
    page, size = _number(call, name, first, first) + 1 - first, min(most, _size(world, call))
    if call.request.body:
        page = int(json.loads(call.request.body).get("cursor") or 1)
    rows = rows_of(world, world.existing[(page - 1) * size : page * size])
    return page, rows, page * size >= len(world.existing)


def by_page(world: World, call: ReceivedCall) -> ServedAnswer:
    """Answer ``?page=1&per_page=50`` with items, page, per_page, pages and total."""
    page, size = _number(call, "page", 1, 1), _size(world, call)
    total = len(world.existing)
    rows = rows_of(world, world.existing[(page - 1) * size : page * size])
    pages = -(-total // size)
    return _json(
        f'{{"items":{rows},"page":{page},"per_page":{size},"pages":{pages},"total":{total}}}'
    )


def by_offset(world: World, call: ReceivedCall) -> ServedAnswer:
    """Answer ``?offset=0&limit=50`` with items, offset, limit and total."""
    offset, size = _number(call, "offset", 0, 0), _size(world, call, "limit")
    rows = rows_of(world, world.existing[offset : offset + size])
    total = len(world.existing)
    return _json(f'{{"items":{rows},"offset":{offset},"limit":{size},"total":{total}}}')


def _opaque(position: int) -> str:
    return base64.urlsafe_b64encode(b"row:%d" % position).decode().rstrip("=")


def _position(call: ReceivedCall) -> int:
    text = call.request.parameters().get("cursor", "")
    if not text:
        return 0
    try:
        mark, _, number = base64.urlsafe_b64decode(text + "==").decode().partition(":")
        if mark == "row" and number.isdecimal():
            return int(number)
    except ValueError:  # whatever base64, UTF-8 or int() do not like
        pass
    raise NotANumber("cursor is not one of ours")


def _slice(world: World, call: ReceivedCall) -> tuple[str, str | None]:
    position, size = _position(call), _size(world, call, "limit")
    end = position + size
    following = _opaque(end) if end < len(world.existing) else None
    return rows_of(world, world.existing[position:end]), following


def by_cursor(world: World, call: ReceivedCall) -> ServedAnswer:
    """Answer ``?cursor=&limit=`` with items and next_cursor, which is null at the end."""
    rows, following = _slice(world, call)
    cursor = f'"{following}"' if following else "null"
    return _json(f'{{"items":{rows},"next_cursor":{cursor}}}')


def by_header_cursor(world: World, call: ReceivedCall) -> ServedAnswer:
    """Answer ``?cursor=&limit=`` with an array, and X-Next-Cursor unless it is the end."""
    rows, following = _slice(world, call)
    return _json(rows, *((("X-Next-Cursor", following),) if following else ()))


def page_url(call: ReceivedCall, page: int, *, relative: bool = False) -> str:
    """Return the URL of another page of the list that was asked for."""
    parameters = call.request.parameters() | {"page": str(page)}
    parameters.pop("api_key", None)  # a server does not repeat a secret
    return f"{'' if relative else call.base}{call.request.path}?{urlencode(parameters)}"


def by_link_header(world: World, call: ReceivedCall) -> ServedAnswer:
    """Answer ``?page=1&per_page=50`` with an array, and its neighbours in Link (RFC 8288)."""
    page, size = _number(call, "page", 1, 1), _size(world, call)
    last = max(1, -(-len(world.existing) // size))
    relations = [("first", 1), ("prev", page - 1), ("next", page + 1), ("last", last)]
    links = ", ".join(
        f'<{page_url(call, number)}>; rel="{relation}"'
        for relation, number in relations
        if 1 <= number <= last
    )
    rows = rows_of(world, world.existing[(page - 1) * size : page * size])
    return _json(rows, ("Link", links))


def by_link_body(world: World, call: ReceivedCall) -> ServedAnswer:
    """Answer ``?page=1&per_page=50`` with items and links.next, null at the end.

    ``form=relative`` makes the links relative to the host.
    """
    page, size = _number(call, "page", 1, 1), _size(world, call)
    relative = call.request.parameters().get("form") == "relative"
    more = page * size < len(world.existing)
    following = page_url(call, page + 1, relative=relative) if more else None
    rows = rows_of(world, world.existing[(page - 1) * size : page * size])
    return _json(f'{{"items":{rows},"links":{{"next":{json.dumps(following)}}}}}')


def looping(world: World, call: ReceivedCall) -> ServedAnswer:
    """Answer three pages whose last leads to the first again: a harvester has to notice."""
    page, size = _number(call, "page", 1, 1), _size(world, call)
    following = page_url(call, page % 3 + 1)
    rows = rows_of(world, world.existing[(page - 1) * size : page * size])
    return _json(
        f'{{"items":{rows},"links":{{"next":{json.dumps(following)}}}}}',
        ("Link", f'<{following}>; rel="next"'),
    )


def price_page(world: World, call: ReceivedCall) -> ServedAnswer:
    """Answer ``?page=1&per_page=50`` with a row of prices a day, and the next page in Link.

    There are as many days as users.
    """
    page, size = _number(call, "page", 1, 1), _size(world, call)
    last = min(world.settings.users, DAYS)
    days = range(last)[(page - 1) * size : page * size]
    rows = "[" + ",".join(price_json(world.settings.seed, day) for day in days) + "]"
    following = f'<{page_url(call, page + 1)}>; rel="next"'
    return _json(rows, *([("Link", following)] if page * size < last else []))


def id_page(world: World, call: ReceivedCall) -> ServedAnswer:
    """Answer ``?cursor=-1`` with a page of all ids, the deleted ones included."""
    return _twitter_page(world, call, range(world.settings.users))


def follower_page(world: World, call: ReceivedCall) -> ServedAnswer:
    """Answer ``/followers/{id}.json?cursor=-1`` with a page of the ids that follow a user."""
    user_id = world.user_id(call.request.path)
    if user_id is None:
        return error_answer(404, "no such user")
    return _twitter_page(world, call, follower_ids(world.settings, user_id))


def _twitter_page(world: World, call: ReceivedCall, ids: Sequence[int]) -> ServedAnswer:
    cursor = _number(call, "cursor", -1, -CURSOR_BASE - world.settings.users)
    # As Twitter had it: -1 is the start, 0 the end, and the way back is negative.
    start = 0 if cursor == -1 else abs(cursor) - CURSOR_BASE
    size = _size(world, call, "count")
    if not 0 <= start <= len(ids):
        raise NotANumber("cursor is not one of ours")
    end = start + size
    following = CURSOR_BASE + end if end < len(ids) else 0
    previous = -(CURSOR_BASE + max(0, start - size)) if start else 0
    listed = ",".join(map(str, ids[start:end]))
    return _json(
        f'{{"ids":[{listed}],"next_cursor":{following},"next_cursor_str":"{following}",'
        f'"previous_cursor":{previous},"previous_cursor_str":"{previous}"}}'
    )
