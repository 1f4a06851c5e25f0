"""The kinds of value a schema is made of: frozen values, one for each shape on the wire.

The names at the end (``Int``, ``Utf``, ...) annotate the fields of a NamedTuple; a type checker
sees plain ``int`` and ``str``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, final

from penstock.errors import InputError

__all__ = [
    "CHECKSUMS",
    "ENCODINGS",
    "LITTLE",
    "NUMBERS",
    "PRIMITIVES",
    "VARINTS",
    "Boolean",
    "Byte",
    "Case",
    "Char",
    "Checksum",
    "Constant",
    "Count",
    "Counted",
    "Double",
    "FixedBytes",
    "Flagged",
    "Float",
    "Given",
    "Int",
    "Kind",
    "LoneSurrogates",
    "Long",
    "Nested",
    "Number",
    "Primitive",
    "RecordField",
    "RecordKind",
    "SameAs",
    "Short",
    "Sized",
    "Text",
    "ToEnd",
    "UnsignedByte",
    "UnsignedInt",
    "UnsignedShort",
    "Until",
    "Utf",
    "UtfKind",
    "Variant",
    "Varint",
    "array_of",
    "children_of",
    "counting",
    "fixed_bytes",
    "least_size",
    "limits",
    "may_be_none",
    "optional",
    "records_in",
    "text_of",
    "variant",
]  # fmt: skip

# What to do with half a surrogate pair where text cannot hold it.
LoneSurrogates = Literal["error", "replace", "binary"]


@final
@dataclass(frozen=True, slots=True)
class Primitive:
    """One of Java's numbers, big-endian unless ``order`` says otherwise.

    Attributes:
        name: Java's name.
        code: Its letter in ``struct``.
        size: Bytes it takes.
        dtype: NumPy's name of it.
        order: ``struct``'s sign of the byte order.
    """

    name: str
    code: str
    size: int
    dtype: str
    order: str = ">"

    @property
    def integral(self) -> bool:
        """Whether it can count things."""
        return self.code in "bBhHiIqQ" and not self.name.endswith("char")


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
        ("unsigned int", "I", 4, "u4"),
        ("long", "q", 8, "i8"),
        ("unsigned long", "Q", 8, "u8"),
        ("float", "f", 4, "f4"),
        ("double", "d", 8, "f8"),
    ]
}

# What Guava's LittleEndianDataOutputStream and the like write.
LITTLE = {
    f"little {name}": Primitive(f"little {name}", kind.code, kind.size, kind.dtype, "<")
    for name, kind in PRIMITIVES.items()
    if kind.size > 1
}


@final
@dataclass(frozen=True, slots=True)
class Varint:
    """A whole number of one to ten bytes.

    Attributes:
        name: Its name in the notation.
        style: "groups" of seven bits, lowest first; "zigzag", the same with the sign in the lowest
            bit; "hadoop", WritableUtils' own.
        bits: 32 or 64; the value is signed.
    """

    name: str
    style: str
    bits: int


VARINTS = {
    kind.name: kind
    for kind in [
        Varint("varint", "groups", 32),  # Minecraft, Lucene, JaCoCo
        Varint("varlong", "groups", 64),
        Varint("zigzag int", "zigzag", 32),  # Kafka, Avro
        Varint("zigzag long", "zigzag", 64),
        Varint("vint", "hadoop", 32),
        Varint("vlong", "hadoop", 64),
    ]
}
Number = Primitive | Varint
NUMBERS: dict[str, Number] = {**PRIMITIVES, **LITTLE, **VARINTS}


@final
@dataclass(frozen=True, slots=True)
class UtfKind:
    """What writeUTF writes: two bytes of length, modified UTF-8."""


@final
@dataclass(frozen=True, slots=True)
class SameAs:
    """A number that is not written here: what earlier fields, here or further out, say or hold.

    Attributes:
        name: The field: a number, or an array for its length.
        times: Further fields, and numbers, that it is multiplied by.
        plus: What is added then.
        by: What it is divided by at last, rounded down.
    """

    name: str
    times: tuple[str | int, ...] = ()
    plus: int = 0
    by: int = 1


@final
@dataclass(frozen=True, slots=True)
class Until:
    """Elements, which are variants, until this tag stands where the next would begin."""

    tag: int


@final
@dataclass(frozen=True, slots=True)
class ToEnd:
    """To the end of the data, or of the payload around it."""


Count = Number | SameAs | Until | ToEnd | int


@final
@dataclass(frozen=True, slots=True)
class FixedBytes:
    """Bytes without a length in the data: ``count`` of them."""

    count: int


# Python's codec, and the bytes of a unit; modified UTF-8 has a codec of this room's own.
ENCODINGS = {
    "utf8": ("utf-8", 1),
    "mutf8": ("", 1),
    "latin1": ("latin-1", 1),
    "utf16": ("utf-16-be", 2),
    "utf16le": ("utf-16-le", 2),
}


@final
@dataclass(frozen=True, slots=True)
class Text:
    """A count, then so many bytes of text: by default standard UTF-8, not Java's writeUTF.

    Attributes:
        count: The number before it, or how it is known; of UTF-16 it counts units of two bytes.
        encoding: One of ENCODINGS.
        null: A count of -1 says None.
    """

    count: Count
    encoding: str = "utf8"
    null: bool = False


@final
@dataclass(frozen=True, slots=True)
class Counted:
    """A count, then so many elements; ``element`` None means bytes.

    Attributes:
        count: The number before them; a plain int where there is none; or an earlier field.
        element: Kind of each element, which takes at least one byte.
        null: A count of -1 says None.
    """

    count: Count
    element: Kind | None
    null: bool = False


@final
@dataclass(frozen=True, slots=True)
class Flagged:
    """A boolean, then the value if it is true."""

    element: Kind


@final
@dataclass(frozen=True, slots=True)
class Constant:
    """A value that is always the same: checked on reading, and on writing."""

    element: Kind
    value: object


@final
@dataclass(frozen=True, slots=True)
class Sized:
    """A count of bytes, then a value that takes exactly so many; with ``null``, -1 says None."""

    count: Count
    element: Kind
    null: bool = False


CHECKSUMS = ("crc32", "adler32")


@final
@dataclass(frozen=True, slots=True)
class Checksum:
    """The checksum of an earlier field's bytes, or of all bytes of the record before it.

    Attributes:
        method: One of CHECKSUMS.
        of: The field; None for all before.
        stored: How it is written; Java's ``(int) crc.getValue()`` is an int.
    """

    method: str
    of: str | None
    stored: Primitive


@final
@dataclass(frozen=True, slots=True)
class Given:
    """The tag that was read before the record, kept as the record's first field."""


@final
@dataclass(frozen=True, slots=True)
class Case:
    """One alternative of a variant: the tags that announce it and the record that follows.

    Without tags it is the case of every other tag.
    """

    tags: tuple[int, ...]
    record: RecordKind | Nested


@final
@dataclass(frozen=True, slots=True)
class Variant:
    """A tag, before the record or in an earlier field, then the record of its case."""

    tag: Number | SameAs
    cases: tuple[Case, ...]


@final
@dataclass(frozen=True, slots=True)
class RecordField:
    """A named value of a record."""

    name: str
    kind: Kind


@final
@dataclass(frozen=True, slots=True)
class RecordKind:
    """Fields one after the other, read to an instance of ``made`` (a NamedTuple class)."""

    made: type[tuple[object, ...]]
    fields: tuple[RecordField, ...]


@final
@dataclass(frozen=True, slots=True)
class Nested:
    """The record of this name that it stands inside of: a tree."""

    made: type[tuple[object, ...]]


Kind = (
    Primitive | Varint | UtfKind | FixedBytes | Text | Counted | Flagged | Constant | Sized
    | Checksum | Given | Variant | RecordKind | Nested
)  # fmt: skip


def least_size(kind: Kind) -> int:
    """Return the fewest bytes a value of this kind can take.

    >>> least_size(UtfKind()), least_size(Flagged(PRIMITIVES["long"]))
    (2, 1)
    """
    match kind:
        case Primitive(size=size) | Checksum(stored=Primitive(size=size)):
            return size
        case Varint() | Flagged() | Nested():
            return 1
        case UtfKind():
            return 2
        case FixedBytes(count=count):
            return count
        case Text(count=count, encoding=encoding):
            return least_counted(count, ENCODINGS[encoding][1])
        case Counted(count=count, element=element):
            return least_counted(count, 1 if element is None else least_size(element))
        case Sized(count=count):
            return least_counted(count, 1)
        case Constant(element=element):
            return least_size(element)
        case Variant(tag=tag, cases=cases):
            ahead = 0 if isinstance(tag, SameAs) else least_size(tag)
            return ahead + min(least_size(case.record) for case in cases)
        case RecordKind(fields=fields):
            return sum(least_size(field.kind) for field in fields)
        case Given():
            return 0


def least_counted(count: Count, each: int) -> int:
    """Return the fewest bytes of a count and what it counts, which takes ``each``."""
    match count:
        case Primitive() | Varint():
            return least_size(count)
        case int():
            return count * each
        case Until():
            return 1
        case _:
            return 0


def children_of(kind: Kind) -> tuple[Kind, ...]:
    """Return the kinds directly inside a kind."""
    match kind:
        case RecordKind(fields=fields):
            return tuple(field.kind for field in fields)
        case Variant(cases=cases):
            return tuple(case.record for case in cases)
        case Counted(element=element) if element is not None:
            return (element,)
        case Flagged(element=element) | Constant(element=element) | Sized(element=element):
            return (element,)
        case _:
            return ()


def records_in(kind: Kind) -> Iterator[RecordKind]:
    """Yield the records a kind is or has inside, outermost first."""
    if isinstance(kind, RecordKind):
        yield kind
    for inner in children_of(kind):
        yield from records_in(inner)


def by_earlier(kind: Kind) -> bool:
    """Return whether a count or a tag of the kind itself is what earlier fields say."""
    return isinstance(getattr(kind, "tag" if isinstance(kind, Variant) else "count", None), SameAs)


def runs(fields: Sequence[RecordField]) -> list[list[RecordField]]:
    """Group the fields: those of fixed size that stand together, and each other one alone."""
    groups: list[list[RecordField]] = []
    orders: list[str] = []
    for field in fields:
        kind = field.kind
        order = (
            kind.order if isinstance(kind, Primitive)
            else ">" if isinstance(kind, FixedBytes) else ""
        )  # fmt: skip
        if order and groups and orders[-1] == order:
            groups[-1].append(field)
        else:
            groups.append([field])
            orders.append(order)
    return groups


def fixed(kind: Kind) -> bool:
    """Return whether every value takes the same bytes and stands alone."""
    return isinstance(kind, Primitive | FixedBytes)


def may_be_none(kind: Kind) -> bool:
    """Return whether None is a value of this kind."""
    match kind:
        case Flagged() | Counted(null=True) | Text(null=True) | Sized(null=True):
            return True
        case Constant(element=element) | Sized(element=element):
            return may_be_none(element)
        case _:
            return False


def limits(kind: Number) -> tuple[int, int]:
    """Return the lowest and highest value of an integral kind."""
    if isinstance(kind, Varint):
        return (-1 << kind.bits - 1, (1 << kind.bits - 1) - 1)
    bits = 8 * kind.size
    signed = kind.code.islower() and kind.code != "?"
    return (-1 << bits - 1, (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)


Boolean = Annotated[bool, PRIMITIVES["boolean"]]
Byte = Annotated[int, PRIMITIVES["byte"]]
UnsignedByte = Annotated[int, PRIMITIVES["unsigned byte"]]
Short = Annotated[int, PRIMITIVES["short"]]
UnsignedShort = Annotated[int, PRIMITIVES["unsigned short"]]
Char = Annotated[str, PRIMITIVES["char"]]
Int = Annotated[int, PRIMITIVES["int"]]
UnsignedInt = Annotated[int, PRIMITIVES["unsigned int"]]
Long = Annotated[int, PRIMITIVES["long"]]
Float = Annotated[float, PRIMITIVES["float"]]
Double = Annotated[float, PRIMITIVES["double"]]
Utf = Annotated[str, UtfKind()]


@final
@dataclass(frozen=True, slots=True)
class ArrayMark:
    """Annotation of a list or bytes field; the element comes from the list's own type."""

    count: Count


@final
@dataclass(frozen=True, slots=True)
class OptionalMark:
    """Annotation of a field that may be None."""


@final
@dataclass(frozen=True, slots=True)
class VariantMark:
    """Annotation of a union of NamedTuples."""

    tag: Number
    tags: tuple[int, ...]


def counting(name: str) -> Number:
    """Return the number ``name`` if it can count things."""
    kind = NUMBERS.get(name)
    if kind is None or (isinstance(kind, Primitive) and not kind.integral):
        known = [each.name for each in PRIMITIVES.values() if each.integral]
        able = ", ".join([*known, *VARINTS])
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
