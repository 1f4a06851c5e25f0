"""Floats bit by bit, where C's own conversion would change a NaN."""

from __future__ import annotations

import struct

__all__ = ["CANONICAL_DOUBLE", "CANONICAL_FLOAT", "narrowed", "widened", "wrapped"]

FLOAT = struct.Struct(">f")
DOUBLE = struct.Struct(">d")
CANONICAL_FLOAT = bytes.fromhex("7fc00000")
CANONICAL_DOUBLE = bytes.fromhex("7ff8000000000000")


def widened(data: bytes) -> float:
    """Return the float of four big-endian bytes; a NaN keeps sign and payload.

    The processor's float-to-double conversion turns a signalling NaN into a quiet one, so the bits
    of a NaN are moved by hand.

    >>> struct.pack(">d", widened(bytes.fromhex("7fa00001"))).hex()
    '7ff4000020000000'
    """
    value: float = FLOAT.unpack(data)[0]
    if value == value:
        return value
    bits = int.from_bytes(data)
    wide = (bits & 0x80000000) << 32 | 0x7FF << 52 | (bits & 0x7FFFFF) << 29
    return float(DOUBLE.unpack(wide.to_bytes(8))[0])


def narrowed(value: float, *, wrap: bool = False) -> bytes:
    """Return ``value`` as four bytes; every NaN is the canonical one.

    Raises:
        OverflowError: Beyond the largest float; ``wrap`` makes it infinite, as Java's cast does.
    """
    if value != value:
        return CANONICAL_FLOAT
    try:
        return FLOAT.pack(value)
    except OverflowError:
        if not wrap:
            raise
        return FLOAT.pack(float("inf") if value > 0 else float("-inf"))


def wrapped(value: int, bits: int) -> int:
    """Return the low ``bits`` of ``value`` as a signed number, as Java's cast does.

    >>> wrapped(300, 8), wrapped(200, 8)
    (44, -56)
    """
    half = 1 << bits - 1
    return (value + half & (1 << bits) - 1) - half
