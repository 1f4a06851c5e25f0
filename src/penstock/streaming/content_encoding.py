"""Content codings taken off as the bytes come: what was flushed is given out at once."""

from __future__ import annotations

import functools
import importlib.util
import zlib
from collections.abc import Iterator
from typing import Protocol, final

from penstock.errors import PermanentError, RetryableError

__all__ = ["Decoder", "accepted", "decoder"]

_PIECE = 1024 * 1024  # bytes given out at once: a few may stand for gigabytes
_SLICE = 512  # bytes of zstd taken at once: a block of 4 may stand for 128 KiB


class Decoder(Protocol):
    """Takes a content coding off.

    Attributes:
        whole: Whether what came ends where the coding does, and not within it; None: nobody knows.
    """

    whole: bool | None

    def decode(self, data: bytes, /) -> Iterator[bytes]:
        """Yield what can be read by now, piece by piece."""
        ...


@final
class Identity:
    """No coding."""

    whole: bool | None = True

    def decode(self, data: bytes, /) -> Iterator[bytes]:
        """Yield ``data``."""
        yield data


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
        self.whole: bool | None = True

    def decode(self, data: bytes, /) -> Iterator[bytes]:
        """Yield what can be read by now, piece by piece.

        Raises:
            RetryableError: It is damaged.
        """
        full = False
        while data or full:
            if self.whole and self._begun:  # there may be padding between members
                data = data.lstrip(b"\0")
                if not data:
                    break
            try:
                piece = self._inflate.decompress(data, _PIECE)
            except zlib.error as error:
                if self._begun or self._bits < 0:
                    raise RetryableError(f"compressed stream is damaged ({error})") from error
                self._bits = -zlib.MAX_WBITS
                self._inflate = zlib.decompressobj(self._bits)
                continue
            self._begun, self.whole = True, False
            full = len(piece) == _PIECE  # there may be more, of what was read already
            data = self._inflate.unconsumed_tail
            if self._inflate.eof:
                data, full = self._inflate.unused_data, False
                self.whole = True
                self._inflate = zlib.decompressobj(self._bits)
            yield piece


@final
class Zstandard:
    """zstd (RFC 8878), of one frame or more."""

    whole: bool | None = None

    def __init__(self) -> None:
        import zstandard

        self._damage = zstandard.ZstdError
        self._frames = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)

    def decode(self, data: bytes, /) -> Iterator[bytes]:
        """Yield what can be read by now, piece by piece.

        Raises:
            PermanentError: It takes too much memory.
            RetryableError: It is damaged.
        """
        for start in range(0, len(data), _SLICE):
            try:
                yield self._frames.decompress(data[start : start + _SLICE])
            except self._damage as error:
                if "memory" in str(error):  # RFC 9659 allows windows of 8 MiB
                    raise PermanentError(
                        "the stream's zstd wants a window of more than 128 MiB: not read"
                    ) from error
                raise RetryableError(f"compressed stream is damaged ({error})") from error


@functools.cache
def accepted() -> str:
    """Return the codings to ask for: zstd where its library is installed, and gzip."""
    return "zstd, gzip" if importlib.util.find_spec("zstandard") is not None else "gzip"


def decoder(coding: str) -> Decoder | None:
    """Return what takes off the ``Content-Encoding`` of that name, or None for an unknown one."""
    codings = [name.strip() for name in coding.lower().split(",")]
    name = ",".join(name for name in codings if name not in ("", "identity", "none"))
    if not name:
        return Identity()
    if name in ("gzip", "x-gzip", "deflate"):
        return Inflate()
    if name == "zstd" and name in accepted():
        return Zstandard()
    return None
