"""The package as a whole: quick to import, nothing optional with it, one version, one name."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import penstock
from penstock.distribution import NAME, UPGRADE, install
from penstock.errors import MissingExtra

ROOT = Path(__file__).parents[1]
IMPORTED = "{}; import sys; print(*sorted(sys.modules))"
OPTIONAL = {"pyarrow", "oauthlib", "numpy", "pandas", "pymongo", "jax", "torch"}


def modules_after(statement: str) -> set[str]:
    command = [sys.executable, "-c", IMPORTED.format(statement)]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


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
