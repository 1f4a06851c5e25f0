"""A pipeline file to begin with: made from one answer of a service, or from its description."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import msgspec

from penstock.address import is_address
from penstock.assembly.guessing import Node, as_schema, guessed
from penstock.assembly.openapi import OURS, Draft, described, drafted
from penstock.assembly.values import references
from penstock.errors import InputError, MissingExtra
from penstock.http import Api, Get, Response
from penstock.visible import visible


def begun(
    source: str,
    only: Sequence[str] = (),
    base: str | None = None,
    given: Mapping[str, str] | None = None,
) -> str:
    """Return the text of a pipeline file.

    Args:
        source: URL of a list, or URL or file of an OpenAPI 3 description in JSON or YAML.
        only: Of a description, the names of the resources to write; with ``*``; none: all.
        base: URL of the service, in place of the one that is found.
        given: Values of a description's parameters, by name.

    Raises:
        InputError: It is neither.
        PenstockError: The service did not answer.
    """
    if is_address(source):
        root = "/".join(source.split("/", 3)[:3])
        response = Api(root, decode="bytes", headers={"Accept": "*/*"}).call(Get(source))
        response.become_utf8()
        text = response.body
    else:
        response = None
        try:
            text = Path(source).read_bytes()
        except OSError as error:
            raise InputError(f"{source}: {error.strerror}") from error
    try:
        draft = _drafted(_document(text, source), response, source, only, given or {})
    except RecursionError as error:
        raise InputError(f"{source}: nested too deeply") from error
    draft.base = base or draft.base
    return _checked(_written(draft, source), source, {base, *(given or {}).values()})


def _drafted(
    found: object,
    response: Response | None,
    source: str,
    only: Sequence[str],
    given: Mapping[str, str],
) -> Draft:
    if described(found):
        return drafted(found, source, only, given)  # type: ignore[arg-type] # as just asked
    if response is not None:
        return _of_answer(response, found, source)
    raise InputError(f"{source}: no OpenAPI description (of version 3, in JSON or YAML)")


def _checked(text: str, source: str, ours: set[str | None]) -> str:
    """Return the text if it is a file, and nothing in it acts but ``ours``: a stranger wrote it.

    Raises:
        InputError: A text of theirs would read a file or run a command of ours.
    """
    try:
        file = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source}: what it says cannot be written to a file: {error}") from error
    for found in (one for text in _texts(file) for one in references(text)):
        if not found.startswith(OURS) and found not in ours:
            raise InputError(
                f"{source}: it has the text {found[:80]!r}, which a pipeline file would look up "
                "on this machine: not written"
            )
    return text


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


def _document(text: bytes, source: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        pass
    if b"openapi" not in text and b"swagger" not in text:
        raise InputError(f"{source}: neither JSON nor an OpenAPI description")
    try:
        import yaml
    except ImportError as error:
        raise MissingExtra("a description in YAML", "PyYAML", "openapi") from error
    safe: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(safe):  # type: ignore[valid-type,misc] # of two classes, one
        """As JSON has it: keys are texts (``200:``), and there are no dates."""

        yaml_implicit_resolvers = {  # noqa: RUF012 - as PyYAML has it
            first: [one for one in known if not one[0].endswith(":timestamp")]
            for first, known in safe.yaml_implicit_resolvers.items()
        }

        def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict[str, object]:  # noqa: FBT001, FBT002 - PyYAML's
            found = super().construct_mapping(node, deep)
            return {str(name): value for name, value in found.items()}

    try:
        return yaml.load(text, Loader)  # noqa: S506 - it is a safe one
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"{source}: not YAML: {' '.join(str(error).split())[:200]}") from error


def _of_answer(response: Response, body: object, source: str) -> Draft:
    url = urlsplit(source)
    resource = looked_at(response, body, source)
    if resource is None:
        raise InputError(f"{source}: no list of rows in the answer: {response.excerpt(80)!r}")
    return Draft(f"{url.scheme}://{url.netloc}", {}, [resource], [])


def looked_at(response: Response, body: object, source: str) -> dict[str, object] | None:
    """Return the resource that an answer looks like, None where it has no list of rows."""
    url = urlsplit(source)
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    parameters: dict[str, Node] = {
        name: {"type": "integer" if value.isdecimal() else "string"}
        for name, value in query.items()
    }
    if isinstance(body, Mapping):
        parameters = _told(body) | parameters
    last = url.path.rstrip("/").rpartition("/")[2]
    links = [name for name, value in response.headers.items() if name != "link" or "next" in value]
    found = guessed(as_schema(body), parameters, links, last=last, plain=_as_it_is)
    if found is None:
        return None
    style = dict(found.style)
    if style.get("style") in ("page", "offset"):
        # Nobody knows which size the server takes: offsets follow the rows that come.
        style = {n: v for n, v in style.items() if n not in ("first", "size") and v}
        query = {
            n: v for n, v in query.items() if n not in (style["param"], style.get("size_param"))
        }
        style.setdefault("size_param", "")
    name = "".join(c if c.isalnum() else "-" for c in last).strip("-") or "rows"
    resource: dict[str, object] = {"name": name, "path": url.path or "/", "key": found.key}
    resource |= {"items": found.items} if found.items else {}
    return resource | style | ({"query": query} if query else {})


def _told(body: Mapping[str, object]) -> dict[str, Node]:
    """Return the parameters that an answer lets guess: it names them as it says them."""
    inner = (body.get(name) for name in ("meta", "pagination", "paging", "page_info"))
    said = {n: v for one in (*inner, body) if isinstance(one, Mapping) for n, v in one.items()}
    found = {name: as_schema(value) for name, value in said.items() if isinstance(value, int)}
    for name, value in said.items():
        short = re.sub(r"(?i)^next[_-]?", "", name)
        if isinstance(value, str) and short != name:  # next_cursor: cursor
            found[short[:1].lower() + short[1:]] = {"type": "string"}
    return found


def _as_it_is(schema: object) -> Node:
    return schema if isinstance(schema, Mapping) else {}


def _written(draft: Draft, source: str) -> str:
    lines = [f"# Begun by penstock init from {' '.join(source.partition('?')[0].split())}"]
    lines += ["# Look at it, then: penstock check FILE --try"]
    known = draft.variables.items()
    lines += [f"# export {n}=...  # {visible(' '.join(what.split()))}" for n, what in known]
    lines.append('store = "harvest"')
    for resource in draft.resources:
        lines += ["", "[[resource]]"]
        first = {name: resource[name] for name in ("name", "parent", "path") if name in resource}
        lines += [f"{name} = {_toml(value)}" for name, value in (first | resource).items()]
    lines += ["", "[api]", f"base = {_toml(draft.base)}"]
    if draft.auth:
        lines.append(f"auth = {_toml(draft.auth)}")
    lines += ["", *(f"# left out: {visible(' '.join(note.split()))}" for note in draft.notes)]
    return "\n".join(lines).rstrip() + "\n"


def _toml(value: object) -> str:
    """Return a value as TOML.

    >>> _toml({"page[size]": 5, "on": True, "a": ["x"]})
    '{ "page[size]" = 5, "on" = true, "a" = ["x"] }'
    """
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{json.dumps(str(n))} = {_toml(one)}" for n, one in value.items())
        return f"{{ {pairs} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False, default=str).replace("\x7f", "\\u007f")
