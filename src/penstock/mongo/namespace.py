"""What stands behind a collection's name: can its documents be told apart by ``_id``?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from pymongo.errors import OperationFailure

from penstock.mongo.effects import Steps
from penstock.mongo.pipelines import grouped, identity_of
from penstock.mongo.proxy import place_of
from penstock.mongo.retry import RetriedTask, always, attempt
from penstock.mongo.settings import Core

__all__ = ["unfit"]

_FORBIDDEN = 13


def unfit(
    core: Core, collection: Any, *, by_text: str = "", in_view: str = ""
) -> Steps[str | None]:
    """Ask why documents of ``collection`` cannot be told apart or put in order; None if they can.

    Args:
        core: Settings and counters.
        collection: PyMongo's own.
        by_text: Why they cannot where a collation says which texts are equal.
        in_view: The same where that is a view's, in which two texts of ``_id`` may be equal.
    """
    name = collection.name
    while True:
        try:
            found = yield from _entry(core, collection, name)
        except OperationFailure as error:
            if error.code != _FORBIDDEN:
                raise
            return "this user may not look up what the collection is (listCollections)"
        options = found.get("options", {})
        pipeline = options.get("pipeline", ())
        is_view = found.get("type") == "view"
        why = by_text or (in_view if is_view else "") or grouped(pipeline)
        if why and "collation" in options:
            return why
        if found.get("type") == "timeseries" or options.get("autoIndexId") is False:
            return "its documents may have the same _id: sort out which you have seen yourself"
        if not is_view:
            return None
        why = identity_of(pipeline)
        if why:
            return f"in the view {name}, {why}"
        name = options["viewOn"]


def _entry(core: Core, collection: Any, name: str) -> Steps[Mapping[str, Any]]:
    ask = partial(
        collection.database.command,
        {"listCollections": 1, "filter": {"name": name}},
        read_preference=collection.read_preference,
    )
    now, where = core.now(), place_of(collection)
    answer = yield from attempt(
        RetriedTask(core, "list_collections", where, ask, now, always, harmless=True)
    )
    batch = answer["cursor"]["firstBatch"]
    return batch[0] if batch else {}
