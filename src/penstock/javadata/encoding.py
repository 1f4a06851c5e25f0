"""Writing values of a schema: the counterpart of :mod:`penstock.javadata.decoding`.

A writer appends the bytes of a value to a bytearray. It is strict: what the schema does not
declare is a :class:`Fault` with the field path, never another value.
"""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Callable
from typing import SupportsIndex, TypeVar, cast, final

from penstock.javadata import kinds
from penstock.javadata.decoding import (
    DEEPEST_TREE,
    DEPTH,
    GIVEN,
    Fault,
    Names,
    looked_up,
    looks_back,
    summed,
)
from penstock.javadata.native import encode_modified_utf8
from penstock.javadata.text import MOST_UTF_BYTES

__all__ = ["Writer", "one_boolean", "record_writer", "too_long"]

Row = tuple[object, ...]
Writer = Callable[[object, bytearray, Names], None]
T = TypeVar("T")
# What Python raises on a value that does not fit.
UNFIT = (TypeError, ValueError, OverflowError, struct.error, AttributeError)


def record_writer(kind: kinds.RecordKind) -> Writer:
    """Return the writer of a record; it raises Fault, and has then written a part."""
    return Writers().record(kind)


def expect(value: object, wanted: type[T]) -> T:
    """Return ``value`` if it is what the schema says."""
    if not isinstance(value, wanted):
        raise Fault(f"{type(value).__name__} where {wanted.__name__} is declared")
    return value


def sized(found: int, declared: int) -> None:
    """Refuse a length that is not the one the schema says."""
    if found != declared:
        raise Fault(f"{found} of them where {declared} are declared")


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
        raise Fault(f"{type(value).__name__} where bool is declared")
    return truth


def real(value: object) -> object:
    """Return a number that a double holds exactly; every NaN is the one that Java writes."""
    if isinstance(value, int) and not -(1 << 53) < value < 1 << 53:
        if abs(value) >= 1 << 1024 or int(float(value)) != value:
            raise Fault(f"{value} is not a double exactly")
        return float(value)
    return math.nan if value != value else value


def char(value: object) -> object:
    """Return the number of one character, or the number given."""
    if not isinstance(value, str):
        return value
    if len(value) != 1:
        raise Fault(f"write_char({value!r}): give one character")
    return ord(value)


def conversion(kind: kinds.Kind) -> Callable[[object], object] | None:
    """Return what makes a value one that struct takes, where struct is too kind or too strict."""
    match kind:
        case kinds.FixedBytes(count=count):

            def exactly(value: object) -> bytes:
                data = expect(value, bytes)
                sized(len(data), count)
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


def why(kind: kinds.Kind, value: object, error: Exception) -> Fault:
    """Return what is wrong with a value that struct refused."""
    if isinstance(kind, kinds.Primitive):
        name = f"write_{kind.name.replace(' ', '_')}({value!r})"
        if kind.code == "f" and isinstance(value, float):
            return Fault(f"{name}: beyond the largest float")
        if isinstance(value, int) and kind.code not in "fd":
            low, high = kinds.limits(kind)
            return Fault(f"{name}: not within {low} to {high}")
        if kind.code not in "fd" and not hasattr(value, "__index__"):
            return Fault(f"'{type(value).__name__}' object cannot be interpreted as an integer")
    return Fault(str(error))


def fixed_writer(kind: kinds.Primitive | kinds.FixedBytes) -> Writer:
    """Return the writer of one value of fixed size."""
    order, code = (kind.order, kind.code) if isinstance(kind, kinds.Primitive) else (">", None)
    pack, convert = struct.Struct(order + (code or f"{kind.count}s")).pack, conversion(kind)  # type: ignore[union-attr]

    def write(value: object, out: bytearray, names: Names) -> None:  # noqa: ARG001 - a Writer
        try:
            out += pack(convert(value) if convert else value)
        except UNFIT as error:
            number = ord(value) if isinstance(value, str) and len(value) == 1 else value
            raise why(kind, number, error) from error

    return write


@final
class Writers:
    """The writers of one schema; ``trees`` are those of records that stand inside themselves."""

    def __init__(self) -> None:
        self.trees: dict[type[Row], Writer] = {}

    def value(self, kind: kinds.Kind) -> Writer:
        """Return the writer of one value."""
        match kind:
            case kinds.Primitive() | kinds.FixedBytes():
                return fixed_writer(kind)
            case kinds.Varint():
                return varint_writer(kind)
            case kinds.UtfKind():
                return write_utf
            case kinds.Text():
                return self.text(kind)
            case kinds.Counted():
                return self.counted(kind)
            case kinds.Flagged(element=element):
                return self.flagged(element)
            case kinds.Constant(element=element, value=value):
                return self.constant(element, value)
            case kinds.Sized():
                return self.sized(kind)
            case kinds.Variant():
                return self.variant(kind)
            case kinds.RecordKind():
                return self.record(kind)
            case kinds.Nested(made=made):
                return self.nested(made)
            case kinds.Checksum() | kinds.Given():
                return write_nothing

    def record(self, kind: kinds.RecordKind) -> Writer:
        """Return the writer of fields one after the other."""
        each = [(field.name, field.kind, self.value(field.kind)) for field in kind.fields]
        back = looks_back(kind)
        summing = any(isinstance(field.kind, kinds.Checksum) for field in kind.fields)

        def write(row: object, out: bytearray, outer: Names) -> None:
            if len(expect(row, tuple)) != len(each):
                raise Fault(f"{len(cast('Row', row))} values for {len(each)} fields")
            names = dict(outer) if back else outer
            bytes_of: dict[str, bytes] = {}
            for (name, inner, writer), value in zip(each, cast("Row", row), strict=True):
                start = len(out)
                if back:
                    names[name] = value
                try:
                    if isinstance(inner, kinds.Checksum):
                        write_checksum(inner, value, out, bytes_of)
                    writer(value, out, names)
                except Fault as fault:
                    raise fault.at(f".{name}") from fault.__cause__
                if summing:
                    bytes_of[name] = bytes(out[start:])

        self.trees[kind.made] = write
        return write

    def text(self, kind: kinds.Text) -> Writer:
        """Return the writer of text of a length."""
        count = self.count(kind.count)
        codec, unit = kinds.ENCODINGS[kind.encoding]
        errors = "surrogatepass" if codec.startswith("utf-16") else "strict"

        def write(value: object, out: bytearray, names: Names) -> None:
            if value is None and kind.null:
                return count(-1, out, names)
            text = expect(value, str)
            try:
                data = text.encode(codec, errors) if codec else encode_modified_utf8(text)
            except UnicodeEncodeError as error:
                raise Fault(str(error)) from error
            count(len(data) // unit, out, names)
            out += data
            return None

        return write

    def count(self, count: kinds.Count) -> Callable[[int, bytearray, Names], None]:
        """Return the writer of a count, or what checks it where none is written."""
        if isinstance(count, kinds.Primitive | kinds.Varint):
            return self.value(count)

        def check(found: int, out: bytearray, names: Names) -> None:  # noqa: ARG001 - as a Writer
            if isinstance(count, int):
                sized(found, count)
            elif isinstance(count, kinds.SameAs):
                sized(found, looked_up(count, names))

        return check

    def counted(self, kind: kinds.Counted) -> Writer:
        """Return the writer of a list or bytes."""
        count, element = self.count(kind.count), kind.element
        each = None if element is None else self.elements(element)
        end = kind.count.tag if isinstance(kind.count, kinds.Until) else None
        tag = (
            self.value(cast("kinds.Number", cast("kinds.Variant", element).tag))
            if end is not None
            else None
        )

        def write(value: object, out: bytearray, names: Names) -> None:
            if value is None and kind.null:
                return count(-1, out, names)
            if each is None:
                data = expect(value, bytes)
                count(len(data), out, names)
                out += data
                return None
            values = expect(value, list)
            count(len(values), out, names)
            each(values, out, names)
            return tag(end, out, names) if tag else None

        return write

    def elements(self, element: kinds.Kind) -> Callable[[list[object], bytearray, Names], None]:
        """Return the writer of the elements of a list."""
        one = self.value(element)
        simple = isinstance(element, kinds.Primitive) and conversion(element) is None
        code = element.order + "{}" + element.code if isinstance(element, kinds.Primitive) else ""

        def write(values: list[object], out: bytearray, names: Names) -> None:
            if simple:
                try:
                    out += struct.pack(code.format(len(values)), *values)
                except UNFIT:
                    pass  # one by one, to say which
                else:
                    return
            for index, value in enumerate(values):
                try:
                    one(value, out, names)
                except Fault as fault:
                    raise fault.at(f"[{index}]") from fault.__cause__

        return write

    def flagged(self, element: kinds.Kind) -> Writer:
        """Return the writer of a boolean and perhaps a value."""
        writer = self.value(element)

        def write(value: object, out: bytearray, names: Names) -> None:
            out += b"\0" if value is None else b"\1"
            if value is not None:
                writer(value, out, names)

        return write

    def constant(self, element: kinds.Kind, constant: object) -> Writer:
        """Return the writer of a value that must be this one."""
        writer = self.value(element)

        def write(value: object, out: bytearray, names: Names) -> None:
            if value is not None and value != constant:
                raise Fault(f"{value!r:.60} where {constant!r:.60} must stand")
            writer(constant, out, names)

        return write

    def sized(self, kind: kinds.Sized) -> Writer:
        """Return the writer of a value behind its number of bytes."""
        count, writer = self.count(kind.count), self.value(kind.element)

        def write(value: object, out: bytearray, names: Names) -> None:
            inner = bytearray()
            writer(value, inner, names)
            count(len(inner), out, names)
            out += inner

        return write

    def variant(self, kind: kinds.Variant) -> Writer:
        """Return the writer of a tag and its record."""
        tag = None if isinstance(kind.tag, kinds.SameAs) else self.value(kind.tag)
        cases = [(case, self.value(case.record)) for case in kind.cases]
        known = ", ".join(case.record.made.__name__ for case in kind.cases)
        others = {tag for case in kind.cases for tag in case.tags}

        def write(value: object, out: bytearray, names: Names) -> None:
            for case, writer in cases:
                if not isinstance(value, case.record.made):
                    continue
                found = (
                    looked_up(kind.tag, names) if isinstance(kind.tag, kinds.SameAs)
                    else case.tags[0] if len(case.tags) == 1 else value[0]
                )  # fmt: skip
                if found not in case.tags if case.tags else found in others:
                    raise Fault(f"{case.record.made.__name__} does not stand behind tag {found}")
                if tag:
                    tag(found, out, names)
                writer(value, out, {**names, GIVEN: found})
                return
            raise Fault(f"{type(value).__name__} is none of {known}")

        return write

    def nested(self, made: type[Row]) -> Writer:
        """Return the writer of the record around it."""

        def write(value: object, out: bytearray, names: Names) -> None:
            depth = cast("int", names.get(DEPTH, 0)) + 1
            if depth > DEEPEST_TREE:
                raise Fault(f"nested deeper than {DEEPEST_TREE}")
            self.trees[made](value, out, {**names, DEPTH: depth})

        return write


def write_utf(value: object, out: bytearray, names: Names) -> None:  # noqa: ARG001 - a Writer
    """Write two bytes of length and modified UTF-8."""
    data = encode_modified_utf8(expect(value, str))
    if len(data) > MOST_UTF_BYTES:
        raise Fault(too_long(len(data)), utf=True)
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
        raise Fault(f"{kind.method} is {value!r}, the data has {right}; None lets it be computed")
    fixed_writer(kind.stored)(right, out, {})


def varint_writer(kind: kinds.Varint) -> Writer:
    """Return the writer of a whole number of variable length."""
    low, high = kinds.limits(kind)

    def write(value: object, out: bytearray, names: Names) -> None:  # noqa: ARG001 - a Writer
        try:
            number = operator.index(cast("SupportsIndex", value))
        except TypeError as error:
            raise Fault(str(error)) from error
        if not low <= number <= high:
            raise Fault(f"{number} does not fit {kind.name}: {low} to {high}")
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
