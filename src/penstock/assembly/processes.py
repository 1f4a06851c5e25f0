"""A pipeline file's calls, made by several processes of this machine that share its budget."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from penstock.address import is_address
from penstock.assembly.build import build_api, build_request
from penstock.assembly.reading import read_file
from penstock.assembly.sections import PipelineFile, ResourceSection
from penstock.assembly.sources import names
from penstock.assembly.stream_sections import StreamFile
from penstock.cluster import Make
from penstock.errors import InputError
from penstock.events import Events
from penstock.http import Api, Request
from penstock.pipeline import Key

F = TypeVar("F", bound=PipelineFile | StreamFile)


def workers_of(file: PipelineFile) -> int:
    """Return how many processes the file wants to call; 0 where the one that lands does it.

    Raises:
        InputError: It says how many workers there are, and nothing starts them.
    """
    kind, _, count = (file.cluster.scheduler or "").partition(":")
    if file.cluster.workers and not launched_by(file)[0]:
        raise InputError('cluster.workers: on this machine write scheduler = "local:4" instead')
    return int(count) if kind == "local" else 0


def launched_by(file: PipelineFile | StreamFile) -> tuple[str, int | None]:
    """Return the address of what starts workers elsewhere, ``""`` for nothing, and how many."""
    scheduler = file.cluster.scheduler or ""
    return (scheduler if is_address(scheduler) else ""), file.cluster.workers


def with_workers(file: F, count: int) -> F:
    """Return the file with so many workers: where its scheduler starts them, or processes here.

    Raises:
        InputError: It is a stream, and nothing starts workers elsewhere.
    """
    if launched_by(file)[0]:
        return replace(file, cluster=replace(file.cluster, workers=count))
    if isinstance(file, StreamFile):
        raise InputError("workers share keys: a stream is for one process")
    return replace(file, cluster=replace(file.cluster, scheduler=f"local:{count}"))


def shared_by(file: PipelineFile, scratch: Path) -> PipelineFile:
    """Return the file with a budget that processes can share: its own, or one in ``scratch``.

    Raises:
        InputError: What the file says cannot be done by several processes.
    """
    if isinstance(file.source, ResourceSection):
        raise InputError("workers share keys: a [[resource]] is for one process")
    if file.request is not None and file.request.items is not None:
        raise InputError("workers share keys: with request.items, rows land: leave out [cluster]")
    if file.request is None:
        raise InputError("workers share keys: a source whose rows land themselves needs none")
    if getattr(file.api.auth, "refresh_token", None) is not None:
        raise InputError(
            "api.auth: a refresh token that is renewed belongs to one process: leave out [cluster]"
        )
    if file.budget.gate is not None and file.budget.gate.__struct_config__.tag == "memory":
        raise InputError("budget.gate: workers share what is left, and this one is of one process")
    if file.budget.shared is not None or file.budget.gate is not None:
        return file
    return replace(file, budget=replace(file.budget, name="run", shared=str(scratch)))


def making(path: Path, folder: Path, name: str | None, at: str | None) -> Make:
    """Return what builds, in another process, the API and the requests of the file at ``path``."""
    return partial(_made, path, folder, name, at)


def _made(
    path: Path, folder: Path, name: str | None, at: str | None, events: Events
) -> tuple[Api, Callable[[Key], Request]]:
    file = read_file(path)
    if at is not None and file.budget.shared is None and not Path(at).is_dir():
        raise InputError("workers of other machines share a budget: give budget.name and .shared")
    file = replace(file, budget=replace(file.budget, name=name, shared=at))
    assert file.request is not None  # shared_by has looked
    request = build_request(file.request, names(file.source))
    return build_api(file, folder=folder, events=events), request
