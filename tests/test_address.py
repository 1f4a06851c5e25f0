"""Places as people write them: understood, or refused in a line that holds no password."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.address import has_password, hide, is_secret_name, place_of
from penstock.errors import InputError
from penstock.locks import LockerRoom
from penstock.store import open_readonly, open_store

MONGO = ["mongodb", "mongodb+srv"]
NOT_PLACES = [
    *("s3://bucket/users", "gs://bucket", "postgresql://me:s3cret@host/db", "duckdb:///file"),
    *("mongo://host/db", "mongodb:/host/db", "mongodb:host", "redis://:s3cret@host", "S3://bucket"),
    *("C:\\users", "C:/users", "c:users", "\\\\server\\users", "users\\of\\today"),
    *("server1:27017", "server1:27017/db", "one:27017,two:27017/db", "[::1]:27017"),
    *("me:s3cret@host/db", "//me:s3cret@host/db", "me@host/db", "~no-such-user/users"),
    *("", " ", "a\0b", "file://host/users", "file:"),
]


@pytest.mark.parametrize("text", NOT_PLACES)
def test_no_directory_is_made_of_what_is_not_one(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for act in (open_store, open_readonly, LockerRoom):
        with pytest.raises(InputError) as caught:
            act(text)
        assert "s3cret" not in str(caught.value)
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("users/", "users"),
        ("./server1:27017", "server1:27017"),
        ("/srv/run:12", "/srv/run:12"),
        ("2026-11-30T10:00", "2026-11-30T10:00"),
        ("file:///srv/users", "/srv/users"),
        ("~/users", str(Path.home() / "users")),
        (" users ", "users"),
        ("user@home", "user@home"),
    ],
)
def test_a_path_is_a_path(text: str, place: str) -> None:
    assert place_of(text, MONGO, "write to") == Path(place)


def test_a_scheme_is_understood_in_any_case() -> None:
    assert place_of("MongoDB://One/Db", MONGO, "write to") == "mongodb://One/Db"


WORD = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6)


@given(st.sampled_from(["mongodb", "postgresql", "amqps", "redis"]), WORD)
def test_a_password_is_never_shown_whatever_is_in_it(scheme: str, password: str) -> None:
    address = f"{scheme}://user:{password}<end>@host/db"
    assert has_password(address)
    assert hide(address) == f"{scheme}://host/db"
    if scheme != "mongodb":
        with pytest.raises(InputError) as caught:
            place_of(address, ["mongodb"], "write to")
        assert "<end>" not in str(caught.value)


@given(
    st.text(
        st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/?#"), min_size=6
    )
)
def test_nor_is_that_of_a_url(password: str) -> None:
    assert hide(f"https://user:{password}<end>@host/a@b?q=1") == "https://host/a@b?q=1"


@given(st.text())
def test_any_text_is_a_place_or_refused(text: str) -> None:
    try:
        place = place_of(text, MONGO, "write to")
    except InputError:
        return
    assert isinstance(place, Path) or place.startswith("mongodb")


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        *((name, True) for name in ("Authorization", "X-Api-Key", "api_key", "access_token")),
        *((name, True) for name in ("token", "PRIVATE-TOKEN", "Cookie", "client_secret", "sig")),
        *((name, False) for name in ("page_token", "cursor", "max_tokens", "id", "X-Version")),
        *((name, False) for name in ("author", "signed", "key", "passenger", "design")),
    ],
)
def test_what_a_name_says_of_its_value(name: str, *, secret: bool) -> None:
    assert is_secret_name(name) == secret
