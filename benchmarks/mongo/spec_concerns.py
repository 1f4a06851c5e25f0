"""Concerns and preferences of the unified test format, as PyMongo's objects."""

from __future__ import annotations

from typing import Any

import pymongo


class Unsupported(Exception):
    """The runner, PyMongo or the server at hand does not have it."""


def concerns(options: dict) -> dict:
    made: dict[str, Any] = {}
    if "readConcern" in options:
        made["read_concern"] = pymongo.read_concern.ReadConcern(**options["readConcern"])
    if "writeConcern" in options:
        concern = dict(options["writeConcern"])
        if "journal" in concern:
            concern["j"] = concern.pop("journal")
        if "wtimeoutMS" in concern:
            concern["wtimeout"] = concern.pop("wtimeoutMS")
        made["write_concern"] = pymongo.WriteConcern(**concern)
    if "readPreference" in options:
        mode = options["readPreference"]["mode"]
        name = mode[0].upper() + mode[1:]
        made["read_preference"] = getattr(pymongo.read_preferences, name)()
    if "timeoutMS" in options:
        raise Unsupported("timeoutMS of a collection")
    return made
