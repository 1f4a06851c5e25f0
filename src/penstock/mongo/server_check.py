"""What is at the other end: asked once, so that a wrong server is named and not found out later."""

from __future__ import annotations

from typing import Any

from penstock.errors import InputError
from penstock.mongo.durability import durability_of
from penstock.mongo.read_from import ReadFrom

__all__ = ["checked", "verdict"]

_OLDEST_WIRE = 9
"""Of MongoDB 4.4: the first with transactions that create what they write to."""


def checked(client: Any, durability: str) -> None:
    """Ask a member of the set that ``client`` leads to, and raise what is wrong with it.

    Raises:
        InputError: It cannot do what is promised here.
        MongoGaveUp: Nobody answered within the client's deadline.
    """
    anyone = ReadFrom("nearest").pymongo()
    hello = client.admin.command("hello", read_preference=anyone)
    wrong = verdict(hello, majority=durability_of(durability).options["w"] == "majority")
    if wrong:
        raise InputError(wrong)


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
