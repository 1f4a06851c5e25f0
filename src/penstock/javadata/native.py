"""The optional native core: the same results as the pure one, sooner.

It is compiled at install time where there is a C compiler. Setting ``PENSTOCK_PURE`` in the
environment, or a core built from other source than this, leaves it unused.
"""

from __future__ import annotations

import hashlib
import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from penstock.javadata import text
from penstock.javadata.kinds import (
    Case,
    Counted,
    FixedBytes,
    Flagged,
    Kind,
    Primitive,
    RecordKind,
    SameAs,
    Text,
    UtfKind,
    Variant,
    least_size,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "NATIVE", "NativeCore", "Specification", "decode_modified_utf8", "encode_modified_utf8",
    "specification",
]  # fmt: skip


# op, letter, mode, number, least size, tag, class or None, children: see build() in _core.c.
Specification = tuple[int, str, int, int, int, int, type | None, tuple["Specification", ...]]
PRIMITIVE, UTF, FIXED, TEXT, COUNTED, FLAGGED, VARIANT, RECORD = range(8)
BY_NUMBER, ALWAYS, AS_EARLIER = range(3)


class NativeCore(Protocol):
    """What _core.c offers."""

    SOURCE: str
    decode_modified_utf8: Callable[[bytes], str]
    encode_modified_utf8: Callable[[str], bytes]

    def compile(self, specification: Specification, /) -> object:
        """Return a compiled schema."""
        ...

    def read(
        self, program: object, data: bytes, start: int, limit: int, /
    ) -> tuple[list[tuple[object, ...]], int]:
        """Return whole records from ``start`` and the position behind the last."""
        ...

    def write(self, program: object, rows: list[tuple[object, ...]], /) -> bytes:
        """Return the bytes of the rows."""
        ...

    def columns(
        self, program: object, data: bytes, start: int, policy: int, /
    ) -> tuple[int, int, list[bytes], bool]:
        """Return records, the position behind them, streams, and whether a surrogate stopped it."""
        ...


def load() -> NativeCore | None:
    """Return the native core, or None where it is absent, unwanted or stale."""
    if os.environ.get("PENSTOCK_PURE"):
        return None
    try:
        core = cast("NativeCore", importlib.import_module("penstock.javadata._core"))
    except ImportError:
        return None
    source = Path(__file__).with_name("_core.c")
    # In a checkout the source may have changed since; in a wheel there is no source.
    stale = source.exists() and hashlib.sha256(source.read_bytes()).hexdigest() != core.SOURCE
    return None if stale else core


def node(
    op: int,
    letter: str = "b",
    *children: Specification,
    mode: int = 0,
    number: int = 0,
    least: int = 0,
    made: type | None = None,
) -> Specification:
    """Return a node without a tag."""
    return (op, letter, mode, number, least, 0, made, children)


def letter(kind: Primitive) -> str:
    """Return the core's letter of a primitive: that of struct, but for char."""
    return "c" if kind.name == "char" else kind.code


def specification(kind: Kind, earlier: tuple[str, ...] = ()) -> Specification:
    """Return a kind as the native core takes it; ``earlier`` names the fields before it."""
    match kind:
        case Primitive():
            return node(PRIMITIVE, letter(kind))
        case UtfKind():
            return node(UTF)
        case FixedBytes(count=size):
            return node(FIXED, number=size)
        case Text(count=count):
            return node(TEXT, count.code)
        case Counted():
            return counted(kind, earlier)
        case Flagged(element=element):
            return node(FLAGGED, "b", specification(element))
        case Variant(tag=tag, cases=cases):
            return node(VARIANT, tag.code, *[tagged(case) for case in cases])
        case RecordKind(made=made, fields=fields):
            names = tuple(field.name for field in fields)
            children = [specification(each.kind, names[:at]) for at, each in enumerate(fields)]
            return node(RECORD, "b", *children, least=least_size(kind), made=made)


def tagged(case: Case) -> Specification:
    op, code, mode, number, least, _, made, children = specification(case.record)
    return (op, code, mode, number, least, case.tag, made, children)


def counted(kind: Counted, earlier: tuple[str, ...]) -> Specification:
    children = () if kind.element is None else (specification(kind.element),)
    least = 1 if kind.element is None else least_size(kind.element)
    match kind.count:
        case int() as number:
            return node(COUNTED, "b", *children, mode=ALWAYS, number=number, least=least)
        case SameAs(name=name):
            number = earlier.index(name)
            return node(COUNTED, "b", *children, mode=AS_EARLIER, number=number, least=least)
        case Primitive(code=code):
            return node(COUNTED, code, *children, least=least)


NATIVE = load()
decode_modified_utf8 = NATIVE.decode_modified_utf8 if NATIVE else text.decode_modified_utf8
encode_modified_utf8 = NATIVE.encode_modified_utf8 if NATIVE else text.encode_modified_utf8
