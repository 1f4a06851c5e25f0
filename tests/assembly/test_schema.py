"""The JSON schema says what the reader says: of every example, and of slips of the pen in it."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from penstock.assembly import json_schema, read_stream_text, read_text
from penstock.errors import InputError

ROOT = Path(__file__).parents[2]


def written() -> Iterator[tuple[str, str]]:
    """Yield every pipeline file of the examples and the docs."""
    for path in sorted((ROOT / "examples").glob("*.toml")):
        yield path.name, path.read_text(encoding="utf-8")
    for page in sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]):
        blocks = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        for number, block in enumerate(blocks):
            tables = tomllib.loads(block)
            if {"source", "api"} <= set(tables) or "stream" in tables:
                yield f"{page.name}-{number}", block


FILES = dict(written())


@pytest.fixture(scope="module")
def checker() -> jsonschema.Draft202012Validator:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def accepted(text: str) -> bool:
    read = read_stream_text if "stream" in tomllib.loads(text) else read_text
    try:
        read(text, "f.toml")
    except InputError:
        return False
    return True


def test_there_are_files_to_check() -> None:
    assert len(FILES) > 8


@pytest.mark.parametrize("name", FILES)
def test_examples_and_docs_are_accepted(
    name: str, checker: jsonschema.Draft202012Validator
) -> None:
    tables = tomllib.loads(FILES[name])
    if accepted(FILES[name]):  # a page also shows parts of files
        assert [error.message for error in checker.iter_errors(tables)] == []


@pytest.mark.parametrize("name", FILES)
def test_a_slip_in_any_table_is_refused(
    name: str, checker: jsonschema.Draft202012Validator
) -> None:
    if not accepted(FILES[name]):
        return
    tables = tomllib.loads(FILES[name])
    for section in tables:
        slipped = copy.deepcopy(tables)
        inner = slipped[section][0] if isinstance(slipped[section], list) else slipped[section]
        if isinstance(inner, dict):
            inner["slipp"] = 1
            assert not checker.is_valid(slipped), section
    assert not checker.is_valid({**tables, "slipp": {}})


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("source", "kind", "rangee"),
        ("source", "stop", "9"),
        ("api", "concurrency", 0),
        ("api", "auth", {"kind": "bearer", "token": "s3cret"}),
        ("api", "auth", {"kind": "python"}),
        ("retry", "attempts", 1.5),
    ],
)
def test_what_the_reader_refuses_the_schema_refuses(
    table: str, key: str, value: object, checker: jsonschema.Draft202012Validator
) -> None:
    good: dict[str, dict[str, object]] = {
        "source": {"kind": "range", "stop": 9},
        "api": {"base": "https://a.example"},
        "request": {"path": "/{key}"},
        "retry": {},
        "store": {"path": "s"},
    }
    assert checker.is_valid(good)
    good[table][key] = value
    assert not checker.is_valid(good)
