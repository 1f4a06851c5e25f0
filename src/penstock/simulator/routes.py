"""The table of endpoints, and those that are not lists."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from penstock.simulator import pages
from penstock.simulator.answer import ServedAnswer, error_answer, http_date, json_answer
from penstock.simulator.feeds import article_json
from penstock.simulator.limiter import limiter_for
from penstock.simulator.oddities import answer_oddly
from penstock.simulator.stream_endpoint import answer_stream
from penstock.simulator.streams.settings import PREFIX
from penstock.simulator.users import user_json
from penstock.simulator.world import ReceivedCall, World

__all__ = ["Route", "find"]


class Route(NamedTuple):
    """An endpoint. ``data``: secured, limited, slow and faulty; ``counted``: in the truth."""

    answer: Callable[[World, ReceivedCall], ServedAnswer]
    methods: tuple[str, ...] = ("GET", "HEAD")
    data: bool = True
    counted: bool = True


def _user(world: World, call: ReceivedCall) -> ServedAnswer:
    user_id = world.user_id(call.request.path)
    if user_id is None:
        return error_answer(404, "no such user")
    return ServedAnswer(200, user_json(world.settings.seed, user_id), user=user_id)


def _article(world: World, call: ReceivedCall) -> ServedAnswer:
    number = world.user_id(call.request.path)
    if number is None:
        return error_answer(404, "no such article")
    return ServedAnswer(200, article_json(world.settings.seed, number))


def _post_item(world: World, call: ReceivedCall) -> ServedAnswer:
    try:
        item = json.loads(call.request.body)
        name = str(item["id"])
    except (ValueError, KeyError, TypeError):
        return error_answer(400, 'POST /items takes a JSON object like {"id": 7}')
    world.ledger.posted[name] += 1
    return json_answer(201, {"id": item["id"], "applied": world.ledger.posted[name]})


def _rate_limit_status(world: World, call: ReceivedCall) -> ServedAnswer:
    account = world.ledger.accounts.get(call.key)
    limiter = account.limiter if account else limiter_for(world.settings)
    verdict = limiter.look(call.now)
    end = math.ceil(call.epoch + world.settings.date_skew + verdict.reset)
    return json_answer(
        200,
        {
            "hourly_limit": verdict.limit,
            "remaining_hits": verdict.remaining,
            "reset_time_in_seconds": end,
            "reset_time": http_date(end),
        },
    )


def _token(world: World, call: ReceivedCall) -> ServedAnswer:
    return world.gate.tokens.answer(call.request, call.now)


def _echo(_world: World, call: ReceivedCall) -> ServedAnswer:
    request = call.request
    return json_answer(
        200,
        {
            "method": request.method,
            "path": request.target,
            "headers": dict(request.headers),
            "body": request.body.decode("utf-8", "replace"),
        },
    )


def _redirect(_world: World, call: ReceivedCall) -> ServedAnswer:
    target = call.request.parameters().get("to", "")
    if not target or any(ord(letter) <= 32 or ord(letter) > 126 for letter in target):
        return error_answer(400, "redirect takes ?to=URL")
    return ServedAnswer(302, b"", (("Location", target),))


def _truth(world: World, call: ReceivedCall) -> ServedAnswer:
    ids = call.request.parameters().get("ids") == "1"
    return json_answer(200, world.ledger.truth(ids=ids))


def _reset(world: World, _call: ReceivedCall) -> ServedAnswer:
    world.reset()
    return json_answer(200, world.ledger.truth())


ANY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

ROUTES: Mapping[str, Route] = MappingProxyType(
    {
        "/users/ids.json": Route(pages.id_page),
        "/pages/page": Route(pages.by_page),
        "/pages/offset": Route(pages.by_offset),
        "/pages/cursor": Route(pages.by_cursor),
        "/pages/link-header": Route(pages.by_link_header),
        "/pages/link-body": Route(pages.by_link_body),
        "/pages/header-cursor": Route(pages.by_header_cursor),
        "/odd": Route(answer_oddly, methods=("GET", "HEAD", "POST")),
        "/pages/loop": Route(pages.looping),
        "/prices.json": Route(pages.price_page),
        "/items": Route(_post_item, methods=("POST",)),
        "/rate_limit_status.json": Route(_rate_limit_status, data=False),
        "/oauth2/token": Route(_token, methods=("POST",), data=False),
        "/echo": Route(_echo, methods=ANY_METHOD, data=False),
        "/redirect": Route(_redirect, methods=ANY_METHOD, data=False),
        "/_truth": Route(_truth, data=False, counted=False),
        "/_reset": Route(_reset, methods=("POST",), data=False, counted=False),
    }
)
USER = Route(_user)
ARTICLE = Route(_article)
FOLLOWERS = Route(pages.follower_page)
STREAM = Route(answer_stream, methods=("GET", "POST"))


def find(path: str) -> Route | None:
    """Return the endpoint at ``path``, or None where there is none.

    >>> find("/users/7.json") is USER, find("/nowhere")
    (True, None)
    """
    route = ROUTES.get(path)
    if path.startswith(PREFIX):
        return STREAM
    if route is None and path.endswith(".json"):
        if path.startswith("/users/"):
            return USER
        if path.startswith("/followers/"):
            return FOLLOWERS
        if path.startswith("/articles/"):
            return ARTICLE
    return route
