"""Pipeline files: what is wrong, and on which line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.assembly import read_text
from penstock.assembly.reading import line_of
from penstock.errors import InputError

GOOD = """\
# users
[source]
kind = "csv"
path = "ids.csv"
column = "id"

[api]
base = "https://api.example.com/v1"
concurrency = 4
headers = { X-One = "1" }

  [api.auth]
  kind = "api-key"
  key = "env:KEY"
  header = "X-Key"

[request]
path = "/users/{key}"
query = { expand = ["a", "b"], deep = true }

[retry]
never = [404]

[[budget.limits]]
count = 10
per = 1

[[budget.limits]]
count = 100
per = 60

[store]
path = "store"
"""
LINES = GOOD.splitlines()


def complaint(text: str) -> str:
    with pytest.raises(InputError) as caught:
        read_text(text, "f.toml")
    return str(caught.value)


def test_a_good_file_is_read() -> None:
    file = read_text(GOOD, "f.toml")
    assert file.api.concurrency == 4
    assert [limit.per for limit in file.budget.limits] == [1, 60]
    assert file.request is not None
    assert file.request.query["expand"] == ["a", "b"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("column", "colum", "unknown key 'colum' in [source]; did you mean 'column'?"),
        ("concurrency = 4", 'concurrency = "4"', "api.concurrency: expected int, got str"),
        ("concurrency = 4", "concurrency = 0", "api.concurrency: expected int >= 1"),
        ('header = "X-Key"', "header = 7", "api.auth.header: expected str | null, got int"),
        ('kind = "api-key"', 'kind = "apikey"', "did you mean 'api-key'?"),
        ("never = [404]", "never = 404", "retry.never: expected array | null, got int"),
        ("never = [404]", 'never = ["x"]', "retry.never: expected int, got str"),
        ("per = 60", "per = -1", "budget.limits.per: expected float > 0.0"),
        ("per = 60", "pr = 60", "unknown key 'pr' in [budget.limits]; did you mean 'per'?"),
        ("[retry]", "[rety]", "unknown section [rety]; did you mean [retry]?"),
        ("[request]", "[zzz]", "unknown section [zzz]; known: [source]"),
    ],
)
def test_a_complaint_names_the_line_the_key_and_the_nearest(old: str, new: str, says: str) -> None:
    text = GOOD.replace(old, new)
    wrong = complaint(text)
    assert says in wrong
    assert wrong.startswith("f.toml:")
    changed = next(n for n, line in enumerate(text.splitlines(), 1) if new in line)
    assert wrong.startswith(f"f.toml:{changed}:")


def test_broken_toml_names_line_and_column() -> None:
    assert complaint(GOOD.replace("concurrency = 4", "concurrency =")).startswith("f.toml:9:")


def test_a_missing_section_and_a_missing_key_are_named() -> None:
    assert "section [store] is missing" in complaint(GOOD.replace('[store]\npath = "store"\n', ""))
    assert "f.toml:2: [source] needs column" in complaint(GOOD.replace('column = "id"\n', ""))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("source", "kind"), '[source]\nkind = "csv"'),
        (("api", "base"), "base ="),
        (("api", "headers", "X-One"), "headers ="),
        (("api", "auth", "kind"), 'kind = "api-key"'),
        (("request", "query", "deep"), "query ="),
        (("store", "path"), 'path = "store"'),
        (("store", "nothing"), "[store]"),
    ],
)
def test_keys_are_found_where_they_stand(path: tuple[str, ...], line: str) -> None:
    wanted = line.splitlines()[-1]
    assert LINES[line_of(GOOD, path) - 1].strip().startswith(wanted)


def refusal(text: str) -> str | None:
    """Return why the text is refused, or None where it is not."""
    try:
        read_text(text, "f.toml")
    except InputError as error:
        return str(error)
    return None


@given(st.text())
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    assert (refusal(text) or "f.toml").startswith("f.toml")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=8,
    )
)
def test_any_value_in_any_place_is_refused_in_one_line(value: object) -> None:
    text = json.dumps(value)  # TOML's inline values are JSON's, but for null and tables
    for name in ("source", "api", "retry"):
        wrong = refusal(f"[{name}]\nkind = {text}\nbase = {text}\nnever = {text}\n")
        assert wrong is not None
        assert wrong.startswith("f.toml")
