"""What a pipeline file would do, worked out without a call."""

from __future__ import annotations

import math
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import final

from penstock.assembly.build import build_request, build_style, check_secrets, store_shown
from penstock.assembly.rooms import build_stages, build_uses, describe_stage
from penstock.assembly.sections import (
    SECRETS,
    AuthSection,
    LimitSection,
    PagesSource,
    PipelineFile,
    StoreSection,
)
from penstock.assembly.sources import count, keys
from penstock.errors import InputError
from penstock.events import Events
from penstock.http.url import check_base, encode_query, resolve
from penstock.mongo.address import is_address

__all__ = ["Plan", "plan", "seconds_needed", "secret_warnings", "store_exists", "store_warnings"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A pipeline, looked at before it runs.

    Attributes:
        source: The kind of source.
        items: Keys in it, or None where only the service knows.
        example: The first call, as method and URL.
        stages: What happens to a record before it lands, in words.
        store: Where records will land.
        exists: Whether there is a store already, to go on with; None where only a call could
            tell.
        concurrency: Calls at once.
        seconds: Least time it takes within the limits told in the file, or None where no limit
            or no number of items is known.
        uses: What is done with what lands, in words.
        warnings: What will have to be mended before it runs.
        free: Bytes of room on the disk of the store; None where only a call could tell.
    """

    source: str
    items: int | None
    example: str
    stages: tuple[str, ...]
    store: str
    exists: bool | None
    concurrency: int
    seconds: float | None
    uses: tuple[str, ...]
    warnings: tuple[str, ...]
    free: int | None = None


def plan(file: PipelineFile, folder: Path) -> Plan:
    """Return what the file would do.

    Raises:
        InputError: It could not run.
    """
    base = check_base(file.api.base)
    items = count(file.source, folder)
    if isinstance(file.source, PagesSource):
        build_style(file.source)
        query = encode_query(file.source.query)
        example = f"GET {resolve(base, file.source.path)}" + (f"?{query}" if query else "")
    else:
        example = _example(file, folder, base)
    if file.request is not None:
        build_request(file.request)
    if file.api.auth is not None:
        check_secrets(file.api.auth)
    _check_limits(file)
    build_stages(file, folder)
    uses = build_uses(file, folder, Events())
    place = store_shown(file.store, folder)
    return Plan(
        source=str(file.source.__struct_config__.tag),
        items=items,
        example=example,
        stages=tuple(describe_stage(section) for section in file.stage),
        store=place,
        exists=store_exists(place),
        concurrency=file.api.concurrency,
        seconds=None if items is None else seconds_needed(items, file),
        uses=tuple(use.describes for use in uses),
        warnings=tuple(_warnings(file)),
        free=_free(place),
    )


def _free(place: str) -> int | None:
    if store_exists(place) is None:
        return None
    path = Path(place).absolute()
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def store_exists(place: str) -> bool | None:
    """Return whether there is something at a place as it is shown; None where nobody looked."""
    elsewhere = is_address(place) or place.startswith(("env:", "file:"))
    return None if elsewhere else Path(place).exists()


def _example(file: PipelineFile, folder: Path, base: str) -> str:
    if file.request is None:
        raise InputError("section [request] is missing: it says what to ask for each key")
    request = build_request(file.request)
    if file.source.__struct_config__.tag == "stdin":
        first: str | int | None = "KEY"
    else:
        first = next(iter(keys(file.source, folder)), None)
    if first is None:
        return "nothing: the source is empty"
    asked = request(first)
    query = encode_query(asked.query) if asked.query else ""
    return f"{asked.method} {resolve(base, asked.path)}" + (f"?{query}" if query else "")


def _check_limits(file: PipelineFile) -> None:
    for limit in file.budget.limits:
        if limit.unit == "requests" and file.budget.reserve >= limit.count:
            raise InputError(
                f"budget.reserve = {file.budget.reserve:g} leaves nothing of the limit of "
                f"{limit.count:g} per {limit.per:g} s"
            )


def seconds_needed(items: int, file: PipelineFile) -> float | None:
    """Return the least seconds that ``items`` calls take within the file's limits.

    A limit of ``count`` per ``per`` seconds, of which ``reserve`` is kept, lets the first
    ``count - reserve`` go at once and as many again each ``per`` seconds.
    """
    needed = [_least(items, limit, file) for limit in file.budget.limits]
    return max(needed) if needed else None


def _least(items: int, limit: LimitSection, file: PipelineFile) -> float:
    cost, usable = 1.0, limit.count
    if file.request is not None and file.request.cost is not None:
        cost = file.request.cost.get(limit.unit, 0.0)
    elif limit.unit != "requests":
        cost = 0.0
    if limit.unit == "requests":
        usable -= file.budget.reserve
    windows = math.ceil(items * cost / usable) - 1
    return max(0, windows) * limit.per


def _warnings(file: PipelineFile) -> list[str]:
    warnings: list[str] = []
    if file.api.auth is not None:
        warnings += secret_warnings(file.api.auth, "api.auth")
    warnings += store_warnings(file.store)
    if not file.api.verify:
        warnings.append("api.verify = false: anybody on the way can read and change everything")
    return warnings


def secret_warnings(section: AuthSection, place: str) -> list[str]:
    """Return what is missing of the secrets that the section at ``place`` points to."""
    found = []
    for name in SECRETS[type(section)]:
        value = getattr(section, name)
        if value is not None and (problem := _secret_problem(value)):
            found.append(f"{place}.{name}: {problem}")
    return found


def store_warnings(store: StoreSection | str) -> list[str]:
    """Return what is missing of a place that is told by a variable or a file."""
    problem = _secret_problem(store if isinstance(store, str) else store.path)
    return [f"store: {problem}"] if problem else []


def _secret_problem(value: str) -> str | None:
    kind, _, place = value.partition(":")
    if kind == "env" and not os.environ.get(place):
        return f"environment variable {place} is not set"
    if kind == "file" and not Path(place).expanduser().is_file():
        return f"there is no file {place}"
    return None
