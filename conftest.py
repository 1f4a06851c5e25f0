"""Docs, README and docstrings are tests: sybil runs their examples, each file top to bottom."""

from doctest import NORMALIZE_WHITESPACE

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser
from sybil.parsers.rest import DocTestParser

OPTIONS = NORMALIZE_WHITESPACE

pytest_collect_file = (
    Sybil(parsers=[DocTestParser(optionflags=OPTIONS)], patterns=["*.py"], path="src")
    + Sybil(
        parsers=[PythonCodeBlockParser(doctest_optionflags=OPTIONS), SkipParser()],
        patterns=["README.md", "docs/*.md"],
    )
).pytest()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep the examples of one document on one xdist worker."""
    if type(item).__name__ == "SybilItem":
        item.add_marker(pytest.mark.xdist_group(str(item.path)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Undo the random order inside documents, whose examples build on each other."""
    examples = [item for item in items if type(item).__name__ == "SybilItem"]
    in_order = iter(sorted(examples, key=lambda item: (str(item.path), item.reportinfo()[1] or 0)))
    for place, item in enumerate(items):
        if type(item).__name__ == "SybilItem":
            items[place] = next(in_order)
