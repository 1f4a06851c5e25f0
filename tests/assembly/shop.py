"""A small service of shops, orders and lines: paged, changing, and counted."""

from __future__ import annotations

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

__all__ = ["Shop"]

_SIZE = 2


class Shop:
    """Rows by path, changed by the test; ``calls`` counts what was asked for.

    A path that is a list is paged with ``?page=N``; ``since`` leaves out rows whose ``at`` is less.
    """

    def __init__(self, paths: dict[str, Any]) -> None:
        self.paths = paths
        self.first = 1  # the number of the first page
        self.calls: Counter[str] = Counter()
        self.queries: list[dict[str, str]] = []
        shop = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = dict(parse_qsl(parts.query))
                shop.calls[parts.path] += 1
                shop.queries.append(query)
                found = shop.paths.get(parts.path)
                status = 404 if found is None else 200
                if isinstance(found, list):
                    found = [row for row in found if row.get("at", 0) >= json_of(query, "since")]
                    start = _SIZE * (int(query.get("page", "1")) - shop.first)
                    found = found[start : start + _SIZE] if start >= 0 else []
                self.answer(status, found)

            def answer(self, status: int, found: Any) -> None:
                text = found if isinstance(found, bytes) else json.dumps(found).encode()
                etag = f'"{hash(text)}"'
                if self.headers.get("If-None-Match") == etag:
                    status, text = 304, b""
                    shop.calls["304"] += 1
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("ETag", etag)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def json_of(query: dict[str, str], name: str) -> float:
    return float(query.get(name, "0"))
