"""Columns in pure Python for records without nesting: one walk over the lengths, then NumPy.

The lengths of a record's texts decide where the next begins, so a generated loop walks from end to
end; everything else is gathered for all records at once. A block with anything unusual in its text
(overlong forms, lone surrogates, mistakes) goes by way of rows, which is exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from penstock.javadata import kinds
from penstock.javadata.arrow import arrow_schema, arrow_type
from penstock.javadata.columnar import np, npt, pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from penstock.javadata.kinds import LoneSurrogates

    Columns = Callable[[bytes, int], tuple[pa.RecordBatch, int]]
    Walk = Callable[[bytes, int], Iterator[int]]

__all__ = ["flat_reader", "is_flat"]

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]
Offsets = npt.NDArray[np.int32]


class Unusual(Exception):
    """Text that is not exactly what Java's encoder writes, or that Arrow cannot hold."""


def is_flat(record: kinds.RecordKind) -> bool:
    """Return whether every field is a number, text or bytes."""
    return all(is_plain(field.kind) for field in record.fields)


def is_plain(kind: kinds.Kind) -> bool:
    match kind:
        case kinds.Counted(count=kinds.Primitive(order=">"), element=None, null=False):
            return True
        case kinds.Text(count=kinds.Primitive(order=">"), encoding="utf8", null=False):
            return True
        case kinds.Primitive(order=">") | kinds.UtfKind() | kinds.FixedBytes():
            return True
        case _:
            return False


def flat_reader(record: kinds.RecordKind, lone: LoneSurrogates, by_rows: Columns) -> Columns:
    """Return the reader of record batches for a record that :func:`is_flat`.

    Args:
        record: The records.
        lone: What to do with lone surrogates.
        by_rows: The slow and exact way, for blocks with unusual text.
    """
    schema = arrow_schema(record, lone)
    walk = walker(record)

    def columns(data: bytes, start: int) -> tuple[pa.RecordBatch, int]:
        ends = np.fromiter(walk(data, start), np.int64)
        if not len(ends):
            return by_rows(data, start)  # to say nothing, or to find the error
        here = np.concatenate([np.array([start]), ends[:-1]])
        arrays = []
        try:
            for field in record.fields:
                array, here = gathered(field.kind, data, here, lone)
                arrays.append(array)
        except Unusual:
            return by_rows(data, start)
        return pa.RecordBatch.from_arrays(arrays, schema=schema), int(ends[-1])

    return columns


def walker(record: kinds.RecordKind) -> Walk:
    """Return a generator of the places where records end, up to the last that is whole."""
    lines: list[str] = []
    fixed = 0
    for field in record.fields:
        kind = field.kind
        if isinstance(kind, kinds.Primitive | kinds.FixedBytes):
            fixed += kinds.least_size(kind)
        elif isinstance(kind, kinds.UtfKind):
            # Most texts are shorter than 256 bytes: one byte tells.
            lines.append(f"            n = data[q + {fixed + 1}]")
            lines.append(f"            if data[q + {fixed}]: n |= data[q + {fixed}] << 8")
            lines.append(f"            q += n + {fixed + 2}")
            fixed = 0
        else:
            counter = cast("kinds.Primitive", cast("kinds.Text | kinds.Counted", kind).count)
            place = f"data[q + {fixed}:q + {fixed + counter.size}]"
            signed = counter.code.islower()
            lines.append(f"            n = int.from_bytes({place}, 'big', signed={signed})")
            lines.append("            if n < 0: return")
            lines.append(f"            q += n + {fixed + counter.size}")
            fixed = 0
    body = "\n".join([*lines, f"            q += {fixed}"])
    names: dict[str, object] = {}
    source = f"""def walk(data, q):
    size = len(data)
    try:
        while True:
{body}
            if q > size: return
            yield q
    except IndexError:
        return
"""
    exec(source, names)  # noqa: S102 - numbers of a checked schema only
    return cast("Walk", names["walk"])


def at_every_byte(data: bytes, dtype: str) -> npt.NDArray[np.generic]:
    """Return a view of ``data`` with a number beginning at each byte."""
    kind = np.dtype(dtype)
    return np.ndarray((len(data) - kind.itemsize + 1,), kind, data, strides=(1,))


def gathered(
    kind: kinds.Kind, data: bytes, here: Places, lone: LoneSurrogates
) -> tuple[pa.Array, Places]:
    """Return a column whose values begin at ``here``, and where they end."""
    match kind:
        case kinds.Primitive(dtype="?"):
            return pa.array(at_every_byte(data, "u1")[here] != 0), here + 1
        case kinds.Primitive(dtype=dtype, size=size):
            values = at_every_byte(data, f">{dtype}")[here].astype(dtype)
            buffers = [None, pa.py_buffer(values)]
            return pa.Array.from_buffers(arrow_type(kind, lone), len(here), buffers), here + size
        case kinds.FixedBytes(count=size):
            return strings(data, here, here + size).cast(pa.binary(size)), here + size
        case kinds.UtfKind():
            begin = here + 2
            end = begin + np.asarray(at_every_byte(data, ">u2")[here], np.int64)
            return utf_array(strings(data, begin, end), lone), end
        case _:
            counter = cast("kinds.Text | kinds.Counted", kind).count
            size = cast("kinds.Primitive", counter).size
            lengths = at_every_byte(data, f">{cast('kinds.Primitive', counter).dtype}")[here]
            end = here + size + np.asarray(lengths, np.int64)
            array = strings(data, here + size, end)
            return (valid_utf8(array) if isinstance(kind, kinds.Text) else array), end


def strings(data: bytes, begin: Places, end: Places) -> pa.Array:
    """Return slices of ``data`` as a binary column.

    What lies between the slices counts as strings too, so that the offsets lie on the data itself;
    taking every other one copies the slices together.
    """
    offsets = np.empty(2 * len(begin), np.int32)
    offsets[0::2] = begin
    offsets[1::2] = end
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    every = pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)
    return every.take(pa.array(np.arange(0, len(offsets), 2, dtype=np.int32)))


def valid_utf8(array: pa.Array) -> pa.Array:
    try:
        return array.cast(pa.string())
    except pa.ArrowInvalid as error:
        raise Unusual from error


def standard(values: Bytes, offsets: Offsets) -> tuple[Bytes, Offsets]:
    r"""Return texts as UTF-8, as far as Java's encoder writes them; the rest stays no UTF-8.

    >>> text = np.frombuffer(b"\xc0\x80\xed\xa0\xbd\xed\xb8\x80", np.uint8)
    >>> mended, ends = standard(text, np.array([0, 2, 8], np.int32))
    >>> mended.tobytes() == "\0😀".encode(), ends
    (True, array([0, 1, 5], dtype=int32))
    """
    zeros = inside(np.flatnonzero(values == 0xC0), 2, offsets)
    zeros = zeros[values[zeros + 1] == 0x80]
    pairs = inside(np.flatnonzero(values == 0xED), 6, offsets)
    units = values[pairs[:, np.newaxis] + np.arange(6)]
    pairs = pairs[(units & [0xFF, 0xF0, 0xC0] * 2 == [0xED, 0xA0, 0x80, 0xED, 0xB0, 0x80]).all(1)]
    _, high, above, _, low, last = (values[pairs + at].astype(np.uint32) & 0x3F for at in range(6))
    point = ((high & 0x0F) << 16 | above << 10 | (low & 0x0F) << 6 | last) + 0x10000
    mended = values.copy()
    mended[zeros] = 0
    mended[pairs] = 0xF0 | point >> 18
    for at, shift in enumerate((12, 6, 0), 1):
        mended[pairs + at] = 0x80 | point >> shift & 0x3F
    dropped = np.sort(np.concatenate([zeros + 1, pairs + 4, pairs + 5]))
    fewer = np.searchsorted(dropped, offsets).astype(np.int32)
    return np.delete(mended, dropped), offsets - fewer


def inside(places: Places, size: int, offsets: Offsets) -> Places:
    """Return the places behind which so many bytes belong to the same text."""
    return places[places + size <= offsets[np.searchsorted(offsets, places, "right")]]


def utf_array(array: pa.Array, lone: LoneSurrogates) -> pa.Array:
    """Return modified UTF-8 as text; raises Unusual for what is not plain."""
    _, offset_buffer, data_buffer = array.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32)[: len(array) + 1]
    values = np.frombuffer(data_buffer or b"", np.uint8)[offsets[0] : offsets[-1]]
    highest = int(values.max(initial=0))
    if lone == "binary":
        if highest > 0x7F or not values.all():
            raise Unusual
        return array
    if highest > 0xEF:  # standard UTF-8 of four bytes, which Java refuses
        raise Unusual
    if highest < 0xC0:
        return valid_utf8(array)
    mended, ends = standard(values, offsets - offsets[0])
    buffers = [array.buffers()[0], pa.py_buffer(ends), pa.py_buffer(mended)]
    return valid_utf8(pa.Array.from_buffers(pa.binary(), len(array), buffers))
