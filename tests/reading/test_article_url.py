"""An article's URL: fetched over a real socket, set as an edition."""

from __future__ import annotations

import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

PAGE = (
    "<!DOCTYPE html><html lang='en'><head><title>Rivers</title></head><body><nav>menu</nav>"
    "<article><h1>Rivers</h1>"
    + "".join(
        f"<p>Paragraph {n} tells at some length how the water of a river comes under control "
        "before it reaches the turbine, and what is lost where nobody watches the gate.</p>"
        for n in range(12)
    )
    + "</article></body></html>"
).encode()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = self.path == "/rivers?edition=1"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def read_make(url: str, out: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "penstock.cli.main", "read", "make", url, "-o", str(out)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_article_is_fetched_and_set(site: str, tmp_path: Path) -> None:
    out = tmp_path / "rivers.epub"
    done = read_make(f"{site}/rivers?edition=1#top", out)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(out) as book:
        texts = [book.read(name).decode() for name in book.namelist() if name.endswith("html")]
    whole = " ".join(" ".join(texts).split())
    assert "Paragraph" in whole
    assert "menu" not in whole


def test_a_page_that_is_not_there_is_one_line(site: str, tmp_path: Path) -> None:
    done = read_make(f"{site}/lost", tmp_path / "lost.epub")
    assert done.returncode == 4
    assert "404 Not Found" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "lost.epub").exists()
