"""Keys that cannot hold together: ``check`` says which, with the line, and so does ``run``."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from tests.assembly.test_again import called

from penstock.assembly import PipelineFile, plan, read_text
from penstock.errors import InputError

PAGES = """\
[source]
kind = "pages"
path = "/r"
"""
KEYS = """\
[source]
kind = "range"
stop = 3
"""
API = """\
[api]
base = "http://127.0.0.1:9"
"""
REQUEST = """\
[request]
path = "/{key}"
"""
STORE = """\
[store]
path = "s"
"""
SHAPES = {
    "pages": PAGES + API + STORE,
    "keys": KEYS + API + STORE + REQUEST,
    "rows of pages": PAGES + API + STORE + REQUEST,
}


def with_keys(shape: str, *keys: str) -> str:
    """Return a file with more keys, each ``section.key = value``."""
    text = SHAPES[shape]
    for one in keys:
        section, _, line = one.partition(".")
        header = f"[{section}]\n"
        text = text.replace(header, header + line + "\n") if header in text else text
        text = text if line in text else text + header + line + "\n"
    return text


SECTIONS = {*PipelineFile.__struct_fields__}

REFUSED = [
    ("pages", "batch.size = 5", "f.toml:8: batch"),
    ("pages", 'executor.kind = "threads"', "f.toml:8: executor: workers share keys"),
    ("pages", 'cluster.scheduler = "local:2"', "f.toml:9: cluster.scheduler: workers share keys"),
    ("pages", 'cluster.scheduler = "none"', "f.toml:9: cluster.scheduler: "),
    ("pages", "source.json = { a = 1 }", "f.toml:2: source.json: a body needs method = 'POST'"),
    ("pages", 'source.decode = "text"', "f.toml:2: source.decode"),
    ("pages", 'source.decode = "csv"|source.items = "x"', "f.toml:2: source.items"),
    ("pages", 'source.decode = "csv"|source.more = "x"', "f.toml:2: source.more"),
    ("pages", 'source.decode = "jsonl"|source.style = "link-body"', "f.toml:2: source.style"),
    ("pages", 'source.style = "header-cursor"', "f.toml:2: source.style: 'header-cursor' needs"),
    ("pages", "source.size = 5", "f.toml:2: source.size: style 'link-header' has no size"),
    ("pages", 'source.style = "page"|source.first = "x"', "f.toml:2: source.first: expected int"),
    ("pages", 'store.refresh = "1d"', "f.toml:7: store.refresh: it is for keys"),
    ("keys", 'store.refresh = "1d"', "f.toml:7: store.refresh: what is fetched again"),
    ("keys", 'store.refresh = "1w"|store.on_same = "replace"', "f.toml:8: store.refresh: '1w'"),
    ("rows of pages", 'request.items = ""', "f.toml:9: request.items"),
    ("keys", 'request.items = ""|batch.size = 5', "f.toml:11: batch"),
    ("keys", 'request.items = ""|request.decode = "file"', "f.toml:9: request.decode"),
    ("keys", 'request.items = ""|executor.kind = "threads"', "f.toml:11: executor"),
    ("keys", 'request.key = "b"', "f.toml:9: request.key"),
    ("keys", 'request.decode = "bytes"', "f.toml:9: request.decode: bytes cannot land"),
    ("keys", 'request.method = "HEAD"', "f.toml:9: request.method"),
    ("keys", "request.form = { a = 1 }|request.json = { a = 1 }", "f.toml:10: request.form"),
    ("keys", 'api.key = "k.pem"', "f.toml:5: api.key"),
    ("keys", "retry.absent = [404]|retry.always = [404]", "f.toml:12: retry.absent"),
    ("keys", "retry.fatal = [404]|retry.never = [404]", "f.toml:12: retry.fatal"),
    ("keys", "retry.never = [404]|retry.always = [404]", "f.toml:12: retry.never"),
    ("keys", 'budget.name = "b"', "f.toml:11: budget.name needs budget.shared"),
    ("keys", "cluster.workers = 2", "f.toml:11: cluster.workers"),
    ("keys", 'executor.kind = "threads"|cluster.scheduler = "none"', "f.toml:10: executor"),
]
NOTED = [
    ("pages", "source.concurrency = 4", "f.toml:2: source.concurrency"),
    ("pages", 'source.style = "page"|source.on_expired = "restart"', ": source.on_expired"),
    ("pages", 'source.style = "single"|source.max_pages = 3', ": source.max_pages: there is one"),
    ("pages", 'source.missing = "empty"', "f.toml:2: source.missing"),
    ("pages", 'source.since = { param = "p", field = "f" }', "f.toml:2: source.since"),
    ("keys", 'api.verify = false|api.ca_file = "x"', "f.toml:5: api.ca_file"),
    ("keys", 'lock.enabled = false|lock.store = "l"', "f.toml:11: lock.store"),
]


@pytest.mark.parametrize(("shape", "keys", "says"), REFUSED)
def test_what_cannot_hold_is_refused_with_its_line(
    tmp_path: Path, shape: str, keys: str, says: str
) -> None:
    (tmp_path / "f.toml").write_text(with_keys(shape, *keys.split("|")))
    for command in ("check", "run"):
        code, _, err = called(command, tmp_path / "f.toml")
        assert code == 2, err
        assert says in err
        assert err.count("\n") == 1
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(("shape", "keys", "says"), NOTED)
def test_what_changes_nothing_is_said_with_its_line(
    tmp_path: Path, shape: str, keys: str, says: str
) -> None:
    (tmp_path / "f.toml").write_text(with_keys(shape, *keys.split("|")))
    code, out, err = called("check", tmp_path / "f.toml")
    assert code == 0, err
    assert says in out


def test_of_several_resources_the_line_is_that_of_the_one(tmp_path: Path) -> None:
    one = '[[resource]]\nname = "{}"\npath = "/r"\n'
    text = 'store = "s"\n' + one.format("a") + one.format("b") + "json = { a = 1 }\n" + API
    (tmp_path / "f.toml").write_text(text)
    assert "f.toml:8: source.json" in called("check", tmp_path / "f.toml")[2]
    (tmp_path / "f.toml").write_text(text.replace("json =", 'parent = "x" #'))
    assert "f.toml:5: resource 'b': its parent 'x'" in called("check", tmp_path / "f.toml")[2]


def test_any_two_keys_are_accepted_or_refused_by_name(tmp_path: Path) -> None:
    """A refusal begins with a key of the file, whatever meets."""
    for shape in SHAPES:
        known = [several for one, several, _ in REFUSED + NOTED if one == shape]
        mine = sorted({one for several in known for one in several.split("|")})
        for pair in itertools.combinations(mine, 2):
            if pair[0].partition(" =")[0] == pair[1].partition(" =")[0]:
                continue
            try:
                file = read_text(with_keys(shape, *pair), str(tmp_path / "f.toml"))
                assert isinstance(file, PipelineFile)
                plan(file, tmp_path)
            except InputError as error:
                named = str(error).replace(f"{tmp_path}/f.toml:", "").lstrip("0123456789: ")
                assert re.split("[.: ]", named)[0] in SECTIONS, named
