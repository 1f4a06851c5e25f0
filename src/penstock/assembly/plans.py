"""What a pipeline file would do, worked out without a call."""

from __future__ import annotations

import dataclasses
import math
import os
from pathlib import Path
from typing import NamedTuple, final

from penstock.assembly.build import build_request, build_style, check_secrets, store_shown
from penstock.assembly.build_stages import build_stages, build_uses, describe_stage
from penstock.assembly.sections import (
    SECRETS,
    AuthSection,
    LimitSection,
    PagesSource,
    PipelineFile,
    StoreSection,
)
from penstock.assembly.sources import count, keys
from penstock.assembly.stream_sections import StreamFile
from penstock.assembly.streams import check_stream
from penstock.errors import InputError
from penstock.events import Events
from penstock.http.url import check_base, encode_query, resolve, shown
from penstock.mongo.address import is_address
from penstock.pipeline import Stage, Use
from penstock.store import StoreReader

__all__ = ["Parts", "Plan", "plan", "planned", "seconds_needed"]


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A pipeline, looked at before it runs.

    Attributes:
        source: The kind of source; ``"stream"`` for a stream.
        store: Where records will land, or None where the file only serves to watch a stream.
        exists: Whether there is a store already, to go on with; None where only a call could
            tell.
        stages: What happens to a record before it lands, in words.
        uses: What is done with what lands, in words.
        warnings: What has to be corrected before it runs.
        items: Keys in the source, or None where only the service knows.
        example: The first call, as method and URL.
        concurrency: Calls at once.
        seconds: Least time it takes within the limits in the file, or None where no limit or no
            number of items is known.
        stream: Of a stream: method and URL.
        preset: Name of the service it is taken for.
        framing: How messages are told apart, or None where the content type tells it.
        id: Where a message's id is, or None where the preset knows it.
        resumes: How it goes on after an interruption, in a word.
    """

    source: str
    store: str | None
    exists: bool | None
    stages: tuple[str, ...]
    uses: tuple[str, ...]
    warnings: tuple[str, ...]
    items: int | None = None
    example: str = ""
    concurrency: int = 1
    seconds: float | None = None
    stream: str = ""
    preset: str = ""
    framing: str | None = None
    id: str | None = None
    resumes: str = ""

    def fields(self) -> dict[str, object]:
        """Return what there is to say of this kind of source, by name."""
        told = dataclasses.asdict(self)
        left_out = _OF_CALLS if self.source == "stream" else _OF_STREAMS
        return {name: value for name, value in told.items() if name not in left_out}


_OF_CALLS = ("source", "items", "example", "concurrency", "seconds")
_OF_STREAMS = ("stream", "preset", "framing", "id", "resumes")


class Parts(NamedTuple):
    """A plan with what had to be made to know that it can be."""

    plan: Plan
    stages: list[Stage[object, object]]
    uses: list[Use[StoreReader]]


def plan(file: PipelineFile | StreamFile, folder: Path) -> Plan:
    """Return what the file would do.

    Raises:
        InputError: It could not run.
    """
    return planned(file, folder, Events()).plan


def planned(file: PipelineFile | StreamFile, folder: Path, events: Events) -> Parts:
    """Return the plan of a file with its stages and its uses, which emit ``events``.

    Raises:
        InputError: It could not run.
    """
    found = _stream(file, folder) if isinstance(file, StreamFile) else _calls(file, folder)
    stages = build_stages(file, folder)
    uses = build_uses(file, folder, events)
    found = dataclasses.replace(
        found,
        stages=tuple(describe_stage(section) for section in file.stage),
        uses=tuple(use.describes for use in uses),
    )
    return Parts(found, stages, uses)


def _stream(file: StreamFile, folder: Path) -> Plan:
    section = file.stream
    preset = check_stream(section)
    place = None if file.store is None else store_shown(file.store, folder)
    warnings: list[str] = []
    if section.auth is not None:
        check_secrets(section.auth, "stream.auth")
        warnings = _secret_warnings(section.auth, "stream.auth")
    if file.store is not None:
        warnings += _store_warnings(file.store)
    return Plan(
        source="stream",
        store=place,
        exists=False if place is None else _store_exists(place),
        stages=(),
        uses=(),
        warnings=tuple(warnings),
        stream=f"{section.method} {shown(section.url)}",
        preset=preset.service,
        framing=section.framing or preset.framing,
        id=section.id or ":".join(preset.id) or None,
        resumes=type(preset.resume).__name__,
    )


def _calls(file: PipelineFile, folder: Path) -> Plan:
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
    place = store_shown(file.store, folder)
    return Plan(
        source=str(file.source.__struct_config__.tag),
        store=place,
        exists=_store_exists(place),
        stages=(),
        uses=(),
        warnings=tuple(_warnings(file)),
        items=items,
        example=example,
        concurrency=file.api.concurrency,
        seconds=None if items is None else seconds_needed(items, file),
    )


def _store_exists(place: str) -> bool | None:
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
        warnings += _secret_warnings(file.api.auth, "api.auth")
    warnings += _store_warnings(file.store)
    if not file.api.verify:
        warnings.append("api.verify = false: anybody on the way can read and change everything")
    return warnings


def _secret_warnings(section: AuthSection, place: str) -> list[str]:
    """Return what is missing of the secrets that the section at ``place`` points to."""
    found = []
    for name in SECRETS[type(section)]:
        value = getattr(section, name)
        if value is not None and (problem := _secret_problem(value)):
            found.append(f"{place}.{name}: {problem}")
    return found


def _store_warnings(store: StoreSection | str) -> list[str]:
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
