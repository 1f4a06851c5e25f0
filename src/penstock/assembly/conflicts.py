"""Keys of a pipeline file that cannot hold together: a table that ``check`` and ``run`` obey."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, cast

from penstock.assembly.sections import (
    LockSection,
    PagesSource,
    PipelineFile,
    ResourceSection,
    StoreSection,
)
from penstock.errors import InputError


class _KeyRule(NamedTuple):
    """A key, when it does not hold, and what to say of it."""

    key: str
    when: Callable[[PipelineFile], object]
    what: str


def check_together(file: PipelineFile) -> None:
    """Refuse a file with a key that cannot hold with another.

    Raises:
        InputError: It has one.
    """
    for rule in _REFUSED:
        if rule.when(file):
            raise InputError(f"{rule.key}: {rule.what}")


def idle(file: PipelineFile) -> Iterator[str]:
    """Yield what is to be said of keys that change nothing beside others."""
    for rule in _IDLE:
        if rule.when(file):
            yield f"{rule.key}: {rule.what}"


def _pages(file: PipelineFile) -> PagesSource | None:
    return file.source if isinstance(file.source, PagesSource) else None


def _of_pages(file: PipelineFile, name: str) -> object:
    """Return what a key of a source of pages, or of its style, says; None for nothing."""
    source = _pages(file)
    if source is None:
        return None
    said = getattr(source, name, None)
    return getattr(source.style, name, None) if said is None else said


def _style(file: PipelineFile) -> str:
    source = _pages(file)
    style = "" if source is None else source.style
    return style if isinstance(style, str) else str(style.__struct_config__.tag)


def _lands_rows(file: PipelineFile) -> bool:
    """Whether rows land, in place of answers to keys."""
    request = file.request
    return _pages(file) is not None if request is None else request.items is not None


def _of_request(file: PipelineFile, name: str) -> object:
    return getattr(file.request, name, None)


def _same(file: PipelineFile) -> str:
    return file.store.on_same if isinstance(file.store, StoreSection) else "first"


def _lines(file: PipelineFile) -> bool:
    """Whether pages are lines, which have no members beside the rows."""
    return _of_pages(file, "decode") in ("csv", "jsonl")


def _statuses(file: PipelineFile, one: str, other: str) -> set[int]:
    return {*(getattr(file.retry, one) or ())} & {*(getattr(file.retry, other) or ())}


def _known(file: PipelineFile) -> bool:
    """Whether the number of pages may be known beforehand."""
    own = _style(file) not in ("cursor", "header-cursor", "link-header", "link-body", "single")
    numbered = _style(file) in ("page", "offset")
    child = isinstance(file.source, ResourceSection) and file.source.parent is not None
    counted = _of_pages(file, "total") or _of_pages(file, "pages")
    return not child and own and bool(counted or not numbered)


_NO_BODY = ("json", "csv", "jsonl", "xml")
_NO_ROWS = ("text", "file", "bytes")

_REFUSED = (
    _KeyRule(
        "request.items",
        lambda f: _pages(f) and _of_request(f, "items") is not None,
        "rows of rows are a [[resource]] with a parent",
    ),
    _KeyRule(
        "batch",
        lambda f: f.batch is not None and _lands_rows(f),
        "batches are of keys; rows land as their pages come",
    ),
    _KeyRule(
        "store.refresh",
        lambda f: isinstance(f.store, StoreSection) and f.store.refresh and _lands_rows(f),
        "it is for keys of [request]; pages are read each time",
    ),
    _KeyRule(
        "store.refresh",
        lambda f: isinstance(f.store, StoreSection) and f.store.refresh and _same(f) == "first",
        "what is fetched again is kept with on_same = 'replace'",
    ),
    _KeyRule(
        "request.key",
        lambda f: _of_request(f, "items") is None and _of_request(f, "key") not in (None, "id"),
        "it is of the rows at request.items; an answer has the key of its source",
    ),
    _KeyRule(
        "request.decode",
        lambda f: _of_request(f, "items") is not None and _of_request(f, "decode") in _NO_ROWS,
        "such an answer has no rows for request.items",
    ),
    _KeyRule(
        "request.decode",
        lambda f: _of_request(f, "decode") == "bytes" and not f.stage,
        "bytes cannot land; write 'file' for bytes beside their record",
    ),
    _KeyRule(
        "request.method",
        lambda f: _of_request(f, "method") == "HEAD" and _of_request(f, "decode") in _NO_BODY,
        "an answer to HEAD has no body, so there is nothing to land",
    ),
    _KeyRule(
        "request.form",
        lambda f: _of_request(f, "form") is not None and _of_request(f, "json") is not None,
        "a request has one body: give form or json",
    ),
    _KeyRule(
        "source.json",
        lambda f: _of_pages(f, "json") is not None and _of_pages(f, "method") == "GET",
        "a body needs method = 'POST'",
    ),
    _KeyRule(
        "source.decode",
        lambda f: _of_pages(f, "decode") in _NO_ROWS,
        "such a page has no rows; it is json, csv, jsonl or xml",
    ),
    _KeyRule(
        "source.items",
        lambda f: _lines(f) and _of_pages(f, "items"),
        "the lines of a page are its rows",
    ),
    *(
        _KeyRule(
            f"source.{name}",
            lambda f, name=name: _lines(f) and _of_pages(f, name),  # type: ignore[misc] # mypy infers no lambda with a default
            "a page of lines has no members beside its rows",
        )
        for name in ("more", "until", "total", "pages")
    ),
    _KeyRule(
        "source.style",
        lambda f: _lines(f) and _style(f) == "link-body",
        "a page of lines has no link in its body",
    ),
    _KeyRule(
        "api.key",
        lambda f: f.api.key is not None and f.api.cert is None,
        "it is the key of a certificate: give api.cert, too",
    ),
    *(
        _KeyRule(
            f"retry.{one}",
            lambda f, one=one, other=other: _statuses(f, one, other),  # type: ignore[misc] # likewise
            f"a status is in retry.{other}, too",
        )
        for one, other in (
            *(("absent", "never"), ("absent", "always"), ("absent", "fatal")),
            *(("fatal", "never"), ("fatal", "always"), ("never", "always")),
        )
    ),
)

_IDLE = (
    _KeyRule(
        "source.concurrency",
        lambda f: cast("int", _of_pages(f, "concurrency") or 1) > 1 and not _known(f),
        "one page after the other: their number is known beforehand with style page or offset, "
        "total or pages; children are as many at once as api.concurrency",
    ),
    _KeyRule(
        "source.on_expired",
        lambda f: _of_pages(f, "on_expired") and _style(f) in ("page", "offset", "single"),
        "no cursor is there that could expire",
    ),
    *(
        _KeyRule(
            f"source.{name}",
            lambda f, name=name: _of_pages(f, name) and _style(f) == "single",  # type: ignore[misc] # likewise
            "there is one page",
        )
        for name in ("more", "until", "end", "max_pages")
    ),
    _KeyRule(
        "source.missing",
        lambda f: _of_pages(f, "missing") and not _of_pages(f, "items"),
        "without source.items the page is the list",
    ),
    _KeyRule(
        "source.max_pages",
        lambda f: _of_pages(f, "max_pages") and _of_pages(f, "since"),
        "a walk that stops before the end asks from the same value again the next time",
    ),
    _KeyRule(
        "source.since",
        lambda f: _of_pages(f, "since") and _same(f) == "first",
        "with store.on_same = 'first', of rows that changed the first stays; 'replace' keeps the "
        "latest, 'history' both",
    ),
    _KeyRule(
        "source.since",
        lambda f: _of_pages(f, "since") and f.request is not None,
        "a key that landed is not fetched again since its row changed; store.refresh does that",
    ),
    _KeyRule(
        "api.ca_file",
        lambda f: f.api.ca_file is not None and not f.api.verify,
        "with verify = false no certificate is looked at",
    ),
    *(
        _KeyRule(
            f"lock.{name}",
            lambda f, name=name: (  # type: ignore[misc] # likewise
                not f.lock.enabled and getattr(f.lock, name) != getattr(LockSection(), name)
            ),
            "with enabled = false there is no lock",
        )
        for name in ("store", "name", "lease", "timeout")
    ),
    _KeyRule(
        "destination.versions",
        lambda f: any(one.versions for one in f.destination) and _same(f) != "history",
        "the store keeps one version of a record; write store.on_same = 'history'",
    ),
)
