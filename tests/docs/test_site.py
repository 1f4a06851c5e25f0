"""`make docs`: the site has every page and every name that a room offers, and no dead link."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from tests.docs.test_surface import DOCS, ROOMS, ROOT


@dataclass
class Found(HTMLParser):
    """The links and the anchors of one page."""

    links: set[str] = field(default_factory=set)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag
        given = dict(attrs)
        self.links |= {value for name in ("href", "src") if (value := given.get(name))}
        self.anchors |= {value for name in ("id", "name") if (value := given.get(name))}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Found]:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, str(ROOT / "scripts" / "make-docs"), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    pages = {}
    for path in folder.rglob("*.html"):
        pages[path.resolve()] = Found()
        pages[path.resolve()].feed(path.read_text(encoding="utf-8"))
    return pages


def test_every_page_and_every_room_is_there_with_all_it_offers(site: dict[Path, Found]) -> None:
    files = {path.name for path in site}
    assert {page.with_suffix(".html").name for page in DOCS.glob("*.md")} <= files
    pages = {path.stem: found for path, found in site.items() if path.parent.name == "penstock"}
    for room in ROOMS:
        module = importlib.import_module(f"penstock.{room}")
        offered = {n for n in module.__all__ if not inspect.ismodule(getattr(module, n))}
        assert offered <= pages[room].anchors, room


def test_no_link_is_dead(site: dict[Path, Found]) -> None:
    dead = []
    for page, found in site.items():
        for link in found.links:
            parts = urlsplit(link)
            if parts.scheme or link.startswith("//"):
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            there = site.get(target)
            if not target.is_file() or (
                there and parts.fragment and unquote(parts.fragment) not in there.anchors
            ):
                dead.append(f"{page.name}: {link}")
    assert dead == []
