"""NBT, the format of Minecraft's files: read and write it value by value with Java's streams.

    python examples/javadata/nbt.py level.dat

A tree of named tags: a byte says what a value is, a UTF its name. Trees have no fixed layout, so
this is a case for DataInputStream itself and not for a schema.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path
from typing import NamedTuple

from penstock.javadata import DataInputStream, DataOutputStream

END, BYTE, BYTES, STRING, LIST, COMPOUND = 0, 1, 7, 8, 9, 10
# Tags of one number, and of an int and so many of them.
NUMBERS = {1: "byte", 2: "short", 3: "int", 4: "long", 5: "float", 6: "double"}
ARRAYS = {7: "byte", 11: "int", 12: "long"}


class Tag(NamedTuple):
    """A value and what it is: for a list also the tag of its elements."""

    kind: int
    value: object
    element: int = END


def read_tag(stream: DataInputStream, kind: int) -> Tag:
    """Read one value of a known kind."""
    if kind in NUMBERS:
        return Tag(kind, getattr(stream, f"read_{NUMBERS[kind]}")())
    if kind in ARRAYS:
        count = stream.read_int()
        return Tag(kind, stream.read_array(ARRAYS[kind], count).tolist())
    if kind == STRING:
        return Tag(kind, stream.read_utf())
    if kind == LIST:
        element, count = stream.read_byte(), stream.read_int()
        return Tag(kind, [read_tag(stream, element) for _ in range(count)], element)
    if kind == COMPOUND:
        return Tag(kind, dict(iter(lambda: read_named(stream), ("", Tag(END, None)))))
    raise ValueError(f"no tag {kind} before offset {stream.offset}")


def read_named(stream: DataInputStream) -> tuple[str, Tag]:
    """Read a kind, a name and the value; the end of a compound has neither name nor value."""
    kind = stream.read_byte()
    return ("", Tag(END, None)) if kind == END else (stream.read_utf(), read_tag(stream, kind))


def write_tag(stream: DataOutputStream, tag: Tag) -> None:
    """Write a value."""
    if tag.kind in NUMBERS:
        getattr(stream, f"write_{NUMBERS[tag.kind]}")(tag.value)
    elif tag.kind in ARRAYS:
        stream.write_int(len(tag.value))
        stream.write_array(ARRAYS[tag.kind], tag.value)
    elif tag.kind == STRING:
        stream.write_utf(tag.value)
    elif tag.kind == LIST:
        stream.write_byte(tag.element)
        stream.write_int(len(tag.value))
        for each in tag.value:
            write_tag(stream, each)
    else:
        for name, each in tag.value.items():
            write_named(stream, name, each)
        stream.write_byte(END)


def write_named(stream: DataOutputStream, name: str, tag: Tag) -> None:
    """Write a kind, a name and the value."""
    stream.write_byte(tag.kind)
    stream.write_utf(name)
    write_tag(stream, tag)


def plain(tag: Tag) -> object:
    """Return numbers, text, lists and dicts."""
    if tag.kind == COMPOUND:
        return {name: plain(each) for name, each in tag.value.items()}
    if tag.kind == LIST:
        return [plain(each) for each in tag.value]
    return tag.value


def load(path: Path) -> tuple[str, Tag]:
    """Return the name and tree of a file, compressed or not."""
    data = path.read_bytes()
    return read_named(DataInputStream(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data))


def dumped(name: str, tag: Tag) -> bytes:
    """Return the bytes of a tree."""
    file = io.BytesIO()
    write_named(DataOutputStream(file), name, tag)
    return file.getvalue()


if __name__ == "__main__":
    print(json.dumps(plain(load(Path(sys.argv[1]))[1]), indent=2))
