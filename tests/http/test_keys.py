"""Keys in paths and keys of rows: what cannot be one is that key's own failure."""

from __future__ import annotations

import json
from urllib.parse import unquote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import InputError
from penstock.http import Rows, row_result
from penstock.http.body import MISSING, find, value_at
from penstock.http.url import filled


@pytest.mark.parametrize(
    ("template", "key"),
    [
        ("/users/{key}/profile", ".."),
        ("/users/{key}/profile", "."),
        ("/users/{key}", ""),
        ("/users/.{key}", "."),
        ("/{key}", ".."),
        ("/a/{key}?b=1", ".."),
        ("{key}", "."),
    ],
)
def test_a_key_that_a_path_loses_never_calls_another_url(template: str, key: str) -> None:
    """`..` in /users/{key}/profile called /profile, whose answer landed under the key."""
    with pytest.raises(InputError, match="another URL"):
        filled(template, key)


@given(st.text(), st.sampled_from(["/u/{key}", "/u/{key}.json", "/{key}/p?q={key}", "/u/x.{key}"]))
def test_any_other_key_stands_in_its_place_and_in_no_other_segment(key: str, place: str) -> None:
    try:
        path = filled(place, key)
    except InputError:
        assert key in ("", ".", "..")
        return
    assert path.count("/") == place.count("/")
    route = path.partition("?")[0]
    assert key in unquote(route)
    assert not {"", ".", ".."} & set(route.split("/")[1:])


@pytest.mark.parametrize("key", ["..", ".", "...", "a..b"])
def test_dots_in_a_query_are_sent_as_they_are(key: str) -> None:
    assert filled("/u?id={key}", key) == f"/u?id={key}"


@pytest.mark.parametrize(
    ("row", "word"),
    [
        (b'{"id": 18446744073709551617}', "is 18446744073709551617"),
        (b'{"id": 1.0}', "is 1.0"),
        (b'{"id": true}', "is true"),
        (b'{"id": null}', "is null"),
        (b'{"id": [1]}', r"is \[1\]"),
        (b'{"nr": 1}', "nothing at 'id'"),
        (b'{"id": "\\ud83d"}', "half a surrogate pair"),
        (b'{"id": NaN}', "not JSON"),
        (b"[" * 30_000 + b"]" * 30_000, "nested too deeply"),  # on each Python
        (b"null", "nothing at 'id'"),
        (b"1.5", "nothing at 'id'"),
    ],
)
def test_a_row_without_a_usable_key_is_a_dead_letter_and_kept(row: bytes, word: str) -> None:
    """One such row ended the run, and every run after it."""
    result, again = row_result(row, "id"), row_result(row, "id")
    assert result.error is not None
    with pytest.raises(type(result.error), match=word):
        result.unwrap()
    assert result.key == again.key
    assert getattr(result.error, "excerpt", "") == row.decode()


def test_the_first_of_one_key_counts_within_a_page_and_over_pages() -> None:
    """Within a page the last row won, over pages the first, and nobody counted."""
    rows = Rows("id")
    first = rows.results([b'{"id":1,"v":"a"}', b'{"id":1,"v":"b"}', b'{"id":2,"v":"c"}'])
    second = rows.results([b'{"id":2,"v":"d"}', b'{"id":2,"v":"c"}', b'{"id":3}'])
    assert [r.value.body for r in first if r.value] == [b'{"id":1,"v":"a"}', b'{"id":2,"v":"c"}']
    assert [r.key for r in second] == [2, 3]
    assert rows.differing == 2
    assert "2 rows" in rows.doubt


def test_a_compound_key_tells_rows_apart() -> None:
    rows = Rows(["a", "b.c"])
    found = rows.results(json.dumps({"a": k % 3, "b": {"c": str(k)}}).encode() for k in range(30))
    assert len({r.key for r in found}) == 30
    assert not rows.doubt
    assert row_result(b'{"a": 1}', ["a", "b.c"]).error is not None


def test_a_name_with_dots_or_signs_is_found_whole_or_quoted() -> None:
    """`@odata.nextLink` was looked for as `nextLink` in `@odata`: one page, exit code 0."""
    body = {"@odata.nextLink": 1, "a": {"b.c": 2, "b": {"c": 3}}, "x[y]": 4, "d": [{"e.f": 5}]}
    paths = {"@odata.nextLink": 1, "a.b.c": 2, "a['b'].c": 3, "x[y]": 4, "d[0].e.f": 5}
    assert {path: find(body, path) for path in paths} == paths
    assert find(body, "a.x") is MISSING
    assert find({"a": {"b.c": {}, "b": {"c": {"d": 1}}}}, "a.b.c.d") == 1


def test_the_item_of_a_relation_is_found_in_a_list() -> None:
    links = [{"rel": "self", "href": "/1"}, {"rel": ["next"], "href": "/2"}, 7]
    assert find({"links": links}, "links[rel=next].href") == "/2"
    assert find({"links": links}, "links[rel=prev].href") is MISSING


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.dictionaries(st.text("ab.[]'=", min_size=1), JSON, max_size=4), st.text("ab.[]'=0-"))
def test_a_path_finds_the_same_in_text_as_in_values(body: dict[str, object], path: str) -> None:
    text = msgspec.json.encode(body)
    assert value_at(text, path) == find(msgspec.json.decode(text), path)


@given(st.dictionaries(st.text(min_size=1), st.integers(), min_size=1, max_size=4))
def test_every_member_is_found_by_its_own_name(body: dict[str, int]) -> None:
    assert {name: find(body, name) for name in body} == body
