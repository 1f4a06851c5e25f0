"""A pipeline file turned into an API, requests and a store's place: values into objects."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import assert_never

import msgspec

from penstock.assembly.sections import (
    SECRETS,
    ApiKeyAuth,
    AuthSection,
    BasicAuth,
    BearerAuth,
    OAuth1Auth,
    OAuth2Auth,
    PagesSource,
    PipelineFile,
    RequestSection,
    RetrySection,
    StoreSection,
)
from penstock.clock import Clock
from penstock.errors import InputError
from penstock.events import Events
from penstock.http import (
    Api,
    ApiKey,
    Auth,
    Basic,
    Bearer,
    BodyCursor,
    BodyLink,
    Delete,
    Get,
    Head,
    HeaderCursor,
    LinkHeader,
    OAuth1,
    OAuth2,
    Offset,
    PageNumber,
    Patch,
    Post,
    Profile,
    Put,
    Request,
    SinglePage,
    StatusCall,
    Style,
    secret,
)
from penstock.http.body import dig
from penstock.http.url import filled
from penstock.mongo.address import has_password, hide, is_address
from penstock.pipeline import Key
from penstock.resilience import BreakerPolicy, Budget, Limit, RetryPolicy

__all__ = [
    "build_api",
    "build_auth",
    "build_listing",
    "build_request",
    "build_style",
    "check_secrets",
    "store_named",
    "store_path",
    "store_shown",
]

_METHODS: dict[str, type[Request]] = {
    kind.method: kind for kind in (Get, Head, Post, Put, Patch, Delete)
}


def store_path(store: StoreSection | str, folder: Path) -> Path | str:
    """Return where records land: a directory, or an address of MongoDB.

    Relative directories start at the pipeline file's folder. A place that is told by ``env:NAME``
    or ``file:PATH`` is read now.

    Raises:
        InputError: A password stands in the file, or what is to be read is not there.
    """
    written = _written_place(store)
    place = store_named(written)
    return place if is_address(place) else folder / Path(place).expanduser()


def store_shown(store: StoreSection | str, folder: Path) -> str:
    """Return where records land, without reading secrets.

    Raises:
        InputError: A password stands in the file.
    """
    written = _written_place(store)
    if written.startswith(_SECRET):
        return written
    return hide(written) if is_address(written) else str(folder / Path(written).expanduser())


def store_named(text: str) -> str:
    """Return the place of a store: ``text``, or what env:NAME or file:PATH holds.

    >>> store_named("users/")
    'users/'

    Raises:
        InputError: There is no such variable or file.
    """
    return secret(text).reveal() if text.startswith(_SECRET) else text


_SECRET = ("env:", "file:")


def _written_place(store: StoreSection | str) -> str:
    written = store if isinstance(store, str) else store.path
    if is_address(written) and has_password(written):
        raise InputError(
            'store: write "env:NAME" or "file:PATH" for an address with a password; a pipeline '
            "file holds no secrets"
        )
    return written


def build_api(
    file: PipelineFile, *, events: Events | None = None, clock: Clock | None = None
) -> Api:
    """Return the service the file describes; secrets are read now.

    Raises:
        InputError: A value is out of its bounds, or a secret is not there.
    """
    section = file.api
    budget = Budget(
        reserve=file.budget.reserve,
        limits=[Limit(limit.count, limit.per, limit.unit) for limit in file.budget.limits],
        clock=clock,
    )
    status = file.budget.status
    return Api(
        section.base,
        auth=None if section.auth is None else build_auth(section.auth),
        retry=_retry(file.retry),
        budget=budget,
        status=None
        if status is None
        else StatusCall(
            path=status.path, remaining=status.remaining, limit=status.limit, reset=status.reset
        ),
        breaker=BreakerPolicy(
            failures=file.breaker.failures,
            pause=file.breaker.pause,
            cap=file.breaker.cap,
            outage=file.breaker.outage or None,
        ),
        headers=section.headers,
        profile=Profile(
            connect=section.connect,
            first_byte=section.first_byte,
            stall=section.stall,
            total=section.total,
            max_body=section.max_body,
            proxy=section.proxy,
            verify=section.verify,
            ca_file=section.ca_file,
            cert=section.cert,
            key=section.key,
            http2=section.http2,
        ),
        decode=file.request.decode if file.request is not None else "json",
        max_redirects=section.max_redirects,
        events=events,
        clock=clock,
    )


def check_secrets(section: AuthSection, place: str = "api.auth") -> None:
    """Refuse secrets that stand in the file itself; ``place`` is what errors call the section.

    Raises:
        InputError: One does; says which key, and never the secret.
    """
    for key in SECRETS[type(section)]:
        text = getattr(section, key)
        if text is not None and not text.startswith(("env:", "file:")):
            raise InputError(
                f'{place}.{key}: write "env:NAME" or "file:PATH"; a pipeline file holds no secrets'
            )


def _secret(text: str | None) -> str | None:
    return None if text is None else secret(text).reveal()


def _needed(text: str) -> str:
    return secret(text).reveal()


def build_auth(section: AuthSection, place: str = "api.auth") -> Auth:
    """Return who we are; secrets are read now. ``place`` is what errors call the section.

    Raises:
        InputError: A secret stands in the file itself, or is not there.
    """
    check_secrets(section, place)
    match section:
        case BasicAuth():
            return Basic(section.user, _needed(section.password))
        case BearerAuth():
            return Bearer(_needed(section.token))
        case ApiKeyAuth():
            return ApiKey(_needed(section.key), header=section.header, query=section.query)
        case OAuth1Auth():
            return OAuth1(
                section.client_key,
                _needed(section.client_secret),
                section.token,
                _secret(section.token_secret),
            )
        case OAuth2Auth():
            return OAuth2(
                section.token_url,
                section.client_id,
                _needed(section.client_secret),
                scope=section.scope,
                refresh_token=_secret(section.refresh_token),
                extra=section.extra,
                client_in=section.client_in,
            )
        case _:
            assert_never(section)


def _retry(section: RetrySection) -> RetryPolicy:
    default = RetryPolicy()
    return RetryPolicy(
        attempts=section.attempts,
        total=section.total,
        base=section.base,
        cap=section.cap,
        never=default.never if section.never is None else frozenset(section.never),
        always=default.always if section.always is None else frozenset(section.always),
        otherwise=section.otherwise,
        fatal=default.fatal if section.fatal is None else frozenset(section.fatal),
        failed=None if section.failed is None else _failed(section.failed),
    )


def _failed(path: str) -> Callable[[object], bool]:
    """Return a predicate: whether there is something at ``path`` of a body."""

    def failed(body: object) -> bool:
        return dig(body, path) not in (None, False, "", [], {})

    return failed


_PLACE = re.compile(r"\{([^{}]*)\}")


def build_request(section: RequestSection) -> Callable[[Key], Request]:
    """Return what makes a key's request.

    Raises:
        InputError: A placeholder is unknown, or no place is left for the key.
    """
    _check_places(section)
    kind = _METHODS[section.method]
    path, query, json, form = section.path, section.query, section.json, section.form
    if not query and not section.headers and json is None and form is None:
        idempotent, cost = section.idempotent, section.cost

        def simple(key: Key) -> Request:
            return kind(filled(path, key), idempotent=idempotent, cost=cost)

        return simple

    def request(key: Key) -> Request:
        return kind(
            filled(path, key),
            query={name: _filled(value, key) for name, value in query.items()} or None,
            headers={name: str(_filled(v, key)) for name, v in section.headers.items()} or None,
            form=form and {name: _filled(value, key) for name, value in form.items()},
            json=msgspec.UNSET if json is None else _filled(json, key),
            idempotent=section.idempotent,
            cost=section.cost,
        )

    return request


def _filled(value: object, key: Key) -> object:
    """Return ``value`` with the key in its places; a text that is all place becomes the key."""
    if isinstance(value, str):
        return key if value == "{key}" else value.replace("{key}", str(key))
    if isinstance(value, list):
        return [_filled(item, key) for item in value]
    if isinstance(value, dict):
        return {name: _filled(item, key) for name, item in value.items()}
    return value


def _check_places(section: RequestSection) -> None:
    strict = {
        "path": [section.path],
        "query": _texts(section.query),
        "headers": _texts(section.headers),
        "form": _texts(section.form),
    }
    for name, found in strict.items():
        unknown = sorted({place for text in found for place in _PLACE.findall(text)} - {"key"})
        if unknown:
            raise InputError(
                f"request.{name}: unknown place {{{unknown[0]}}}; there is only {{key}}"
            )
    texts = [text for found in strict.values() for text in found]
    texts += _texts(section.json)  # braces in a JSON body may mean themselves
    if not any("{key}" in text for text in texts):
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
    """Return the request that pages are made of.

    Raises:
        InputError: It has a body that its method does not carry.
    """
    query = dict(source.query) or None
    if source.method == "POST":
        return Post(source.path, query=query, json=source.json or {}, idempotent=True)
    if source.json is not None:
        raise InputError("source.json: a body needs method = 'POST'")
    return Get(source.path, query=query)


def build_style(source: PagesSource) -> Style:
    """Return how the pages of a source follow each other.

    Raises:
        InputError: A key is given that the style does not have, or one it needs is missing.
    """
    styles: dict[str, tuple[type, dict[str, str]]] = {
        "page": (PageNumber, _NUMBERED | {"pages": "pages"}),
        "offset": (Offset, _NUMBERED),
        "cursor": (BodyCursor, {"param": "param", "next": "path", "first": "first"}),
        "header-cursor": (HeaderCursor, {"param": "param", "header": "header", "first": "first"}),
        "link-header": (LinkHeader, {}),
        "link-body": (BodyLink, {"next": "path"}),
        "single": (SinglePage, {}),
    }
    kind, names = styles[source.style]
    given: dict[str, object] = {}
    for key in ("param", "size_param", "size", "first", "total", "pages", "next", "header"):
        value = getattr(source, key)
        if value is None:
            continue
        if key not in names:
            raise InputError(f"source: style {source.style!r} has no {key}; it has: {_list(names)}")
        given[names[key]] = value
    given |= {key: getattr(source, key) for key in _LISTING}
    given["end"] = None if source.end is None else frozenset(source.end)
    if source.style == "header-cursor" and source.header is None:
        raise InputError("source: style 'header-cursor' needs header = ...")
    style: Style = kind(**given)
    return style


_NUMBERED = {name: name for name in ("param", "size_param", "size", "first", "total")}
_LISTING = ("items", "missing", "more", "until", "max_pages", "on_expired", "sure")


def _list(names: dict[str, str]) -> str:
    return ", ".join(names) or "nothing to set"
