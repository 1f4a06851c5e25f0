"""Python source that writes records of one schema: runs of fixed-size fields in one struct call.

A generated writer takes a list of rows and returns their bytes. It raises whatever Python raises
on a value that does not fit; :mod:`penstock.javadata.interpret` then says which and why.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, NoReturn, cast, final

from penstock.javadata import kinds
from penstock.javadata.text import encode_modified_utf8

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Write = Callable[[Sequence[tuple[object, ...]]], bytes]

__all__ = ["generated_writer", "writer_source"]


def generated_writer(kind: kinds.RecordKind) -> Write:
    """Return a writer of records of this kind in pure Python."""
    code = WriterCode()
    exec(code.source(kind), code.names)  # noqa: S102 - made from a checked schema, no user's name in it
    return cast("Write", code.names["write"])


def writer_source(kind: kinds.RecordKind) -> str:
    """Return the source of the writer, for those who want to see it."""
    return WriterCode().source(kind)


def refuse(what: object) -> NoReturn:
    """Stop the generated writer."""
    raise ValueError(f"{what!r} does not fit the schema")


def utf_data(text: str) -> bytes:
    """Return modified UTF-8 that a length of two bytes can count."""
    data = encode_modified_utf8(text)
    return data if len(data) <= 65_535 else refuse(len(data))


def sized(values: bytes | list[object], size: int) -> bytes | list[object]:
    """Return ``values`` if they are as many as the schema says."""
    return values if len(values) == size else refuse(len(values))


@final
class WriterCode:
    """Source under construction; ``pending`` are (struct code, expression) not yet packed."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.indent = "        "
        self.pending: list[tuple[str, str]] = []
        self.count = 0
        self.names: dict[str, object] = {
            "bytes_of": bytes_of, "list_of": list_of, "nan": math.nan, "pack": struct.pack,
            "refuse": refuse, "sized": sized, "utf_data": utf_data,
        }  # fmt: skip

    def source(self, kind: kinds.RecordKind) -> str:
        self.record(kind, "row")
        self.flush()
        body = "\n".join(self.lines)
        return f"""def write(rows):
    parts = []
    add = parts.append
    for row in rows:
{body}
    return b"".join(parts)
"""

    def line(self, text: str) -> None:
        self.lines.append(self.indent + text)

    def name(self, value: object = None, prefix: str = "v") -> str:
        self.count += 1
        name = f"{prefix}{self.count}"
        if value is not None:
            self.names[name] = value
        return name

    def flush(self) -> None:
        if self.pending:
            layout = struct.Struct(">" + "".join(code for code, _ in self.pending))
            values = ", ".join(value for _, value in self.pending)
            self.line(f"add({self.name(layout.pack, 'k')}({values}))")
        self.pending = []

    def value(
        self, kind: kinds.Kind, value: str, earlier: dict[str, tuple[kinds.Kind, str]]
    ) -> None:
        """Emit the writing of ``value``, a name."""
        match kind:
            case kinds.Primitive():
                self.primitive(kind, value)
            case kinds.FixedBytes(count=size):
                self.pending.append((f"{size}s", f"sized(bytes_of({value}), {size})"))
            case kinds.UtfKind():
                self.blob("H", f"utf_data({value})")
            case kinds.Text(count=count):
                self.blob(count.code, f"{value}.encode()")
            case kinds.Counted():
                self.counted(kind, value, earlier)
            case kinds.Flagged(element=element):
                self.pending.append(("?", f"{value} is not None"))
                self.flush()
                self.branch(f"if {value} is not None:", element, value)
            case kinds.Variant():
                self.variant(kind, value)
            case kinds.RecordKind():
                self.record(kind, value)

    def primitive(self, kind: kinds.Primitive, value: str) -> None:
        if kind.name == "char":
            value = f"ord({value}) if {value}.__class__ is str else {value}"
        elif kind.name in {"float", "double"}:
            # The one number that differs from itself is NaN, and Java writes only one of those.
            value = f"{value} if {value} == {value} else nan"
        self.pending.append((kind.code, value))

    def record(self, kind: kinds.RecordKind, row: str) -> None:
        names = {field.name: self.name() for field in kind.fields}
        self.line(f"if not isinstance({row}, tuple): refuse({row})")
        self.line(f"{''.join(f'{name}, ' for name in names.values())} = {row}")
        earlier: dict[str, tuple[kinds.Kind, str]] = {}
        for field in kind.fields:
            self.value(field.kind, names[field.name], earlier)
            earlier[field.name] = (field.kind, names[field.name])

    def blob(self, code: str, expression: str) -> None:
        data = self.name()
        self.line(f"{data} = {expression}")
        self.pending.append((code, f"len({data})"))
        self.flush()
        self.line(f"add({data})")

    def counted(
        self, kind: kinds.Counted, value: str, earlier: dict[str, tuple[kinds.Kind, str]]
    ) -> None:
        cast_to = "bytes_of" if kind.element is None else "list_of"
        match kind.count:
            case int() as size:
                self.line(f"sized({cast_to}({value}), {size})")
            case kinds.SameAs(name=name):
                other, counter = earlier[name]
                size_text = counter if isinstance(other, kinds.Primitive) else f"len({counter})"
                self.line(f"sized({cast_to}({value}), {size_text})")
            case kinds.Primitive() as count:
                self.pending.append((count.code, f"len({cast_to}({value}))"))
        self.flush()
        if kind.element is None:
            self.line(f"add({value})")
        elif isinstance(kind.element, kinds.Primitive) and kind.element.name not in {
            "char",
            "float",
            "double",
        }:
            self.line(f"add(pack(f'>{{len({value})}}{kind.element.code}', *{value}))")
        else:
            each = self.name()
            self.branch(f"for {each} in {value}:", kind.element, each)

    def variant(self, kind: kinds.Variant, value: str) -> None:
        self.flush()
        word = "if"
        for case in kind.cases:
            made = self.name(case.record.made, "c")
            self.line(f"{word} isinstance({value}, {made}):")
            self.pending.append((kind.tag.code, str(case.tag)))
            self.body(case.record, value)
            word = "elif"
        self.line(f"else: refuse({value})")

    def branch(self, head: str, kind: kinds.Kind, value: str) -> None:
        self.line(head)
        self.body(kind, value)

    def body(self, kind: kinds.Kind, value: str) -> None:
        before = self.indent
        self.indent += "    "
        self.value(kind, value, {})
        self.flush()
        self.indent = before


def bytes_of(value: object) -> bytes:
    """Return ``value`` if it is bytes."""
    return value if isinstance(value, bytes) else refuse(value)


def list_of(value: object) -> list[object]:
    """Return ``value`` if it is a list."""
    return value if isinstance(value, list) else refuse(value)
