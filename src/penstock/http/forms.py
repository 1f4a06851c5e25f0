"""What is not JSON as JSON that can land: text, rows of CSV, lines of JSON, XML, whole files."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from collections.abc import Callable, Mapping
from typing import TypeAlias
from xml.etree import ElementTree as ET

import msgspec

from penstock.pipeline import is_json

Headers: TypeAlias = Mapping[str, str]


def _text(body: bytes, _headers: Headers) -> object:
    return body.decode()


def _csv(body: bytes, _headers: Headers) -> object:
    rows = csv.DictReader(io.StringIO(body.decode(), newline=""), restkey="_more", strict=True)
    names = list(rows.fieldnames or ())
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"two columns are called {twice[0]!r}")
    return [_row(row) for row in rows]


def _row(row: dict[str, str | list[str] | None]) -> dict[str, object]:
    """Return a row of CSV; one that is longer or shorter than the header line is not guessed at.

    Raises:
        ValueError: It is.
    """
    if "_more" in row or None in row.values():
        raise ValueError(f"a row has more or fewer fields than the header line: {row!r:.200}")
    return dict(row)


def _jsonl(body: bytes, _headers: Headers) -> object:
    lines = [line for line in body.splitlines() if line.strip()]
    joined = b"[%b]" % b",".join(lines)
    if not is_json(joined):
        raise ValueError("a line is not JSON")
    return msgspec.Raw(joined)


def _xml(body: bytes, _headers: Headers) -> object:
    root = ET.fromstring(body)  # noqa: S314 - expat bounds what entities may grow to
    return {_name(root.tag): _element(root)}


def _element(element: ET.Element) -> object:
    """Return an element: its text, or its attributes as ``@name`` and its children by name."""
    members: dict[str, object] = {}
    for name, one in element.items():
        short = f"@{_name(name)}"  # href and xlink:href may both be there
        members[f"@{name}" if short in members else short] = one
    several: dict[str, list[object]] = {}
    for child in element:
        several.setdefault(_name(child.tag), []).append(_element(child))
    members |= {name: found if len(found) > 1 else found[0] for name, found in several.items()}
    parts = [element.text, *(child.tail for child in element)]
    text = "".join(part for part in parts if part and (part.strip() or not members))
    if not members:
        return text or None
    return members | ({"#text": text} if text else {})


def _name(tag: str) -> str:
    return tag.rpartition("}")[2]


def _file(body: bytes, headers: Headers) -> object:
    return {
        "type": headers.get("content-type", ""),
        "bytes": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
        "base64": base64.b64encode(body).decode(),
    }


_FORMS: dict[str, Callable[[bytes, Headers], object]] = {
    "text": _text,
    "csv": _csv,
    "jsonl": _jsonl,
    "xml": _xml,
    "file": _file,
}
AS_THEY_ARE = ("xml", "file")
"""Forms that are read from the bytes, whose encoding they know themselves."""


def as_json(form: str, body: bytes, headers: Headers) -> bytes:
    r"""Return a body of that form as JSON.

    >>> as_json("xml", b"<r n='1'><a>x</a><a/><b><c>y</c></b></r>", {})
    b'{"r":{"@n":"1","a":["x",null],"b":{"c":"y"}}}'
    >>> as_json("csv", b"a,b\n1,2\n", {})
    b'[{"a":"1","b":"2"}]'

    Raises:
        ValueError: It is not of that form.
    """
    try:
        return msgspec.json.encode(_FORMS[form](body, headers))
    except (ET.ParseError, csv.Error, RecursionError, LookupError) as error:
        raise ValueError(str(error)) from error
