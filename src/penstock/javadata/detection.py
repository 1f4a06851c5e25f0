"""Files that only look as if DataOutputStream had written them, and those it is wrapped in."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO, cast, final

from penstock.javadata.errors import EndOfData, SchemaMismatch

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DAMAGED", "HEAD", "WRAPPINGS", "ObjectBlocks", "hint", "unwrapped"]

SERIALIZED = b"\xac\xed\x00\x05"
# First bytes, and what to do about them.
WRAPPERS = {
    b"\x1f\x8b": "the file is compressed with gzip: open it with gzip.open(path), or pass --gzip",
    SERIALIZED: (
        "the file was written by Java's ObjectOutputStream (serialization, AC ED 00 05), not by "
        "DataOutputStream: pass --unwrap object for values of writeInt and the like, which lie in "
        "blocks; read objects with a library for them, or have the program write plain data"
    ),
    b"PK\x03\x04": "the file is a zip or jar archive: extract it first",
    b"\xca\xfe\xba\xbe": "the file is a compiled Java class",
    b"BZh": "the file is compressed with bzip2: pass --unwrap bzip2",
    b"\xfd7zXZ\x00": "the file is compressed with xz: pass --unwrap xz",
    b"\x28\xb5\x2f\xfd": "the file is compressed with zstd: unpack it first (zstd -d)",
    b"\x04\x22\x4d\x18": "the file is compressed with lz4: unpack it first (lz4 -d)",
    b"LZ4Block": "the file is compressed by lz4-java's LZ4BlockOutputStream: unpack it there first",
    b"\x82SNAPPY\x00": "the file is compressed by snappy-java: unpack it there first",
    b"\xff\x06\x00\x00sNaPpY": "the file is compressed with snappy: unpack it first",
}
ZLIB = "the file is compressed with zlib (DeflaterOutputStream): pass --unwrap zlib"
HEAD = 64
TC_BLOCKDATA, TC_RESET, TC_BLOCKDATALONG = 0x77, 0x79, 0x7A


def hint(head: bytes) -> str | None:
    r"""Return what a file that begins with ``head`` is and what to do, None for plain data.

    >>> hint(b"PK\x03\x04")
    'the file is a zip or jar archive: extract it first'
    """
    for magic, what in WRAPPERS.items():
        if head.startswith(magic):
            return what
    return ZLIB if is_zlib(head) else None


def is_zlib(head: bytes) -> bool:
    """Return whether ``head`` begins what a Deflater of any level and window writes.

    Its two bytes may begin plain numbers too, so what follows must unpack as well.
    """
    if len(head) < 8 or head[0] & 0x0F != 8 or head[0] >> 4 > 7 or int.from_bytes(head[:2]) % 31:
        return False
    if head[1] & 0x20:  # a dictionary that only its writer has
        return head[0] == 0x78
    try:
        got = zlib.decompressobj().decompress(head)
    except zlib.error:
        return False
    return head[0] == 0x78 or bool(got)


@final
class Inflated:
    """What zlib unpacks of a file, as a file to read from."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.inflater = zlib.decompressobj()
        self.ready = b""

    def read1(self, size: int = -1) -> bytes:
        """Return at most ``size`` bytes, none at the end.

        Raises:
            EOFError: The compressed data is cut short.
        """
        while not self.ready:
            done = self.inflater.eof
            packed = self.inflater.unused_data if done else self.inflater.unconsumed_tail
            packed = packed or self.file.read(1 << 16)
            if not packed and done:
                return b""
            if not packed:
                raise EOFError("compressed data ended before its end mark")
            if done:  # another one may follow, as with gzip
                self.inflater = zlib.decompressobj()
            self.ready = self.inflater.decompress(packed, 1 << 20)
        size = len(self.ready) if size < 0 else size
        data, self.ready = self.ready[:size], self.ready[size:]
        return data

    read = read1


@final
class ObjectBlocks:
    r"""The primitive data that stands in blocks in what ObjectOutputStream wrote.

    What ``writeInt``, ``writeUTF`` and the like wrote can be read; an object between is an error.

    >>> import io
    >>> from penstock.javadata import DataInputStream
    >>> stream = DataInputStream(ObjectBlocks(io.BytesIO(b"\xac\xed\0\5w\4\0\0\0\7")))
    >>> stream.read_int()
    7
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.offset = len(SERIALIZED)
        self.left = 0
        if file.read(len(SERIALIZED)) != SERIALIZED:
            raise SchemaMismatch("does not begin with AC ED 00 05", offset=0, reading="stream")

    def read1(self, size: int = -1) -> bytes:
        """Return at most ``size`` bytes of the block at hand, none at the end of the data.

        Raises:
            SchemaMismatch: An object stands there.
            EndOfData: The data ends inside a block.
        """
        if size == 0 or (self.left == 0 and not self.next_block()):
            return b""
        data = self.file.read(self.left if size < 0 else min(size, self.left))
        if not data:
            raise EndOfData(offset=self.offset, reading="block", needed=self.left, got=0)
        self.left -= len(data)
        self.offset += len(data)
        return data

    read = read1

    def next_block(self) -> bool:
        """Go to the next block that is not empty; return whether there is one."""
        while self.left == 0:
            start, mark = self.offset, self.file.read(1)
            if not mark:
                return False
            wide = mark[0] == TC_BLOCKDATALONG
            if mark[0] == TC_RESET:
                self.offset += 1
                continue
            if mark[0] != TC_BLOCKDATA and not wide:
                raise SchemaMismatch(
                    f"an object (mark {mark[0]:#x}) stands between the values of writeInt and the "
                    "like: read it with a library for Java objects",
                    offset=start,
                    reading="stream",
                )
            size = self.file.read(4 if wide else 1)
            if len(size) < (4 if wide else 1):
                raise EndOfData(offset=start, reading="block", needed=5, got=1 + len(size))
            self.left = struct.unpack(">i", size)[0] if wide else size[0]
            self.offset += 1 + len(size)
            if self.left < 0:
                raise SchemaMismatch(
                    f"a block of {self.left} bytes", offset=start, reading="stream"
                )
        return True


# What DataOutputStream is often wrapped in, and what unwraps it.
WRAPPINGS: dict[str, Callable[[BinaryIO], object]] = {
    "gzip": lambda file: gzip.GzipFile(fileobj=file),
    "zlib": Inflated,
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
    "object": ObjectBlocks,
}
# What the unpackers raise on damaged data, beside EOFError and OSError.
DAMAGED = (zlib.error, lzma.LZMAError)


def unwrapped(file: BinaryIO, wrapping: str | None) -> BinaryIO:
    """Return the file that ``wrapping``, one of WRAPPINGS, gives; the file itself for None."""
    return cast("BinaryIO", WRAPPINGS[wrapping](file)) if wrapping else file
