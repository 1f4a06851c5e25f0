"""Records that are alike, made columns of Arrow all at once: none is looked at by itself.

Arrow's reader of JSON refuses a value of another type than the one asked for, a field that was not
asked for, and a name that is there twice. What it takes otherwise than we do is looked for here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from penstock.store.nested import Nested, arrow_type

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PAIRED", "read_block"]

PAIRED = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
"""Escapes that stand for NUL, or for half of a character."""
_TINY = re.compile(rb"\d[eE]-\d{3,}")  # what a float may have as 0

_TEXTS = ("text", "date", "datetime", "timestamp")
_PLAIN = {"null", "bool", "int", "long", "float", "text"}
_EXACT = 2**53
_MOST = 2**31 - 1  # bytes that Arrow's reader takes as one block
_CLOCK = r"^[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?"
_WRITTEN = {
    "date": r"^[12]\d{3}-\d\d-\d\d$",
    "datetime": f"{_CLOCK}$",
    "timestamp": f"{_CLOCK}(?:Z|[+-]\\d\\d:\\d\\d)$",
}


def read_block(bodies: Sequence[bytes], wanted: Mapping[str, Nested]) -> dict[str, pa.Array] | None:
    """Return the values of each field; None where the records have to be looked at one by one.

    Args:
        bodies: The records.
        wanted: The kind of each field, or its shape. A column of whole numbers gets none of more
            than 53 bits, a column of fractions no number that a float would round.
    """
    kinds = {name: kind for name, kind in wanted.items() if kind in _TEXTS or _is_plain(kind)}
    text = b"\n".join(bodies)
    if not wanted or len(kinds) < len(wanted) or not all(one[:1] == b"{" for one in bodies):
        return None
    if b"\\u" in text and PAIRED.search(text):  # the one is found much sooner than the other
        return None
    try:
        import pyarrow as pa
        from pyarrow import json
    except ImportError:
        return None
    types = [(at, arrow_type("text" if kind in _TEXTS else kind)) for at, kind in kinds.items()]
    try:
        if not text.isascii():
            text.decode()  # Arrow takes what is not UTF-8
        table = json.read_json(
            pa.BufferReader(text),
            # As one block by one thread: to hand parts to several, and to join them, costs more.
            json.ReadOptions(use_threads=False, block_size=min(len(text) + 1, _MOST)),
            json.ParseOptions(explicit_schema=pa.schema(types), unexpected_field_behavior="error"),
        )
        if table.num_rows != len(bodies):
            return None
        columns = {name: _one(table[name]) for name in kinds}
        return {name: _typed(columns[name], kind, text) for name, kind in kinds.items()}
    except (ValueError, pa.ArrowException):
        return None


def _one(column: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _is_plain(shape: Nested) -> bool:
    if isinstance(shape, list):
        return _is_plain(shape[0])
    if isinstance(shape, dict):
        return bool(shape) and all(map(_is_plain, shape.values()))
    return shape in _PLAIN


def _typed(values: pa.Array, shape: Nested, text: bytes) -> pa.Array:
    """Return values in the type of their column.

    Raises:
        ValueError: One of them belongs elsewhere.
    """
    import pyarrow as pa
    from pyarrow import compute

    if isinstance(shape, list):
        _typed(values.flatten(), shape[0], text)
    elif isinstance(shape, dict):
        for name, one in shape.items():
            _typed(values.field(name), one, text)
    elif shape in {"int", "float"} and len(values) > values.null_count:
        ends = compute.min_max(values).as_py()
        if max(-ends["min"], ends["max"]) > _EXACT:
            raise ValueError("more than 53 bits")
        zeros = shape == "float" and compute.any(compute.equal(values, 0.0)).as_py()
        if zeros and _TINY.search(text):
            raise ValueError("a number so small that it became 0")
    elif shape in _WRITTEN:
        if not compute.all(compute.match_substring_regex(values, _WRITTEN[shape])).as_py():
            raise ValueError("text among times")
        types = {"date": pa.date32(), "datetime": pa.timestamp("us")}
        return values.cast(types.get(shape, pa.timestamp("us", "UTC")))
    return values
