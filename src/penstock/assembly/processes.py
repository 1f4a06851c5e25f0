"""A pipeline file's calls, made by several processes of this machine that share its budget."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from penstock.address import is_address, is_reference, scheme_of
from penstock.assembly.build import build_api, build_request
from penstock.assembly.kinds import LAUNCHERS, Section, kind_of, section_of
from penstock.assembly.reading import read_file
from penstock.assembly.sections import PagesSource, PipelineFile, ResourceSection, StoreSection
from penstock.assembly.sources import names
from penstock.assembly.stream_sections import StreamFile
from penstock.cluster import Make
from penstock.errors import InputError
from penstock.events import Events
from penstock.http import Api, Request
from penstock.pipeline import Key

F = TypeVar("F", bound=PipelineFile | StreamFile)
_DASK = ("tcp", "tls")  # what its addresses begin with


def workers_of(file: PipelineFile) -> int:
    """Return how many processes the file wants to call; 0 where the one that lands does it.

    Raises:
        InputError: It says how many workers there are, and nothing starts them.
    """
    if scheduler_of(file) is not None:
        return 0
    if file.cluster.workers:
        raise InputError('cluster.workers: on this machine write scheduler = "local:4" instead')
    kind, _, count = str(file.cluster.scheduler).partition(":")
    return int(count) if kind == "local" else 0


def scheduler_of(file: PipelineFile | StreamFile) -> Section | None:
    """Return what starts workers elsewhere; None for nothing.

    Raises:
        InputError: Nobody knows the address, or it does not say all.
    """
    given = file.cluster.scheduler
    if not isinstance(given, str):
        return given
    if not is_address(given):
        return None
    kind = "dask" if scheme_of(given) in _DASK else scheme_of(given)
    try:
        return section_of(kind_of(LAUNCHERS, kind).section, kind)(address=given)
    except TypeError as error:
        raise InputError(
            f'cluster.scheduler: write a table with kind = "{kind}": {error}'
        ) from error


def with_workers(file: F, count: int) -> F:
    """Return the file with so many workers: where its scheduler starts them, or processes here.

    Raises:
        InputError: It is a stream, and nothing starts workers elsewhere.
    """
    if scheduler_of(file) is not None:
        return replace(file, cluster=replace(file.cluster, workers=count))
    if isinstance(file, StreamFile):
        raise InputError("workers share keys: a stream is for one process")
    return replace(file, cluster=replace(file.cluster, scheduler=f"local:{count}"))


def check_workers(file: PipelineFile, place: str) -> None:
    """Refuse a file whose work several processes cannot share, where it wants them to.

    Args:
        file: The file.
        place: Its store, as it is shown.

    Raises:
        InputError: It is such a file.
    """
    here = "cluster.scheduler" if file.executor is None else "executor"
    if file.executor is not None and file.cluster.scheduler is not None:
        raise InputError("executor: [cluster] has workers of its own; give one of the two")
    if workers_of(file) or file.executor is not None:
        shared_by(file, Path(), here)
    elif file.cluster.scheduler is not None:
        directory = not (is_address(place) or is_reference(place))
        if said := why_alone(file, place if directory else None):
            raise InputError(f"{here}: {said}")


def why_directory(directory: object) -> str:
    """Return why several processes cannot land in a directory."""
    return (
        f"{directory} is a directory, which one process writes: workers need a store in "
        'MongoDB (store = "env:MONGO")'
    )


def why_alone(file: PipelineFile, directory: object) -> str:
    """Return why only one process can do what a file says; ``""`` where several can.

    Args:
        file: The file.
        directory: The store, where that is a directory.
    """
    if directory is not None:
        return why_directory(directory)
    said = ""
    if isinstance(file.source, PagesSource):
        said = "workers share keys: pages are for one run"
    elif file.source.__struct_config__.tag == "stdin":
        said = "workers share keys that all can read: stdin is for one run"
    elif file.use or file.destination:
        said = "[[use]] is of all that landed: leave it out for workers, and run it afterwards"
    elif file.request is not None and file.request.items is not None:
        said = "workers share keys: with request.items, rows land: use penstock run"
    elif isinstance(file.store, StoreSection) and file.store.refresh is not None:
        said = (
            "store.refresh: workers do each block of keys once; leave it out, or use penstock run"
        )
    return said


def shared_by(file: PipelineFile, scratch: Path, here: str = "cluster.scheduler") -> PipelineFile:
    """Return the file with a budget that processes can share: its own, or one in ``scratch``.

    Args:
        file: The file.
        scratch: A directory for the budget.
        here: The key that asks for several processes.

    Raises:
        InputError: What the file says cannot be done by several processes.
    """
    said = ""
    if isinstance(file.source, ResourceSection):
        said = "a [[resource]] is for one process"
    elif file.request is not None and file.request.items is not None:
        said = "with request.items, rows land: leave out [cluster]"
    elif file.request is None:
        said = "a source whose rows land themselves needs none"
    if said:
        raise InputError(f"{here}: workers share keys: {said}")
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
