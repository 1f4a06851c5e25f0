"""From a plain form (JSON, Arrow) to records, by their schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast, final

from penstock.javadata import kinds
from penstock.javadata.errors import SchemaMismatch, join, shown

__all__ = ["FormReader", "mismatch"]

Row = tuple[object, ...]
# What a form makes of a number, text or bytes; the path is for errors.
Leaf = Callable[[object, kinds.Kind, str], object]
# How a form says which case of a variant it is, and where that case's fields are.
ChosenCase = Callable[[object, kinds.Variant, str], tuple[kinds.Case, object]]


@final
class FormReader:
    """Values into records.

    Args:
        kind: The records.
        leaf: Of the form.
        case: Of the form.
        lenient: A field that is not there may be None, or a constant.
    """

    def __init__(
        self, kind: kinds.RecordKind, leaf: Leaf, case: ChosenCase, *, lenient: bool
    ) -> None:
        self.trees = {each.made: each for each in kinds.records_in(kind)}
        self.leaf = leaf
        self.case = case
        self.lenient = lenient

    def record(self, values: object, kind: kinds.RecordKind, path: str) -> Row:
        """Return the record of these fields; SchemaMismatch names the path of one that misfits."""
        if not isinstance(values, Mapping):
            raise mismatch(values, "an object", path)
        fields = [self.field(values, field.name, field.kind, path) for field in kind.fields]
        return cast("Row", kind.made._make(fields))  # type: ignore[attr-defined] # a NamedTuple

    def field(self, values: Mapping[str, object], name: str, kind: kinds.Kind, path: str) -> object:
        """Return one field of a record."""
        inner = join(path, name)
        if name in values:
            return self.value(values[name], kind, inner)
        if self.lenient and isinstance(kind, kinds.Constant):
            return kind.value
        if not self.lenient or not may_be_left_out(kind):
            there = ", ".join(values) or "none"
            raise SchemaMismatch(f"not there; there are {there}", reading=inner)
        return None

    def value(self, value: object, kind: kinds.Kind, path: str) -> object:
        """Return a value as a record holds it."""
        if value is None and may_be_left_out(kind):
            return None
        match kind:
            case kinds.Flagged() | kinds.Constant() | kinds.Sized():
                return self.value(value, kind.element, path)
            case kinds.RecordKind():
                return self.record(value, kind, path)
            case kinds.Nested(made=made):
                return self.record(value, self.trees[made], path)
            case kinds.Variant():
                case, fields = self.case(value, kind, path)
                return self.value(fields, case.record, path)
            case kinds.Counted(element=element) if element is not None:
                if not isinstance(value, list):
                    raise mismatch(value, "a list", path)
                return [self.value(each, element, f"{path}[{at}]") for at, each in enumerate(value)]
            case _:
                return self.leaf(value, kind, path)


def may_be_left_out(kind: kinds.Kind) -> bool:
    """Return whether None will do: a checksum is computed."""
    return kinds.may_be_none(kind) or isinstance(kind, kinds.Checksum)


def mismatch(value: object, wanted: str, path: str) -> SchemaMismatch:
    """Return the error for a value that is something else."""
    said = shown(value) if value is not None else "null"
    return SchemaMismatch(f"{said} is not {wanted}", reading=path)
