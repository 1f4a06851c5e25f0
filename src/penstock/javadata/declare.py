"""From a NamedTuple with annotated fields to the kind it declares."""

from __future__ import annotations

import types
from typing import Annotated, Union, get_args, get_origin, get_type_hints

from penstock.errors import InputError
from penstock.javadata import kinds
from penstock.javadata.kinds import (
    PRIMITIVES,
    ArrayMark,
    Case,
    Counted,
    Field,
    FixedBytes,
    Flagged,
    Kind,
    OptionalMark,
    Primitive,
    RecordKind,
    SameAs,
    Text,
    UtfKind,
    Variant,
    VariantMark,
    least_size,
)

__all__ = ["DEEPEST", "complete", "limits", "record_kind"]

# Python nests no more than 20 loops, and generated codecs have one for each array.
DEEPEST = 16

Mark = Kind | ArrayMark | OptionalMark | VariantMark
MARKS = (Primitive, UtfKind, FixedBytes, Text, ArrayMark, OptionalMark, VariantMark)


def record_kind(declared: type[tuple[object, ...]]) -> RecordKind:
    """Return the kind that a NamedTuple class declares.

    Raises:
        InputError: A field without a kind, or with one that cannot be; the text names the field.

    >>> from typing import NamedTuple
    >>> from penstock.javadata import Int, Utf
    >>> class Person(NamedTuple):
    ...     age: Int
    ...     name: Utf
    >>> [field.name for field in record_kind(Person).fields]
    ['age', 'name']
    """
    return complete(declare_record(declared, ()))


def declare_record(declared: type, outer: tuple[type, ...]) -> RecordKind:
    if not issubclass(declared, tuple) or not hasattr(declared, "_fields"):
        raise InputError(f"{declared!r} is not a NamedTuple with annotated fields")
    if declared in outer:
        raise InputError(f"{declared.__name__} contains itself: read it with DataInputStream")
    hints = hints_of(declared)
    fields = []
    for name in declared._fields:
        where = f"{declared.__name__}.{name}"
        fields.append(Field(name, declare(hints[name], where, (*outer, declared))))
    return RecordKind(declared, tuple(fields))


def hints_of(declared: type) -> dict[str, object]:
    """Return the annotations, also where they are text and the class stands in a function."""
    try:
        return get_type_hints(declared, include_extras=True)
    except NameError:
        pass
    try:
        return get_type_hints(declared, localns=vars(kinds), include_extras=True)
    except NameError as error:
        raise InputError(
            f"{declared.__name__}: {error}; declare at the top of a module what its fields name"
        ) from error


def declare(hint: object, where: str, outer: tuple[type, ...]) -> Kind:
    """Return the kind of one annotation."""
    if isinstance(hint, type) and issubclass(hint, tuple):
        return declare_record(hint, outer)
    if get_origin(hint) is Annotated:
        inner, *notes = get_args(hint)
        marks: list[Mark] = [note for note in notes if isinstance(note, MARKS)]
        if len(marks) == 1:
            return declare_marked(inner, marks[0], where, outer)
    raise InputError(
        f"{where}: {hint!r} says no Java type; "
        "write Int, Utf, Annotated[list[Int], array_of('int')] ..."
    )


def declare_marked(inner: object, mark: Mark, where: str, outer: tuple[type, ...]) -> Kind:
    match mark:
        case ArrayMark(count=count):
            if inner is bytes:
                return Counted(count, None)
            if get_origin(inner) is list:
                return Counted(count, declare(get_args(inner)[0], where, outer))
            raise InputError(f"{where}: array_of(...) annotates list[...] or bytes, not {inner!r}")
        case OptionalMark():
            members = [each for each in members_of(inner) if each is not type(None)]
            if len(members) != 1:
                raise InputError(f"{where}: optional() annotates X | None, not {inner!r}")
            return Flagged(declare(members[0], where, outer))
        case VariantMark(tag=tag, tags=tags):
            records = [declare_record(each, outer) for each in members_of(inner)]
            if len(records) != len(tags):
                raise InputError(f"{where}: {len(records)} members but {len(tags)} tags")
            return Variant(tag, tuple(map(Case, tags, records)))
        case _:
            return mark


def members_of(hint: object) -> tuple[type, ...]:
    union = get_origin(hint) in {Union, types.UnionType}
    return get_args(hint) if union else (hint,)


def complete(record: RecordKind) -> RecordKind:
    """Return ``record`` if a file can consist of it: checked, and of at least one byte."""
    if least_size(checked(record)) == 0:
        raise InputError(
            f"{record.made.__name__} takes no bytes: a file would hold any number of it"
        )
    return record


def checked(record: RecordKind, depth: int = 1) -> RecordKind:
    """Return ``record`` if every part of it can be read; InputError names the part that cannot."""
    earlier: dict[str, Kind] = {}
    if not record.fields:
        raise InputError(f"{record.made.__name__} has no fields")
    for field in record.fields:
        check(field.kind, f"{record.made.__name__}.{field.name}", earlier, depth)
        earlier[field.name] = field.kind
    return record


def check(kind: Kind, where: str, earlier: dict[str, Kind], depth: int) -> None:
    if depth > DEEPEST:
        raise InputError(f"{where}: nested deeper than {DEEPEST}")
    match kind:
        case RecordKind():
            checked(kind, depth + 1)
        case FixedBytes(count=count) if count < 0:
            raise InputError(f"{where}: {count} bytes")
        case Counted(count=count, element=element):
            check_count(count, where, earlier)
            if element is not None:
                check(element, where, {}, depth + 1)
                if least_size(element) == 0:
                    # A hostile count of elements that take no bytes would never run out of data.
                    raise InputError(f"{where}: elements that may take no bytes cannot be counted")
        case Flagged(element=element):
            check(element, where, {}, depth + 1)
        case Variant():
            check_variant(kind, where, depth)


def check_variant(kind: Variant, where: str, depth: int) -> None:
    tags = [case.tag for case in kind.cases]
    made = [case.record.made for case in kind.cases]
    if not tags or len(set(tags)) < len(tags) or len(set(made)) < len(made):
        raise InputError(f"{where}: a variant needs cases, each with its own tag and NamedTuple")
    low, high = limits(kind.tag)
    for tag in tags:
        if not low <= tag <= high:
            raise InputError(f"{where}: tag {tag} does not fit {kind.tag.name}")
    for case in kind.cases:
        checked(case.record, depth + 1)


def check_count(count: Primitive | SameAs | int, where: str, earlier: dict[str, Kind]) -> None:
    match count:
        case int() if count < 0:
            raise InputError(f"{where}: an array of {count}")
        case SameAs(name=name):
            kind = earlier.get(name)
            if not (isinstance(kind, Counted) or (isinstance(kind, Primitive) and kind.integral)):
                raise InputError(
                    f"{where}: as many as {name!r}, "
                    "which is no earlier number or array of the record"
                )


def limits(kind: Primitive) -> tuple[int, int]:
    """Return the lowest and highest value of an integral kind."""
    bits = 8 * kind.size
    signed = kind.code.islower() and kind is not PRIMITIVES["boolean"]
    return (-1 << bits - 1, (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
