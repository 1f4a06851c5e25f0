"""The package as a whole: quick to import, nothing optional with it, one version, one name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

import penstock
from penstock.distribution import NAME, UPGRADE, install
from penstock.errors import MissingExtra

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "penstock"
IMPORTED = "{}; import sys; print(*sorted(sys.modules))"
OPTIONAL = {"pyarrow", "oauthlib", "numpy", "pandas", "pymongo", "jax", "torch"}


def modules_after(statement: str) -> set[str]:
    command = [sys.executable, "-c", IMPORTED.format(statement)]
    own = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=own)
    return set(done.stdout.split())


def test_importing_penstock_imports_no_optional_library() -> None:
    assert not modules_after("import penstock") & OPTIONAL


def test_an_api_starts_without_what_only_some_calls_need() -> None:
    costly = {"asyncio", "concurrent.futures", "difflib", "email.utils", "logging", "ssl"}
    costly |= {"csv", "http", "json", "pickle", "pycurl", "selectors", "socket", "subprocess"}
    costly |= {"penstock.events", "penstock.http.calls", "penstock.pipeline.landing"}
    assert not modules_after("from penstock import Api") & costly


def ran(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_version_is_the_installed_one_wherever_it_is_asked_for() -> None:
    assert version(NAME) == penstock.__version__
    assert ran(sys.executable, "-m", "penstock", "--version").split()[-1] == penstock.__version__


def test_python_dash_m_penstock_is_the_program() -> None:
    program = Path(sys.executable).with_name("penstock")
    assert ran(sys.executable, "-m", "penstock", "--help") == ran(str(program), "--help")


def test_pyproject_and_every_text_name_the_distribution_and_no_strangers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == NAME
    files = [ROOT / "README.md", ROOT / "pyproject.toml", *ROOT.glob("docs/*.md")]
    files += [*ROOT.glob("src/**/*.py"), *ROOT.glob("examples/**/*"), *ROOT.glob("tests/**/*.py")]
    strangers = re.compile(r"pip install[\w' -]* '?penstock(?!-data)\b|\bpenstock" + r"\[[a-z]")
    for file in files:
        if file.is_file() and file != Path(__file__):
            found = strangers.search(file.read_text(encoding="utf-8", errors="replace"))
            assert found is None, f"{file}: {found}"


@pytest.mark.parametrize("extra", ["mongo", "parquet", "portfolio-fast"])
def test_a_missing_extra_names_the_command_that_adds_it(extra: str) -> None:
    assert str(MissingExtra("this", "that", extra)) == f"this needs that: {install(extra)}"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert extra in project["optional-dependencies"]
    assert NAME in UPGRADE


@pytest.mark.parametrize(
    "stub", sorted(SRC.glob("**/__init__.pyi")), ids=lambda stub: stub.parent.name
)
def test_a_face_lists_each_name_once_and_no_module_stands_in_its_way(stub: Path) -> None:
    lines = [line for line in stub.read_text(encoding="utf-8").splitlines() if line]
    rows = [re.fullmatch(r"from (\S+) import (\w+) as (\w+)(  # unlisted)?", li) for li in lines]
    assert [line for line, row in zip(lines, rows, strict=True) if row is None] == []
    names = [row[3] for row in rows if row]
    assert len(names) == len(set(names))
    room = import_module(".".join(stub.parent.relative_to(SRC.parent).parts))
    for row in rows:
        assert row
        assert row[2] == row[3]  # type checkers see no other name
        beside = (stub.parent / row[3]).is_dir() or stub.with_name(f"{row[3]}.py").is_file()
        assert beside == (row[1] == room.__name__), "a module hides what its package offers"
        assert getattr(room, row[3]) is not None
