"""A pipeline file turned into an API, requests and a store's place: values into objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import cast

import msgspec

from penstock.address import hide, is_reference, look_up, missing
from penstock.assembly.gates import build_dialects, build_gate
from penstock.assembly.kinds import (
    AUTHS,
    STYLES,
    Section,
    Site,
    build,
    kind_of,
    section_of,
    value_of,
)
from penstock.assembly.places import store_named
from penstock.assembly.sections import (
    ApiSection,
    Decode,
    PagesSource,
    PipelineFile,
    RequestSection,
    RetrySection,
    StoreSection,
)
from penstock.assembly.values import revealed
from penstock.clock import Clock
from penstock.errors import InputError
from penstock.events import Events
from penstock.http import (
    Api,
    Auth,
    Delete,
    Get,
    Head,
    Patch,
    Post,
    Profile,
    Put,
    Reach,
    Request,
    Since,
    StatusCall,
    Style,
    dig,
    filled,
)
from penstock.pipeline import Key
from penstock.resilience import BreakerPolicy, RetryPolicy
from penstock.store import store_place

_METHODS: dict[str, type[Request]] = {
    kind.method: kind for kind in (Get, Head, Post, Put, Patch, Delete)
}


def store_path(store: StoreSection | str, folder: Path) -> Path | str:
    """Return where records land: a directory, or an address that a kind of store understands.

    Relative directories start at the pipeline file's folder. A place that is given by ``env:NAME``
    or ``file:PATH`` is read now.

    Raises:
        InputError: Nothing can land there, or what is to be read is not there.
    """
    return _below(folder, store_place(store_named(_written(store))))


def store_shown(store: StoreSection | str, folder: Path) -> str:
    """Return where records land, without showing secrets.

    A reference is shown as it is written; what it holds is looked at where it is there already.

    Raises:
        InputError: Nothing can land there.
    """
    written = _written(store)
    if is_reference(written):
        if not written.startswith("cmd:") and not missing(written):
            store_place(look_up(written))
        return written
    return hide(str(_below(folder, store_place(written))))


def _below(folder: Path, place: Path | str) -> Path | str:
    return folder / place if isinstance(place, Path) else place


def _written(store: StoreSection | str) -> str:
    return store if isinstance(store, str) else store.path


def build_api(
    file: PipelineFile,
    *,
    folder: Path = Path(),
    events: Events | None = None,
    clock: Clock | None = None,
) -> Api:
    """Return the service the file describes; secrets are read now.

    The directory of a shared budget is below ``folder``, unless it is absolute.

    Raises:
        InputError: A value is out of its bounds, or a secret is not there.
    """
    section = revealed(file.api)
    status = file.budget.status
    return Api(
        section.base,
        auth=None if section.auth is None else build_auth(section.auth),
        retry=build_retry(file.retry),
        budget=build_gate(file.budget, folder, clock),
        hints=build_dialects(file.budget),
        status=None if status is None else value_of(StatusCall, status),
        breaker=BreakerPolicy(
            **{**msgspec.structs.asdict(file.breaker), "outage": file.breaker.outage or None}
        ),
        headers=section.headers,
        profile=Profile(**{name: getattr(section, name) for name in _PROFILE}),
        decode=_decode(file),
        max_redirects=section.max_redirects,
        reach=Reach(section.hosts, section.private),
        cookies=section.cookies,
        events=events,
        clock=clock,
    )


# What a profile and the section call by the same name, but the cookies' jar.
_PROFILE = {one.name for one in fields(Profile)} & {*ApiSection.__struct_fields__} - {"cookies"}


def _decode(file: PipelineFile) -> Decode:
    if file.request is not None:
        return file.request.decode
    return file.source.decode if isinstance(file.source, PagesSource) else "json"


def build_auth(section: Section, place: str = "api.auth") -> Auth:
    """Return who we are; secrets are read now. ``place`` is what errors call the section.

    Raises:
        InputError: A secret is not there, or a value cannot be.
    """
    return cast("Auth", build(AUTHS, section, Site(), place))


def build_retry(section: RetrySection) -> RetryPolicy:
    """Return when to try again.

    Raises:
        InputError: A value is out of its bounds.
    """
    given = {name: getattr(section, name) for name in _RETRY}
    return RetryPolicy(
        **{name: value for name, value in given.items() if value is not None},
        failed=_failed(section.failed, section.success),
        failed_text=None if section.failed_text is None else _pattern(section.failed_text),
    )


_RETRY = {*RetrySection.__struct_fields__} - {"failed", "failed_text", "success"}


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise InputError(f"retry.failed_text: not a regular expression: {error}") from error


def _failed(bad: str | None, good: str | None) -> Callable[[object], bool] | None:
    """Return a predicate of bodies: whether something is at ``bad``, or ``good`` is not so."""
    if bad is None and good is None:
        return None
    path, says, wanted = (good or "").partition("=")

    def failed(body: object) -> bool:
        if bad is not None and dig(body, bad) not in (None, False, "", [], {}):
            return True
        found = dig(body, path) if good else True
        if says:
            return str(found) != wanted.strip()
        return found in (None, False, "", 0) or str(found).lower() == "false"

    return failed


_PLACE = re.compile(r"\{([^{}]*)\}")


def build_request(
    section: RequestSection, names: tuple[str, ...] = (), *, reveal: bool = True
) -> Callable[[Key], Request]:
    """Return what makes a key's request; without ``reveal`` one whose references are only shown.

    Args:
        section: What to ask.
        names: What the values of compound keys are called: ``{name}`` stands for one of them.
        reveal: Whether to read what references point to.

    Raises:
        InputError: A placeholder is unknown, no place is left for the key, or a variable or file
            is not there.
    """
    _check_places(section, names)
    section = revealed(section) if reveal else section
    kind = _METHODS[section.method]
    path, query, json, form = section.path, section.query, section.json, section.form
    if not names and not query and not section.headers and json is None and form is None:
        idempotent, cost = section.idempotent, section.cost

        def simple(key: Key) -> Request:
            return kind(filled(path, key), idempotent=idempotent, cost=cost)

        return simple

    def request(key: Key) -> Request:
        values = {"key": key, **dict(zip(names, parts(key, len(names)), strict=True))}
        where = path
        for name, value in values.items():
            where = filled(where, value, name)
        return kind(
            where,
            query={name: replaced(value, values) for name, value in query.items()} or None,
            headers={n: str(replaced(v, values)) for n, v in section.headers.items()} or None,
            form=form and {name: replaced(value, values) for name, value in form.items()},
            json=msgspec.UNSET if json is None else replaced(json, values),
            idempotent=section.idempotent,
            cost=section.cost,
        )

    return request


def parts(key: Key, count: int) -> list[object]:
    """Return the values of a compound key.

    Raises:
        InputError: It has another number of them.
    """
    if not count:
        return []
    try:
        values = msgspec.json.decode(str(key), type=list[object])
    except msgspec.DecodeError:
        values = []
    if len(values) != count:
        raise InputError(f"key {key!r} is not the list of {count} values that the source gives now")
    return values


def replaced(value: object, values: Mapping[str, object]) -> object:
    """Return ``value`` with values in their places; a text that is all place becomes the value."""
    if isinstance(value, str):
        whole = _PLACE.fullmatch(value)
        if whole and whole[1] in values:
            return values[whole[1]]
        return _PLACE.sub(lambda place: str(values.get(place[1], place[0])), value)
    if isinstance(value, list):
        return [replaced(item, values) for item in value]
    if isinstance(value, dict):
        return {name: replaced(item, values) for name, item in value.items()}
    return value


def _check_places(section: RequestSection, names: tuple[str, ...]) -> None:
    known = {"key", *names}
    strict = {
        "path": [section.path],
        "query": _texts(section.query),
        "headers": _texts(section.headers),
        "form": _texts(section.form),
    }
    for name, found in strict.items():
        places = {place for text in found for place in _PLACE.findall(text)}
        if name == "path":
            places = {one for one in places if not one.startswith("env:")}
        unknown = sorted(places - known)
        if unknown:
            there = " and ".join(f"{{{one}}}" for one in ("key", *names))
            only = "there is only" if not names else "there are"
            raise InputError(f"request.{name}: unknown place {{{unknown[0]}}}; {only} {there}")
    texts = [text for found in strict.values() for text in found]
    texts += _texts(section.json)  # braces in a JSON body may mean themselves
    if not any(f"{{{name}}}" in text for text in texts for name in known):
        raise InputError("request: {key} stands nowhere, so every key would get the same answer")


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return []


def build_listing(source: PagesSource) -> Request:
    """Return the request that pages are made of."""
    query = dict(source.query) or None
    if source.method == "POST":
        return Post(source.path, query=query, json=source.json or {}, idempotent=True)
    return Get(source.path, query=query)


_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds_of(text: str | float, place: str = "") -> float:
    """Return a time span in seconds: ``90``, ``90s``, ``10m``, ``1.5h``, ``2d``.

    >>> seconds_of("1.5h", "store.refresh")
    5400.0

    Raises:
        InputError: It is not a time span; ``place`` is where it stands.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", str(text).strip())
    if found is None:
        where = place and f"{place}: "
        raise InputError(f"{where}{text!r} is not a time span; write 90s, 10m, 1.5h or 2d")
    return float(found[1]) * _UNITS[found[2]]


def build_since(source: PagesSource) -> Since | None:
    """Return how a source asks for what is new only.

    Raises:
        InputError: It cannot be.
    """
    since = source.since
    if since is None:
        return None
    overlap = seconds_of(since.overlap, "source.since.overlap")
    return Since(**{**msgspec.structs.asdict(since), "overlap": overlap})


_FLAT = (
    *("param", "size_param", "size", "first", "total", "pages", "next", "header"),
    *("missing", "more", "until", "end", "max_pages", "on_expired", "sure"),
)


def build_style(source: PagesSource) -> Style:
    """Return how the pages of a source follow each other.

    Raises:
        InputError: A key is given that the style does not have, or one it needs is missing.
    """
    flat = {key: getattr(source, key) for key in _FLAT if getattr(source, key) is not None}
    if isinstance(source.style, str):
        section = _flat_style(source, source.style, flat)
    elif flat:
        raise InputError(f"source.{next(iter(flat))}: it belongs into [source.style]")
    else:
        section = source.style
    if source.items and "items" in section.__struct_fields__ and not section.items:  # type: ignore[attr-defined] # as just asked
        section = msgspec.structs.replace(section, items=source.items)
    return cast("Style", build(STYLES, section, Site(), "source.style"))


def _flat_style(source: PagesSource, style: str, flat: dict[str, object]) -> Section:
    """Return the section of a style whose keys stand in [source] itself."""
    struct = section_of(kind_of(STYLES, style).section, style)
    fields = struct.__struct_fields__
    # What a page calls next is the path to it.
    names = {key: "path" if key == "next" and key not in fields else key for key in flat}
    for key, name in names.items():
        if name not in fields:
            known = ", ".join(("next" if f == "path" else f) for f in fields if f != "rel")
            has = known or "nothing to set"
            raise InputError(f"source.{key}: style {style!r} has no {key}; it has: {has}")
    for field in msgspec.structs.fields(struct):
        if field.required and field.name not in names.values():
            raise InputError(f"source.style: {source.style!r} needs {field.name} = ...")
    try:
        given = {names[key]: value for key, value in flat.items()}
        return msgspec.convert({"kind": style, **given}, struct)
    except msgspec.ValidationError as error:
        where = str(error).partition(" - at `$.")[2].rstrip("`") or "style"
        what = str(error).partition(" - at ")[0].replace("`", "")
        raise InputError(f"source.{where}: {what[0].lower()}{what[1:]}") from error
