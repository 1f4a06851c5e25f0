"""Python source written for one schema: runs of fixed-size fields become one struct call.

A generated reader takes ``(data, start, limit)`` and returns the whole records from ``start`` on
(at most ``limit``) and the position behind the last. It stops, without saying why, before a record
that is cut short or wrong: :mod:`penstock.javadata.interpret` says why.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, cast, final

from penstock.javadata import kinds
from penstock.javadata.floats import widened
from penstock.javadata.text import decode_modified_utf8

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[[bytes, int, int], tuple[list[tuple[object, ...]], int]]

__all__ = ["CUT", "generated_reader", "reader_source"]


@final
class Cut(Exception):
    """The record at hand is cut short or wrong."""


# What a generated codec may stumble over in data that is cut short or wrong.
CUT: Final = (struct.error, IndexError, ValueError, Cut)


def generated_reader(kind: kinds.RecordKind) -> Read:
    """Return a reader of records of this kind in pure Python."""
    code = ReaderCode()
    source = code.source(kind)
    exec(source, code.names)  # noqa: S102 - text made from a checked schema, no name of the user's in it
    return cast("Read", code.names["read"])


def reader_source(kind: kinds.RecordKind) -> str:
    """Return the source of the reader, for those who want to see it."""
    return ReaderCode().source(kind)


@final
class ReaderCode:
    """Source under construction.

    ``pending`` are fixed-size fields not yet unpacked; they are unpacked together, in one call,
    before anything whose place depends on what they say.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.indent = "            "
        self.pending: list[tuple[str, str, int]] = []
        self.floats: list[tuple[str, int]] = []
        self.count = 0
        self.names: dict[str, object] = {
            "CUT": CUT, "Cut": Cut, "decode": decode_modified_utf8, "new": tuple.__new__,
            "widened": widened, "unpack_from": struct.unpack_from,
        }  # fmt: skip

    def source(self, kind: kinds.RecordKind) -> str:
        value = self.value(kind, {})
        self.flush()
        body = "\n".join(self.lines)
        return f"""def read(data, start, limit):
    rows = []
    append = rows.append
    size = len(data)
    position = start
    try:
        for _ in range(limit):
            p = position
{body}
            if p > size:
                break
            append({value})
            position = p
    except CUT:
        pass
    return rows, position
"""

    def line(self, text: str) -> None:
        self.lines.append(self.indent + text)

    def name(self, value: object = None, prefix: str = "v") -> str:
        """Return a fresh name, bound to ``value`` in the generated module if one is given."""
        self.count += 1
        name = f"{prefix}{self.count}"
        if value is not None:
            self.names[name] = value
        return name

    def fixed(self, code: str, size: int) -> str:
        name = self.name()
        self.pending.append((code, name, size))
        return name

    def flush(self) -> None:
        """Unpack what is pending."""
        if self.pending:
            layout = struct.Struct(">" + "".join(code for code, _, _ in self.pending))
            unpack = self.name(layout.unpack_from, "u")
            targets = ", ".join(name for _, name, _ in self.pending)
            self.line(f"{targets}, = {unpack}(data, p)")
            for name, start in self.floats:
                # struct makes a signalling NaN quiet; Java keeps it.
                self.line(
                    f"if {name} != {name}: {name} = widened(data[p + {start}:p + {start + 4}])"
                )
            self.line(f"p += {layout.size}")
        self.pending, self.floats = [], []

    def value(self, kind: kinds.Kind, earlier: dict[str, tuple[kinds.Kind, str]]) -> str:
        """Emit the reading of one value; return the expression that holds it after a flush."""
        match kind:
            case kinds.Primitive():
                return self.primitive(kind)
            case kinds.FixedBytes(count=size):
                return self.fixed(f"{size}s", size)
            case kinds.UtfKind():
                return self.blob(
                    self.fixed("H", 2), "{0}.decode() if {0}.isascii() else decode({0})"
                )
            case kinds.Text(count=count):
                return self.blob(self.fixed(count.code, count.size), "{0}.decode()")
            case kinds.Counted():
                return self.counted(kind, earlier)
            case kinds.Flagged(element=element):
                return self.flagged(element)
            case kinds.Variant():
                return self.variant(kind)
            case kinds.RecordKind():
                return self.record(kind)

    def primitive(self, kind: kinds.Primitive) -> str:
        name = self.fixed(kind.code, kind.size)
        if kind.name == "char":
            return f"chr({name})"
        if kind.name == "float":
            self.floats.append((name, sum(size for _, _, size in self.pending) - 4))
        return name

    def record(self, kind: kinds.RecordKind) -> str:
        earlier: dict[str, tuple[kinds.Kind, str]] = {}
        for field in kind.fields:
            earlier[field.name] = (field.kind, self.value(field.kind, earlier))
        values = "".join(f"{value}, " for _, value in earlier.values())
        return f"new({self.name(kind.made, 'c')}, ({values}))"

    def blob(self, size: str, convert: str) -> str:
        """Emit bytes of a length just read, converted by a template over their name."""
        self.flush()
        end, raw, name = self.name(), self.name(), self.name()
        self.line(f"{end} = p + {size}")
        self.line(f"if {size} < 0 or {end} > size: raise Cut")
        self.line(f"{raw} = data[p:{end}]")
        self.line(f"p = {end}")
        self.line(f"{name} = {convert.format(raw)}")
        return name

    def counted(self, kind: kinds.Counted, earlier: dict[str, tuple[kinds.Kind, str]]) -> str:
        count = self.counter(kind, earlier)
        if kind.element is None:
            return self.blob(count, "{0}")
        self.flush()
        self.line(
            f"if {count} < 0 or {count} * {kinds.least_size(kind.element)} > size - p: raise Cut"
        )
        if isinstance(kind.element, kinds.Primitive) and kind.element.name not in {"char", "float"}:
            return self.numbers(kind.element, count)
        items, index = self.name(), self.name()
        self.line(f"{items} = []")
        self.line(f"for {index} in range({count}):")
        with_indent = self.indent
        self.indent += "    "
        value = self.value(kind.element, {})
        self.flush()
        self.line(f"{items}.append({value})")
        self.indent = with_indent
        return items

    def counter(self, kind: kinds.Counted, earlier: dict[str, tuple[kinds.Kind, str]]) -> str:
        match kind.count:
            case int() as number:
                return str(number)
            case kinds.SameAs(name=name):
                other, value = earlier[name]
                return value if isinstance(other, kinds.Primitive) else f"len({value})"
            case kinds.Primitive() as count:
                return self.fixed(count.code, count.size)

    def numbers(self, element: kinds.Primitive, count: str) -> str:
        name = self.name()
        self.line(f"{name} = list(unpack_from(f'>{{{count}}}{element.code}', data, p))")
        self.line(f"p += {count} * {element.size}")
        return name

    def flagged(self, element: kinds.Kind) -> str:
        flag, name = self.fixed("?", 1), self.name()
        self.flush()
        self.line(f"{name} = None")
        self.branch(f"if {flag}:", element, name)
        return name

    def variant(self, kind: kinds.Variant) -> str:
        tag, name = self.fixed(kind.tag.code, kind.tag.size), self.name()
        self.flush()
        word = "if"
        for case in kind.cases:
            self.branch(f"{word} {tag} == {case.tag}:", case.record, name)
            word = "elif"
        self.line("else: raise Cut")
        return name

    def branch(self, head: str, kind: kinds.Kind, name: str) -> None:
        self.line(head)
        before = self.indent
        self.indent += "    "
        value = self.value(kind, {})
        self.flush()
        self.line(f"{name} = {value}")
        self.indent = before
