"""Docs, program and code say the same: names, commands, exit codes, keys, dependencies, links."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

import penstock
from penstock import errors
from penstock.cli.main import COMMANDS
from penstock.cli.main import penstock as program
from penstock.distribution import NAME

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
ROOMS = [
    *("resilience", "pipeline", "http", "streaming", "locks", "store", "simulator", "assembly"),
    *("cluster", "javadata", "mongo", "neural", "portfolio", "reading"),
]
SURFACE = [
    *("Api", "ApiKey", "Basic", "Bearer", "Budget", "FakeClock", "Get", "OAuth1", "OAuth2"),
    *("Pipeline", "Post", "Record", "RetryPolicy", "__version__", "batches", "secret"),
]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_package_offers_these_names_and_each_of_them_is_there() -> None:
    assert dir(penstock) == SURFACE
    assert all(getattr(penstock, name) for name in SURFACE)


@pytest.mark.parametrize("room", ROOMS)
def test_everything_a_room_offers_is_there_and_says_what_it_is(room: str) -> None:
    module = importlib.import_module(f"penstock.{room}")
    for name in module.__all__:
        offered = getattr(module, name)
        if inspect.isclass(offered) or inspect.isfunction(offered):
            assert own_docstring(offered), f"penstock.{room}.{name} has no docstring"


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_method_says_what_it_does(room: str) -> None:
    module = importlib.import_module(f"penstock.{room}")
    for name in module.__all__:
        offered = getattr(module, name)
        if inspect.isclass(offered) and offered.__module__.startswith("penstock."):
            for method, value in vars(offered).items():
                if inspect.isfunction(value) and not method.startswith("_"):
                    assert own_docstring(value), f"penstock.{room}.{name}.{method}"


def own_docstring(offered: object) -> str:
    words = inspect.getdoc(offered) or ""
    # A dataclass without words of its own has its signature for a docstring.
    made = f"{getattr(offered, '__name__', '')}("
    return "" if words.startswith(made) else words


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_a_page(room: str) -> None:
    assert re.match(rf"# .*{room}", text(f"docs/{room}.md"))


@pytest.mark.parametrize(
    "room", ["resilience", "pipeline", "http", "streaming", "locks", "assembly"]
)
def test_the_page_names_all_that_a_room_offers(room: str) -> None:
    page = text(f"docs/{room}.md")
    offered = importlib.import_module(f"penstock.{room}").__all__
    assert [name for name in offered if f"`{name}`" not in page] == []


def test_every_command_is_in_the_docs_and_has_help() -> None:
    page = text("docs/cli.md")
    context = click.Context(program)
    for name in COMMANDS:
        command = program.get_command(context, name)
        assert command is not None
        assert f"### `penstock {name}`" in page
        assert command.help
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"penstock {name} {parameter.opts}"


def test_the_drawn_tables_are_those_of_the_code() -> None:
    drawn = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "draw-docs"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert drawn.returncode == 0, drawn.stdout + drawn.stderr


def test_the_house_that_is_drawn_is_the_one_that_the_contracts_enforce() -> None:
    contracts = tomllib.loads(text("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    drawn = re.findall(r"^\| \d+ \| (`.*?) \|", text("docs/design.md"), re.MULTILINE)
    assert [set(re.findall(r"`(\w+)`", row)) for row in drawn] == [
        set(row.split(" | ")) for row in layers
    ]


def test_every_error_says_its_exit_code() -> None:
    codes = {name: getattr(errors, name).exit_code for name in errors.__all__}
    assert codes == {
        "Absent": 4,
        "ExecutorFailed": 4,
        "GaveUp": 4,
        "InputError": 2,
        "MissingExtra": 2,
        "PenstockError": 4,
        "PermanentError": 4,
        "RetryableError": 4,
        "Stopped": 3,
        "StorageError": 4,
        "StoreInUse": 3,
    }


def test_every_make_target_that_the_pages_name_exists() -> None:
    rules = re.findall(r"^([\w./ -]+):", text("Makefile"), re.MULTILINE)
    targets = {name for rule in rules for name in rule.split()}
    for page in PAGES:
        words = page.read_text(encoding="utf-8")
        named = re.findall(r"^make ([\w-]+)", words, re.MULTILINE) + re.findall(
            r"`make ([\w-]+)`", words
        )
        assert set(named) <= targets, page.name
    assert {"demo", "test"} <= set(re.findall(r"^make ([\w-]+)", text("README.md"), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            words = file.read_text(encoding="utf-8")
            titles = [title_anchor(t) for t in re.findall(r"^#+ (.*)$", words, re.MULTILINE)]
            assert anchor in titles or f'name="{anchor}"' in words, f"{page.name}: {target}"


def title_anchor(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def test_every_dependency_has_its_line() -> None:
    project = tomllib.loads(text("pyproject.toml"))["project"]
    wanted = [*project["dependencies"]]
    for libraries in project["optional-dependencies"].values():
        wanted += [name for name in libraries if not name.startswith(f"{NAME}[")]
    page = text("docs/dependencies.md")
    for requirement in wanted:
        library = re.split(r"[^\w-]", requirement)[0]
        assert library in page, f"docs/dependencies.md has no line for {library}"


def test_every_test_that_origins_names_exists() -> None:
    named = re.findall(r"`((?:tests|docs|src)/[\w/.]+?)(?:::(\w+))?`", text("docs/origins.md"))
    assert len(named) > 30
    for file, function in named:
        path = ROOT / file
        assert path.is_file(), file
        if function:
            words = path.read_text(encoding="utf-8")
            assert re.search(rf"^ *def {function}\(", words, re.MULTILINE), f"{file}::{function}"


def test_no_page_names_a_place_of_one_machine() -> None:
    for page in PAGES:
        found = re.search(r"/work/|/root/|/home/", page.read_text(encoding="utf-8"))
        assert found is None, f"{page.name}: {found}"
