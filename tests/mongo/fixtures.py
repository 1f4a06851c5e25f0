"""A resilient client over a wire that loses messages, and a plain client beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pymongo
from tests.mongo.wire import Wire
from tests.real.mongod import Mongo

from penstock.mongo import connect


@dataclass
class Both:
    """The database through the proxy over the wire, and the same plainly."""

    wire: Wire
    client: Any
    db: Any
    plain: Any


@contextmanager
def both(mongo: Mongo, **options: Any) -> Iterator[Both]:
    with (
        pymongo.MongoClient[dict[str, Any]](mongo.uri, readConcernLevel="majority") as plain,
        Wire(primary(plain)) as wire,
        connect(wire.uri, **{"deadline": 30, **options}) as client,
    ):
        client.admin.command("ping")
        yield Both(wire, client, client[mongo.database], plain[mongo.database])


def primary(client: Any) -> tuple[str, int]:
    client.admin.command("ping")
    address: tuple[str, int] | None = client.primary
    assert address is not None
    return address
