"""An article's URL: fetched over a real socket, set as an edition."""

from __future__ import annotations

import base64
import contextlib
import io
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

import pytest

from penstock.cli.main import main

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


GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
HOSTILE = PAGE.replace(
    b"<p>Paragraph 3",
    b'<p><a href="http://[">x</a><img src="http://[/a.png"><img src="/i.gif">Paragraph 3',
)
FEED = (
    "<?xml version='1.0'?><rss version='2.0' xmlns:content='http://purl.org/rss/1.0/modules/content/'>"
    "<channel><title>F</title><item><title>Whole</title><link>SITE/whole</link><content:encoded>"
    f"&lt;p&gt;{'All of it is here. ' * 40}&lt;/p&gt;</content:encoded></item>"
    "<item><title>Rivers</title><link>SITE/hostile</link></item>"
    "<item><title>Gone</title><link>SITE/gone</link></item></channel></rss>"
)
OPML = (
    "<opml version='2.0'><body><outline text='a'><outline type='rss' xmlUrl='SITE/feed'/></outline>"
    "</body></opml>"
)
ATOM = (
    "<feed xmlns='http://www.w3.org/2005/Atom'><entry><title>R</title>"
    "<link rel='alternate' href='/rivers?edition=1'/></entry></feed>"
)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        site = f"http://{self.headers['Host']}"
        pages = {
            "/rivers?edition=1": PAGE,
            "/hostile": HOSTILE,
            "/i.gif": GIF,
            "/feed": FEED.replace("SITE", site).encode(),
            "/list.opml": OPML.replace("SITE", site).encode(),
            "/atom": ATOM.encode(),
            "/a.pdf": b"%PDF-1.7",
        }
        page = pages.get(self.path, PAGE)
        self.send_response(200 if self.path in pages else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Done:
    returncode: int
    stderr: str


def penstock(*arguments: str) -> Done:
    """Run the program, here: an error that is not foreseen would fail the test itself."""
    said = io.StringIO()
    before, sys.argv = sys.argv, ["penstock", *arguments]
    try:
        with contextlib.redirect_stderr(said):
            main()
        code: object = 0
    except SystemExit as error:
        code = error.code
    finally:
        sys.argv = before
    return Done(cast("int", code or 0), said.getvalue())


def read_make(url: str, out: Path) -> Done:
    return penstock("read", "make", url, "-o", str(out))


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


def today(folder: Path, *names: str) -> tuple[Done, dict[str, bytes]]:
    done = penstock("read", "today", *names, "-o", str(folder))
    editions = list(folder.glob("*.epub"))
    if not editions:
        return done, {}
    with zipfile.ZipFile(editions[0]) as book:
        return done, {name: book.read(name) for name in book.namelist()}


def test_what_fails_costs_today_only_itself_and_is_named(site: str, tmp_path: Path) -> None:
    (tmp_path / "n.md").write_text("# Notes\n\nOne *two*.\n\nThree.\n")
    (tmp_path / "t.txt").write_text("One line.\n\nAnother one.\n")
    (tmp_path / "f.pdf").write_bytes(b"%PDF-1.7")
    names = [f"{site}/gone", "http://[", f"{site}/hostile", f"{site}/a.pdf", "http://127.0.0.1:9/x"]
    files = [str(tmp_path / name) for name in ("n.md", "t.txt", "f.pdf", "none.html")]
    out = tmp_path / "out"
    out.mkdir()
    done, book = today(out, *names, *files)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    for name in ("/gone", "http://[:", "/a.pdf", ":9/x", "f.pdf", "none.html"):
        assert f"{name}" in done.stderr, name
    text = b" ".join(data for name, data in book.items() if "chapter" in name).decode()
    assert "Paragraph 3" in " ".join(text.replace("<b>", "").replace("</b>", "").split())
    assert "# Notes" not in text
    assert text.count("Rivers</h1>") == 1
    assert "Another" in text
    assert [name for name in book if name.endswith(".gif")]
    assert "3 articles" in done.stderr


def test_feeds_and_lists_of_feeds_become_their_articles(site: str, tmp_path: Path) -> None:
    done, book = today(tmp_path, f"{site}/list.opml", f"{site}/atom")
    assert done.returncode == 1
    assert "/gone" in done.stderr
    assert "3 articles" in done.stderr
    nav = book["EPUB/nav.xhtml"].decode()
    assert [title in nav for title in ("Whole", "Rivers")] == [True, True]


def test_no_article_at_all_writes_nothing(site: str, tmp_path: Path) -> None:
    done, book = today(tmp_path, f"{site}/gone")
    assert done.returncode == 2
    assert "nothing written" in done.stderr
    assert book == {}
