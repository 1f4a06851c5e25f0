"""Values of the unified test format: what matches what, and arguments as PyMongo names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pymongo
from bson import Int64, ObjectId
from spec_concerns import Unsupported, concerns

TYPES = {
    "string": str, "int": int, "long": (int, Int64), "double": float, "bool": bool,
    "object": Mapping, "array": list,
    "objectId": ObjectId, "number": (int, float), "binData": bytes,
}  # fmt: skip
RENAMED = {
    "pipeline": "pipeline", "requests": "requests", "returnDocument": "return_document",
    "arrayFilters": "array_filters", "bypassDocumentValidation": "bypass_document_validation",
    "allowDiskUse": "allowDiskUse", "batchSize": "batch_size", "fullDocument": "full_document",
    "resumeAfter": "resume_after", "startAfter": "start_after", "showRecordId": "show_record_id",
    "startAtOperationTime": "start_at_operation_time", "maxAwaitTimeMS": "max_await_time_ms",
    "fullDocumentBeforeChange": "full_document_before_change",
    "noCursorTimeout": "no_cursor_timeout",
    "showExpandedEvents": "show_expanded_events", "newName": "new_name", "to": "new_name",
    "returnKey": "return_key", "allowPartialResults": "allow_partial_results",
}  # fmt: skip


def matches(expected: Any, actual: Any, entities: dict, root: bool = True) -> bool:
    if isinstance(expected, Mapping):
        if len(expected) == 1 and (special := next(iter(expected))).startswith("$$"):
            return matches_special(special, expected[special], actual, entities, there=True)
        if not isinstance(actual, Mapping):
            return False
        for name, wanted in expected.items():
            there = name in actual
            if (
                isinstance(wanted, Mapping)
                and len(wanted) == 1
                and (special := next(iter(wanted))).startswith("$$")
            ):
                if not matches_special(
                    special, wanted[special], actual.get(name), entities, there=there
                ):
                    return False
            elif not there or not matches(wanted, actual[name], entities, root=False):
                return False
        return root or set(actual) <= set(expected)
    if isinstance(expected, list):
        actual = list(actual) if isinstance(actual, (list, tuple)) else actual
        return (
            isinstance(actual, list)
            and len(actual) == len(expected)
            and all(matches(e, a, entities, root=root) for e, a in zip(expected, actual))
        )
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    return bool(expected == actual)


def matches_special(special: str, given: Any, actual: Any, entities: dict, *, there: bool) -> bool:
    if special == "$$exists":
        return there == given
    if special == "$$unsetOrMatches":
        return not there or actual is None or matches(given, actual, entities)
    if special == "$$type":
        kinds = given if isinstance(given, list) else [given]
        return any(isinstance(actual, TYPES.get(kind, object)) for kind in kinds)
    if special == "$$lte":
        return actual <= given
    if special == "$$matchesEntity":
        return matches(entities[given], actual, entities)
    if special == "$$matchesHexBytes":
        return bytes(actual).hex() == given
    if special == "$$sessionLsid":
        return actual == entities[given].session_id
    raise Unsupported(special)


def python_arguments(operation: str, arguments: dict, entities: dict) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in arguments.items():
        if name == "session":
            value = entities[value]
        elif name == "requests":
            value = [request(one) for one in value]
        elif name == "sort" and operation not in {"runCommand", "updateOne", "replaceOne"}:
            value = list(value.items()) if isinstance(value, Mapping) else value
        elif name == "returnDocument":
            value = value == "After"
        elif name == "timeoutMS":
            raise Unsupported("timeoutMS of an operation")
        elif name in {"readConcern", "writeConcern", "readPreference"}:
            made |= concerns({name: value})
            continue
        elif name == "maxTimeMS" and operation == "find":
            name = "max_time_ms"
        elif name == "maxCommitTimeMS":
            name = "max_commit_time_ms"
        elif name in {"batchSize", "allowDiskUse"} and operation in {"find", "createFindCursor"}:
            name = {"batchSize": "batch_size", "allowDiskUse": "allow_disk_use"}[name]
        elif name == "batchSize" and operation == "aggregate":
            made["batchSize"] = value
            continue
        elif name == "fieldName":
            name = "key"
        if operation == "insertMany" and name == "documents":
            value = list(value)
        if operation == "rename" and name == "to":
            name = "new_name"
        made[RENAMED.get(name, name)] = value
    return made


def request(described: dict) -> Any:
    ((name, given),) = described.items()
    if name == "insertOne":
        return pymongo.InsertOne(given["document"])
    names = {"arrayFilters": "array_filters"}
    options = {names.get(key, key): value for key, value in given.items()}
    kind = name[0].upper() + name[1:]
    return getattr(pymongo, kind)(**options)
