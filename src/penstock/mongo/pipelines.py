"""What an aggregation's stages say: can its documents be told apart, may it write twice?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["by_identity", "grouped", "identity_of", "once_only"]

_KEEP = frozenset(
    {
        *("$match", "$sort", "$limit", "$skip", "$lookup", "$graphLookup", "$redact", "$geoNear"),
        *("$setWindowFields", "$search", "$addFields", "$set", "$unset", "$project"),
    }
)
_MAKE = frozenset({"$group", "$sortByCount", "$bucket", "$bucketAuto", "$count", "$facet"})
_TWICE = frozenset({"replace", "merge", "keepExisting"})
_RANDOM = frozenset(["$sample", "$sampleRate", "$rand", "$function", "$accumulator", "$where"])
_LIKE_ID = frozenset({"$unwind", "$fill", "$unionWith"})
"""Stages whose documents have an ``_id``, but not each its own."""


@dataclass(frozen=True)
class _Made:
    """What an aggregation makes of its documents.

    Attributes:
        other: Why a second run makes other documents, or "".
        shared: The stage after which two of them may have one ``_id``, or "".
        bare: The stage after which they may have none, or "".
    """

    other: str
    shared: str = ""
    bare: str = ""


def _made(pipeline: Sequence[Mapping[str, Any]]) -> _Made:
    made, ordered = _Made(_random(pipeline)), False
    for stage in pipeline:
        name = next(iter(stage), "")
        if name in _MAKE:
            bare = name if name in {"$facet", "$count"} else ""
            made, ordered = _Made(made.other, bare, bare), False
        elif name == "$sort":
            ordered = "_id" in stage[name] and not made.shared
        elif name in {"$limit", "$skip"} and not ordered:
            why = f"{name} takes other documents each time: $sort by _id at last before it"
            made = replace(made, other=made.other or why)
        elif name in _LIKE_ID:
            made, ordered = replace(made, shared=made.shared or name), False
        elif name not in _KEEP or _touches_id(name, stage[name]):
            bare = "" if _sets_id(name, stage[name]) else name
            made, ordered = _Made(made.other, made.shared or name, bare), False
    return made


def identity_of(pipeline: Sequence[Mapping[str, Any]]) -> str:
    """Return why ``_id`` does not tell documents of ``pipeline`` apart, run by run; "" if it does.

    >>> identity_of([{"$match": {"n": 1}}, {"$group": {"_id": "$name"}}])
    ''
    >>> identity_of([{"$unwind": "$tags"}])
    '$unwind gives documents without an _id of their own: end with a $group or a find'
    """
    made = _made(pipeline)
    if made.other or not made.shared:
        return made.other
    return f"{made.shared} gives documents without an _id of their own: end with a $group or a find"


def grouped(pipeline: Sequence[Mapping[str, Any]]) -> str:
    """Return why a collation makes the ``_id`` of ``pipeline`` differ run by run; "" if it cannot.

    >>> grouped([{"$group": {"_id": "$name"}}])[:21], grouped([{"$match": {"n": 1}}])
    ('$group by a collation', '')
    """
    names = [name for stage in pipeline for name in stage if name in _MAKE - {"$count", "$facet"}]
    return f"{names[0]} by a collation takes any of the texts that are equal" if names else ""


def _random(pipeline: object) -> str:
    names = sorted({name for name, _ in _parts(pipeline)} & _RANDOM)
    return f"{names[0]} gives something else each time" if names else ""


def _parts(stages: object) -> Iterator[tuple[str, Any]]:
    """Yield the names of all stages and operators, however deep, and what each is given."""
    if isinstance(stages, Mapping):
        yield from stages.items()
        stages = list(stages.values())
    if isinstance(stages, list | tuple):
        for stage in stages:
            yield from _parts(stage)


def _touches_id(name: str, given: Any) -> bool:
    names = [given] if isinstance(given, str) else given
    if name not in {"$unset", "$project", "$set", "$addFields"}:
        return False
    whole = name == "$project" and isinstance(given, Mapping) and given.get("_id") == 1
    return any(one.startswith("_id.") or (one == "_id" and not whole) for one in names)


def _sets_id(name: str, given: Any) -> bool:
    """Whether a stage that touches ``_id`` gives each document one that is the same each time."""
    value = given.get("_id") if isinstance(given, Mapping) and name != "$unset" else None
    constant = isinstance(value, str | int | float) and not str(value).startswith("$")
    return constant and not (name == "$project" and not value)


def once_only(pipeline: Sequence[Mapping[str, Any]], collection: str) -> str | None:
    """Return why a pipeline that writes must not run a second time, or None where it may.

    >>> once_only([{"$merge": {"into": "sums", "whenMatched": "replace"}}], "orders")
    >>> once_only([{"$set": {"n": {"$add": ["$n", 1]}}}, {"$out": "orders"}], "orders")
    'it writes to orders, which it also reads'
    >>> once_only([{"$unset": "_id"}, {"$merge": "flat"}], "orders")
    '$merge would add documents again that $unset leaves without _id: give "on"'
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
    made = _made(before)
    if made.other:
        return made.other
    if made.bare and "on" not in options:
        return f'$merge would add documents again that {made.bare} leaves without _id: give "on"'
    return _merges_otherwise(options)


def _merges_otherwise(options: Mapping[str, Any]) -> str | None:
    matched = options.get("whenMatched", "merge")
    if not isinstance(matched, str) or matched not in _TWICE:
        kind = matched if isinstance(matched, str) else "a pipeline"
        return f"$merge with whenMatched {kind} does not end the same the second time"
    if options.get("whenNotMatched", "insert") == "fail":
        return "$merge with whenNotMatched fail may have merged a part"
    return None


def by_identity(pipeline: Sequence[Mapping[str, Any]]) -> bool:
    """Whether ``pipeline`` ends with a ``$merge`` that finds its documents by ``_id``."""
    target = pipeline[-1].get("$merge")
    return target is not None and not (isinstance(target, Mapping) and "on" in target)


def _sources(stages: object) -> Iterable[str]:
    """Yield the names of all collections that any stage, however deep, reads."""
    for name, value in _parts(stages):
        if name in {"$lookup", "$graphLookup", "$unionWith"}:
            yield str(value if isinstance(value, str) else value.get("from", value.get("coll")))
