"""From a NamedTuple with annotated fields to the kind it declares."""

from __future__ import annotations

import types
from typing import Annotated, Union, get_args, get_origin, get_type_hints

from penstock.errors import InputError
from penstock.javadata import kinds

__all__ = ["DEEPEST", "complete", "record_kind"]

DEEPEST = 16
LARGEST_FIXED = 1 << 31

Mark = kinds.Kind | kinds.ArrayMark | kinds.OptionalMark | kinds.VariantMark
MARKS = (
    kinds.Primitive, kinds.Varint, kinds.UtfKind, kinds.FixedBytes, kinds.Text, kinds.ArrayMark,
    kinds.OptionalMark, kinds.VariantMark,
)  # fmt: skip


def record_kind(declared: type[tuple[object, ...]]) -> kinds.RecordKind:
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


def declare_record(declared: type, outer: tuple[type, ...]) -> kinds.RecordKind:
    given: object = declared  # what a user gives need not be a class
    is_tuple = isinstance(given, type) and issubclass(given, tuple)
    if not is_tuple or not hasattr(declared, "_fields"):
        raise InputError(f"{declared!r} is not a NamedTuple with annotated fields")
    hints = hints_of(declared)
    fields = []
    for name in declared._fields:
        where = f"{declared.__name__}.{name}"
        fields.append(kinds.RecordField(name, declare(hints[name], where, (*outer, declared))))
    return kinds.RecordKind(declared, tuple(fields))


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


def declare(hint: object, where: str, outer: tuple[type, ...]) -> kinds.Kind:
    """Return the kind of one annotation."""
    if isinstance(hint, type) and issubclass(hint, tuple):
        return kinds.Nested(hint) if hint in outer else declare_record(hint, outer)
    if get_origin(hint) is Annotated:
        inner, *notes = get_args(hint)
        marks: list[Mark] = [note for note in notes if isinstance(note, MARKS)]
        if len(marks) == 1:
            return declare_marked(inner, marks[0], where, outer)
    raise InputError(
        f"{where}: {hint!r} says no Java type; "
        "write Int, Utf, Annotated[list[Int], array_of('int')] ..."
    )


def declare_marked(inner: object, mark: Mark, where: str, outer: tuple[type, ...]) -> kinds.Kind:
    match mark:
        case kinds.ArrayMark(count=count):
            if inner is bytes:
                return kinds.Counted(count, None)
            if get_origin(inner) is list:
                return kinds.Counted(count, declare(get_args(inner)[0], where, outer))
            raise InputError(f"{where}: array_of(...) annotates list[...] or bytes, not {inner!r}")
        case kinds.OptionalMark():
            members = [each for each in members_of(inner) if each is not type(None)]
            if len(members) != 1:
                raise InputError(f"{where}: optional() annotates X | None, not {inner!r}")
            return kinds.Flagged(declare(members[0], where, outer))
        case kinds.VariantMark(tag=tag, tags=tags):
            records = [
                kinds.Nested(each) if each in outer else declare_record(each, outer)
                for each in members_of(inner)
            ]
            if len(records) != len(tags):
                raise InputError(f"{where}: {len(records)} members but {len(tags)} tags")
            return kinds.Variant(
                tag,
                tuple(kinds.Case((tag,), each) for tag, each in zip(tags, records, strict=True)),
            )
        case _:
            return mark


def members_of(hint: object) -> tuple[type, ...]:
    union = get_origin(hint) in {Union, types.UnionType}
    return get_args(hint) if union else (hint,)


def complete(record: kinds.RecordKind) -> kinds.RecordKind:
    """Return ``record`` if a file can consist of it: checked, and of at least one byte."""
    name = record.made.__name__
    if not record.fields:
        raise InputError(f"{name} has no fields")
    checked(record, {})
    if kinds.least_size(record) == 0 and not endless(record):
        raise InputError(f"{name} takes no bytes: a file would hold any number of it")
    if kinds.least_size(record) > LARGEST_FIXED:
        raise InputError(f"{name} takes more than {LARGEST_FIXED} bytes: a record cannot")
    named: dict[str, kinds.RecordKind] = {}
    for inner in kinds.records_in(record):
        other = named.setdefault(inner.made.__name__, inner)
        if other.made is not inner.made:
            raise InputError(f"two records named {inner.made.__name__}: give one another name")
    return record


def checked(record: kinds.RecordKind, outer: dict[str, kinds.Kind], depth: int = 1) -> None:
    """Refuse a record of which a part cannot be read; InputError names the part.

    Args:
        record: What to look through.
        outer: The fields before it, here and further out.
        depth: How deep it is nested.
    """
    earlier = dict(outer)
    own: dict[str, kinds.Kind] = {}
    for index, field in enumerate(record.fields):
        where = f"{record.made.__name__}.{field.name}"
        check(field.kind, where, earlier, depth)
        if isinstance(field.kind, kinds.Checksum) and (field.kind.of or field.name) not in {
            *own,
            field.name,
        }:
            raise InputError(f"{where}: {field.kind.of!r} is not an earlier field of the record")
        if endless(field.kind) and index < len(record.fields) - 1:
            raise InputError(f"{where}: reaches to the end, so nothing can follow it")
        earlier[field.name] = own[field.name] = field.kind


def endless(kind: kinds.Kind) -> bool:
    """Return whether a value reaches to the end of the data."""
    if isinstance(kind, kinds.Counted | kinds.Text) and isinstance(kind.count, kinds.ToEnd):
        return True
    return not isinstance(kind, kinds.Sized) and any(map(endless, kinds.children_of(kind)))


def check(kind: kinds.Kind, where: str, earlier: dict[str, kinds.Kind], depth: int) -> None:
    if depth > DEEPEST:
        raise InputError(f"{where}: nested deeper than {DEEPEST}")
    match kind:
        case kinds.RecordKind(made=made, fields=fields):
            if not fields:
                raise InputError(f"{made.__name__} has no fields")
            checked(kind, earlier, depth + 1)
        case kinds.FixedBytes(count=count):
            check_count(count, where, earlier, "bytes")
        case kinds.Text(count=count):
            check_count(count, where, earlier, "text")
        case kinds.Counted(count=count, element=element):
            check_count(count, where, earlier, "an array")
            check_element(kind, element, where)
            if element is not None:
                check(element, where, earlier, depth + 1)
        case kinds.Flagged(element=element) | kinds.Constant(element=element):
            check_nothing_twice(isinstance(kind, kinds.Flagged), element, where)
            check(element, where, earlier, depth + 1)
        case kinds.Sized(count=count, element=element):
            check_count(count, where, earlier, "a payload")
            check_nothing_twice(kind.null, element, where)
            check(element, where, earlier, depth + 1)
        case kinds.Variant():
            check_variant(kind, where, earlier, depth)


def check_nothing_twice(optional: bool, element: kinds.Kind | None, where: str) -> None:  # noqa: FBT001 - of one call
    """Refuse an optional value that may itself be None: which of the two was None is lost."""
    if optional and element is not None and kinds.may_be_none(element):
        raise InputError(f"{where}: optional twice, and None would not say which: drop one")


def check_element(kind: kinds.Counted, element: kinds.Kind | None, where: str) -> None:
    """Refuse elements that a count, an end or a tag cannot part."""
    if isinstance(kind.count, kinds.Until):
        if not isinstance(element, kinds.Variant) or isinstance(element.tag, kinds.SameAs):
            raise InputError(f"{where}: only variants <...> end at a tag")
        if any(kind.count.tag in case.tags for case in element.cases):
            raise InputError(f"{where}: tag {kind.count.tag} is a case and the end")
    elif element is None:
        return
    elif endless(element):
        raise InputError(f"{where}: elements that reach to the end cannot be counted")
    elif kinds.least_size(element) == 0 and (
        isinstance(kind.count, kinds.ToEnd) or not varies(element)
    ):
        # A hostile count of elements that take no bytes would never run out of data.
        raise InputError(f"{where}: elements that may take no bytes cannot be counted")


def varies(kind: kinds.Kind) -> bool:
    """Return whether the bytes of a value depend on other data than its own."""
    if isinstance(kind, kinds.Variant | kinds.Nested) or kinds.by_earlier(kind):
        return True
    return any(map(varies, kinds.children_of(kind)))


def check_variant(
    kind: kinds.Variant, where: str, earlier: dict[str, kinds.Kind], depth: int
) -> None:
    tags = [tag for case in kind.cases for tag in case.tags]
    made = [case.record.made for case in kind.cases]
    defaults = sum(not case.tags for case in kind.cases)
    if not made or len(set(tags)) < len(tags) or len(set(made)) < len(made) or defaults > 1:
        raise InputError(f"{where}: a variant needs cases, each with its own tag and NamedTuple")
    if isinstance(kind.tag, kinds.SameAs):
        check_count(kind.tag, where, earlier, "a tag")
    else:
        low, high = kinds.limits(kind.tag)
        for tag in tags:
            if not low <= tag <= high:
                raise InputError(f"{where}: tag {tag} does not fit {kind.tag.name}")
    for case in kind.cases:
        if case.record.made.__name__ == "tag":
            raise InputError(f"{where}: a case cannot be named tag, which is the tag's own name")
        if isinstance(case.record, kinds.RecordKind):
            checked(case.record, earlier, depth + 1)


def check_count(count: kinds.Count, where: str, earlier: dict[str, kinds.Kind], what: str) -> None:
    match count:
        case int() if not 0 <= count <= LARGEST_FIXED:
            raise InputError(f"{where}: {what} of {count}: give 0 to {LARGEST_FIXED}")
        case kinds.SameAs(name=name, times=times):
            for each in (name, *times):
                if isinstance(each, str) and not counts(earlier.get(each)):
                    raise InputError(
                        f"{where}: as many as {each!r}, "
                        "which is no earlier number or array of the record"
                    )


def counts(kind: kinds.Kind | None) -> bool:
    """Return whether a field of this kind can say how many."""
    match kind:
        case kinds.Primitive():
            return kind.integral
        case kinds.Constant(element=element):
            return counts(element)
        case kinds.Counted() | kinds.Varint() | kinds.Given():
            return True
        case _:
            return False
