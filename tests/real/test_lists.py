"""Lists of servers that nobody here wrote, harvested by files as a user writes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.assembly.test_again import called, landed, penstock

pytestmark = pytest.mark.timeout(600)  # the first of them installs the servers


def harvested(folder: Path, url: str, text: str) -> Path:
    file = folder / "f.toml"
    file.write_text(f'{text}\n[api]\nbase = "{url}"\n')
    return file


def test_datasette_s_compound_keys(datasette: str, tmp_path: Path) -> None:
    text = """
store = "s"
[source]
kind = "pages"
path = "/d/pairs.json"
query = { _shape = "objects", _size = 100 }
items = "rows"
key = ["a", "b"]
"""
    file = harvested(tmp_path, datasette, text)
    assert "next        " in penstock("check", file, "--try")
    penstock("run", file, "--quiet")
    assert len(landed(tmp_path / "s")) == 250
    assert landed(tmp_path / "s")['["a/3","b?3#%&+..~"]']["n"] == 3
    text = text.replace('key = ["a", "b"]', 'key = "a"').replace('"s"', '"t"')
    told = penstock("run", harvested(tmp_path, datasette, text), "--quiet", "--json", code=1)
    assert "243 rows had the key of another row" in told["warnings"][0]


def test_pygeoapi_s_next_link_and_its_greatest_page(pygeoapi: str, tmp_path: Path) -> None:
    by_link = """
store = "links"
[source]
kind = "pages"
path = "/collections/lakes/items"
items = "features"
style = "link-body"
next = "links[rel=next].href"
"""
    penstock("run", harvested(tmp_path, pygeoapi, by_link), "--quiet")
    by_offset = by_link.partition("style")[0].replace("links", "offset")
    by_offset += 'style = "offset"\ntotal = "numberMatched"\nsize = 20\nconcurrency = 3\n'
    penstock("run", harvested(tmp_path, pygeoapi, by_offset), "--quiet")
    assert landed(tmp_path / "links") == landed(tmp_path / "offset")
    assert len(landed(tmp_path / "links")) == 30
    made = penstock("init", f"{pygeoapi}/collections/lakes/items?f=json")
    assert 'next = "links[rel=next].href"' in made
    (tmp_path / "made.toml").write_text(made)
    penstock("run", tmp_path / "made.toml", "--quiet")
    assert landed(tmp_path / "harvest" / "items") == landed(tmp_path / "links")


def test_json_server_s_children_and_a_limit_without_a_page(
    json_server: str, tmp_path: Path
) -> None:
    text = """
store = "s"
[[resource]]
name = "posts"
path = "/posts"
query = { _page = 1, _limit = 10 }
[[resource]]
name = "comments"
parent = "posts"
path = "/posts/{parent.id}/comments"
query = { _page = 1, _limit = 1 }
"""
    penstock("run", harvested(tmp_path, json_server, text), "--quiet")
    assert len(landed(tmp_path / "s" / "posts")) == 25
    assert len(landed(tmp_path / "s" / "comments")) == 60
    text = text.replace("_page = 1, ", "").replace('"s"', '"t"')
    code, _, err = called("run", harvested(tmp_path, json_server, text), "--quiet")
    assert code == 1
    assert "'x-total-count' says 25, and 10 came" in err
