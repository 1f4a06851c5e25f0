"""URLs: joined, encoded, compared by origin, and shown without their secrets."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TypeAlias
from urllib.parse import quote, urlencode, urljoin, urlsplit

from penstock.address import hide
from penstock.errors import InputError

Query: TypeAlias = Mapping[str, object]

_SAFE = "%/:=&?~#+!$,;'@()*[]"


def check_base(url: str) -> str:
    """Return the base URL without a trailing slash.

    >>> check_base("https://api.example.com/v1/")
    'https://api.example.com/v1'

    Raises:
        InputError: It is not an http(s) URL with a host, or carries credentials.
    """
    unusable = InputError(
        f"{hide(url)[:200]!r} is not a URL: write it like https://api.example.com"
    )
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise unusable from error
    if not usable:
        raise unusable
    if parts.username is not None:
        raise InputError(
            f"the URL of {parts.hostname} carries credentials: give them as auth=Basic(user, ...)"
        )
    if parts.query or parts.fragment:
        raise InputError(f"{shown(url)}: a base URL has no query and no fragment")
    return url.rstrip("/")


def resolve(base: str, path: str) -> str:
    """Return the URL of ``path`` below ``base``; a whole URL stays as it is.

    >>> resolve("https://api.example.com/v1", "/users/ä b.json")
    'https://api.example.com/v1/users/%C3%A4%20b.json'
    """
    if not path.isascii() or not path.isprintable() or " " in path:
        path = quote(path, safe=_SAFE)
    if path.startswith(("http://", "https://")):
        return path
    if path.startswith("/"):
        return base + path
    return f"{base}/{path}" if path else base


def filled(template: str, key: object, name: str = "key") -> str:
    """Return a path with a key in its places ``{name}``, percent-encoded, slashes too.

    >>> filled("/users/{key}.json", "a/b")
    '/users/a%2Fb.json'

    Raises:
        InputError: It would be another path: of ``.``, ``..`` or nothing a server makes none.
    """
    text = str(key)
    path = template.replace(f"{{{name}}}", quote(text, safe=""))
    if text in _VANISHING:
        before, after = (p.partition("?")[0].partition("#")[0] for p in (template, path))
        for old, new in zip(before.split("/"), after.split("/"), strict=True):
            if old != new and new in _VANISHING:
                raise InputError(f"{template}: the key {text!r} would call another URL: not sent")
    return path


_VANISHING = ("", ".", "..")


def encode_query(query: Query) -> str:
    """Return ``query`` in URL form.

    >>> encode_query({"q": "a b", "id": [1, 2], "none": None, "all": True})
    'q=a+b&id=1&id=2&all=true'
    """
    return urlencode(
        [
            (name, str(one).lower() if isinstance(one, bool) else str(one))
            for name, value in query.items()
            for one in (value if isinstance(value, list | tuple) else (value,))
            if one is not None
        ]
    )


def add_query(url: str, query: Query | None) -> str:
    """Return ``url`` with ``query`` added; a parameter it has already is replaced.

    >>> add_query("https://x.example/a?page=1&q=z", {"page": 2})
    'https://x.example/a?q=z&page=2'
    """
    if not query:
        return url
    url, _, fragment = url.partition("#")
    path, _, old = url.partition("?")
    kept = [p for p in old.split("&") if p and p.partition("=")[0] not in query]
    new = "&".join([*kept, encode_query(query)] if query else kept).rstrip("&")
    return path + (f"?{new}" if new else "") + (f"#{fragment}" if fragment else "")


@lru_cache(maxsize=1024)
def _origin(prefix: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(prefix)
        port = parts.port
    except ValueError as error:
        raise InputError(f"{shown(prefix)!r} is not a URL: {error}") from error
    port = port or (443 if parts.scheme == "https" else 80)
    return parts.scheme, (parts.hostname or "").lower(), port


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port (RFC 6454): what credentials are bound to.

    Raises:
        InputError: It is not a URL.
    """
    end = url.find("/", 8)
    return _origin(url if end < 0 else url[:end])


def shown(url: str) -> str:
    """Return ``url`` for messages: without query and credentials, where secrets live.

    >>> shown("https://me:pw@x.example/a?key=secret")
    'https://x.example/a'
    """
    url = url.partition("?")[0].partition("#")[0]
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return scheme + separator + host.rpartition("@")[2] + slash + path


def join(url: str, link: str) -> str:
    """Return where ``link``, found at ``url``, points to.

    Raises:
        InputError: It is not a link.
    """
    try:
        return urljoin(url, link)
    except ValueError as error:
        raise InputError(f"{shown(url)}: {link!r} is not a link: {error}") from error
