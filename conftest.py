"""Docs, README and docstrings are tests: sybil runs their examples, each file top to bottom.

A document runs in an empty directory of its own, so that its examples may write files.
"""

import os
import tempfile
from doctest import NORMALIZE_WHITESPACE
from typing import Any

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser
from sybil.parsers.rest import DocTestParser

OPTIONS = NORMALIZE_WHITESPACE


def enter_directory(namespace: dict[str, Any]) -> None:
    """Make an empty directory and go there."""
    namespace["_before"] = os.getcwd()  # noqa: PTH109 - what chdir takes back
    namespace["_directory"] = tempfile.TemporaryDirectory()
    os.chdir(namespace["_directory"].name)


def leave_directory(namespace: dict[str, Any]) -> None:
    """Go back and remove it."""
    os.chdir(namespace["_before"])
    namespace["_directory"].cleanup()


pytest_collect_file = (
    Sybil(parsers=[DocTestParser(optionflags=OPTIONS)], patterns=["*.py"], path="src")
    + Sybil(
        parsers=[PythonCodeBlockParser(doctest_optionflags=OPTIONS), SkipParser()],
        patterns=["README.md", "docs/*.md"],
        setup=enter_directory,
        teardown=leave_directory,
    )
).pytest()
