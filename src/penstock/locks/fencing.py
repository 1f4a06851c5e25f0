"""Writes that a holder who lost its lock cannot make: the target compares tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from penstock.errors import InputError
from penstock.locks.errors import LockLost

if TYPE_CHECKING:
    from penstock.mongo import DictCollection as Collection

__all__ = ["fenced_update"]


def fenced_update(
    collection: Collection,
    which: Mapping[str, object],
    update: Mapping[str, object] | Sequence[Mapping[str, object]],
    token: int,
    *,
    upsert: bool = False,
    field: str = "fence",
) -> bool:
    """Update one document of MongoDB unless a later holder of the lock has written to it.

    The document keeps the largest token it has seen in ``field``; comparing, writing and noting
    the token are one atomic update. Make every write of what the lock protects this way.

    Args:
        collection: Where the document is.
        which: What finds it.
        update: Operators, or an update pipeline.
        token: ``held.token``.
        upsert: Whether to make the document where there is none; ``which`` then names its ``_id``.
        field: Where the document keeps the token.

    Returns:
        Whether there was such a document, or one was made.

    Raises:
        LockLost: A later holder has written: stop. Nothing was changed.
        InputError: The update changes ``field`` itself, or is a whole document.
    """
    from penstock.mongo import DuplicateKeyError

    seen_less = {"$or": [{field: {"$lte": token}}, {field: {"$exists": False}}]}
    found = {"$and": [dict(which), seen_less]}
    try:
        done = collection.update_one(found, _noting(update, field, token), upsert=upsert)
    except DuplicateKeyError:
        if not upsert:
            raise
        matched = False
    else:
        matched = bool(done.matched_count or done.upserted_id is not None)
    if matched:
        return True
    later = collection.find_one(dict(which), {field: 1})
    if later is not None and later.get(field, 0) > token:
        raise LockLost(
            f"a later holder has written here (its token is {later[field]}, ours {token}): "
            "nothing was changed; stop"
        )
    return False


def _noting(
    update: Mapping[str, object] | Sequence[Mapping[str, object]], field: str, token: int
) -> dict[str, object] | list[dict[str, object]]:
    if not isinstance(update, Mapping):
        return [*map(dict, update), {"$set": {field: token}}]
    if not update or not all(name.startswith("$") for name in update):
        raise InputError("fenced_update: give operators such as {'$set': {...}}, or a pipeline")
    sets = update.get("$set", {})
    touched = {name for part in update.values() if isinstance(part, Mapping) for name in part}
    if field in touched or not isinstance(sets, Mapping):
        raise InputError(f"fenced_update: {field!r} holds the token; give another field=")
    return {**update, "$set": {**sets, field: token}}
