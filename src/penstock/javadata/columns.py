"""Arrow arrays over the streams that the native core fills.

The core appends each leaf of a schema to streams of its own, in the order in which this module
takes them: values; offsets and bytes; whether a value is there, as one byte each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from penstock.javadata import kinds
from penstock.javadata.arrow import arrow_schema, arrow_type
from penstock.javadata.columnar import np, pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from penstock.javadata.kinds import LoneSurrogates

    Fill = Callable[[bytes, int, int], tuple[int, int, list[bytes], bool]]
    Columns = Callable[[bytes, int], tuple[pa.RecordBatch, int]]

__all__ = ["column_reader"]

POLICIES = {"error": 0, "replace": 1, "binary": 2}


def column_reader(
    kind: kinds.RecordKind, fill: Fill, lone: LoneSurrogates, by_rows: Columns
) -> Columns:
    """Return the reader of record batches.

    Args:
        kind: The records.
        fill: The core's function of ``(data, start, policy)``.
        lone: What to do with lone surrogates.
        by_rows: The slow way, which words the error about a lone surrogate.
    """
    schema = arrow_schema(kind, lone)
    policy = POLICIES[lone]

    def columns(data: bytes, start: int) -> tuple[pa.RecordBatch, int]:
        count, position, streams, stopped = fill(data, start, policy)
        if stopped:
            return by_rows(data, start)
        taken = iter(streams)
        arrays = [array_of(field.kind, taken, count, lone) for field in kind.fields]
        return pa.RecordBatch.from_arrays(arrays, schema=schema), position

    return columns


def array_of(
    kind: kinds.Kind,
    streams: Iterator[bytes],
    count: int,
    lone: LoneSurrogates,
    present: bytes | None = None,
) -> pa.Array:
    """Return ``count`` values as an array, taking the streams of this kind.

    Args:
        kind: What they are.
        streams: Where the core put them, this kind's next.
        count: How many.
        lone: As in the type of text columns.
        present: One byte for each value, 0 where it is null; None if none is.
    """
    valid = bitmap(present)
    match kind:
        case kinds.Primitive(dtype="?"):
            return leaf(kind, count, lone, [valid, bitmap(next(streams))])
        case kinds.Primitive() | kinds.FixedBytes():
            return leaf(kind, count, lone, [valid, pa.py_buffer(next(streams))])
        case kinds.UtfKind() | kinds.Text() | kinds.Counted(element=None):
            offsets, data = pa.py_buffer(next(streams)), pa.py_buffer(next(streams))
            return leaf(kind, count, lone, [valid, offsets, data])
        case kinds.Counted(element=element):
            return list_array(kind, cast("kinds.Kind", element), streams, count, lone, valid)
        case kinds.Flagged(element=element):
            mine = next(streams)
            return array_of(element, streams, count, lone, both(mine, present))
        case kinds.Variant() | kinds.RecordKind():
            return struct_array(kind, streams, count, lone, present)


def leaf(
    kind: kinds.Kind, count: int, lone: LoneSurrogates, buffers: list[pa.Buffer | None]
) -> pa.Array:
    return pa.Array.from_buffers(arrow_type(kind, lone), count, buffers)


def list_array(
    kind: kinds.Counted,
    element: kinds.Kind,
    streams: Iterator[bytes],
    count: int,
    lone: LoneSurrogates,
    valid: pa.Buffer | None,
) -> pa.Array:
    offsets = next(streams)
    inner = int(np.frombuffer(offsets, "i4")[count])
    values = array_of(element, streams, inner, lone)
    kind_type = arrow_type(kind, lone)
    return pa.Array.from_buffers(
        kind_type, count, [valid, pa.py_buffer(offsets)], children=[values]
    )


def struct_array(
    kind: kinds.Variant | kinds.RecordKind,
    streams: Iterator[bytes],
    count: int,
    lone: LoneSurrogates,
    present: bytes | None,
) -> pa.Array:
    if isinstance(kind, kinds.RecordKind):
        children = [array_of(field.kind, streams, count, lone) for field in kind.fields]
    else:
        children = [array_of(cast("kinds.Number", kind.tag), streams, count, lone)]
        for case in kind.cases:
            chosen = next(streams)
            children.append(array_of(case.record, streams, count, lone, chosen))
    kind_type = arrow_type(kind, lone)
    return pa.Array.from_buffers(kind_type, count, [bitmap(present)], children=children)


def bitmap(flags: bytes | None) -> pa.Buffer | None:
    """Return one bit for each byte, as Arrow packs them."""
    if flags is None:
        return None
    return pa.py_buffer(np.packbits(np.frombuffer(flags, "?"), bitorder="little").tobytes())


def both(mine: bytes, outer: bytes | None) -> bytes:
    """Return where both are there."""
    if outer is None:
        return mine
    flags: bytes = (np.frombuffer(mine, "?") & np.frombuffer(outer, "?")).tobytes()
    return flags
