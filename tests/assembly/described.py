"""A service that pages its lists in seven ways, and its OpenAPI description."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

__all__ = ["DESCRIPTION", "Described"]

_SIZE = 3


def _schema(**members: Any) -> dict[str, Any]:
    return {"type": "object", "properties": members}


def _rows(row: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{row}"}}


def _get(answer: dict[str, Any], *parameters: str, headers: bool = False) -> dict[str, Any]:
    """A path: parameters are ``name:type:maximum``, required with a ``!``."""
    found = []
    for one in parameters:
        name, kind, most = [*one.split(":"), "", ""][:3]
        schema: dict[str, Any] = {"type": kind or "string"}
        if most:
            schema["maximum"] = int(most)
        needed = name.endswith("!")
        found.append(
            {"name": name.rstrip("!"), "in": "query", "required": needed, "schema": schema}
        )
    said: dict[str, Any] = {"content": {"application/json": {"schema": answer}}}
    if headers:
        said["headers"] = {"Link": {"schema": {"type": "string"}}}
    return {"get": {"parameters": found, "responses": {"200": said}}}


STRING, NUMBER, FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
LINKS = {"type": "array", "items": _schema(rel=STRING, href=STRING)}

DESCRIPTION: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "Made up", "version": "1"},
    "servers": [{"url": "{host}/v1", "variables": {"host": {"default": "http://nowhere"}}}],
    "security": [{"key": []}],
    "components": {
        "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
        "schemas": {
            "User": {"allOf": [{"$ref": "#/components/schemas/Named"}, _schema(email=STRING)]},
            "Named": _schema(id=NUMBER, name=STRING),
            "Order": _schema(order_id=STRING, user=NUMBER),
            "Line": _schema(sku=STRING, price=NUMBER),
            "Pair": _schema(left=STRING, right=STRING, open=FLAG),
        },
    },
    "paths": {
        "/users": _get(_rows("User"), "page:integer", "per_page:integer:3"),
        "/users/{user_id}": _get({"$ref": "#/components/schemas/User"}),
        "/users/{user_id}/orders": _get(
            _schema(orders=_rows("Order"), next_page_token=STRING), "page_token"
        ),
        "/users/{user_id}/orders/{orderId}/lines": _get(
            _schema(data=_rows("Line"), meta=_schema(total=NUMBER)),
            *("offset:integer", "limit:integer:3"),
        ),
        "/events": _get(_schema(**{"value": _rows("Named"), "@odata.nextLink": STRING})),
        "/tags": _get(_schema(data=_rows("Named"), has_more=FLAG), "starting_after", "limit"),
        "/features": _get(_schema(features=_rows("Named"), links=LINKS)),
        "/repos": _get(_rows("Named"), headers=True),
        "/pairs": _get(_rows("Pair")),
        "/me": _get(_schema(id=NUMBER, tags={"type": "array", "items": STRING})),
        "/search": _get(_rows("Named"), "q!"),
        "/orgs/{org}/members": _get(_rows("Named")),
    },
}


def _named(path: str, count: int = 8) -> list[dict[str, Any]]:
    return [{"id": n, "name": f"{path} {n}"} for n in range(count)]


class Described:
    """The service; a context manager."""

    def __init__(self) -> None:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                path = parts.path.removeprefix("/v1")
                links: list[str] = []
                found = service.answer(path, dict(parse_qsl(parts.query)), links)
                text = json.dumps(found).encode()
                self.send_response(404 if found is None else 200)
                self.send_header("Content-Type", "application/json")
                for link in links:
                    self.send_header("Link", f'<{link}>; rel="next"')
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._server.server_port}/v1"

    def answer(self, path: str, query: dict[str, str], links: list[str]) -> object:
        """Return what a path says; ``links`` takes a Link to the next page."""
        if path == "/openapi.json":
            return {**DESCRIPTION, "servers": [{"url": "/v1"}]}
        for pattern, answer in self._routes().items():
            if re.fullmatch(pattern, path):
                return answer(path, query, links)
        return None

    def _routes(self) -> dict[str, Callable[[str, dict[str, str], list[str]], object]]:
        return {
            "/users": self._users,
            r"/users/\d+/orders": self._orders,
            r"/users/\d+/orders/o\d+/lines": self._lines,
            "/events": lambda p, q, _: self._linked(p, q, "value"),
            "/features": lambda p, q, _: self._linked(p, q, "features"),
            "/tags": self._tags,
            "/repos": self._repos,
            "/pairs": lambda *_: [
                {"left": a, "right": b, "open": True} for a in "ab" for b in "xy"
            ],
            "/search|/orgs/acme/members": lambda p, q, _: _named(p + q.get("q", ""), 2),
        }

    def _users(self, path: str, query: dict[str, str], _: list[str]) -> object:
        size = min(_SIZE, int(query.get("per_page", _SIZE)))
        start = (int(query.get("page", 1)) - 1) * size
        return _named(path, 4)[start : start + size]

    def _orders(self, path: str, query: dict[str, str], _: list[str]) -> object:
        start = int(query.get("page_token", 0))
        found = [{"order_id": f"o{n}", "user": int(path.split("/")[2])} for n in range(4)]
        more = str(start + _SIZE) if start + _SIZE < len(found) else ""
        return {"orders": found[start : start + _SIZE], "next_page_token": more}

    def _lines(self, _path: str, query: dict[str, str], _: list[str]) -> object:
        found = [{"sku": f"s{n}", "price": n} for n in range(5)]
        start, size = int(query.get("offset", 0)), min(_SIZE, int(query.get("limit", _SIZE)))
        return {"data": found[start : start + size], "meta": {"total": len(found)}}

    def _linked(self, path: str, query: dict[str, str], name: str) -> object:
        found, start = _named(path), int(query.get("from", 0))
        link = f"{self.base}{path}?from={start + _SIZE}" if start + _SIZE < len(found) else None
        page: dict[str, object] = {name: found[start : start + _SIZE]}
        if name == "value":
            return page | ({"@odata.nextLink": link} if link else {})
        return page | {"links": [{"rel": "next", "href": link}] if link else []}

    def _tags(self, path: str, query: dict[str, str], _: list[str]) -> object:
        start = int(query.get("starting_after", -1)) + 1
        found = _named(path)
        return {"data": found[start : start + _SIZE], "has_more": start + _SIZE < len(found)}

    def _repos(self, path: str, query: dict[str, str], links: list[str]) -> object:
        found, start = _named(path), int(query.get("from", 0))
        if start + _SIZE < len(found):
            links.append(f"/v1{path}?from={start + _SIZE}")
        return found[start : start + _SIZE]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
