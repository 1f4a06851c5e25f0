"""The optional native core: the same results as the pure one, sooner.

It is compiled at install time where there is a C compiler. Setting ``PENSTOCK_PURE`` in the
environment, or a core built from other source than this, leaves it unused.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Protocol, cast

from penstock.javadata import text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["NATIVE", "NativeCore", "decode_modified_utf8", "encode_modified_utf8"]

# Raised together with CORE_VERSION in _core.c whenever the two must change together.
CORE_VERSION = 1


class NativeCore(Protocol):
    """What _core.c offers."""

    VERSION: int
    decode_modified_utf8: Callable[[bytes], str]
    encode_modified_utf8: Callable[[str], bytes]

    def compile(self, program: tuple[object, ...], malformed: type[Exception], /) -> object:
        """Return a compiled schema."""
        ...

    def read(
        self, program: object, data: bytes, start: int, limit: int, /
    ) -> tuple[list[tuple[object, ...]], int]:
        """Return whole records from ``start`` and the position behind the last."""
        ...

    def write(self, program: object, rows: Sequence[tuple[object, ...]], /) -> bytes:
        """Return the bytes of the rows."""
        ...

    def columns(
        self, program: object, data: bytes, start: int, limit: int, /
    ) -> tuple[int, int, list[bytes]]:
        """Return how many records, the position behind them and the streams of their columns."""
        ...


def load() -> NativeCore | None:
    """Return the native core, or None where it is absent, unwanted or stale."""
    if os.environ.get("PENSTOCK_PURE"):
        return None
    try:
        core = cast("NativeCore", importlib.import_module("penstock.javadata._core"))
    except ImportError:
        return None
    return core if core.VERSION == CORE_VERSION else None


NATIVE = load()
decode_modified_utf8 = NATIVE.decode_modified_utf8 if NATIVE else text.decode_modified_utf8
encode_modified_utf8 = NATIVE.encode_modified_utf8 if NATIVE else text.encode_modified_utf8
