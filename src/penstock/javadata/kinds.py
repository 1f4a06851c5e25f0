"""The kinds of value a schema is made of: frozen values, one for each shape on the wire.

The names at the end (``Int``, ``Utf``, ...) annotate the fields of a NamedTuple; a type checker
sees plain ``int`` and ``str``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, final

from penstock.errors import InputError

__all__ = [
    "PRIMITIVES", "Boolean", "Byte", "Case", "Char", "Counted", "Double", "Field", "FixedBytes",
    "Flagged", "Float", "Int", "Kind", "Long", "Primitive", "RecordKind", "SameAs", "Short", "Text",
    "UnsignedByte", "UnsignedShort", "Utf", "UtfKind", "Variant", "array_of", "fixed_bytes",
    "least_size", "optional", "records_in", "text_of", "variant",
]  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Primitive:
    """One of Java's numbers, big-endian.

    Attributes:
        name: Java's name.
        code: Its letter in ``struct``.
        size: Bytes it takes.
        dtype: NumPy's name of it.
    """

    name: str
    code: str
    size: int
    dtype: str

    @property
    def integral(self) -> bool:
        """Whether it can count things."""
        return self.code in "bBhHiq" and self.name != "char"


PRIMITIVES = {
    name: Primitive(name, code, size, dtype)
    for name, code, size, dtype in [
        ("boolean", "?", 1, "?"),
        ("byte", "b", 1, "i1"),
        ("unsigned byte", "B", 1, "u1"),
        ("short", "h", 2, "i2"),
        ("unsigned short", "H", 2, "u2"),
        ("char", "H", 2, "u2"),
        ("int", "i", 4, "i4"),
        ("long", "q", 8, "i8"),
        ("float", "f", 4, "f4"),
        ("double", "d", 8, "f8"),
    ]
}


@final
@dataclass(frozen=True, slots=True)
class UtfKind:
    """What writeUTF writes: two bytes of length, modified UTF-8."""


@final
@dataclass(frozen=True, slots=True)
class SameAs:
    """A count that is not in the data: as many as the earlier field ``name`` says or holds."""

    name: str


@final
@dataclass(frozen=True, slots=True)
class FixedBytes:
    """Bytes without a length in the data: ``count`` of them."""

    count: int


@final
@dataclass(frozen=True, slots=True)
class Text:
    """A count, then so many bytes of standard UTF-8: text of any length. Not Java's writeUTF."""

    count: Primitive


@final
@dataclass(frozen=True, slots=True)
class Counted:
    """A count, then so many elements; ``element`` None means bytes.

    Attributes:
        count: The number before them; a plain int where there is none; or an earlier field.
        element: Kind of each element, which takes at least one byte.
    """

    count: Primitive | SameAs | int
    element: Kind | None


@final
@dataclass(frozen=True, slots=True)
class Flagged:
    """A boolean, then the value if it is true."""

    element: Kind


@final
@dataclass(frozen=True, slots=True)
class Case:
    """One alternative of a variant: the tag that announces it and the record that follows."""

    tag: int
    record: RecordKind


@final
@dataclass(frozen=True, slots=True)
class Variant:
    """A tag, then the record of its case."""

    tag: Primitive
    cases: tuple[Case, ...]


@final
@dataclass(frozen=True, slots=True)
class Field:
    """A named value of a record."""

    name: str
    kind: Kind


@final
@dataclass(frozen=True, slots=True)
class RecordKind:
    """Fields one after the other, read to an instance of ``made`` (a NamedTuple class)."""

    made: type[tuple[object, ...]]
    fields: tuple[Field, ...]


Kind = Primitive | UtfKind | FixedBytes | Text | Counted | Flagged | Variant | RecordKind


def least_size(kind: Kind) -> int:
    """Return the fewest bytes a value of this kind can take.

    >>> least_size(UtfKind()), least_size(Flagged(PRIMITIVES["long"]))
    (2, 1)
    """
    match kind:
        case Primitive(size=size):
            return size
        case UtfKind():
            return 2
        case FixedBytes(count=count):
            return count
        case Text(count=count):
            return count.size
        case Counted(count=Primitive(size=size)):
            return size
        case Counted(count=int() as count, element=element):
            return count * (1 if element is None else least_size(element))
        case Counted():
            return 0
        case Flagged():
            return 1
        case Variant(tag=tag, cases=cases):
            return tag.size + min(least_size(case.record) for case in cases)
        case RecordKind(fields=fields):
            return sum(least_size(field.kind) for field in fields)


def records_in(kind: Kind) -> Iterator[RecordKind]:
    """Yield the records a kind is or has inside, outermost first."""
    match kind:
        case RecordKind(fields=fields):
            yield kind
            for field in fields:
                yield from records_in(field.kind)
        case Variant(cases=cases):
            for case in cases:
                yield from records_in(case.record)
        case Counted(element=element) | Flagged(element=element) if element is not None:
            yield from records_in(element)
        case _:
            return


Boolean = Annotated[bool, PRIMITIVES["boolean"]]
Byte = Annotated[int, PRIMITIVES["byte"]]
UnsignedByte = Annotated[int, PRIMITIVES["unsigned byte"]]
Short = Annotated[int, PRIMITIVES["short"]]
UnsignedShort = Annotated[int, PRIMITIVES["unsigned short"]]
Char = Annotated[str, PRIMITIVES["char"]]
Int = Annotated[int, PRIMITIVES["int"]]
Long = Annotated[int, PRIMITIVES["long"]]
Float = Annotated[float, PRIMITIVES["float"]]
Double = Annotated[float, PRIMITIVES["double"]]
Utf = Annotated[str, UtfKind()]


@final
@dataclass(frozen=True, slots=True)
class ArrayMark:
    """Annotation of a list or bytes field; the element comes from the list's own type."""

    count: Primitive | SameAs | int


@final
@dataclass(frozen=True, slots=True)
class OptionalMark:
    """Annotation of a field that may be None."""


@final
@dataclass(frozen=True, slots=True)
class VariantMark:
    """Annotation of a union of NamedTuples."""

    tag: Primitive
    tags: tuple[int, ...]


def counting(name: str) -> Primitive:
    """Return the primitive ``name`` if it can count things."""
    kind = PRIMITIVES.get(name)
    if kind is None or not kind.integral:
        able = ", ".join(each.name for each in PRIMITIVES.values() if each.integral)
        raise InputError(f"{name!r} cannot be a count or a tag: use one of {able}")
    return kind


def array_of(count: str | int) -> ArrayMark:
    """Annotate a list (or bytes) field: how its length is known.

    Args:
        count: Java's name of the count before it, as ``"int"``; a number of elements where none is
            written; or ``"=name"`` for as many as the earlier field of that name says or holds.
    """
    if isinstance(count, int):
        return ArrayMark(count)
    return ArrayMark(SameAs(count[1:]) if count.startswith("=") else counting(count))


def fixed_bytes(count: int) -> FixedBytes:
    """Annotate a bytes field of exactly ``count`` bytes."""
    return FixedBytes(count)


def text_of(count: str) -> Text:
    """Annotate a str field of a count and standard UTF-8, for text beyond writeUTF's limit."""
    return Text(counting(count))


def optional() -> OptionalMark:
    """Annotate a field that may be None, announced by a boolean.

    Write it as ``Annotated[Utf | None, optional()]``.
    """
    return OptionalMark()


def variant(tag: str, *tags: int) -> VariantMark:
    """Annotate a union of NamedTuples: the tag's type and its value for each member in turn."""
    return VariantMark(counting(tag), tags)
