"""Signs on a page that there is more than what the style found: asked before an end is believed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, urlsplit

import msgspec

from penstock.http.body import dig, number
from penstock.http.links import linked
from penstock.http.response import Response
from penstock.http.styles import End
from penstock.http.url import join
from penstock.pipeline import load, members

_TOTAL = re.compile(
    r"(x-)?(wp-)?total([_-]?(count|results|items|rows|records|size|elements|hits))?"
    r"|count|numberMatched"
    r"|@odata\.count|result[_-]?count",
    re.IGNORECASE,
)
_NEXT = re.compile(r"(x-|@odata\.)?next.*|(end|page)?[_-]?cursor|continuation.*", re.IGNORECASE)
_HAS_MORE = re.compile(r"has_?(more|next)(_?page)?", re.IGNORECASE)
_MORE = re.compile(r"has_?(more|next)(_?page)?(_?items)?|more", re.IGNORECASE)
_PAGES = re.compile(
    r"(x-)?(wp-)?(total|num(ber)?([_-]?of)?|last|max)[_-]?pages?|pages|pages?[_-]?count",
    re.IGNORECASE,
)
_LAST = re.compile(r"(is_?)?(last|final|complete|end|done)(_?page)?", re.IGNORECASE)
_CUT = re.compile(r"(is_?)?(incomplete|truncated|partial)([_-]?results?)?", re.IGNORECASE)
_ERRORS = re.compile(r"errors?|error[_-]?message|fault", re.IGNORECASE)
_FAILED = re.compile(r"success|successful|succeeded|ok", re.IGNORECASE)
_STATUS = re.compile(r"(error_?)?(status|state|result|code|status_?code)", re.IGNORECASE)
_BAD = re.compile(r"err(or)?|fail(ed|ure)?|[45]\d\d", re.IGNORECASE)
_RANGE = re.compile(r"\S+ \d+-\d+/(\d+)")
_LINKS = re.compile(r"_?links?", re.IGNORECASE)
_BACK = re.compile(r"(prev|self|first|last|start|href$|url$).*", re.IGNORECASE)
_SIZES = re.compile(
    r"(.*per_?page|.*size|.*limit|\$?top|count|rows|n|max_?results)\]?", re.IGNORECASE
)
_SIZE = re.compile(r"(.*per[_-]?page|.*page[_-]?size|.*limit|size)", re.IGNORECASE)
_NO_ERROR: tuple[object, ...] = (None, False, 0, "", "0", [], {}, "none", "null", "OK", "ok")
_LONG = 4096  # bytes of a member that is looked into


def sign_of_more(response: Response, rows: int | None, end: End, pages: int | None = None) -> str:
    """Return what on the page speaks of more rows or pages, in words; ``""`` where nothing does.

    Where the server said that it is the end, only its counts can speak against it.

    Args:
        response: The page that seems to be the last.
        rows: Rows that came in all, or None where that is not known.
        end: The end that was found.
        pages: Pages that came, or None where that is not known.
    """
    for name, value in _said(response):
        if sign := _sign(response.url, name, value, rows, said=end.said):
            return sign
        if sign := "" if end.said else _denied(name, value, pages):
            return sign
    try:
        linked_on = not end.said and linked(response.headers.get("link", ""), "next") is not None
    except ValueError:
        return "there is a Link header that cannot be read"
    return "there is a Link header with rel=next" if linked_on else ""


def failure_in(response: Response) -> str:
    """Return what on a page without rows speaks of a failure, in words; ``""`` where nothing does.

    >>> failure_in(Response(200, "http://a.example", b"", b'{"items": [], "success": false}', 0.0))
    "'success' is False"
    """
    for name, value in _said_in_body(response):
        if _ERRORS.fullmatch(name) and not _is_nothing(value):
            return f"there is {name!r}"
        bad = _STATUS.fullmatch(name) and _BAD.fullmatch(str(value)) and str(value) != "404"
        if bad or (_FAILED.fullmatch(name) and str(value).lower() in ("false", "0", "no")):
            return f"{name!r} is {value!r}"
    return ""


def _is_nothing(value: object) -> bool:
    inner = value.values() if isinstance(value, Mapping) else ()
    return value in _NO_ERROR or (bool(inner) and all(one in _NO_ERROR for one in inner))


def goes_on(response: Response) -> bool:
    """Whether an answer says that there is a page behind it."""
    if b"next" in response.head.lower():
        try:
            if linked(response.headers.get("link", ""), "next") is not None:
                return True
        except ValueError:
            return False
    if b"next" not in response.body and b"has" not in response.body:
        return False
    return any(
        (_NEXT.fullmatch(name) and _is_page_url(response.url, name, value))
        or (_HAS_MORE.fullmatch(name) and value is True)
        for name, value in _said(response)
    )


def _sign(url: str, name: str, value: object, rows: int | None, *, said: bool) -> str:
    counted = number(value) if _TOTAL.fullmatch(name) else None
    if name.lower() == "content-range" and (found := _RANGE.fullmatch(str(value))):
        counted = float(found[1])
    if rows is not None and (counted or 0) > rows:
        return f"{name!r} says {counted:.0f}, and {rows} came"
    if _MORE.fullmatch(name) and str(value).lower() == "true":
        return f"{name!r} is true"
    if not said and _NEXT.fullmatch(name) and _leads_on(value):
        return f"there is {name!r}"
    if not said and _LINKS.fullmatch(name) and _leads_on(dig(value, "[rel=next]")):
        return f"there is {name + '[rel=next]'!r}"
    if not said and _is_page_url(url, name, value):
        return f"{name!r} is the URL of another page"
    return ""


def _denied(name: str, value: object, pages: int | None) -> str:
    """Return how a member denies an end that nobody said; ``""`` where it does not."""
    if pages is not None and _PAGES.fullmatch(name) and (number(value) or 0) > pages:
        return f"{name!r} says {number(value):.0f}, and {pages} came"
    said = str(value).lower()
    if (_LAST.fullmatch(name) and said == "false") or (_CUT.fullmatch(name) and said == "true"):
        return f"{name!r} is {str(value).lower()}"
    if _ERRORS.fullmatch(name) and not _is_nothing(value):
        return f"there is {name!r}"
    return ""


def full(response: Response, rows: int) -> bool | None:
    """Whether a page is full: of the size asked for; None where so many rows are a usual size."""
    query = parse_qsl(urlsplit(response.url).query)
    if str(rows) in {value for name, value in query if _SIZES.fullmatch(name)}:
        return True
    sized = (value for name, value in _said(response) if _SIZE.fullmatch(name))
    if rows and any(number(value) == rows for value in sized):
        return None
    return None if rows >= 10 and not all(rows % size for size in (5, 12, 16)) else False


def _said(response: Response) -> Iterator[tuple[str, object]]:
    """Yield the page's own members, and those of the objects among them; then its headers."""
    yield from _said_in_body(response)
    yield from response.headers.items()


def _said_in_body(response: Response) -> Iterator[tuple[str, object]]:
    for name, value in _members(response.body):
        yield name, value
        if isinstance(value, Mapping):
            yield from value.items()


def _members(body: bytes) -> Iterator[tuple[str, object]]:
    try:
        found = members(body)
    except msgspec.DecodeError:
        return
    for name, text in found.items():
        # Rows are lists, and long.
        kept = text[:1] != b"[" or _LINKS.fullmatch(name) or _ERRORS.fullmatch(name)
        if len(text) <= _LONG and kept:
            try:
                yield name, load(text)
            except msgspec.DecodeError:
                continue


def _leads_on(value: object) -> bool:
    if isinstance(value, Mapping):
        value = value.get("href") or value.get("url")
    return isinstance(value, str | int) and value not in ("", "0", "-1", "null", 0, -1, False)


def _is_page_url(url: str, name: str, value: object) -> bool:
    if not isinstance(value, str) or "?" not in value or _BACK.fullmatch(name):
        return False
    if not value.startswith(("http://", "https://", "/", "?")):
        return False
    here, there = urlsplit(url), urlsplit(join(url, value))
    return here.path == there.path and here.query != there.query
