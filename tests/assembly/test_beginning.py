"""``penstock init``: what it writes is accepted by ``check``, and ``run`` harvests all of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.assembly.described import DESCRIPTION, Described, _get, _rows
from tests.assembly.test_again import called, landed, penstock

from penstock.assembly import begun, parts, read_text
from penstock.errors import InputError

ROWS = {
    "users": 4,
    "users-orders": 16,
    "users-orders-lines": 80,
    "events": 8,
    "tags": 8,
    "features": 8,
    "repos": 8,
    "pairs": 4,
    "search": 2,
    "orgs-members": 2,
}


@pytest.fixture(scope="module")
def service() -> Iterator[Described]:
    with Described() as served:
        yield served


def harvested(folder: Path, text: str) -> dict[str, int]:
    """Check and run a file; return the rows of each resource."""
    file = folder / "f.toml"
    file.write_text(text)
    penstock("check", file)
    penstock("run", file, "--quiet")
    stores = sorted((folder / "harvest").iterdir())
    return {store.name: len(landed(store)) for store in stores if store.is_dir()}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"API_KEY": "k", "API_ORG": "acme", "API_SEARCH_Q": "x"}.items():
        monkeypatch.setenv(name, value)


def test_a_description_becomes_a_file_that_harvests_every_list(
    tmp_path: Path, service: Described
) -> None:
    text = penstock("init", f"{service.base}/openapi.json")
    assert "# export API_SEARCH_Q=...  # q of GET /search\n" in text
    assert 'path = "/orgs/{env:API_ORG}/members"' in text
    assert "left out" not in text
    assert harvested(tmp_path, text) == ROWS
    for form, write in (("json", json.dumps), ("yaml", yaml.safe_dump)):
        source = tmp_path / f"api.{form}"
        source.write_text(write(DESCRIPTION))
        penstock("init", source, "--base", service.base, "-o", tmp_path / f"{form}.toml")
        made = (tmp_path / f"{form}.toml").read_text()
        assert made.partition("\n")[2] == text.partition("\n")[2]


def test_parameters_that_are_given_and_resources_that_are_chosen(
    tmp_path: Path, service: Described
) -> None:
    source = tmp_path / "api.json"
    source.write_text(json.dumps(DESCRIPTION))
    words = ["--base", service.base, "--with", "org=acme", "--with", "q=x"]
    chosen = ["--only", "search", "--only", "orgs-*", "--only", "*-lines"]
    text = penstock("init", source, *words, *chosen)
    orders = {name: ROWS[name] for name in ("users", "users-orders", "users-orders-lines")}
    expected = {**orders, "search": 2, "orgs-acme-members": 2}
    assert harvested(tmp_path, text) == expected


def test_a_given_value_that_is_called_like_a_parameter_is_not_taken_for_one(tmp_path: Path) -> None:
    """``--with org=id`` left ``{id}`` of another path as it stood, which no file may have."""
    source, paths = tmp_path / "api.json", DESCRIPTION["paths"]
    assert isinstance(paths, dict)
    members = {"/teams/{id}/members": paths["/orgs/{org}/members"]}
    source.write_text(json.dumps({**DESCRIPTION, "paths": paths | members}))
    text = begun(str(source), ["teams-*", "orgs-*"], given={"org": "id"})
    assert 'path = "/orgs/id/members"' in text
    assert 'path = "/teams/{env:API_TEAMS_ID}/members"' in text


def test_what_only_a_person_knows_is_asked_for_by_name(
    tmp_path: Path, service: Described, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "f.toml"
    file.write_text(penstock("init", f"{service.base}/openapi.json", "--only", "orgs-*"))
    assert "SEARCH" not in file.read_text()  # it is of a list that was not chosen
    monkeypatch.delenv("API_ORG")
    assert "source.path: environment variable API_ORG is not set" in penstock("check", file)
    code, _, err = called("run", file, "--quiet")
    assert (code, err.count("\n")) == (2, 1)
    assert "variable API_ORG is not set: export it, or take out" in err
    for escape in ("..", "acme/../acme", "acme?x=1", "acme#", "%2e%2e"):
        monkeypatch.setenv("API_ORG", escape)  # one step of a path, whatever it holds
        assert called("run", file, "--quiet")[0] in (2, 4)
    monkeypatch.setenv("API_ORG", "acme")
    penstock("run", file, "--quiet")
    assert len(landed(tmp_path / "harvest" / "orgs-members")) == 2
    monkeypatch.setenv("API_ORG", "other")
    code, _, err = called("run", file, "--quiet")
    assert code == 4  # another list than the one that is finished: it is asked for
    assert "404" in err
    source = tmp_path / "api.json"
    source.write_text(json.dumps(DESCRIPTION))
    made = begun(str(source), ["orgs-*"], given={"org": "env:MINE"})
    assert 'path = "/orgs/{env:MINE}/members"' in made


def test_children_four_deep_name_each_parent_in_its_place(tmp_path: Path) -> None:
    paths = {
        path: _get(_rows("Named"))
        for path in ("/o/{own}/as", "/o/{own}/as/{a}/bs", "/o/{own}/as/{a}/bs/{b}/cs")
    }
    paths["/o/{own}/as/{a}/bs/{b}/cs/{c}/ds"] = _get(_rows("Named"))
    (tmp_path / "api.json").write_text(json.dumps({**DESCRIPTION, "paths": paths}))
    made = begun(str(tmp_path / "api.json"))
    above = "as/{parent._parent._parent.id}/bs/{parent._parent.id}/cs/{parent.id}/ds"
    assert f'path = "/o/{{env:API_OWN}}/{above}"' in made


@pytest.mark.parametrize("path", ["events", "features", "repos", "pairs", "users/1/orders"])
def test_one_answer_becomes_a_file_that_harvests_the_list(
    tmp_path: Path, service: Described, path: str
) -> None:
    text = penstock("init", f"{service.base}/{path}")
    [count] = harvested(tmp_path, text).values()
    assert count == ROWS.get(path, 4 if "orders" in path else 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"swagger": "2.0", "paths": {}}', "OpenAPI 2.0: give a description of version 3"),
        ('{"openapi": "3.1.0", "paths": {}}', "no list that can be read"),
        ('{"a": 1}', "no OpenAPI description"),
        ("a: [", "neither JSON nor an OpenAPI description"),
        ("openapi: [", "not YAML"),
        ("openapi: 3\npaths: &a\n  /x: *a\n", "no list that can be read"),
        ("", "neither JSON nor"),
    ],
)
def test_what_is_no_description_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    source = tmp_path / "api.json"
    source.write_text(text)
    code, out, err = called("init", source)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_nothing_is_written_over(tmp_path: Path) -> None:
    there = tmp_path / "there.toml"
    there.write_text("x")
    for words in (["-o", there], ["--with", "q"]):
        code, _, err = called("init", tmp_path / "no.json", *words)
        assert code == 2
        assert "there already" in err or "--with NAME=VALUE" in err
    assert called("init", tmp_path / "no.json")[0] == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("get", "parameters", "responses", "200", "content", "application/json"),
                    *("schema", "properties", "items", "allOf", "anyOf", "$ref", "type", "name"),
                    *("in", "next", "id", "data", "links", "/a", "/a/{b}/c"),
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(["/a", "/a/{b}", "/a/{b}/c", "x\n"]), JSON, max_size=3))
def test_a_description_that_is_odd_inside_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, paths: dict[str, Any]
) -> None:
    source = tmp_path_factory.mktemp("odd") / "api.json"
    good = DESCRIPTION["paths"]["/users"]
    source.write_text(json.dumps({**DESCRIPTION, "paths": {"/users": good, **paths}}))
    try:
        text = begun(str(source))
    except InputError:
        return
    assert parts(read_text(text, "f.toml"))


@pytest.mark.parametrize(
    "place", ["default", "server", "token", "key name", "row", "parameter", "path"]
)
@pytest.mark.parametrize("word", ["cmd:touch OWNED", "file:/etc/passwd", "env:HOME"])
def test_a_description_of_a_stranger_runs_no_command_and_reads_no_file(
    tmp_path: Path, place: str, word: str
) -> None:
    """What a pipeline file looks up on this machine, it was made to look up by a description."""
    said = {name: word if name == place else "q" for name in ("default", "parameter", "row")}
    schema = {"type": "array", "items": {"properties": {said["row"]: {"type": "integer"}}}}
    flows = {"clientCredentials": {"tokenUrl": word}}
    schemes = {
        "token": {"type": "oauth2", "flows": flows},
        "key name": {"type": "apiKey", "in": "header", "name": word},
    }
    parameter = {"name": said["parameter"], "in": "query", "required": True}
    operation = {
        "parameters": [parameter | {"schema": {"default": said["default"]}}],
        "responses": {"200": {"content": {"application/json": {"schema": schema}}}},
    }
    description = {
        "openapi": "3.0.0",
        "servers": [{"url": f"{word}://a" if place == "server" else "http://127.0.0.1:9"}],
        "paths": {word if place == "path" else "/things": {"get": operation}},
        "components": {"securitySchemes": {"a": schemes[place]} if place in schemes else {}},
    }
    (tmp_path / "api.json").write_text(json.dumps(description))
    if place == "parameter":  # a name is looked up nowhere
        begun(str(tmp_path / "api.json"))
        return
    with pytest.raises(InputError, match=r"look up on this machine|no list"):
        begun(str(tmp_path / "api.json"))


def test_what_is_asked_for_by_hand_may_be_looked_up(tmp_path: Path) -> None:
    (tmp_path / "api.json").write_text(json.dumps(DESCRIPTION))
    text = begun(str(tmp_path / "api.json"), base="env:BASE", given={"q": "env:WORD"})
    assert 'base = "env:BASE"' in text


DOUBLING = {f"L{n}": {"allOf": [{"$ref": f"#/c/L{n + 1}"}] * 2} for n in range(60)}
DEEP = {f"L{n}": {"allOf": [{"$ref": f"#/c/L{n + 1}"}]} for n in range(5000)}


@pytest.mark.parametrize("schemas", [DOUBLING, DEEP, {"L0": {"allOf": [{"$ref": "#/c/L0"}]}}])
def test_references_that_double_or_go_in_circles_end(
    tmp_path: Path, schemas: dict[str, object]
) -> None:
    content = {"application/json": {"schema": {"$ref": "#/c/L0"}}}
    paths = {"/things": {"get": {"responses": {"200": {"content": content}}}}}
    (tmp_path / "a.json").write_text(json.dumps({"openapi": "3.0", "paths": paths, "c": schemas}))
    with pytest.raises(InputError, match=r"no list|nested too deeply"):
        begun(str(tmp_path / "a.json"))


def test_yaml_has_no_dates_and_its_names_are_texts(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "openapi: 3.0.0\nservers: [{url: 'http://127.0.0.1:9'}]\npaths:\n  /things:\n    get:\n"
        "      parameters: [{name: 2020-01-01, in: query, required: true,"
        " schema: {default: 2020-01-02}}]\n      responses:\n        200:\n          content:\n"
        "            application/json:\n              schema: {type: array, items:"
        " {properties: {id: {type: integer}}}}\n"
    )
    assert 'query = { "2020-01-01" = "2020-01-02" }' in begun(str(tmp_path / "a.yaml"))
