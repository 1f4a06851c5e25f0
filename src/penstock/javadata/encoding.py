"""Writing values of a schema: the counterpart of :mod:`penstock.javadata.decoding`.

A writer appends the bytes of a value to a bytearray. It is strict: what the schema does not
declare is a :class:`CodingFault` with the field path, never another value.
"""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Callable
from typing import SupportsIndex, TypeVar, cast

from penstock.javadata import kinds
from penstock.javadata.decoding import CodingFault, Names, summed
from penstock.javadata.errors import shown
from penstock.javadata.native import encode_modified_utf8
from penstock.javadata.text import MOST_UTF_BYTES

__all__ = [
    "UNFIT", "Writer", "conversion", "encoded", "expect", "fixed_writer", "of_length",
    "one_boolean", "real", "too_long", "varint_writer", "write_checksum", "write_nothing",
    "write_utf",
]  # fmt: skip

Row = tuple[object, ...]
Writer = Callable[[object, bytearray, Names], None]
T = TypeVar("T")
# What Python raises on a value that does not fit.
UNFIT = (TypeError, ValueError, OverflowError, struct.error, AttributeError)


def expect(value: object, wanted: type[T]) -> T:
    """Return ``value`` if it is what the schema says."""
    if not isinstance(value, wanted):
        raise CodingFault(f"{type(value).__name__} where {wanted.__name__} is declared")
    return value


def of_length(found: int, declared: int) -> None:
    """Refuse a length that is not the one the schema says."""
    if found != declared:
        raise CodingFault(f"{found} of them where {declared} are declared")


def too_long(size: int) -> str:
    """Return what is wrong with a text of ``size`` bytes."""
    return (
        f"encoded string too long: {size} bytes, at most {MOST_UTF_BYTES}; write the "
        "length as an int and the bytes of UTF-8 instead, if the reader is yours"
    )


def one_boolean(value: object) -> bool | None:
    """Return True or False for what is one: also NumPy's, 0 and 1. None for anything else."""
    if isinstance(value, bool) or (type(value) is int and value in {0, 1}):
        return bool(value)
    kind = type(value)
    if kind.__module__ == "numpy" and kind.__name__ in {"bool", "bool_"}:
        return bool(value)
    return None


def boolean(value: object) -> bool:
    truth = one_boolean(value)
    if truth is None:
        raise CodingFault(f"{type(value).__name__} where bool is declared")
    return truth


def real(value: object) -> object:
    """Return a number that a double holds exactly; every NaN is the one that Java writes."""
    if isinstance(value, int) and not -(1 << 53) < value < 1 << 53:
        if abs(value) >= 1 << 1024 or int(float(value)) != value:
            raise CodingFault(f"{shown(value)} is not a double exactly")
        return float(value)
    return math.nan if value != value else value


def char(value: object) -> object:
    """Return the number of one character, or the number given."""
    if not isinstance(value, str):
        return value
    if len(value) != 1:
        raise CodingFault(f"write_char({shown(value)}): give one character")
    return ord(value)


def conversion(kind: kinds.Kind) -> Callable[[object], object] | None:
    """Return what makes a value one that struct takes, where struct is too kind or too strict."""
    match kind:
        case kinds.FixedBytes(count=count):

            def exactly(value: object) -> bytes:
                data = expect(value, bytes)
                of_length(len(data), count)
                return data

            return exactly
        case kinds.Primitive(code="?"):
            return boolean
        case kinds.Primitive(code="f" | "d"):
            return real
        case kinds.Primitive() if kind.name.endswith("char"):
            return char
        case _:
            return None


def why(kind: kinds.Kind, value: object, error: Exception) -> CodingFault:
    """Return what is wrong with a value that struct refused."""
    if isinstance(kind, kinds.Primitive):
        name = f"write_{kind.name.replace(' ', '_')}({shown(value)})"
        if kind.code == "f" and isinstance(value, float):
            return CodingFault(f"{name}: beyond the largest float")
        if isinstance(value, int) and kind.code not in "fd":
            low, high = kinds.limits(kind)
            return CodingFault(f"{name}: not within {low} to {high}")
        if kind.code not in "fd" and not hasattr(value, "__index__"):
            return CodingFault(
                f"'{type(value).__name__}' object cannot be interpreted as an integer"
            )
    return CodingFault(str(error))


def fixed_writer(kind: kinds.Primitive | kinds.FixedBytes) -> Writer:
    """Return the writer of one value of fixed size."""
    order, code = (kind.order, kind.code) if isinstance(kind, kinds.Primitive) else (">", None)
    pack, convert = struct.Struct(order + (code or f"{kind.count}s")).pack, conversion(kind)  # type: ignore[union-attr]

    def write(value: object, out: bytearray, names: Names) -> None:
        try:
            out += pack(convert(value) if convert else value)
        except UNFIT as error:
            single = convert is char and isinstance(value, str) and len(value) == 1
            raise why(kind, ord(value) if single else value, error) from error  # type: ignore[arg-type]

    return write


def encoded(value: object, codec: str | None) -> bytes:
    """Return bytes as they are, or text in a codec; an empty one is modified UTF-8."""
    if codec is None:
        return expect(value, bytes)
    text = expect(value, str)
    if not codec:
        return encode_modified_utf8(text)
    try:
        return text.encode(codec, "surrogatepass" if codec.startswith("utf-16") else "strict")
    except UnicodeEncodeError as error:
        raise CodingFault(str(error)) from error


def write_utf(value: object, out: bytearray, names: Names) -> None:
    """Write two bytes of length and modified UTF-8."""
    data = encode_modified_utf8(expect(value, str))
    if len(data) > MOST_UTF_BYTES:
        raise CodingFault(too_long(len(data)), utf=True)
    out += len(data).to_bytes(2)
    out += data


def write_nothing(value: object, out: bytearray, names: Names) -> None:
    """Write nothing: the tag stands already, or the checksum follows."""


def write_checksum(
    kind: kinds.Checksum, value: object, out: bytearray, bytes_of: dict[str, bytes]
) -> None:
    """Write the checksum; a row may leave it None, or must have it right."""
    right = summed(kind, bytes_of)
    if value is not None and value != right:
        raise CodingFault(
            f"{kind.method} is {shown(value)}, the data has {right}; None lets it be computed"
        )
    fixed_writer(kind.stored)(right, out, {})


def varint_writer(kind: kinds.Varint) -> Writer:
    """Return the writer of a whole number of variable length."""
    low, high = kinds.limits(kind)

    def write(value: object, out: bytearray, names: Names) -> None:
        try:
            number = operator.index(cast("SupportsIndex", value))
        except TypeError as error:
            raise CodingFault(str(error)) from error
        if not low <= number <= high:
            raise CodingFault(f"{shown(number)} does not fit {kind.name}: {low} to {high}")
        out += hadoop(number) if kind.style == "hadoop" else groups(number, kind)

    return write


def groups(number: int, kind: kinds.Varint) -> bytes:
    """Return groups of seven bits, lowest first."""
    rest = number << 1 ^ number >> kind.bits if kind.style == "zigzag" else number
    rest &= (1 << kind.bits) - 1
    found = bytearray()
    while rest > 0x7F:
        found.append(rest & 0x7F | 0x80)
        rest >>= 7
    found.append(rest)
    return bytes(found)


def hadoop(number: int) -> bytes:
    """Return what WritableUtils.writeVLong writes."""
    if -112 <= number <= 127:
        return number.to_bytes(1, signed=True)
    rest = ~number if number < 0 else number
    size = (rest.bit_length() + 7) // 8
    head = (-120 if number < 0 else -112) - size
    return head.to_bytes(1, signed=True) + rest.to_bytes(size)
