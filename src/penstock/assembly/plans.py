"""What a pipeline file would do, worked out without a call."""

from __future__ import annotations

import dataclasses
import math
import shutil
from pathlib import Path
from typing import NamedTuple, final
from urllib.parse import parse_qsl, quote

from penstock.address import hide, is_address, is_reference, is_secret_name
from penstock.assembly.build import (
    build_listing,
    build_request,
    build_retry,
    build_since,
    build_style,
    seconds_of,
    store_shown,
)
from penstock.assembly.build_stages import build_stages, build_uses
from penstock.assembly.conflicts import check_together, idle
from penstock.assembly.gates import check_budget
from penstock.assembly.kinds import STAGES, describe
from penstock.assembly.processes import check_workers
from penstock.assembly.sections import (
    LimitSection,
    PagesSource,
    PipelineFile,
    StoreSection,
)
from penstock.assembly.sources import count, keys, names
from penstock.assembly.stream_sections import FramingSection, StreamFile
from penstock.assembly.streams import check_stream
from penstock.assembly.values import missing_references
from penstock.errors import InputError
from penstock.events import Events
from penstock.http import Query, check_base, encode_query, origin, resolve, shown
from penstock.pipeline import Feed, Key, Stage, Use
from penstock.store import StoreReader


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PipelinePlan:
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
        framing: What tells messages apart, or None where the content type tells it.
        id: Where a message's id is, or None where the preset knows it.
        resumes: How it goes on after an interruption, in a word.
        free: Bytes of room on the disk of the store; None where only a call could tell.
    """

    source: str
    store: str | None
    exists: bool | None
    stages: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    items: int | None = None
    example: str = ""
    concurrency: int = 1
    seconds: float | None = None
    stream: str = ""
    preset: str = ""
    framing: str | None = None
    id: str | None = None
    resumes: str = ""
    free: int | None = None

    def fields(self) -> dict[str, object]:
        """Return what there is to say of this kind of source, by name."""
        told = dataclasses.asdict(self)
        left_out = _OF_CALLS if self.source == "stream" else _OF_STREAMS
        return {name: value for name, value in told.items() if name not in left_out}


_OF_CALLS = ("source", "items", "example", "concurrency", "seconds")
_OF_STREAMS = ("stream", "preset", "framing", "id", "resumes")


class Parts(NamedTuple):
    """A plan with what had to be made to know that it can be."""

    plan: PipelinePlan
    stages: list[Stage[object, object]]
    uses: list[Use[StoreReader]]


def plan(file: PipelineFile | StreamFile, folder: Path) -> PipelinePlan:
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
        stages=tuple(describe(STAGES, section) for section in file.stage),
        uses=tuple(use.describes for use in uses),
        free=None if found.store is None else _free(found.store),
    )
    return Parts(found, stages, uses)


def _stream(file: StreamFile, folder: Path) -> PipelinePlan:
    section = file.stream
    preset = check_stream(section)
    place = None if file.store is None else store_shown(file.store, folder)
    named = section.framing or preset.framing
    return PipelinePlan(
        source="stream",
        store=place,
        exists=False if place is None else _store_exists(place),
        warnings=tuple(missing_references(file)),
        stream=f"{section.method} {shown(section.url)}",
        preset=preset.service,
        framing="as the file says" if isinstance(named, FramingSection) else named,
        id=section.id if isinstance(section.id, str) else ":".join(section.id or preset.id) or None,
        resumes=type(preset.resume).__name__,
    )


def _calls(file: PipelineFile, folder: Path) -> PipelinePlan:
    check_together(file)
    base = file.api.base if is_reference(file.api.base) else check_base(file.api.base)
    items = count(file.source, folder)
    if isinstance(file.source, PagesSource):
        build_style(file.source)
        build_since(file.source)
        build_listing(file.source)
        url = _visible(resolve(base, file.source.path), file.source.query)
        example = f"{file.source.method} {url}"
    else:
        example = _example(file, folder, base)
    if file.request is not None:
        build_request(file.request, names(file.source), reveal=False)
    if isinstance(file.store, StoreSection) and file.store.refresh is not None:
        seconds_of(file.store.refresh, "store.refresh")
    build_retry(file.retry)
    check_budget(file.budget, folder)
    place = store_shown(file.store, folder)
    check_workers(file, place)
    return PipelinePlan(
        source=str(file.source.__struct_config__.tag),
        store=place,
        exists=_store_exists(place),
        warnings=tuple(_warnings(file)),
        items=items,
        example=example,
        concurrency=file.api.concurrency,
        seconds=None if items is None else seconds_needed(items, file),
    )


def _free(place: str) -> int | None:
    """Return the bytes of room on the disk of a store; None where only a call could tell."""
    if _store_exists(place) is None:
        return None
    path = Path(place).absolute()
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def _store_exists(place: str) -> bool | None:
    """Return whether there is something at a place as it is shown; None where nobody looked."""
    elsewhere = is_address(place) or is_reference(place)
    return None if elsewhere else Path(place).exists()


def _example(file: PipelineFile, folder: Path, base: str) -> str:
    if file.request is None:
        found = keys(file.source, folder)
        if isinstance(found, Feed):
            return f"what {found.name} brings from {found.source}"
        raise InputError("section [request] is missing: it says what to ask for each key")
    request = build_request(file.request, names(file.source), reveal=False)
    if file.source.__struct_config__.tag == "stdin":
        first: str | int | None = "KEY"
    else:
        first = next(iter(keys(file.source, folder)), None)
    if first is None:
        return "nothing: the source is empty"
    asked = request(first)
    return f"{asked.method} {_visible(resolve(base, asked.path), asked.query, first)}"


def _visible(url: str, query: Query | None, key: Key | None = None) -> str:
    """Return a URL for eyes and logs: a text in its query that is not the key may be a secret."""
    where, mark, own = url.partition("?")
    pairs = parse_qsl(own, keep_blank_values=True) if mark else []
    pairs += parse_qsl(encode_query(query or {}), keep_blank_values=True)
    plain = {str(key), "true", "false"}
    parts = [
        f"{quote(name)}={quote(value) if value in plain or value.isdigit() else '...'}"
        for name, value in pairs
    ]
    return hide(where) + ("?" + "&".join(parts) if parts else "")


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


def _is_here(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _warnings(file: PipelineFile) -> list[str]:
    warnings = missing_references(file)
    if not file.api.verify:
        warnings.append("api.verify = false: anybody on the way can read and change everything")
    base = file.api.base
    secret = file.api.auth is not None or any(map(is_secret_name, file.api.headers))
    if secret and base.startswith("http://") and not _is_here(origin(base)[1]):
        warnings.append("api.base is http://: anybody on the way can read the credentials")
    return [*warnings, *idle(file)]


# Their names while streams were planned apart, for one release.
StreamPlan = PipelinePlan
plan_stream = plan


Plan = PipelinePlan  # its name in earlier versions
