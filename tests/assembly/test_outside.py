"""A stranger adds one kind of every slot, from a package or beside the file, without a patch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from penstock.simulator import Simulator, SimulatorSettings

PACKAGE = Path(__file__).with_name("outside")
PENSTOCK = [sys.executable, "-m", "penstock.cli.main"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built and installed into a folder of its own: nothing is fetched."""
    folder = tmp_path_factory.mktemp("site")
    words = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words, "--target", str(folder), str(PACKAGE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def penstock(
    installed: Path | None, *words: object, **env: str
) -> subprocess.CompletedProcess[str]:
    path = {} if installed is None else {"PYTHONPATH": str(installed)}
    return subprocess.run(
        [*PENSTOCK, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **path, **env},
    )


def last(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert done.returncode == 0, done.stderr
    decoded = json.loads(done.stdout.strip().splitlines()[-1])
    assert isinstance(decoded, dict)
    return decoded


def test_a_package_adds_source_auth_stage_use_store_and_lock(
    installed: Path, tmp_path: Path
) -> None:
    file = tmp_path / "users.toml"
    with Simulator(SimulatorSettings(users=20, auth="bearer")) as simulator:
        file.write_text(f"""
store = "shelf://{tmp_path}/shelf"
[source]
kind = "evens"
stop = 10
[api]
base = "{simulator.url}"
auth = {{ kind = "door", phrase = "env:PHRASE" }}
[request]
path = "/users/{{key}}.json"
[[stage]]
kind = "stamp"
word = "seen"
[[use]]
kind = "tally"
""")
        env = {"PHRASE": "penstock-token"}
        plan = penstock(installed, "check", file, **env)
        assert "stamp: seen" in plan.stdout, plan.stderr
        told = last(penstock(installed, "run", file, "--json", "--quiet", **env))
    assert (told["landed"], told["failed"]) == (5, 0)
    assert told["uses"] == [{"kind": "tally", "text": "counted", "taken": 5, "left_out": 0}]
    status = last(penstock(installed, "status", f"shelf://{tmp_path}/shelf", "--json"))
    assert status["landed"] == 5
    without = penstock(None, "run", file)
    assert without.returncode == 2
    assert "'evens' is unknown" in without.stderr


def test_a_package_adds_a_style_of_pages(installed: Path, tmp_path: Path) -> None:
    file = tmp_path / "pages.toml"
    with Simulator(SimulatorSettings(users=10)) as simulator:
        file.write_text(f"""
store = "store"
[source]
kind = "pages"
path = "/pages/page?per_page=4"
items = "items"
[source.style]
kind = "hop"
[api]
base = "{simulator.url}"
""")
        told = last(penstock(installed, "run", file, "--json", "--quiet"))
    assert told["landed"] == 10


@pytest.mark.parametrize(
    "preset",
    [
        'preset = "ticker"',
        'framing = "pipes"\nid = "id"',
        """[stream.preset]
service = "mine"
framing = "pipes"
id = ["id"]
resume = { kind = "never" }
signs = [{ kind = "odd", path = "odd" }]""",
    ],
)
def test_a_package_or_the_file_adds_a_framing_and_a_preset(
    installed: Path, tmp_path: Path, preset: str
) -> None:
    file = tmp_path / "stream.toml"
    with Simulator(SimulatorSettings()) as simulator:
        url = f"{simulator.url}/stream/lf;messages=20"
        file.write_text(
            f'store = "store"\n[stream]\nurl = "{url}"\n{preset}\n[lock]\nstore = "shelf://locks"\n'
        )
        done = penstock(installed, "run", file, "--json", "--quiet", "--max-messages", "20")
    assert last(done)["landed"] == 20


BESIDE = """
from dataclasses import dataclass

def odd(stop: int):
    yield from range(1, stop, 2)

@dataclass(frozen=True)
class Times:
    "Multiplies."
    factor: int = 2

    def __call__(self, results):
        return results
"""


def test_a_module_beside_the_file_is_a_kind(tmp_path: Path) -> None:
    (tmp_path / "my_kinds.py").write_text(BESIDE)
    file = tmp_path / "users.toml"
    with Simulator(SimulatorSettings(users=20)) as simulator:
        file.write_text(f"""
store = "store"
[source]
kind = "python"
object = "my_kinds:odd"
stop = 6
[api]
base = "{simulator.url}"
[request]
path = "/users/{{key}}.json"
[[stage]]
kind = "python"
object = "my_kinds:Times"
factor = 3
""")
        told = last(penstock(None, "run", file, "--json", "--quiet"))
    assert told["landed"] == 3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("factor", "factr"), "unknown key 'factr' in [stage]; did you mean 'factor'?"),
        (("factor = 3", 'factor = "3"'), "stage.factor: expected int, got str"),
        (("my_kinds:Times", "my_kinds:Thymes"), "has no attribute 'Thymes'"),
        (("my_kinds:Times", "my_kindz:Times"), "No module named 'my_kindz'"),
        (('object = "my_kinds:Times"\n', ""), 'needs object = "my_module:MyKind"'),
        (("my_kinds:Times", "os:getcwd"), "unknown key 'factor'"),
        (("my_kinds:Times", "json:loads"), "needs a type that a file can hold"),
    ],
)
def test_what_is_wrong_with_a_kind_beside_the_file_is_one_line(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    (tmp_path / "my_kinds.py").write_text(BESIDE)
    file = tmp_path / "users.toml"
    text = """
store = "store"
[source]
kind = "range"
stop = 6
[api]
base = "https://a.example"
[request]
path = "/users/{key}"
[[stage]]
kind = "python"
object = "my_kinds:Times"
factor = 3
"""
    assert change[0] in text
    file.write_text(text.replace(*change))
    done = penstock(None, "check", file)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert says in done.stderr
    assert str(file) in done.stderr
    assert not (tmp_path / "store").exists()


def test_the_schema_knows_the_kinds_of_the_package(installed: Path) -> None:
    schema = json.loads(penstock(installed, "schema").stdout)
    assert "evens" in json.dumps(schema)
    assert schema["$defs"]["StampSection"]["properties"]["word"]["description"] == "The word."
    jsonschema.Draft202012Validator.check_schema(schema)
