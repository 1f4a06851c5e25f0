"""Whole arrays at memory speed, through NumPy."""

from __future__ import annotations

import mmap
import sys
from typing import TYPE_CHECKING, BinaryIO, Protocol

from penstock.errors import InputError, MissingExtra
from penstock.javadata.errors import EndOfData
from penstock.javadata.files import PLAIN_FILES, bytes_left
from penstock.javadata.kinds import PRIMITIVES, Primitive, limits

try:
    import numpy as np
    import numpy.typing as npt
except ImportError as error:
    raise MissingExtra("reading and writing arrays", "numpy", "javadata") from error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


__all__ = ["Numbers", "array_bytes", "fill", "read_array"]

Numbers = npt.NDArray[np.generic]
MAPPED_FROM = 1 << 18
# A larger file may not fit into memory beside the array, and would be read twice.
POPULATED = 1 << 30
AT_ONCE = 1 << 18
BY_DTYPE = {np.dtype(kind.dtype).str.lstrip("<>|="): kind for kind in PRIMITIVES.values()}


class DataSource(Protocol):
    """What of a DataInput is used here."""

    _file: BinaryIO

    @property
    def offset(self) -> int:
        """Where the next value begins."""
        ...

    def _take(self, size: int, reading: str, /) -> bytes: ...

    def read_fully(self, size: int, /) -> bytes:
        """Return exactly so many bytes."""
        ...


def primitive(type_name: str) -> Primitive:
    """Return the primitive of that name."""
    if type_name not in PRIMITIVES:
        raise InputError(f"no array of {type_name!r}: use one of {', '.join(PRIMITIVES)}")
    return PRIMITIVES[type_name]


def java_dtype(kind: Primitive) -> np.dtype[np.generic]:
    """Return the big-endian dtype; booleans as bytes, since any non-zero byte is true."""
    return np.dtype("u1" if kind.dtype == "?" else f">{kind.dtype}")


def native(values: Numbers, kind: Primitive) -> Numbers:
    """Return Java's values in this machine's order, in memory of their own."""
    return values != 0 if kind.dtype == "?" else values.astype(kind.dtype)


def read_array(stream: DataSource, type_name: str, count: int) -> Numbers:
    """Read ``count`` values, see :meth:`DataInput.read_array`."""
    kind = primitive(type_name)
    if count < 0:
        raise InputError(f"read_array({type_name!r}, {count}): give a count of at least 0")
    return taken(stream, kind, count, lambda values: native(values, kind))


def taken(
    stream: DataSource, kind: Primitive, count: int, use: Callable[[Numbers], Numbers]
) -> Numbers:
    """Give the next ``count`` values, as they stand in the file, to ``use``; return its result."""
    size, what = count * kind.size, f"array of {count} {kind.name}"
    file = stream._file  # noqa: SLF001 - this is the other half of that class
    left = bytes_left(file)
    if left is not None and left < size:
        raise EndOfData(offset=stream.offset, reading=what, needed=size, got=left)
    if left is not None and size >= MAPPED_FROM and isinstance(file, PLAIN_FILES):
        return mapped(file, kind, count, use)
    data = stream._take(size, what)  # noqa: SLF001 - as above
    return use(np.frombuffer(data, java_dtype(kind)))


def mapped(
    file: BinaryIO, kind: Primitive, count: int, use: Callable[[Numbers], Numbers]
) -> Numbers:
    """Take values straight from the page cache: each byte is touched once."""
    start, size = file.tell(), count * kind.size
    before = start % mmap.ALLOCATIONGRANULARITY
    with mapping(file.fileno(), before + size, start - before) as pages:
        view = np.frombuffer(pages, java_dtype(kind), count, before)
        values = use(view)
        del view  # a mapping with a view on it cannot be closed
    file.seek(start + size)
    return values


def mapping(file: int, size: int, offset: int) -> mmap.mmap:
    """Map pages of a file; where Linux can, all in one call, without a page fault for each few."""
    if sys.platform == "linux" and size <= POPULATED:
        flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
        return mmap.mmap(file, size, flags=flags, prot=mmap.PROT_READ, offset=offset)
    return mmap.mmap(file, size, access=mmap.ACCESS_READ, offset=offset)


def fill(stream: DataSource, target: bytearray | memoryview | Numbers) -> None:
    """Fill ``target``, see :meth:`DataInput.read_into`."""
    if isinstance(target, np.ndarray):
        fill_array(stream, target)
    else:
        view = memoryview(target).cast("B")
        view[:] = stream.read_fully(len(view))


def fill_array(stream: DataSource, target: Numbers) -> None:
    kind = BY_DTYPE.get(target.dtype.str.lstrip("<>|="))
    if kind is None:
        raise InputError(f"read_into an array of {target.dtype}: Java has no such numbers")

    def put(values: Numbers) -> Numbers:
        shaped = values.reshape(target.shape)
        np.copyto(target, shaped != 0 if kind.dtype == "?" else shaped)
        return target

    taken(stream, kind, target.size, put)


def array_bytes(
    type_name: str, values: Numbers | Sequence[float], *, raw_bits: bool, wrap: bool
) -> Iterator[bytes]:
    """Yield the bytes of ``values`` piece by piece, once all of them are known to fit."""
    kind = primitive(type_name)
    array = np.asarray(values).reshape(-1)
    if not wrap:
        refuse_unfit(array, kind)
    for start in range(0, len(array), AT_ONCE):
        with np.errstate(all="ignore"):
            piece = array[start : start + AT_ONCE]
            piece = (piece != 0 if kind.dtype == "?" else piece).astype(java_dtype(kind))
        if kind.dtype[0] == "f" and not raw_bits:
            # writeFloat and writeDouble know one NaN only.
            piece[np.isnan(piece)] = np.nan
        yield piece.tobytes()


def refuse_unfit(array: Numbers, kind: Primitive) -> None:
    """Raise if a value would be cut."""
    if array.dtype.kind not in "biuf":
        raise InputError(f"write_array({kind.name!r}, ...): {array.dtype} is no array of numbers")
    if not array.size or array.dtype.kind == "b":
        return
    if kind.dtype == "?":
        cut = (array != 0) & (array != 1)
    elif kind.dtype[0] == "f" and array.dtype.kind in "iu":  # rounded, it is another number
        most = 1 << (24 if kind.size == 4 else 53)
        if array.min() >= -most and array.max() <= most:
            return
        cut = array.astype(kind.dtype).astype(object) != array.astype(object)
    elif np.can_cast(array.dtype, kind.dtype, "safe"):
        return
    elif kind.dtype[0] == "f":
        with np.errstate(over="ignore"):
            cut = np.isinf(array.astype(kind.dtype)) & np.isfinite(array)
    elif array.dtype.kind == "f":
        raise InputError(f"write_array({kind.name!r}, ...): {array.dtype} values; round them first")
    else:
        low, high = limits(kind)
        cut = np.less(array, low) | np.greater(array, high)
    if cut.any():
        first = int(np.argmax(cut))
        raise InputError(
            f"write_array({kind.name!r}, ...): value {array[first]} at index {first} does not fit; "
            "DataOutputStream(sink, wrap=True) cuts as Java does"
        )
