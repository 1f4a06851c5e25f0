"""What an aggregation's stages say: can its documents be told apart, may it write twice?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["identity_of", "once_only"]

_KEEP = frozenset(
    [
        "$match",
        "$sort",
        "$limit",
        "$skip",
        "$lookup",
        "$graphLookup",
        "$redact",
        "$geoNear",
        "$setWindowFields",
        "$search",
        "$addFields",
        "$set",
        "$unset",
        "$project",
    ]
)
_MAKE = frozenset(["$group", "$sortByCount", "$bucket", "$bucketAuto", "$count", "$facet"])
_TWICE = frozenset({"replace", "merge", "keepExisting"})


def identity_of(pipeline: Sequence[Mapping[str, Any]]) -> tuple[str | None, str]:
    """Return the field that tells documents of ``pipeline`` apart, or None and why not.

    >>> identity_of([{"$match": {"n": 1}}, {"$group": {"_id": "$name"}}])
    ('_id', '')
    >>> identity_of([{"$unwind": "$tags"}])
    (None, '$unwind gives documents without an _id of their own: end with a $group or a find')
    """
    why, ordered = "", False
    for stage in pipeline:
        name = next(iter(stage), "")
        if name in _MAKE:
            why, ordered = "", False
        elif name == "$sort":
            ordered = "_id" in stage[name]
        elif name in {"$limit", "$skip"} and not ordered:
            why = f"{name} takes other documents each time: $sort by _id at last before it"
        elif name not in _KEEP or _touches_id(name, stage[name]):
            why = f"{name} gives documents without an _id of their own: end with a $group or a find"
    return (None, why) if why else ("_id", "")


def _touches_id(name: str, given: Any) -> bool:
    if name == "$unset":
        return "_id" in ([given] if isinstance(given, str) else given)
    if name in {"$project", "$set", "$addFields"} and "_id" in given:
        return not (name == "$project" and given["_id"] in (1, True))
    return False


def once_only(pipeline: Sequence[Mapping[str, Any]], collection: str) -> str | None:
    """Return why a pipeline that writes must not run a second time, or None where it may.

    >>> once_only([{"$merge": {"into": "sums", "whenMatched": "replace"}}], "orders")
    >>> once_only([{"$set": {"n": {"$add": ["$n", 1]}}}, {"$out": "orders"}], "orders")
    'it writes to orders, which it also reads'
    """
    last = pipeline[-1]
    target = last.get("$out", last.get("$merge"))
    into = target.get("into", target.get("coll")) if isinstance(target, Mapping) else target
    into = into.get("coll") if isinstance(into, Mapping) else into
    if into in {collection, *_sources(pipeline)}:
        return f"it writes to {into}, which it also reads"
    if "$merge" not in last or not isinstance(target, Mapping):
        return None
    matched = target.get("whenMatched", "merge")
    if not isinstance(matched, str) or matched not in _TWICE:
        kind = matched if isinstance(matched, str) else "a pipeline"
        return f"$merge with whenMatched {kind} does not end the same the second time"
    if target.get("whenNotMatched", "insert") == "fail":
        return "$merge with whenNotMatched fail may have merged a part"
    return None


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
