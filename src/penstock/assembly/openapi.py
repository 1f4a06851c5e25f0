"""An OpenAPI 3 description as resources: its lists, their pages, their parents, credentials."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from typing import cast, final
from urllib.parse import quote, urljoin

from penstock.assembly.guessing import Endpoint, Node, guessed
from penstock.errors import InputError

OURS = "env:API_"  # how the names of credentials begin that we write
_DEEP = 20  # references that are followed for one schema
_VARIABLE = re.compile(r"env:(\w+)")
_PARAMETER = re.compile(r"\{([^{}]+)\}")
# Names of parameters that say nothing without the step before them.
_BARE = {
    *("id", "ids", "uuid", "guid", "key", "name", "slug", "code", "number", "type", "q", "query"),
    *("version", "hash"),
}
_CREDENTIALS = {"KEY", "TOKEN", "USER", "PASSWORD", "CLIENT_ID", "CLIENT_SECRET"}


@final
@dataclasses.dataclass(slots=True)
class Draft:
    """What a pipeline file is made of.

    Attributes:
        base: URL of the service.
        auth: The keys of [api.auth].
        resources: The keys of each [[resource]], parents first.
        notes: What was left out, and why.
        variables: What only a person knows: variables of the environment, and what each is.
    """

    base: str
    auth: dict[str, object]
    resources: list[dict[str, object]]
    notes: list[str]
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict)


def described(value: object) -> bool:
    """Whether a document is an OpenAPI description, of whatever version."""
    return (
        isinstance(value, Mapping)
        and "paths" in value
        and not {"openapi", "swagger"}.isdisjoint(value)
    )


def drafted(
    root: Node, source: str, only: Sequence[str] = (), given: Mapping[str, str] | None = None
) -> Draft:
    """Return the lists of a description as resources.

    Args:
        root: The description.
        source: Where it is from: the address of a service may be relative to that.
        only: Names of resources, with ``*``; none: all. Their parents come along.
        given: Values of parameters, for what no other list tells.

    Raises:
        InputError: It is of a version before 3, or has no list that could be read.
    """
    version = str(root.get("openapi", root.get("swagger")))
    if not version.startswith("3"):
        raise InputError(f"{source}: OpenAPI {version}: give a description of version 3")
    return _Description(root, given or {}).draft(source, only)


@final
class _Description:
    def __init__(self, root: Node, given: Mapping[str, str]) -> None:
        self._root = root
        self._given = given
        paths = _mapping(root.get("paths"))
        self._items = {_PARAMETER.sub(self._set, path): one for path, one in paths.items()}
        self._single = {_PARAMETER.sub(self._set, path) for path in paths if path.endswith("}")}
        self._found: dict[str, dict[str, object]] = {}  # by path
        self._included: dict[str, dict[str, str]] = {}  # by path: its parameters' fields
        self._endpoints: dict[str, Endpoint] = {}
        self._variables: dict[str, str] = {}
        self._notes: list[str] = []
        # What was found of each, by identity: references of references can double without end.
        self._plain: dict[int, tuple[object, Node]] = {}

    def draft(self, source: str, only: Sequence[str]) -> Draft:
        paths = sorted(self._lists(), key=lambda path: (path.count("{"), path))
        for path in paths:
            if reason := self._add(path):
                self._notes.append(f"GET {path}: {reason}")
        chosen = [one for one in self._found.values() if _is_wanted(str(one["name"]), only)]
        names = {str(one["name"]) for one in chosen}
        for one in reversed(self._found.values()):
            if one["name"] in names and one.get("parent"):
                names.add(str(one["parent"]))
        resources = [one for one in self._found.values() if one["name"] in names]
        if not resources:
            raise InputError(f"{source}: no list that can be read without knowing more")
        there = set(_VARIABLE.findall(str(resources)))
        asked = {name: what for name, what in self._variables.items() if name in there}
        return Draft(self._base(source), self._auth(), resources, self._notes, asked)

    def _set(self, found: re.Match[str]) -> str:
        value = self._given.get(found[1], found[0])
        return f"{{{value}}}" if value.startswith("env:") else quote(value, safe="{}")

    def _variable(self, name: str, path: str, before: str) -> str:
        """Return where a value comes from that only a person knows: ``env:NAME``."""
        step = _last(before) if name.lower() in _BARE else ""
        words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", f"{step}_{name}")
        word = re.sub(r"[^A-Za-z0-9]+", "_", words).strip("_").upper() or "VALUE"
        word += "_VALUE" if word in _CREDENTIALS else ""
        self._variables.setdefault(f"API_{word}", f"{name} of GET {path}")
        return OURS + word

    def plain(self, schema: object) -> Node:
        """Return a schema without references; of several that it may be, the first object."""
        _, known = self._plain.get(id(schema), (None, None))
        if known is None:
            self._plain[id(schema)] = (schema, {})  # of one that consists of itself
            known = self._merged(schema)
            self._plain[id(schema)] = (schema, known)
        return known

    def _merged(self, schema: object) -> Node:
        for _ in range(_DEEP):
            node = _mapping(schema)
            if "$ref" not in node:
                break
            schema = self._at(str(node["$ref"]))
        else:
            return {}
        parts = [self.plain(one) for one in _list(node.get("allOf"))]
        either = [self.plain(one) for one in _list(node.get("anyOf")) + _list(node.get("oneOf"))]
        usable = [one for one in either if "properties" in one or "items" in one] or either
        usable = [one for one in usable if one.get("type") != "null"][:1]
        if not parts and not usable:
            return node
        merged: dict[str, object] = {}
        properties: dict[str, object] = {}
        for one in [*parts, *usable, node]:
            merged |= one
            properties |= _mapping(one.get("properties"))
        return merged | {"properties": properties} if properties else merged

    def _at(self, reference: str) -> object:
        found: object = self._root
        for step in reference.removeprefix("#/").split("/"):
            name = (
                step.replace("~1", "/").replace("~0", "~").replace("%7B", "{").replace("%7D", "}")
            )
            found = _mapping(found).get(name)
        return found

    def _lists(self) -> Iterator[str]:
        """Yield the paths that list rows."""
        named = {path.rpartition("/")[0]: path for path in self._paths() if path.endswith("}")}
        for path in self._paths():
            operation = self._operation(path)
            answer, headers = self._answer(operation)
            if answer is None or not self._may_list(path, answer):
                continue
            one = named.get(path.rstrip("/"), "")
            asked = self._parameters(path, "query")
            endpoint = guessed(
                answer,
                {name: self.plain(_mapping(p).get("schema")) for name, p in asked.items()},
                headers,
                last=_last(path),
                plain=self.plain,
                named=_PARAMETER.findall(one)[-1] if one else "",
            )
            if endpoint is not None:
                self._endpoints[path] = endpoint
                yield path

    def _may_list(self, path: str, answer: object) -> bool:
        """Whether a path that ends with a parameter, as others do of one thing, lists several."""
        schema = self.plain(answer)
        return path not in self._single or "items" in schema or schema.get("type") == "array"

    def _paths(self) -> list[str]:
        return [path for path in self._items if self._operation(path)]

    def _item(self, path: str) -> Node:
        return self.plain(self._items.get(path))

    def _operation(self, path: str) -> Node:
        return _mapping(self._item(path).get("get"))

    def _answer(self, operation: Node) -> tuple[object, list[str]]:
        """Return the schema of a good answer, and the names of its headers."""
        answers = _mapping(operation.get("responses"))
        for status in ("200", "2XX", "206", "default", "201"):
            answer = self.plain(answers.get(status))
            for kind, content in _mapping(answer.get("content")).items():
                if ("json" in kind and "jsonl" not in kind) or kind == "*/*":
                    return _mapping(content).get("schema"), [*_mapping(answer.get("headers"))]
        return None, []

    def _parameters(self, path: str, place: str) -> dict[str, Node]:
        both = _list(self._item(path).get("parameters")) + _list(
            self._operation(path).get("parameters")
        )
        found = [self.plain(one) for one in both]
        return {str(one.get("name")): one for one in found if one.get("in") == place}

    def _add(self, path: str) -> str:
        """Write down the resource of a path; return why that cannot be, ``""`` where it can."""
        endpoint = self._endpoints[path]
        query = dict(endpoint.query)
        paging = {endpoint.style.get("param"), endpoint.style.get("size_param")}
        for name, one in self._parameters(path, "query").items():
            schema = self.plain(one.get("schema"))
            if not one.get("required") or name in paging or name in query:
                continue
            value = self._given.get(name, schema.get("default"))
            usable = isinstance(value, str | int | float)
            query[name] = value if usable else self._variable(name, path, path)
        if not path.startswith("/"):
            return "it is not a path"
        if not endpoint.key:
            return "nothing in its rows tells them apart"
        said = {"path": path, "name": self._name(path), **self._parent(path), "key": endpoint.key}
        said["path"] = _PARAMETER.sub(lambda found: self._filled(found, path), str(said["path"]))
        if "parent" in said:
            above = [f"_parent.{name}" for name in cast("list[str]", said["include"])]
            own = [endpoint.key] if isinstance(endpoint.key, str) else endpoint.key
            said["key"] = above + (own if _properties(endpoint.row) else ["value"])
        said |= {"items": endpoint.items} if endpoint.items else {}
        self._found[path] = said | endpoint.style | ({"query": query} if query else {})
        return ""

    def _filled(self, found: re.Match[str], path: str) -> str:
        """Return a place of a path: of its parent, or a variable where nothing lists its values."""
        name = found[1]
        if name.startswith("parent.") or (name.startswith("env:") and name in self._given.values()):
            return found[0]
        return f"{{{self._variable(name, path, path.partition(found[0])[0])}}}"

    def _parent(self, path: str) -> dict[str, object]:
        """Return the parent of a path with parameters, and the path with the parent's fields."""
        names = _PARAMETER.findall(path)
        if not names:
            return {}
        above = path[: path.rindex("{")].rstrip("/")
        parent = next((p for p in (above, above + "/") if p in self._found), None)
        if parent is None:
            return {}
        # What stands before it is what the parent has of its own parent.
        above_it = self._included.get(parent, {})
        fields = {names[-1]: _field(self._endpoints[parent], names[-1])}
        fields |= {name: f"_parent.{known}" for name, known in above_it.items()}
        self._included[path] = fields
        made = path
        for name, field in fields.items():
            made = made.replace(f"{{{name}}}", f"{{parent.{field}}}")
        include = list(fields.values())
        return {"path": made, "parent": self._found[parent]["name"], "include": include}

    def _name(self, path: str) -> str:
        steps = [step for step in path.split("/") if step and "{" not in step]
        while len(steps) > 1 and re.fullmatch(r"(?i)v?\d+(\.\d+)*|api|rest", steps[0]):
            del steps[0]
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", "-".join(steps)).strip("-") or "rows"
        taken = {one["name"] for one in self._found.values()} | {"locks"}
        return next(n for n in (name, *(f"{name}-{i}" for i in range(2, 10_000))) if n not in taken)

    def _base(self, source: str) -> str:
        server = _mapping(next(iter(_list(self._root.get("servers"))), {}))
        variables = _mapping(server.get("variables"))

        def value(found: re.Match[str]) -> str:
            return str(_mapping(variables.get(found[1])).get("default", found[1]))

        url = urljoin(source, _PARAMETER.sub(value, str(server.get("url", ""))))
        return url.rstrip("/") if "://" in url else "https://api.example.com"

    def _auth(self) -> dict[str, object]:
        schemes = _mapping(_mapping(self._root.get("components")).get("securitySchemes"))
        wanted = [name for one in _list(self._root.get("security")) for name in _mapping(one)]
        for name in [*wanted, *schemes]:
            if found := _credentials(self.plain(schemes.get(name))):
                return found
        return {}


def _credentials(scheme: Node) -> dict[str, object]:
    kind, way = scheme.get("type"), str(scheme.get("scheme", "")).lower()
    if kind == "http" and way == "basic":
        return {"kind": "basic", "user": "env:API_USER", "password": "env:API_PASSWORD"}
    if kind == "apiKey" and scheme.get("in") in ("header", "query"):
        return {"kind": "api-key", "key": "env:API_KEY", str(scheme["in"]): scheme.get("name")}
    grants = _mapping(scheme.get("flows"))
    if "clientCredentials" in grants:
        url = _mapping(grants["clientCredentials"]).get("tokenUrl")
        names = {"client_id": "env:API_CLIENT_ID", "client_secret": "env:API_CLIENT_SECRET"}
        return {"kind": "oauth2", "token_url": url, **names}
    if kind in ("http", "oauth2", "openIdConnect"):
        return {"kind": "bearer", "token": "env:API_TOKEN"}
    return {}


def _field(parent: Endpoint, parameter: str) -> str:
    """Return the field of a parent that a parameter of its children's path stands for."""
    if not parent.members:
        return "value"  # a row that is a text or a number
    names = {name.lower().replace("_", ""): name for name in parent.members}
    wanted = parameter.lower().replace("_", "").replace("-", "")
    ending = re.fullmatch(r".*(id|uuid|key|slug|name|code|number)", wanted)
    for name in (wanted, ending[1] if ending else wanted):
        if name in names:
            return names[name]
    return parent.key if isinstance(parent.key, str) else parent.key[0]


def _last(path: str) -> str:
    steps = [step for step in path.split("/") if step and "{" not in step]
    return steps[-1].partition(".")[0] if steps else ""


def _is_wanted(name: str, only: Sequence[str]) -> bool:
    return not only or any(fnmatch(name, one) for one in only)


def _mapping(value: object) -> Node:
    return cast("Node", value) if isinstance(value, Mapping) else {}


def _properties(schema: Node) -> Node:
    return _mapping(schema.get("properties"))


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []
