"""Whether bytes are JSON that every reader here can decode."""

from __future__ import annotations

import msgspec

__all__ = ["BAD_JSON", "check_text", "has_odd_numbers", "is_json"]

BAD_JSON = (ValueError, RecursionError, msgspec.DecodeError)
"""What a decoder raises for what is not JSON, or is nested too deeply, or does not fit."""

_SKIP = msgspec.json.Decoder(msgspec.Raw).decode  # checks the form alone
_WHOLE = msgspec.json.Decoder().decode
_ALIKE = bytes.maketrans(b"123456789E", b"000000000e")
_DIGITS = b"0" * 20
_NEGATIVE = b"-" + b"0" * 19


def is_json(body: bytes) -> bool:
    r"""Whether ``body`` is one JSON text in UTF-8, with numbers that can be decoded.

    >>> is_json(b'{"a": 1}'), is_json(b"<html>"), is_json(b'"\xff"'), is_json(b"[1e999]")
    (True, False, False, False)
    """
    try:
        _SKIP(body)
        check_text(body)
    except BAD_JSON:
        return False
    return True


def check_text(body: bytes) -> None:
    """See to the encoding and the numbers of ``body``, whose form was checked.

    Raises:
        ValueError: It is not UTF-8; or a msgspec error: a number is beyond all bounds.
    """
    if not body.isascii():
        body.decode()
    if has_odd_numbers(body):
        _WHOLE(body)


def has_odd_numbers(body: bytes) -> bool:
    """Whether there may be numbers beyond 64 bits: a quick look that never misses one."""
    alike = body.translate(_ALIKE)
    return _DIGITS in alike or _NEGATIVE in alike or b"e000" in alike or b"e+000" in alike
