"""Nested JSON as attributes, and straight into types."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import PermanentError
from penstock.http import Record, Response, plain
from penstock.http.record import wrap

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(max_examples=50, deadline=None)
@given(JSON)
def test_wrapping_loses_nothing(value: object) -> None:
    assert plain(wrap(value)) == value


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_a_record_is_a_mapping(members: dict[str, Any]) -> None:
    record = Record(members)
    assert record == members
    assert list(record) == list(members)
    assert dict(record.items()).keys() == members.keys()
    for name, value in members.items():
        assert plain(record[name]) == value
    for twin in (copy.copy(record), copy.deepcopy(record), pickle.loads(pickle.dumps(record))):
        assert twin == record


def test_lists_hold_records_too() -> None:
    user: Any = Record({"status": {"entities": [{"urls": [{"to": "x"}]}]}})
    assert user.status.entities[0].urls[0].to == "x"


@pytest.mark.parametrize("name", ["items", "get", "keys", "values"])
def test_members_named_like_methods_are_reached_by_index(name: str) -> None:
    record = Record({name: 7})
    assert record[name] == 7
    assert callable(getattr(record, name))


def test_a_missing_member_names_the_nearest_one() -> None:
    record: Any = Record({"screen_name": "ada", "id": 7})
    with pytest.raises(AttributeError, match="no member 'screenname'; did you mean 'screen_name'"):
        _ = record.screenname
    with pytest.raises(AttributeError, match="there are none"):
        _ = Record({}).x
    assert not hasattr(record, "_members_")
    assert {"screen_name", "id"} <= set(dir(record))


def response(body: bytes) -> Response:
    return Response(200, "http://h/a?key=HIDDEN", b"", body, 0.0)


class User(msgspec.Struct):
    name: str
    age: int = 0


@dataclass
class Plain:
    name: str


def test_straight_into_a_type() -> None:
    assert response(b'{"name":"Ada","age":36}').into(User) == User("Ada", 36)
    assert response(b'{"name":"Ada"}').into(Plain) == Plain("Ada")
    assert response(b"[1]").into(list[int]) == [1]


@pytest.mark.parametrize("body", [b'{"name": 7}', b"[]", b"{", b'"\xff"', b""])
def test_what_does_not_fit_says_where(body: bytes) -> None:
    for type_ in (User, Plain, list[User]):
        if (body, type_) == (b"[]", list[User]):
            continue
        with pytest.raises(PermanentError, match="http://h/a: body") as caught:
            response(body).into(type_)
        assert "HIDDEN" not in str(caught.value)
