"""The zip file of a book: read with suspicion, written so that untouched members keep their bytes.

Nothing is ever unpacked to disk. Members that are not changed are copied as they are stored,
compressed, so images and fonts cost no time and cannot change.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO, TypeAlias, final

from penstock.errors import InputError

__all__ = ["Archive", "ArchiveMember", "write_archive"]

LARGEST_MEMBER = 256 << 20
LARGEST_BOOK = 2 << 30
# Blank pictures and repetitive text pack a thousandfold: only what is large as well is a bomb.
HIGHEST_RATIO, LARGEST_PADDING = 200, 32 << 20
KEPT = 8 << 20
MIMETYPE = b"application/epub+zip"
LEVEL = 8  # of 12: what 9 saves besides, a thousandth of a book, costs an eighth more time
Date: TypeAlias = tuple[int, int, int, int, int, int]
EPOCH: Date = (1980, 1, 1, 0, 0, 0)
DEFLATED, STORED = zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED


@cache
def _packer() -> Callable[[bytes], bytes]:
    """Return what deflates: libdeflate where it is, which packs smaller in the same time."""
    try:
        from deflate import deflate_compress
    except ImportError:
        return _pack
    return lambda data: bytes(deflate_compress(data, LEVEL))


def _pack(data: bytes) -> bytes:
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15, 9)
    return deflate.compress(data) + deflate.flush()


@final
@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """A member to write.

    Attributes:
        name: Its path in the archive.
        packed: Its bytes as stored.
        method: 0 stored, 8 deflated.
        size: Its size unpacked.
        crc: CRC-32 of it unpacked.
        date: Year, month, day, hour, minute, second.
    """

    name: str
    packed: bytes
    method: int
    size: int
    crc: int
    date: Date = EPOCH

    @classmethod
    def of(
        cls, name: str, data: bytes, date: Date = EPOCH, *, stored: bool = False
    ) -> ArchiveMember:
        """Return an entry of ``data``, deflated unless it is to be ``stored``."""
        packed = data if stored else _packer()(data)
        method = STORED if stored else DEFLATED
        return cls(name, packed, method, len(data), zlib.crc32(data), date)


@final
class Archive:
    """A book's zip file, opened from bytes.

    Args:
        data: The whole file.
        label: What error texts call it.

    Raises:
        InputError: It is no zip file, is encrypted, unpacks to too much, or has a member whose
            name leads out of the book.
    """

    def __init__(self, data: bytes, label: str) -> None:
        self._view = memoryview(data)
        self.label = label
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, EOFError) as error:
            raise InputError(f"{label}: not a readable EPUB ({error})") from error
        self._kept: dict[str, bytes] = {}
        self._room = KEPT
        self._infos = {_name(info): info for info in self._zip.infolist() if not info.is_dir()}
        _check(self._infos.values(), label)

    def __contains__(self, name: object) -> bool:
        return name in self._infos

    def __iter__(self) -> Iterator[str]:
        """Iterate the members' names in the order they are stored."""
        return iter(self._infos)

    def read(self, name: str) -> bytes:
        """Return a member unpacked. Documents are read twice: the first few megabytes are kept.

        Raises:
            InputError: It is missing or damaged.
        """
        data = self._kept.pop(name, None)
        if data is None:
            data = self._unpacked(name)
            if len(data) <= self._room:
                self._room -= len(data)
                self._kept[name] = data
        else:
            self._room += len(data)
        return data

    def _unpacked(self, name: str) -> bytes:
        info = self._infos.get(name)
        if info is None:
            raise InputError(f"{self.label}: {name} is missing")
        try:
            if info.compress_type != DEFLATED:
                return self._zip.read(info)
            # Four times as quick as the standard library's, which makes six objects a member.
            inflate = zlib.decompressobj(-15)
            data = inflate.decompress(
                self._packed(info), info.file_size or 1
            )  # 0 would be no limit
            if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
                raise InputError(f"{self.label}: {name} is damaged (its sum does not match)")
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as e:
            raise InputError(f"{self.label}: {name} is damaged ({e})") from e
        return data

    def date(self, name: str) -> Date:
        """Return when a member was changed last."""
        return self._infos[name].date_time

    def keep(self, name: str) -> ArchiveMember:
        """Return a member to be written as it is stored."""
        info = self._infos[name]
        if info.compress_type not in (STORED, DEFLATED):
            return ArchiveMember.of(name, self.read(name), date=info.date_time)
        packed = bytes(self._packed(info))
        return ArchiveMember(
            name, packed, info.compress_type, info.file_size, info.CRC, info.date_time
        )

    def _packed(self, info: zipfile.ZipInfo) -> memoryview:
        at = info.header_offset
        name_length, extra_length = struct.unpack("<HH", self._view[at + 26 : at + 30])
        begin = at + 30 + name_length + extra_length
        return self._view[begin : begin + info.compress_size]


def _name(info: zipfile.ZipInfo) -> str:
    """Return a member's name; many programs write UTF-8 without the flag that says so."""
    name = info.filename
    if info.flag_bits & 0x800 or name.isascii():
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name


def _check(infos: Iterable[zipfile.ZipInfo], label: str) -> None:
    total = 0
    for info in infos:
        name = info.filename
        if info.flag_bits & 1:
            raise InputError(f"{label}: {name} is encrypted; penstock reads open books only")
        parts = name.replace("\\", "/").split("/")
        if name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
            raise InputError(f"{label}: member {name!r} leads out of the book; refused")
        total += info.file_size
        packed = max(info.compress_size, 1)
        if info.file_size > LARGEST_PADDING and info.file_size / packed > HIGHEST_RATIO:
            raise InputError(
                f"{label}: {name} unpacks to {info.file_size // packed} times its size; "
                "refused as a zip bomb"
            )
        if info.file_size > LARGEST_MEMBER or total > LARGEST_BOOK:
            raise InputError(f"{label}: unpacks to more than a book holds; refused")


def write_archive(out: BinaryIO, entries: Iterable[ArchiveMember]) -> None:
    """Write an EPUB: the media type first and stored, then ``entries`` in their order.

    The same entries give the same bytes. ``entries`` are taken one at a time, so a generator
    keeps only one in memory.
    """
    directory: list[bytes] = []
    position = 0
    for entry in _with_type(entries):
        name = entry.name.encode()
        flags = 0x800 if not entry.name.isascii() else 0
        year, month, day, hour, minute, second = entry.date
        time, day = hour << 11 | minute << 5 | second // 2, (year - 1980) << 9 | month << 5 | day
        sizes = (entry.crc, len(entry.packed), entry.size, len(name))
        fields = struct.pack("<HHHHHIIIH", 20, flags, entry.method, time, day, *sizes)
        header = b"PK\3\4" + fields + b"\0\0" + name
        out.write(header)
        out.write(entry.packed)
        where = struct.pack("<HHHHII", 0, 0, 0, 0, 0o644 << 16, position)
        directory.append(b"PK\1\2\x14\x03" + fields + where + name)
        position += len(header) + len(entry.packed)
    out.writelines(directory)
    out.write(_directory_end(len(directory), sum(map(len, directory)), position))


def _directory_end(count: int, size: int, begin: int) -> bytes:
    """Return what ends a zip file: with the records of ZIP64 where 16 or 32 bits do not do."""
    large = b""
    if count >= 0xFFFF or max(size, begin) >= 0xFFFFFFFF:  # APPNOTE 4.3.14, 4.3.15
        large = struct.pack(
            "<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, begin
        ) + struct.pack("<4sLQL", b"PK\6\7", 0, begin + size, 1)
    few = min(count, 0xFFFF)
    small = (0, 0, few, few, min(size, 0xFFFFFFFF), min(begin, 0xFFFFFFFF), 0)
    return large + struct.pack("<4s4H2LH", b"PK\5\6", *small)


def _with_type(entries: Iterable[ArchiveMember]) -> Iterator[ArchiveMember]:
    yield ArchiveMember.of("mimetype", MIMETYPE, stored=True)
    yield from (entry for entry in entries if entry.name != "mimetype")
