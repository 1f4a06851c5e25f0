"""The program mongod: where it is, how a node of ours is started, and a port for it."""

from __future__ import annotations

import importlib.util
import random
import shutil
import socket
import subprocess
from pathlib import Path

from penstock.errors import MissingExtra, StorageError
from penstock.mongo.dev.process import Process, identify
from penstock.mongo.dev.record import HOST, NAME, NodeRecord

__all__ = [
    "TAKEN",
    "data_folder",
    "find_mongod",
    "free_ports",
    "launch",
    "log_file",
    "pid_file",
    "started",
]

TAKEN = 48  # what mongod exits with where its port is taken
# Below the ports that systems give to outgoing connections, so that a node finds its own again.
_PORTS = range(21000, 32000)
# Small, as for a desk: three nodes share a machine with the tests that use them.
_SMALL = ("--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64")
_PARAMETERS = (
    "enableTestCommands=1",  # fail points: configureFailPoint makes a node fail on command
    "diagnosticDataCollectionEnabled=false",
    # A member that is asked to end would wait for 15 seconds, for clients to go elsewhere.
    "shutdownTimeoutMillisForSignaledShutdown=100",
)


def find_mongod() -> str:
    """Return the program: the one of the extra, else one on the PATH.

    Raises:
        MissingExtra: There is none.
    """
    package = importlib.util.find_spec("fiftyone")
    for place in (package and package.submodule_search_locations) or ():
        program = Path(place) / "db" / "bin" / "mongod"
        if program.is_file():
            return str(program)
    found = shutil.which("mongod")
    if found is None:
        raise MissingExtra("a MongoDB of your own", "a program mongod", "mongo-server")
    return found


def free_ports(count: int) -> list[int]:
    """Return ``count`` ports of this machine that nobody listens on now."""
    found: list[int] = []
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        if len(found) == count:
            break
        if _is_free(port):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    try:
        with socket.create_server((HOST, port)):
            return True
    except OSError:
        return False


def data_folder(directory: Path, number: int) -> Path:
    """Return the folder of a node's data."""
    return directory / f"node-{number}"


def log_file(directory: Path, number: int) -> Path:
    """Return the file of a node's log."""
    return directory / f"node-{number}.log"


def pid_file(directory: Path, number: int) -> Path:
    """Return the file in which a node says its process's number."""
    return directory / f"node-{number}.pid"


def launch(directory: Path, node: NodeRecord) -> subprocess.Popen[str]:
    """Start a node; what is returned ends as soon as the node listens, or has failed.

    The node is a child of nobody (``--fork``): it outlives us and leaves no zombie.
    """
    directory = directory.absolute()  # the node works in the root folder
    folder = data_folder(directory, node.number)
    folder.mkdir(exist_ok=True)
    words = [find_mongod(), "--fork", "--dbpath", str(folder), *_SMALL]
    words += ["--logpath", str(log_file(directory, node.number)), "--logappend"]
    words += ["--pidfilepath", str(pid_file(directory, node.number))]
    words += ["--port", str(node.port), "--bind_ip", HOST, "--nounixsocket"]
    words += [word for one in _PARAMETERS for word in ("--setParameter", one)]
    if node.kind != "standalone":
        words += ["--replSet", NAME]
    return subprocess.Popen(  # noqa: S603 - words of our own
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def started(directory: Path, node: NodeRecord) -> Process:
    """Return the process of a node that was launched.

    Raises:
        StorageError: It is not there.
    """
    path = pid_file(directory, node.number)
    process = identify(int(path.read_text())) if path.is_file() else None
    if process is None:
        raise StorageError(
            f"node {node.number} ended at once: see {log_file(directory, node.number)}"
        )
    return process
