"""What an aggregation's stages say: can its documents be told apart, may it write twice?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["identity_of", "keyed", "once_only"]

_KEEP = frozenset(
    {
        *("$match", "$sort", "$limit", "$skip", "$lookup", "$graphLookup", "$redact", "$geoNear"),
        *("$setWindowFields", "$search", "$addFields", "$set", "$unset", "$project"),
    }
)
_MAKE = frozenset({"$group", "$sortByCount", "$bucket", "$bucketAuto", "$count", "$facet"})
_TWICE = frozenset({"replace", "merge", "keepExisting"})
_RANDOM = frozenset(["$sample", "$sampleRate", "$rand", "$function", "$accumulator", "$where"])
_NO_ID = "gives documents without an _id of their own: end with a $group or a find"


def identity_of(pipeline: Sequence[Mapping[str, Any]]) -> str:
    """Return why ``_id`` does not tell documents of ``pipeline`` apart, run by run; "" if it does.

    >>> identity_of([{"$match": {"n": 1}}, {"$group": {"_id": "$name"}}])
    ''
    >>> identity_of([{"$unwind": "$tags"}])
    '$unwind gives documents without an _id of their own: end with a $group or a find'
    """
    why, ordered = _random(pipeline), False
    for stage in pipeline:
        name = next(iter(stage), "")
        if name in _MAKE:
            # What is made of other documents each time is something else each time.
            why, ordered = "" if why.endswith(_NO_ID) else why, False
        elif name == "$sort":
            ordered = "_id" in stage[name] and not why
        elif name in {"$limit", "$skip"} and not ordered:
            why = f"{name} takes other documents each time: $sort by _id at last before it"
        elif name not in _KEEP or _touches_id(name, stage[name]):
            why, ordered = why or f"{name} {_NO_ID}", False
    return why


def _random(pipeline: object) -> str:
    names = sorted(_names(pipeline) & _RANDOM)
    return f"{names[0]} gives something else each time" if names else ""


def _names(stages: object) -> frozenset[str]:
    """Return the names of all stages and operators, however deep."""
    if isinstance(stages, Mapping):
        return frozenset(map(str, stages)).union(*map(_names, stages.values()))
    if isinstance(stages, list | tuple):
        return frozenset().union(*map(_names, stages))
    return frozenset()


def _touches_id(name: str, given: Any) -> bool:
    names = [given] if isinstance(given, str) else given
    if name not in {"$unset", "$project", "$set", "$addFields"}:
        return False
    whole = name == "$project" and isinstance(given, Mapping) and given.get("_id") == 1
    return any(one.startswith("_id.") or (one == "_id" and not whole) for one in names)


def once_only(pipeline: Sequence[Mapping[str, Any]], collection: str) -> str | None:
    """Return why a pipeline that writes must not run a second time, or None where it may.

    >>> once_only([{"$merge": {"into": "sums", "whenMatched": "replace"}}], "orders")
    >>> once_only([{"$set": {"n": {"$add": ["$n", 1]}}}, {"$out": "orders"}], "orders")
    'it writes to orders, which it also reads'
    >>> once_only([{"$unset": "_id"}, {"$merge": "flat"}], "orders")
    '$merge would add each document again: $unset gives documents without an _id of their own: \
give "on" and unique fields'
    """
    *before, last = pipeline
    target = last.get("$out", last.get("$merge"))
    into = target.get("into", target.get("coll")) if isinstance(target, Mapping) else target
    into = into.get("coll") if isinstance(into, Mapping) else into
    if into in {collection, *_sources(pipeline)}:
        return f"it writes to {into}, which it also reads"
    if why := _random(before):
        return why
    if "$merge" not in last:
        return None
    options = target if isinstance(target, Mapping) else {}
    why = identity_of(before)
    if why and ("on" not in options or not why.endswith(_NO_ID)):
        reason = why.replace(_NO_ID, "gives documents without an _id of their own")
        return f'$merge would add each document again: {reason}: give "on" and unique fields'
    return _merges_otherwise(options)


def _merges_otherwise(options: Mapping[str, Any]) -> str | None:
    matched = options.get("whenMatched", "merge")
    if not isinstance(matched, str) or matched not in _TWICE:
        kind = matched if isinstance(matched, str) else "a pipeline"
        return f"$merge with whenMatched {kind} does not end the same the second time"
    if options.get("whenNotMatched", "insert") == "fail":
        return "$merge with whenNotMatched fail may have merged a part"
    return None


def keyed(pipeline: Sequence[Mapping[str, Any]]) -> bool:
    """Whether ``$merge`` at the end of ``pipeline`` names the fields that find a document."""
    target = pipeline[-1].get("$merge")
    return isinstance(target, Mapping) and "on" in target


def _sources(stages: object) -> Iterable[str]:
    """Yield the names of all collections that any stage, however deep, reads."""
    if isinstance(stages, Mapping):
        for name, value in stages.items():
            if name in {"$lookup", "$graphLookup", "$unionWith"}:
                source = value if isinstance(value, str) else value.get("from", value.get("coll"))
                yield str(source)
            yield from _sources(value)
    elif isinstance(stages, list | tuple):
        for stage in stages:
            yield from _sources(stage)
