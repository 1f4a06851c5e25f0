"""Every core there is here; the same tests run over each."""

from collections.abc import Callable

import pytest
from tests.ready import strict

from penstock.javadata import Schema, text
from penstock.javadata.core import NATIVE_CODEC, PURE, Core, Row
from penstock.javadata.native import NATIVE

Decode = Callable[[bytes], str]
Encode = Callable[[str], bytes]

assert NATIVE or not strict(), (
    "no native core of this _core.c: install a C compiler, then pip install -e ."
)
without = pytest.mark.skipif(NATIVE is None, reason="no native core: install a C compiler")

DECODERS = [
    pytest.param(text.decode_modified_utf8, id="pure"),
    pytest.param(NATIVE and NATIVE.decode_modified_utf8, id="native", marks=without),
]
ENCODERS = [
    pytest.param(text.encode_modified_utf8, id="pure"),
    pytest.param(NATIVE and NATIVE.encode_modified_utf8, id="native", marks=without),
]
CORES = [
    pytest.param(PURE, id="pure"),
    pytest.param(NATIVE_CODEC, id="native", marks=without),
]
NAMED_CORES = ["pure", pytest.param("native", marks=without)]
__all__ = ["CORES", "DECODERS", "ENCODERS", "NAMED_CORES", "Core", "Decode", "Encode", "made"]


def made(schema: Schema[Row], name: str, *values: object) -> Row:
    """Return a record of the class that the schema has of this name."""
    row: Row = schema.types[name]._make(values)  # type: ignore[attr-defined] # a NamedTuple
    return row
