"""The steps of :mod:`penstock.locks.rules` as stages of MongoDB's update pipelines.

One transition is one ``findAndModify``: the server performs the whole table row atomically, by its
own clock (``$$NOW``), and the answer is the lock as it is then. Whatever is repeated after a lost
answer changes nothing a second time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from penstock.locks.rules import TRANSITIONS, StepName
from penstock.locks.state import CLAIM, PATIENCE, LockRequest, QueuePlace

__all__ = ["FORMAT", "WAKE", "pipeline"]

FORMAT = 1
WAKE = "wake"
"""The field that says who was told last: one text, so that a change of it is told whole."""

Document: TypeAlias = dict[str, object]
Stages: TypeAlias = list[Document]

_MILLISECOND = 1000.0


def pipeline(request: LockRequest) -> Stages:
    """Return the update that performs ``request``."""
    stages = [_set(**_beginning(request))]
    for name in TRANSITIONS[request.kind]:
        stages += _STAGES[name](request)
    return [*stages, _set(at="$$NOW"), {"$unset": "granted"}]


def _set(**fields: object) -> Document:
    return {"$set": fields}


def _beginning(request: LockRequest) -> Document:
    """What a lock is that never was."""
    return {
        "format": FORMAT,
        "token": {"$ifNull": ["$token", 0]},
        "capacity": {"$ifNull": ["$capacity", request.capacity]},
        "holders": {"$ifNull": ["$holders", []]},
        "waiters": {"$ifNull": ["$waiters", []]},
    }


def _if(condition: object, then: object, otherwise: object) -> Document:
    return {"$cond": [condition, then, otherwise]}


def _after(seconds: object) -> Document:
    """A moment so many seconds from the server's now; it counts in milliseconds."""
    return {"$add": ["$$NOW", {"$multiply": [seconds, _MILLISECOND]}]}


def _kept(places: str, condition: object) -> Document:
    return {"$filter": {"input": places, "as": "p", "cond": condition}}


def _changed(places: str, same: object, fields: Document) -> Document:
    changed = {"$mergeObjects": ["$$p", fields]}
    return {"$map": {"input": places, "as": "p", "in": _if(same, changed, "$$p")}}


def _is(mine: QueuePlace) -> Document:
    return {"$eq": ["$$p.id", mine.id]}


def _is_in(places: str, mine: QueuePlace) -> Document:
    return {"$in": [mine.id, f"{places}.id"]}


def _literal(place: QueuePlace) -> Document:
    """A place as the server is to take it: an owner may well begin with a dollar."""
    return {key: {"$literal": value} for key, value in msgspec.to_builtins(place).items()}


def _expire(request: LockRequest) -> Stages:
    alive: object = {"$gt": ["$$p.until", "$$NOW"]}
    if request.dead:
        ended = {"$in": ["$$p.process", {"$literal": sorted(request.dead)}]}
        alive = {"$and": [alive, {"$not": ended}]}
    return [_set(holders=_kept("$holders", alive), waiters=_kept("$waiters", alive))]


def _join(request: LockRequest) -> Stages:
    mine = request.place
    nobody = {"$eq": [{"$size": {"$concatArrays": ["$holders", "$waiters"]}}, 0]}
    joined = {
        "$mergeObjects": [
            _literal(mine),
            {"since": "$$NOW", "until": _after(PATIENCE), "token": 0},
        ]
    }
    beside: list[object] = [{"$eq": ["$$p.address", mine.address]}] if mine.address else []
    waiting = _changed("$waiters", {"$or": [_is(mine), *beside]}, {"until": _after(PATIENCE)})
    another_kind = {"$ne": ["$capacity", request.capacity]}
    waiters = {
        "$switch": {
            "branches": [
                {"case": _is_in("$holders", mine), "then": "$waiters"},
                {"case": _is_in("$waiters", mine), "then": waiting},
                {"case": another_kind, "then": "$waiters"},
            ],
            "default": {"$concatArrays": ["$waiters", [joined]]},
        }
    }
    return [
        _set(capacity=_if(nobody, request.capacity, "$capacity")),
        _set(waiters=waiters, holders=_extended(mine)),
    ]


def _extended(mine: QueuePlace) -> Document:
    return _changed("$holders", _is(mine), {"until": _after("$$p.lease")})


def _extend(request: LockRequest) -> Stages:
    return [_set(holders=_extended(request.place))]


def _others(places: str, mine: QueuePlace) -> Document:
    return _kept(places, {"$ne": ["$$p.id", mine.id]})


def _leave(request: LockRequest) -> Stages:
    mine = request.place
    return [_set(holders=_others("$holders", mine), waiters=_others("$waiters", mine))]


def _turn_away(request: LockRequest) -> Stages:
    return [_set(waiters=_others("$waiters", request.place))]


def _clear(_: LockRequest) -> Stages:
    return [_set(holders=[])]


def _grant(request: LockRequest) -> Stages:
    own = {"$eq": ["$$this.id", request.place.id]}
    lease = _if(own, "$$this.lease", {"$min": ["$$this.lease", CLAIM]})
    first = {"$add": [{"$max": ["$$value.token", "$$this.floor"]}, 1]}
    granting = {"token": first, "since": "$$NOW", "until": _after(lease)}
    holding = {"$mergeObjects": ["$$this", granting]}
    used = {"$add": ["$$value.used", "$$this.weight"]}
    fits = {"$and": ["$$value.open", {"$lte": [used, "$capacity"]}]}
    one_more = {
        "open": True,
        "used": used,
        "token": {"$add": [first, "$$this.reserve", -1]},
        "places": {"$concatArrays": ["$$value.places", [holding]]},
    }
    # By the time, in microseconds: a collection restored from an older dump gives no token twice.
    floor = {"$multiply": [{"$toLong": "$$NOW"}, 1000]}
    nobody = {
        "open": True,
        "used": {"$sum": "$holders.weight"},
        "token": {"$max": ["$token", floor]},
        "places": [],
    }
    shut = {"$mergeObjects": ["$$value", {"open": False}]}
    # Each takes at least one of the capacity: of a long queue only the first can be next.
    first_ones = {"$slice": ["$waiters", {"$max": [1, {"$toInt": "$capacity"}]}]}
    each = {"input": first_ones, "initialValue": nobody, "in": _if(fits, one_more, shut)}
    behind = ["$waiters", {"$size": "$granted.places"}, {"$max": [1, {"$size": "$waiters"}]}]
    return [
        _set(granted={"$reduce": each}),
        _set(
            token=_if({"$eq": ["$granted.places", []]}, "$token", "$granted.token"),
            holders={"$concatArrays": ["$holders", "$granted.places"]},
            waiters={"$slice": behind},
            wake=_told(request.place),
        ),
    ]


def _told(mine: QueuePlace) -> Document:
    """Who has to be told, each as ``address place token since until``; else what was told last."""
    others = _kept("$granted.places", {"$ne": ["$$p.id", mine.id]})
    words = [
        "$$this.address",
        " ",
        "$$this.id",
        " ",
        {"$toString": "$$this.token"},
        " ",
        {"$toString": {"$toLong": "$$this.since"}},
        " ",
        {"$toString": {"$toLong": "$$this.until"}},
        "\n",
    ]
    said = {
        "$reduce": {
            "input": others,
            "initialValue": "",
            "in": {"$concat": ["$$value", *words]},
        }
    }
    return _if({"$eq": [others, []]}, {"$ifNull": ["$wake", ""]}, said)


_STAGES: dict[StepName, Callable[[LockRequest], Stages]] = {
    "expire": _expire,
    "join": _join,
    "extend": _extend,
    "leave": _leave,
    "clear": _clear,
    "grant": _grant,
    "turn away": _turn_away,
}
