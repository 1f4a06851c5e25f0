"""What a power loss may leave of a process's files: recorded, then dropped, torn and reordered.

The model is the strictest that POSIX allows: of what was written since the last sync of a file any
part may be there, in any order, torn by sectors, its size before its content; of the names that
were made, moved or deleted since the last sync of their directory, any beginning.
"""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
_HEAD = struct.Struct("<cIIq")


@dataclass
class Operation:
    what: str
    path: str
    at: int
    data: bytes


@dataclass
class Inode:
    """A file: what is on the disk for certain, and what was done to it since."""

    safe: bytearray = field(default_factory=bytearray)
    pending: list[Operation] = field(default_factory=list)

    def sync(self) -> None:
        for done in self.pending:
            apply(self.safe, done)
        self.pending = []

    def crashed(self, rng: random.Random) -> bytes:
        content = bytearray(self.safe)
        left = self.pending
        way = rng.choice(["none", "all", "prefix", "subset", "reordered", "size first"])
        if way == "prefix":
            left = left[: rng.randint(0, len(left))]
        elif way == "subset":
            left = [done for done in left if rng.random() < 0.5]
        elif way == "reordered":
            left = [done for done in left if done.what == "t"] + rng.sample(
                [done for done in left if done.what == "w"],
                rng.randint(0, sum(done.what == "w" for done in left)),
            )
        elif way == "size first":
            ends = [done.at + len(done.data) for done in left] or [0]
            content.extend(bytes(max(0, *ends, len(content)) - len(content)))
        for done in [] if way in {"none", "size first"} else left:
            apply(content, done if rng.random() < 0.8 else torn(done, rng))
        return bytes(content)


def apply(content: bytearray, done: Operation) -> None:
    if done.what == "t":
        del content[done.at :]
        content.extend(bytes(max(0, done.at - len(content))))
    else:
        content.extend(bytes(max(0, done.at - len(content))))
        content[done.at : done.at + len(done.data)] = done.data


def torn(done: Operation, rng: random.Random) -> Operation:
    """Return a write of which some first sectors reached the disk."""
    ends = range(SECTOR - done.at % SECTOR, len(done.data), SECTOR)
    end = rng.choice(ends) if done.what == "w" and ends else len(done.data)
    return Operation(done.what, done.path, done.at, done.data[:end])


class Disk:
    """Files by their names, and what of both is safe."""

    def __init__(self) -> None:
        self.now: dict[str, Inode] = {}
        self.safe: dict[str, Inode] = {}
        self.names: list[tuple[Operation, Inode]] = []

    def do(self, done: Operation) -> None:
        if done.what == "s" and done.path in self.now:
            self.now[done.path].sync()
        elif done.what == "s":  # a directory
            for op, inode in self.names:
                if within(done.path, op):
                    name(self.safe, op, inode)
            self.names = [(op, i) for op, i in self.names if not within(done.path, op)]
        elif done.what in "wt":
            if done.path in self.now:  # else it has no name any more
                self.now[done.path].pending.append(done)
        elif done.what == "c" or done.path in self.now:
            inode = Inode() if done.what == "c" else self.now[done.path]
            name(self.now, done, inode)
            self.names.append((done, inode))

    def crashed(self, rng: random.Random) -> dict[str, bytes]:
        """Return what a power loss now may leave."""
        names = dict(self.safe)
        for op, inode in self.names[
            : rng.choice([0, len(self.names), rng.randint(0, len(self.names))])
        ]:
            name(names, op, inode)
        return {path: inode.crashed(rng) for path, inode in names.items()}


def within(directory: str, done: Operation) -> bool:
    return done.path.rpartition("/")[0] == directory


def name(names: dict[str, Inode], done: Operation, inode: Inode) -> None:
    """Make, move or delete a name."""
    if done.what in "ur":
        names.pop(done.path, None)
    if done.what in "cr":
        names[done.data.decode() if done.what == "r" else done.path] = inode


def library(folder: Path) -> Path:
    """Compile the recorder."""
    made = folder / "record.so"
    source = str(Path(__file__).with_name("record.c"))
    command = ["cc", "-shared", "-fPIC", "-w", "-O1", "-o", str(made), source, "-ldl", "-lpthread"]
    subprocess.run(command, check=True)
    return made


def recorded(folder: Path, script: Path, *arguments: str) -> list[Operation]:
    """Run a script in ``folder / "disk"`` and return what it did to the files in there."""
    below, log = folder / "disk", folder / "log"
    shutil.rmtree(below, ignore_errors=True)
    below.mkdir()
    log.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "LD_PRELOAD": str(library(folder)),
        "RECORD_BELOW": f"{below}/",
        "RECORD_TO": str(log),
    }
    command = [sys.executable, str(script), str(below), *arguments]
    subprocess.run(command, check=True, env=environment, cwd=below)
    return list(_parsed(log.read_bytes(), f"{below}/"))


def _parsed(log: bytes, below: str) -> Iterator[Operation]:
    at = 0
    while at < len(log):
        what, length, size, offset = _HEAD.unpack_from(log, at)
        at += _HEAD.size
        path, data = log[at : at + length].decode(), log[at + length : at + length + size]
        at += length + size
        if what == b"r":
            data = data.decode().removeprefix(below).encode()
        yield Operation(what.decode(), path.removeprefix(below), offset, data)
