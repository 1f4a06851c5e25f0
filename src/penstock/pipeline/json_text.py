"""Whether bytes are JSON, found out without building anything."""

from __future__ import annotations

import msgspec

__all__ = ["is_json"]

_SKIP = msgspec.json.Decoder(msgspec.Raw)  # checks the form, not the texts' encoding


def is_json(body: bytes) -> bool:
    r"""Whether ``body`` is one JSON text in UTF-8.

    >>> is_json(b'{"a": 1}'), is_json(b"<html>"), is_json(b'"\xff"')
    (True, False, False)
    """
    try:
        _SKIP.decode(body)
        body.decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True
