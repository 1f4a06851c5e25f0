"""Content codings taken off as the bytes come: what was flushed is given out at once."""

from __future__ import annotations

import functools
import importlib.util
import zlib
from typing import Protocol, final

from penstock.errors import RetryableError

__all__ = ["Decoder", "accepted", "decoder"]


class Decoder(Protocol):
    """Takes a content coding off."""

    def decode(self, data: bytes, /) -> bytes:
        """Return what can be read by now."""
        ...


@final
class Identity:
    """No coding."""

    def decode(self, data: bytes, /) -> bytes:
        """Return ``data``."""
        return data


@final
class Inflate:
    """gzip (RFC 1952), zlib (RFC 1950), or bare deflate, which some servers send for it.

    RFC 1952 section 2.2: a file has one member or more. Servers that append to a log, and proxies
    that join answers, send more.
    """

    def __init__(self) -> None:
        self._bits = 32 + zlib.MAX_WBITS  # gzip or zlib, told by their beginnings
        self._inflate = zlib.decompressobj(self._bits)
        self._begun = False
        self._between = False

    def decode(self, data: bytes, /) -> bytes:
        """Return what can be read by now.

        Raises:
            RetryableError: It is damaged.
        """
        parts: list[bytes] = []
        while data:
            if self._between:  # there may be padding between members
                data = data.lstrip(b"\0")
                if not data:
                    break
                self._between = False
            try:
                parts.append(self._inflate.decompress(data))
            except zlib.error as error:
                if self._begun or self._bits < 0:
                    raise RetryableError(f"compressed stream is damaged ({error})") from error
                self._bits = -zlib.MAX_WBITS
                self._inflate = zlib.decompressobj(self._bits)
                continue
            self._begun = True
            if not self._inflate.eof:
                break
            data = self._inflate.unused_data
            self._between = True
            self._inflate = zlib.decompressobj(self._bits)
        return parts[0] if len(parts) == 1 else b"".join(parts)


@final
class Zstandard:
    """zstd (RFC 8878), of one frame or more."""

    def __init__(self) -> None:
        import zstandard

        self._damage = zstandard.ZstdError
        self._frames = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)

    def decode(self, data: bytes, /) -> bytes:
        """Return what can be read by now.

        Raises:
            RetryableError: It is damaged.
        """
        try:
            return self._frames.decompress(data)
        except self._damage as error:
            raise RetryableError(f"compressed stream is damaged ({error})") from error


@functools.cache
def accepted() -> str:
    """Return the codings to ask for: zstd where its library is installed, and gzip."""
    return "zstd, gzip" if importlib.util.find_spec("zstandard") is not None else "gzip"


def decoder(coding: str) -> Decoder | None:
    """Return what takes off the ``Content-Encoding`` of that name, or None for an unknown one."""
    name = coding.strip().lower()
    if name in ("", "identity"):
        return Identity()
    if name in ("gzip", "x-gzip", "deflate"):
        return Inflate()
    if name == "zstd" and name in accepted():
        return Zstandard()
    return None
