"""The optional native core: the same results as the pure one, sooner.

It is compiled at install time where there is a C compiler. :func:`core_line` says whether it is at
work, and if not why. It knows the kinds of which most files consist; a schema with any other kind
is read and written in Python.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from penstock.javadata import kinds, text

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "NATIVE", "NativeCore", "NotNative", "Specification", "core_line", "decode_modified_utf8",
    "encode_modified_utf8", "specification",
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


class NotNative(Exception):
    """A kind that the native core does not know."""


def load() -> tuple[NativeCore | None, str]:
    """Return the native core, or None where it is absent, unwanted or stale; and why."""
    if os.environ.get("PENSTOCK_PURE"):
        return None, "PENSTOCK_PURE is set"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return None, "the native core is not made for free-threaded Python"
    try:
        core = cast("NativeCore", importlib.import_module("penstock.javadata._core"))
    except ImportError as error:
        return None, f"no native core was built for this Python ({error})"
    source = Path(__file__).with_name("_core.c")
    # In a checkout the source may have changed since; in a wheel there is no source.
    if source.exists() and hashlib.sha256(source.read_bytes()).hexdigest() != core.SOURCE:
        return None, "the native core was built from other source: pip install again"
    return core, ""


def core_line() -> str:
    """Return a line that says which core reads and writes, and why.

    >>> core_line().startswith("javadata: ")
    True
    """
    return "javadata: native core (C)" if NATIVE else f"javadata: pure Python; {WHY_PURE}"


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


def letter(kind: kinds.Kind | kinds.SameAs | int) -> str:
    """Return the core's letter of a primitive: that of struct, but for char."""
    if not isinstance(kind, kinds.Primitive) or kind.order == "<" or kind.code in "IQ":
        raise NotNative
    return "c" if kind.name == "char" else kind.code


def specification(kind: kinds.Kind, earlier: tuple[str, ...] = ()) -> Specification:
    """Return a kind as the native core takes it; ``earlier`` names the fields before it.

    Raises:
        NotNative: The core does not know this kind, or one inside it.
    """
    match kind:
        case kinds.Primitive():
            return node(PRIMITIVE, letter(kind))
        case kinds.UtfKind():
            return node(UTF)
        case kinds.FixedBytes(count=size):
            return node(FIXED, number=size)
        case kinds.Text(count=kinds.Primitive() as count, encoding="utf8", null=False):
            return node(TEXT, letter(count))
        case kinds.Counted(null=False):
            return counted(kind, earlier)
        case kinds.Flagged(element=element):
            return node(FLAGGED, "b", specification(element))
        case kinds.Variant(tag=kinds.Primitive() as tag, cases=cases):
            return node(VARIANT, letter(tag), *[tagged(case) for case in cases])
        case kinds.RecordKind(made=made, fields=fields) if fields:
            names = tuple(field.name for field in fields)
            children = [specification(each.kind, names[:at]) for at, each in enumerate(fields)]
            return node(RECORD, "b", *children, least=kinds.least_size(kind), made=made)
        case _:
            raise NotNative


def tagged(case: kinds.Case) -> Specification:
    if len(case.tags) != 1:
        raise NotNative
    op, code, mode, number, least, _, made, children = specification(case.record)
    return (op, code, mode, number, least, case.tags[0], made, children)


def counted(kind: kinds.Counted, earlier: tuple[str, ...]) -> Specification:
    children = () if kind.element is None else (specification(kind.element),)
    least = 1 if kind.element is None else kinds.least_size(kind.element)
    match kind.count:
        case int() as number:
            return node(COUNTED, "b", *children, mode=ALWAYS, number=number, least=least)
        case kinds.SameAs(name=name, times=(), plus=0, by=1) if name in earlier:
            number = earlier.index(name)
            return node(COUNTED, "b", *children, mode=AS_EARLIER, number=number, least=least)
        case kinds.Primitive() as count:
            return node(COUNTED, letter(count), *children, least=least)
        case _:
            raise NotNative


NATIVE, WHY_PURE = load()
decode_modified_utf8 = NATIVE.decode_modified_utf8 if NATIVE else text.decode_modified_utf8
encode_modified_utf8 = NATIVE.encode_modified_utf8 if NATIVE else text.encode_modified_utf8
