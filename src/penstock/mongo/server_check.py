"""What is at the other end: asked once, so that a wrong server is named and not found out later."""

from __future__ import annotations

from typing import Any

from penstock.errors import InputError
from penstock.mongo.durability import durability_of
from penstock.mongo.read_from import ReadFrom

__all__ = ["is_set", "verdict"]

_OLDEST_WIRE = 9
"""Of MongoDB 4.4: the first with transactions that create what they write to."""


def is_set(client: Any, durability: str = "safe", *, single: bool = True) -> bool:
    """Ask whether ``client`` leads to a set or a cluster: else a single server answers.

    Args:
        client: A resilient one.
        durability: What must be possible there.
        single: Whether a single server will do.

    Raises:
        InputError: It cannot do what is promised here; one line says why.
        MongoGaveUp: Nobody answered within the client's deadline.
    """
    hello = client.admin.command("hello", read_preference=ReadFrom("nearest").pymongo())
    if single and not hello.get("setName") and hello.get("msg") != "isdbgrid":
        return False
    if wrong := verdict(hello, majority=durability_of(durability).options["w"] == "majority"):
        raise InputError(wrong)
    return True


def verdict(hello: dict[str, Any], *, majority: bool) -> str | None:
    """Return what is wrong with the server that answered ``hello``, or None.

    >>> verdict({"maxWireVersion": 17}, majority=True)[:40]
    'MongoDB: a standalone server keeps no tr'
    >>> verdict({"maxWireVersion": 17, "setName": "rs", "hosts": ["a:1", "b:2"]}, majority=True)
    """
    if hello.get("maxWireVersion", 0) < _OLDEST_WIRE:
        return "MongoDB: the server is older than 4.4; use 4.4 or newer"
    if hello.get("msg") == "isdbgrid":
        return None
    if not hello.get("setName"):
        return (
            "MongoDB: a standalone server keeps no transaction numbers, so no write could be "
            "repeated safely: start it with --replSet and initiate it, or run `penstock mongo dev`"
        )
    bearing = len(hello.get("hosts", ())) + len(hello.get("passives", ()))
    arbiters = len(hello.get("arbiters", ()))
    if majority and bearing <= arbiters:
        return (
            f"MongoDB: {hello['setName']} has {arbiters} arbiters and {bearing} members with data: "
            "no majority can ever confirm a write. Add members, or choose durability='fast'"
        )
    return None
