"""Arrow arrays over the streams that the native core fills.

The core appends each leaf of a schema to streams of its own, in the order in which this module
takes them: values; offsets and bytes; whether a value is there, as one byte each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast, final

from penstock.javadata import kinds
from penstock.javadata.arrow import arrow_schema, arrow_type
from penstock.javadata.columnar import np, pa

if TYPE_CHECKING:
    from collections.abc import Callable

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
        filled = Filled(streams, lone)
        arrays = [filled.array(field.kind, count) for field in kind.fields]
        return pa.RecordBatch.from_arrays(arrays, schema=schema), position

    return columns


@final
class Filled:
    """The streams of one batch, taken one after the other."""

    def __init__(self, streams: list[bytes], lone: LoneSurrogates) -> None:
        self.streams = iter(streams)
        self.lone = lone

    def array(self, kind: kinds.Kind, count: int, present: bytes | None = None) -> pa.Array:
        """Return ``count`` values of a kind; ``present`` is 0 for each that is null, if any is."""
        children = None
        buffers = [bitmap(present)]
        match kind:
            case kinds.Flagged(element=element):
                return self.array(element, count, both(next(self.streams), present))
            case kinds.Primitive(dtype="?"):
                buffers.append(bitmap(next(self.streams)))
            case kinds.Primitive() | kinds.FixedBytes():
                buffers.append(pa.py_buffer(next(self.streams)))
            case kinds.Counted(element=element) if element is not None:
                offsets = next(self.streams)
                buffers.append(pa.py_buffer(offsets))
                children = [self.array(element, int(np.frombuffer(offsets, "i4")[count]))]
            case kinds.RecordKind(fields=fields):
                children = [self.array(field.kind, count) for field in fields]
            case kinds.Variant(tag=tag, cases=cases):
                children = [self.array(cast("kinds.Number", tag), count)]
                for case in cases:
                    children.append(self.array(case.record, count, next(self.streams)))
            case _:  # text and bytes
                buffers += [pa.py_buffer(next(self.streams)), pa.py_buffer(next(self.streams))]
        return pa.Array.from_buffers(arrow_type(kind, self.lone), count, buffers, children=children)


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
