"""What an endpoint looks like: where its rows, their key and the next page are, by usual names.

A schema and an answer are looked at in the same way: an answer is turned into a schema first.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, cast, final

Node: TypeAlias = Mapping[str, object]
"""An object of a description."""

_DEPTH = 3
_MOST_ROWS = 1000
_PARTS = 4  # members of a key where none stands out
_LISTS = "items data results value values records rows entries features objects list hits content"
_IDS = ("id", "uuid", "guid", "_id")
_KEYS = ("key", "slug", "sku", "sha", "name", "code", "number")
_ENDS = "id uuid guid key slug sku code name number"
_PAGE = "page pagenumber pagenum pageno pageindex currentpage p"
_SIZE = (
    "perpage pagesize limit size count pagelimit maxresults maxitems top rows resultsperpage "
    "itemsperpage maxpagesize first take"
)
_OFFSET = "offset skip start startat startindex pageoffset"
_CURSOR = (
    "cursor pagetoken nextpagetoken after startingafter nexttoken continuationtoken continuation "
    "continue marker startcursor pagecursor nextcursor next scrollid pagekey bookmark nextkey "
    "afterid paginationtoken pageafter cursormark token exclusivestartkey"
)
_NEXT_CURSOR = (
    "nextcursor nextpagetoken nexttoken endcursor continuationtoken continuation continue "
    "nextmarker nextpagecursor nextkey paginationtoken nextcursormark scrollid bookmark nextpage "
    "next lastevaluatedkey after cursor lastid"
)
_NEXT_LINK = "odatanextlink next nextpageurl nexturl nextlink nexthref nextpageuri nexturi nextpage"
_TOTAL = (
    "total totalcount totalresults totalitems totalrecords totalelements totalrows nummatched "
    "totalhits odatacount totalnumber recordcount totalsize numbermatched numresults"
)
_MORE = "hasmore hasnext hasnextpage more hasmorepages hasmoreitems"

Plain: TypeAlias = Callable[[object], Node]
"""Returns a schema without references."""


def plain_name(name: str) -> str:
    """Return a name as it is compared: without case and signs.

    >>> plain_name("@odata.nextLink"), plain_name("page[size]")
    ('odatanextlink', 'pagesize')
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


@final
@dataclasses.dataclass(slots=True)
class Endpoint:
    """An endpoint that lists rows, as a source of pages would have it.

    Attributes:
        items: Where the rows are.
        row: The schema of a row.
        key: What tells rows apart.
        style: How pages follow each other: the keys of a source, ``style`` among them.
        query: Parameters of each page.
    """

    items: str
    row: Node
    key: str | list[str]
    style: dict[str, object]
    query: dict[str, object]

    @property
    def members(self) -> Mapping[str, object]:
        """The members of a row."""
        return _properties(self.row)


def guessed(
    answer: object,
    parameters: Mapping[str, Node],
    headers: Collection[str],
    *,
    last: str,
    plain: Plain,
    named: str = "",
) -> Endpoint | None:
    """Return how an endpoint is read, or None where it lists nothing.

    Args:
        answer: The schema of its answer.
        parameters: The schemas of its parameters, by name.
        headers: Names of its answer's headers.
        last: The last part of its path: what it lists may be called so.
        plain: Resolves references.
        named: What the path of one row calls its key, as in ``/users/{login}``.
    """
    schema = plain(answer)
    members = dict(_members(schema, plain))
    paged = _style(members, parameters, headers)
    found = _rows(schema, members, plain, last, paged=bool(paged))
    if found is None:
        return None
    items, row = found
    if paged.get("next") == "-1":  # the last row is the cursor
        paged["next"] = f"{items}.-1.id".lstrip(".")
    query: dict[str, object] = {}
    if paged.get("style") not in ("page", "offset") and (size := _named(_SIZE, parameters)):
        most = _number(parameters[size], "maximum")
        query = {size: min(most, _MOST_ROWS)} if most else {}
    return Endpoint(items, row, _key(row, named, last, plain), paged, query)


def _properties(schema: Node) -> Mapping[str, object]:
    found = schema.get("properties")
    return cast("Mapping[str, object]", found) if isinstance(found, Mapping) else {}


def _members(
    schema: Node, plain: Plain, below: str = "", depth: int = _DEPTH
) -> Iterator[tuple[str, Node]]:
    """Yield the members of an object with their paths, those of objects among them likewise."""
    inner: list[tuple[str, Node]] = []
    for name, one in _properties(schema).items():
        path = f"{below}.{name}" if below else name
        found = plain(one)
        yield path, found
        inner.append((path, found))
    for path, found in inner if depth > 1 else ():
        yield from _members(found, plain, path, depth - 1)


def _is_list(schema: Node) -> bool:
    return schema.get("type") == "array" or "items" in schema


def _rows(
    schema: Node, members: Mapping[str, Node], plain: Plain, last: str, *, paged: bool
) -> tuple[str, Node] | None:
    """Return where the rows are, and what one is."""
    if _is_list(schema):
        return "", plain(schema.get("items"))
    lists = [(path, plain(one.get("items"))) for path, one in members.items() if _is_list(one)]
    lists = [(path, row) for path, row in lists if plain_name(_tail(path)) not in ("links", "link")]
    if "id" in _properties(schema):
        return None  # one thing that has lists, and no list of things
    usual = {*_LISTS.split(), plain_name(last), plain_name(last) + "s"}
    known = [one for one in lists if plain_name(_tail(one[0])) in usual]
    objects = [one for one in lists if _properties(one[1])]
    if not known and not paged and (len(objects) != 1 or len(_properties(schema)) > 4):
        return None
    return next(iter([*known, *objects]), None)


def _is_plain(schema: Node) -> bool:
    """Whether a schema is of a text or a whole number, and of nothing else."""
    several = cast("list[Node]", schema.get("anyOf") or schema.get("oneOf") or [])
    types = {one.get("type") for one in several} - {"null"}
    mixed = len(types) > 1 and not types <= {"string", "integer"}
    return _of(schema, ("string", "integer")) and not mixed and not _properties(schema)


def _tail(path: str) -> str:
    return path.rpartition(".")[2]


def _key(row: Node, named: str, last: str, plain: Plain) -> str | list[str]:
    """Return the member, or the members, that tell rows apart, by their names; ``""``: none."""
    members = {name: plain(one) for name, one in _properties(row).items()}
    names = [name for name, one in members.items() if _is_plain(one)]
    if not names:  # those of the objects in it
        names = [path for path, one in _members(row, plain) if _is_plain(one)]
    one = plain_name(re.sub(r"ies$", "y", re.sub(r"(?<!s)s$", "", last)))
    wanted = [
        *(name for key in _IDS for name in names if name.lower() == key),
        *(name for name in names if named and plain_name(name) == plain_name(named)),
        *(name for name in names if plain_name(name) in {one + end for end in _ENDS.split()}),
        *(name for key in _KEYS for name in names if name.lower() == key),
        *(["metadata.name"] if "name" in _properties(members.get("metadata", {})) else []),
        *(name for name in names if re.fullmatch("(?i).*(id|uuid|key|url)", name)),
    ]
    if wanted or len(names) < 2:
        return next(iter([*wanted, *names]), "" if members or _is_list(row) else "id")
    return names[:_PARTS]


def _style(
    members: Mapping[str, Node], parameters: Mapping[str, Node], headers: Collection[str]
) -> dict[str, object]:
    """Return how the pages follow each other, as keys of a source; ``{}``: by no usual name."""
    texts = {name: one for name, one in parameters.items() if one.get("type") == "string"}
    cursor = _named(_CURSOR, parameters) or _named("page", texts)
    total = _path(_TOTAL, members, "integer", "number")
    more = _path(_MORE, members, "boolean")
    if cursor and (there := _cursor_in(members, cursor)):
        last = {"more": more} if more and plain_name(_tail(there)) == "lastid" else {}
        return {"style": "cursor", "param": cursor, "next": there, **last}
    if link := _link_in(members):
        return {"style": "link-body", "next": link}
    if "link" in {name.lower() for name in headers}:
        return {"style": "link-header"}
    if cursor and more and plain_name(cursor) in ("startingafter", "after"):
        return {"style": "cursor", "param": cursor, "next": "-1", "more": more}
    found: dict[str, object] = {}
    for style, names in (("page", _PAGE), ("offset", _OFFSET)):
        if param := _named(names, parameters, number=True):
            first = _number(parameters[param], "default", "minimum")
            found = {"style": style, "param": param, "size_param": _named(_SIZE, parameters) or ""}
            found |= {"first": first} if first in (0, 1) else {}
            break
    if found and (size := _named(_SIZE, parameters)):
        most = _number(parameters[size], "maximum", "default")
        found |= {"size": min(most, _MOST_ROWS)} if most else {}
    if found and total:
        found["total"] = total
    return found


def _named(names: str, parameters: Mapping[str, Node], *, number: bool = False) -> str | None:
    """Return the parameter that has the first of some names."""
    by_name = {
        plain_name(name): name for name, one in parameters.items() if not number or _int(one)
    }
    return next((by_name[name] for name in names.split() if name in by_name), None)


def _int(schema: Node) -> bool:
    return _of(schema, ("integer", "number"))


def _of(schema: Node, types: Iterable[str]) -> bool:
    """Whether a schema is of one of some types, or says none."""
    said = schema.get("type")
    names = said if isinstance(said, list) else [said]
    return said is None or any(one in names for one in types)


def _number(schema: Node, *names: str) -> int | None:
    found = (schema.get(name) for name in names)
    return next((one for one in found if isinstance(one, int) and one >= 0), None)


def _path(names: str, members: Mapping[str, Node], *types: str) -> str | None:
    """Return the path of a member of a type that has the first of some names."""
    ends = {path: plain_name(_tail(path)) for path, one in members.items() if _of(one, types)}
    ends |= {path: "odatacount" for path in members if path == "@odata.count"}
    return next((path for name in names.split() for path, end in ends.items() if end == name), None)


def _cursor_in(members: Mapping[str, Node], param: str) -> str | None:
    names = f"{_NEXT_CURSOR} {plain_name(param)}"
    flat = {path: one for path, one in members.items() if one.get("format") != "uri"}
    return _path(names, flat, "string", "integer", "number")


def _link_in(members: Mapping[str, Node]) -> str | None:
    if "@odata.nextLink" in members:
        return "@odata.nextLink"
    for path, one in members.items():
        row = cast("Node", one.get("items") or {}) if _is_list(one) else {}
        if plain_name(_tail(path)) in ("links", "link") and {"rel", "href"} <= {*_properties(row)}:
            return f"{path}[rel=next].href"
    for name in _NEXT_LINK.split():
        for path, one in members.items():
            if plain_name(_tail(path)) != name or _is_list(one):
                continue
            if one.get("type") in ("string", None, "object") or isinstance(one.get("type"), list):
                return path
    return None


def as_schema(value: object) -> Node:
    """Return a schema that a JSON value follows.

    >>> as_schema({"a": [1], "next": "https://x.example/2"})["properties"]["next"]
    {'type': 'string', 'format': 'uri'}
    """
    if isinstance(value, Mapping):
        return {"type": "object", "properties": {n: as_schema(one) for n, one in value.items()}}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return {"type": "array", "items": as_schema(value[0]) if value else {}}
    if isinstance(value, str):
        link = re.match(r"(https?:/)?/|\?", value)
        return {"type": "string", "format": "uri"} if link else {"type": "string"}
    names = {bool: "boolean", int: "integer", float: "number"}
    return {"type": names[type(value)]} if type(value) in names else {}
