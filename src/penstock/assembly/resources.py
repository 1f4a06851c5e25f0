"""Several resources in one file: each is a pipeline of its own, in a store below the file's."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping
from typing import NamedTuple, TypeVar

import msgspec

from penstock.assembly.build import build_listing, build_request, replaced
from penstock.assembly.kinds import Section
from penstock.assembly.places import resource_store
from penstock.assembly.sections import (
    PagesSource,
    PipelineFile,
    RequestSection,
    ResourceSection,
    StoreSection,
)
from penstock.assembly.stream_sections import StreamFile, StreamsFile
from penstock.errors import InputError, PermanentError
from penstock.http import MISSING, Child, Request, filled, find
from penstock.pipeline import Key, load
from penstock.store import StoreReader

F = TypeVar("F", PipelineFile, StreamFile)
S = TypeVar("S", bound=Section)

_PARENT = re.compile(r"\{(parent\.[^{}]+)\}")


class Part(NamedTuple):
    """One of the pipelines of a file.

    Attributes:
        name: The resource or the stream, ``""`` where there is only one.
        file: The pipeline, with a single source.
        parent: The pipeline whose records it is read for.
    """

    name: str
    file: PipelineFile | StreamFile
    parent: PipelineFile | None = None


def parts(file: PipelineFile | StreamFile | StreamsFile) -> list[Part]:
    """Return the pipelines of a file, parents first.

    Raises:
        InputError: The resources do not fit together.
    """
    if isinstance(file, StreamsFile):
        return _streams(file)
    if isinstance(file, StreamFile) or not file.resource:
        return [Part("", file)]
    found: dict[str, Part] = {}
    for one in file.resource:
        _check_name("resource", one.name, found)
        if one.parent is not None and one.parent not in found:
            raise InputError(
                f"resource {one.name!r}: its parent {one.parent!r} must stand before it"
            )
        _check(one)
        store = store_of(file.store, one.name)
        mine = msgspec.structs.replace(file, source=one, store=store, resource=[])
        parent = found[one.parent].file if one.parent else None
        assert not isinstance(parent, StreamFile)  # as all of them are made here
        found[one.name] = Part(one.name, _apart(mine, one.name), parent)
    _check_apart(found)
    return list(found.values())


def _apart(file: F, name: str) -> F:
    """Return one of several: ``{name}`` in the texts of its uses and destinations is its name."""
    use = [_named(use, name) for use in file.use]
    destination = [_named(one, name) for one in file.destination]
    return msgspec.structs.replace(file, use=use, destination=destination)


def _named(section: S, name: str) -> S:
    told = {key: getattr(section, key) for key in section.__struct_fields__}
    given = {
        key: text.replace("{name}", name) for key, text in told.items() if isinstance(text, str)
    }
    return msgspec.structs.replace(section, **given)


def _check_apart(found: Mapping[str, Part]) -> None:
    """Refuse a place that two of several would write to."""
    owners: dict[object, str] = {}
    for name, part in found.items():
        uses = [getattr(use, "target", getattr(use, "path", None)) for use in part.file.use]
        tables = [(one.to, one.table) for one in part.file.destination]
        for place in {*filter(None, uses), *tables}:
            if owners.setdefault(place, name) != name:
                shown = place if isinstance(place, str) else f"the table {place[1]}"
                raise InputError(
                    f"{owners[place]} and {name} would both write to {shown}: put {{name}} in it"
                )


def _streams(file: StreamsFile) -> list[Part]:
    found: dict[str, Part] = {}
    for number, one in enumerate(file.stream, 1):
        if one.name is None:
            raise InputError(f"stream {number}: of several, each needs name = ...")
        _check_name("stream", one.name, found)
        mine = StreamFile(
            stream=one,
            store=store_of(file.store, one.name),
            stage=file.stage,
            use=file.use,
            destination=file.destination,
            lock=file.lock,
            notify=file.notify,
        )
        found[one.name] = Part(one.name, _apart(mine, one.name))
    _check_apart(found)
    return list(found.values())


def _check_name(what: str, name: str, found: Container[str]) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name) or name == "locks":
        raise InputError(f"{what} {name!r}: a name is letters, digits, - and _")
    if name in found:
        raise InputError(f"{what} {name!r}: there are two of that name")


def _check(one: ResourceSection) -> None:
    places = _PARENT.findall(one.path + str(one.query) + str(one.json))
    if one.parent is None and (places or one.include):
        what = f"{{{places[0]}}}" if places else "include"
        raise InputError(f"resource {one.name!r}: {what} needs parent = ...")
    if one.parent is not None and not places:
        raise InputError(
            f"resource {one.name!r}: {{parent.FIELD}} stands nowhere, so every parent would get "
            "the same answer"
        )


def store_of(store: StoreSection | str, name: str) -> StoreSection:
    """Return the store of a resource: a directory, or a collection, below that of the file."""
    section = StoreSection(path=store) if isinstance(store, str) else store
    return msgspec.structs.replace(section, path=resource_store(section.path, name))


def children(
    source: ResourceSection, reader: Callable[[], StoreReader]
) -> Callable[[str], Iterator[Child]]:
    """Return what yields the records of the parent, each with what to ask for its children."""
    places = sorted(set(_PARENT.findall(source.path + str(source.query) + str(source.json))))

    def parents(after: str) -> Iterator[Child]:
        with reader() as store:
            for record, position in store.follow(after):
                found = load(record.body)
                value = found if isinstance(found, Mapping) else {"value": found}
                include = {path: find(value, path) for path in source.include}
                kept = {path: one for path, one in include.items() if one is not MISSING}
                text = msgspec.json.encode(kept) if source.include else b""
                yield Child(record.key, _request(source, places, value), text, position)

    return parents


def _request(source: PagesSource, places: list[str], parent: object) -> Request | PermanentError:
    values = {place: find(parent, place.removeprefix("parent.")) for place in places}
    path = source.path
    try:
        for place, value in values.items():
            if not isinstance(value, str | int | float):
                return PermanentError(f"the parent has no text or number at {place[7:]!r}")
            path = filled(path, value, place)
    except InputError as error:
        return PermanentError(str(error))
    query, json = replaced(source.query, values), replaced(source.json, values)
    return build_listing(msgspec.structs.replace(source, path=path, query=query, json=json))


def key_children(
    section: RequestSection, names: tuple[str, ...], keys: Callable[[], Iterator[Key]]
) -> Callable[[str], Iterator[Child]]:
    """Return what yields the keys of a source, each with its request, whose rows land."""
    request = build_request(section, names)

    def parents(after: str) -> Iterator[Child]:
        done, _, last = after.partition(":")
        for number, key in enumerate(keys(), 1):
            if number > int(done or 0):
                include = msgspec.json.encode({"key": key})
                yield Child(key, request(key), include, f"{number}:{key}")
            elif number == int(done) and str(key) != last:
                raise InputError(
                    f"the source has {key!r} where {last!r} was: it is another one. Begin again "
                    "with penstock run --restart (what has landed stays)"
                )

    return parents
