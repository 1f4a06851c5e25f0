"""Docs, README and docstrings are tests: sybil runs their examples, each file top to bottom."""

from doctest import NORMALIZE_WHITESPACE

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
