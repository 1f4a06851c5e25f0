"""What is known of a set between two commands: one file, replaced whole, under a lock."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias, final

import msgspec

from penstock.errors import InputError, StorageError
from penstock.mongo.dev.process import Process
from penstock.whole import whole_file

__all__ = [
    "HOST",
    "NAME",
    "Kind",
    "NodeRecord",
    "SetRecord",
    "alone",
    "exists",
    "forget",
    "load",
    "save",
]

HOST = "127.0.0.1"
NAME = "penstock"
Kind: TypeAlias = Literal["member", "arbiter", "standalone"]
_FILE = "set.json"


@final
class NodeRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One node: where it listens and which process it was last."""

    number: int
    port: int
    kind: Kind = "member"
    pid: int = 0
    born: str = ""

    @property
    def host(self) -> str:
        """Where it listens."""
        return f"{HOST}:{self.port}"

    @property
    def process(self) -> Process | None:
        """The process it was last, whether or not it still lives."""
        return Process(self.pid, self.born) if self.pid else None


@final
class SetRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The set: its nodes, and how soon they miss a primary, in seconds."""

    version: int = 1
    election: float
    nodes: tuple[NodeRecord, ...]

    @property
    def standalone(self) -> bool:
        """Whether it is one node without a set."""
        return self.nodes[0].kind == "standalone"

    @property
    def uri(self) -> str:
        """What clients connect to."""
        hosts = ",".join(node.host for node in self.nodes if node.kind != "arbiter")
        options = "directConnection=true" if self.standalone else f"replicaSet={NAME}"
        return f"mongodb://{hosts}/?{options}"


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Hold the set for one command: the next one waits."""
    with (directory / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def exists(directory: Path) -> bool:
    """Return whether there is a set in ``directory``."""
    return (directory / _FILE).is_file()


def forget(directory: Path) -> None:
    """Have no set in ``directory`` any more."""
    (directory / _FILE).unlink(missing_ok=True)


def load(directory: Path) -> SetRecord:
    """Return what is known of the set in ``directory``.

    Raises:
        InputError: There is none.
        StorageError: The file is damaged.
    """
    path = directory / _FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=SetRecord)
    except FileNotFoundError as error:
        raise InputError(
            f"{directory}: no MongoDB here; penstock mongo dev start --dir {directory}"
        ) from error
    except (OSError, msgspec.DecodeError) as error:
        raise StorageError(f"{path}: cannot be read: {error}") from error


def save(directory: Path, record: SetRecord) -> None:
    """Make ``record`` what is known."""
    with whole_file(directory / _FILE) as file:
        file.write(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
