"""Values that say where they are, and secrets that do not belong into a file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from penstock.assembly import build_stream, plan, read_stream_text, read_text
from penstock.assembly.build import build_api, build_request, store_path
from penstock.errors import InputError

FILE = """
store = "env:STORE"
[source]
kind = "range"
stop = 3
[api]
base = "env:BASE"
headers = { X-Tenant = "env:TENANT" }
proxy = "file:proxy.txt"
[request]
path = "/users/{key}"
query = { api_key = "env:KEY", of = "{key}" }
headers = { Authorization = "file:word.txt" }
json = { deep = ["env:TENANT"], key = "{key}" }
method = "POST"
[lock]
store = "env:LOCKS"
"""
VALUES = {"STORE": "here", "BASE": "https://a.example", "TENANT": "t1", "KEY": "k3y"}


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, value in VALUES.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "word.txt").write_text("Bearer w0rd\n")
    (tmp_path / "proxy.txt").write_text("http://me:pr0xy@proxy.example:8080")
    return tmp_path


def test_a_value_may_stand_in_a_variable_or_a_file_wherever_it_is(told: Path) -> None:
    file = read_text(FILE, "f.toml")
    api = build_api(file)
    assert api.base == "https://a.example"
    assert file.request is not None
    asked = build_request(file.request)(7)
    assert (asked.query, asked.headers) == (
        {"api_key": "k3y", "of": 7},
        {"Authorization": "Bearer w0rd"},
    )
    assert asked.json == {"deep": ["t1"], "key": 7}
    assert store_path(file.store, told) == told / "here"


def test_check_shows_where_they_come_from_and_which_are_missing(told: Path) -> None:
    shown = str(dataclasses.asdict(plan(read_text(FILE, "f.toml"), told)))
    assert not any(value in shown for value in ("k3y", "t1", "w0rd", "pr0xy", "a.example"))
    assert "POST env:BASE/users/0?api_key=...&of=0" in shown
    (told / "word.txt").unlink()
    warnings = plan(read_text(FILE, "f.toml"), told).warnings
    assert warnings == (
        "request.headers.Authorization: there is no file word.txt",
        "lock.store: environment variable LOCKS is not set",
    )


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('"env:STORE"', '"mongodb://me:s3cret@host/db"', "f.toml:2: store"),
        ('"env:STORE"', '"mongodb://host/?tlsCertificateKeyFilePassword=s3cret"', "store"),
        ('"env:LOCKS"', '"mongodb://me:s3cret@host/db"', "lock.store"),
        ('"file:proxy.txt"', '"http://me:s3cret@proxy:1"', "f.toml:9: api.proxy"),
        ('"env:BASE"', '"https://me:s3cret@a.example"', "api.base"),
        ('"file:word.txt"', '"Bearer s3cret"', "request.headers.Authorization"),
        ('X-Tenant = "env:TENANT"', 'X-Api-Key = "s3cret"', "api.headers.X-Api-Key"),
        ('"env:KEY"', '"s3cret"', "f.toml:12: request.query.api_key"),
        ('"/users/{key}"', '"/users/{key}?access_token=s3cret"', None),
        ('"/users/{key}"', '"https://b.example/{key}?access_token=s3cret"', "request.path"),
        ('deep = ["env:TENANT"]', 'auth = { password = "s3cret" }', "request.json.auth.password"),
    ],
)
def test_a_secret_in_the_file_is_refused_wherever_it_is(
    old: str, new: str, where: str | None
) -> None:
    assert old in FILE
    with pytest.raises(InputError) as caught:
        read_text(FILE.replace(old, new), "f.toml")
    assert (where or "request.path") in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_stream_s_url_may_stand_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[stream]\nurl = "env:STREAM"\nheaders = { X-A = "env:A" }\n'
    monkeypatch.setenv("STREAM", "https://me.example/s?token=t0ken")
    monkeypatch.setenv("A", "1")
    build_stream(read_stream_text(text, "s.toml")).close()
    monkeypatch.setenv("STREAM", "me.example?token=t0ken")
    with pytest.raises(InputError, match="what env:STREAM holds is not a URL") as caught:
        build_stream(read_stream_text(text, "s.toml"))
    assert "t0ken" not in str(caught.value)
