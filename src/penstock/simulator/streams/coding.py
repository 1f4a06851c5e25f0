"""From the bytes of a stream to those on the wire: cut into blocks, compressed, in chunks."""

from __future__ import annotations

import zlib
from typing import final

from penstock.simulator.streams.settings import StreamSettings

__all__ = ["Coder"]

_GZIP = 16 + zlib.MAX_WBITS


@final
class Coder:
    r"""Codes one connection's body.

    Args:
        settings: Its ``block``, ``gzip`` and ``coding`` matter.
        gzipped: Whether the client accepts it.

    Attributes:
        held: Bytes taken and not given out yet, since they do not fill a block.

    >>> coder = Coder(StreamSettings(framing="crlf", block=4), gzipped=False)
    >>> coder.take(b"abcdefg"), coder.held, coder.flush(), coder.end()
    (b'4\r\nabcd\r\n', 3, b'3\r\nefg\r\n', b'0\r\n\r\n')
    """

    def __init__(self, settings: StreamSettings, *, gzipped: bool) -> None:
        self._block = settings.block
        self._chunked = settings.coding == "chunked" and settings.framing != "websocket"
        self._gzip = settings.gzip if gzipped else "off"
        self._zip = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
        self._rest = b""

    @property
    def held(self) -> int:
        """Bytes that wait for a block to be full."""
        return len(self._rest)

    def take(self, data: bytes) -> bytes:
        """Return what goes out now that ``data`` is there, too."""
        if not self._block:
            return self._coded(data)
        data = self._rest + data
        whole = len(data) - len(data) % self._block
        self._rest = data[whole:]
        block = self._block
        return b"".join(
            [self._coded(data[start : start + block]) for start in range(0, whole, block)]
        )

    def flush(self) -> bytes:
        """Return what was held: nothing more comes for a while."""
        rest, self._rest = self._rest, b""
        return self._coded(rest) if rest else b""

    def end(self) -> bytes:
        """Return the body's proper end."""
        data = self.flush()
        if self._gzip in {"sync", "never"}:
            data += self._chunk(self._zip.flush(zlib.Z_FINISH))
        return data + b"0\r\n\r\n" if self._chunked else data

    def _coded(self, block: bytes) -> bytes:
        if self._gzip == "never":
            block = self._zip.compress(block)
        elif self._gzip == "sync":
            block = self._zip.compress(block) + self._zip.flush(zlib.Z_SYNC_FLUSH)
        elif self._gzip == "members":
            one = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
            block = one.compress(block) + one.flush()
        return self._chunk(block)

    def _chunk(self, data: bytes) -> bytes:
        # an empty chunk would be the end of the body
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked and data else data
