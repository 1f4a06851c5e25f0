"""`penstock init` over OpenAPI descriptions: is each list that it writes harvested, to the row?

    .venv/bin/python benchmarks/spine/described.py FILE...

A server answers as each description says, and knows nothing of how penstock reads one: rows of the
described members, in pages where parameters ask for them. What lands is counted against what it
has. The file is run as it was written; what only a person can know is set in the environment.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, unquote, urlsplit

from penstock.assembly import begun, parts, read_text
from penstock.cli.main import main
from penstock.errors import InputError
from penstock.store import open_readonly

ROWS, PAGE = 4, 2  # rows a list has, and rows a page has
NUMBERS = "page pagenumber pageno pageindex p currentpage"
OFFSETS = "offset skip start startindex from pageoffset"
CURSORS = (
    "cursor pagetoken nextpagetoken continuationtoken nextcursor nexttoken startingafter after "
    "afterid pageafter bookmark token marker"
)
LISTS = "data items results value records entries rows content list objects"
TOTALS = "total totalcount totalitems totalresults totalrecords"


def plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


class Described:
    """One description, and the answers it promises."""

    def __init__(self, root: dict[str, Any]) -> None:
        self.root = root
        self.lists = {path: found for path in root["paths"] if (found := self._list(path))}
        self.patterns = [
            (
                re.compile(
                    re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path.partition("?")[0])) + "/?"
                ),
                path,
            )
            for path in sorted(self.lists, key=lambda one: one.count("{"))
        ]

    def see(self, node: Any, depth: int = 0) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """Return a schema with its references and parts followed."""
        while isinstance(node, dict) and "$ref" in node and depth < 30:
            found: Any = self.root
            for step in node["$ref"].removeprefix("#/").split("/"):
                found = found.get(step.replace("~1", "/").replace("~0", "~"), {})
            node, depth = found, depth + 1
        if not isinstance(node, dict) or depth >= 30:
            return {}
        merged = dict(node)
        for one in [*node.get("allOf", ()), *(node.get("anyOf") or node.get("oneOf") or ())[:1]]:
            part = self.see(one, depth + 1)
            found = {**part.get("properties", {}), **merged.get("properties", {})}
            merged |= {"properties": found} if found else {}
            for name in ("type", "items", "format", "enum"):
                if name in part:
                    merged.setdefault(name, part[name])
        return merged

    def is_list(self, node: Any) -> bool:  # noqa: ANN401
        return "items" in self.see(node)

    def _list(self, path: str) -> dict[str, Any] | None:
        """Return where the rows of a path are, and how they are paged; None: it lists none."""
        item = self.root["paths"][path]
        get = item.get("get")
        if not get:
            return None
        answer = next((get["responses"][s] for s in ("200", 200) if s in get["responses"]), None)
        answer = self.see(answer)
        content = answer.get("content", {})
        schema = next((one.get("schema") for kind, one in content.items() if "json" in kind), None)
        place = self._place(schema, path)
        if place is None or (place and path.rstrip("/").endswith("}")):
            return None
        asked = [self.see(one) for one in [*item.get("parameters", ()), *get.get("parameters", ())]]
        query = {one["name"]: one for one in asked if one.get("in") == "query"}
        links = "link" in {name.lower() for name in answer.get("headers", {})}
        return {"schema": schema, "place": place, "query": query, "links": links}

    def _place(self, schema: Any, path: str) -> list[str] | None:  # noqa: ANN401
        """Return the members that lead to the rows; None where it is no list of things."""
        if self.is_list(schema):
            return []
        members = self.see(schema).get("properties", {})
        steps = [step for step in path.split("/") if step and "{" not in step]
        last = plain(steps[-1]) if steps else ""
        usual = [*LISTS.split(), last, last + "s"]
        arrays = [name for name, one in members.items() if self.is_list(one)]
        for name in arrays:
            if plain(name) in usual or (len(arrays) == 1 and "id" not in members):
                return [name]
        for name, one in members.items():
            inner = self.see(one).get("properties", {})
            for deeper, two in inner.items():
                if plain(deeper) in usual and self.is_list(two) and plain(name) in usual:
                    return [name, deeper]
        nested = [
            [name, deeper]
            for name, one in members.items()
            for deeper, two in self.see(one).get("properties", {}).items()
            if self.is_list(two) and "properties" in self.see(self.see(two)["items"])
        ]
        return nested[0] if len(nested) == 1 and not arrays and "id" not in members else None

    def value(self, node: Any, name: str, number: int, depth: int = 0) -> Any:  # noqa: ANN401
        """Return what a schema promises, of the row of that number."""
        schema = self.see(node)
        kind = schema.get("type")
        kind = next((one for one in kind if one != "null"), "") if isinstance(kind, list) else kind
        if "properties" in schema:
            inner = schema["properties"].items() if depth < 4 else ()
            return {key: self.value(one, key, number, depth + 1) for key, one in inner}
        if "items" in schema:
            return []
        if schema.get("enum"):
            return schema["enum"][number % len(schema["enum"])]
        made = {"integer": number, "number": number + 0.5, "boolean": False, "object": {}}
        return made.get(str(kind), f"{name}-{number}")

    def answer(self, path: str, query: Mapping[str, str], base: str) -> tuple[Any, str | None]:
        """Return the body and the Link for a call; None for what is not described."""
        found = next((one for pattern, one in self.patterns if pattern.fullmatch(path)), None)
        if found is None:
            return None, None
        one = self.lists[found]
        start, asks = self._start(one["query"], query)
        rows, following = range(ROWS)[start : start + PAGE], start + PAGE
        if asks is None and not one["links"]:
            rows, following = range(ROWS), ROWS
        more = following < ROWS
        body = self.value(one["schema"], "body", 0)
        place, here, schema = one["place"], body, one["schema"]
        for name in place:
            schema = self.see(schema)["properties"][name]
        listed = [self.value(self.see(schema)["items"], "row", n + 1) for n in rows]
        if not place:
            body = listed
        else:
            for name in place[:-1]:
                here = here[name]
            here[place[-1]] = listed
            url = f"{base}{path}"
            self._tell(body, following if more else None, asks, url, rows[-1] + 1 if rows else 0)
        number = following if asks else following // PAGE + 1
        link = f'<{base}{path}?{asks or "page"}={number}>; rel="next"' if more else None
        return body, link if one["links"] or not place else None

    def _start(self, known: Mapping[str, Any], query: Mapping[str, str]) -> tuple[int, str | None]:
        """Return where the page begins, and the parameter that says so."""
        for names, first in ((NUMBERS, 1), (OFFSETS, 0), (CURSORS, 0)):
            for name, one in known.items():
                if plain(name) not in names.split():
                    continue
                schema = self.see(one.get("schema"))
                said = query.get(name)
                if names == NUMBERS:
                    lowest = schema.get("minimum", schema.get("default", first))
                    lowest = lowest if lowest in (0, 1) else first
                    return (int(said or lowest) - lowest) * PAGE, name
                number = re.sub(r"\D", "", said or "")
                if names == CURSORS and number and plain(name) == "startingafter":
                    return int(number), name  # the last row's key: rows are numbered from 1
                return int(number or 0), name
        return (int(query["page"]) - 1) * PAGE if "page" in query else 0, None

    def _tell(
        self,
        body: Any,  # noqa: ANN401 - JSON
        following: int | None,
        asks: str | None,
        url: str,
        last: int,
    ) -> None:
        """Fill in what is said of the next page and of the number of rows."""
        for name, value in list(body.items()) if isinstance(body, dict) else ():
            known = plain(name)
            if known in TOTALS.split():
                body[name] = ROWS
            elif known.startswith("hasmore") or known in {"hasnext", "hasnextpage"}:
                body[name] = following is not None
            elif known == "lastid":
                body[name] = None if following is None else last
            elif isinstance(value, dict) and not known.startswith("next"):
                self._tell(value, following, asks, url, last)
            elif known.startswith("next") or known in ("cursor", "after", "continuationtoken"):
                link = None if following is None else f"{url}?{asks or 'page'}={following}"
                is_link = "link" in known or "url" in known or known in ("next", "nextpage")
                cursor = None if following is None else str(following)
                body[name] = {"href": link} if isinstance(value, dict) else cursor
                if is_link and not isinstance(value, dict) and asks is None:
                    body[name] = link


@contextlib.contextmanager
def served(described: Described) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            base = f"http://{self.headers['Host']}"
            query = dict(parse_qsl(asked.query))
            body, link = described.answer(unquote(asked.path), query, base)
            text = json.dumps(body).encode()
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            if link:
                self.send_header("Link", link)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def harvested(file: Path) -> None:
    root = _load(file)
    described = Described(root)
    with served(described) as base, tempfile.TemporaryDirectory() as name:
        try:
            text = begun(str(file), base=base)
        except InputError as error:
            print(f"{file}: nothing: {error}")
            return
        pipeline = Path(name) / "f.toml"
        pipeline.write_text(text)
        variables = {*re.findall(r"env:(API_\w+)(?=\}|\",? )", text)}
        told = run(pipeline, dict.fromkeys(variables, "1"))
        described_parts = parts(read_text(text, "f.toml"))
        resources = {one.name: getattr(one.file, "source", None) for one in described_parts}
        depth: dict[str, int] = {}
        wrong: list[str] = []
        for resource, source in resources.items():
            depth[resource] = 1 + depth.get(getattr(source, "parent", None) or "", 0)
            found = told.get(resource, {})
            if (found.get("landed"), found.get("failed")) != (ROWS ** depth[resource], 0):
                why = reason(Path(name) / "harvest" / resource)
                wrong.append(
                    f"{resource} ({getattr(source, 'path', '')}): {found.get('landed')} of "
                    f"{ROWS ** depth[resource]}, {found.get('failed')} failed {why}"
                )
        total = len(described.lists)
        good = len(resources) - len(wrong)
        name_ = file.name if len(file.parts) < 3 else "/".join(file.parts[-4:])
        print(
            f"{name_}: {total} lists; {len(resources)} written, with {len(variables)} values from "
            f"the environment; {good} harvested to the row ({good / max(1, total):.0%} of all)"
        )
        for line in wrong[:40]:
            print(f"    {line}")


def reason(store: Path) -> str:
    if not store.exists():
        return ""
    with open_readonly(store) as opened:
        return next((f"{one.key}: {one.message}" for one in opened.failures()), "")


def run(pipeline: Path, values: dict[str, str]) -> dict[str, Any]:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    environment = dict.fromkeys(("API_KEY", "API_TOKEN", "API_USER", "API_PASSWORD"), "x")
    environment |= dict.fromkeys(("API_CLIENT_ID", "API_CLIENT_SECRET"), "x") | values
    text = re.sub(r"(?ms)^\[api\.auth\].*?(?=^\[|^#|\Z)", "", pipeline.read_text())
    pipeline.write_text(text)  # the server lets everybody in
    with (
        patch.object(sys, "argv", ["penstock", "run", str(pipeline), "--quiet", "--json"]),
        patch.dict("os.environ", environment),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        contextlib.suppress(SystemExit),
    ):
        main()
    for one in (out, err):
        one.flush()
        one.seek(0)
    said = out.read()
    print("".join(f"    {line[:250]}\n" for line in err if "penstock: not all" not in line), end="")
    if not said:
        return {}
    found: dict[str, Any] = json.loads(said.splitlines()[-1])["resources"]
    return found


def _load(file: Path) -> dict[str, Any]:
    text = file.read_text(encoding="utf-8-sig")
    if file.suffix == ".json":
        found: dict[str, Any] = json.loads(text)
        return found
    import yaml

    class Loader(yaml.CSafeLoader):
        """One that reads dates as texts."""

    Loader.yaml_implicit_resolvers = {
        first: [one for one in several if one[0] != "tag:yaml.org,2002:timestamp"]
        for first, several in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }
    loaded: dict[str, Any] = yaml.load(text, Loader=Loader)
    return loaded


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        harvested(Path(argument))
