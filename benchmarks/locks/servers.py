"""The servers of the peers, started for one run: Debian's redis and ZooKeeper, our replica set."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ZOOKEEPER = Path("/usr/share/zookeeper/bin/zkServer.sh")


def installed(*, redis: bool, zookeeper: bool) -> None:
    """Install what is missing; needs root and apt-get."""
    wanted = []
    if redis and shutil.which("redis-server") is None:
        wanted.append("redis-server")
    if zookeeper and not ZOOKEEPER.exists():
        wanted.append("zookeeper")
    if wanted:
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", *wanted], check=True, stdout=subprocess.DEVNULL
        )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def answering(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"{process.args} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"{process.args} does not answer")


@contextmanager
def process(words: list[str], port: int, folder: str) -> Iterator[None]:
    with Path(folder, f"{port}.log").open("wb") as log:
        running = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log)
    try:
        answering(port, running)
        yield
    finally:
        running.terminate()
        running.wait()


def redis() -> tuple[list[str], int]:
    port = free_port()
    words = ["redis-server", "--port", str(port), "--save", "", "--bind", "127.0.0.1"]
    return words, port


def zookeeper(folder: str) -> tuple[list[str], int]:
    port = free_port()
    config = Path(folder) / "zoo.cfg"
    config.write_text(
        f"tickTime=2000\ndataDir={folder}/zookeeper\nclientPort={port}\nmaxClientCnxns=200\n"
        "admin.enableServer=false\n"
    )
    jars = ":".join(str(jar) for jar in Path("/usr/share/java").glob("*.jar"))
    main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
    return ["java", "-Xmx256m", "-cp", jars, main, str(config)], port


@contextmanager
def places(kinds: list[str]) -> Iterator[dict[str, str]]:
    """Start what ``kinds`` need; give where each is."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-locks-"))
        found = {"folder": folder}
        text = " ".join(kinds)
        wants_redis, wants_zookeeper = "redis" in text or "pottery" in text, "ZooKeeper" in text
        installed(redis=wants_redis, zookeeper=wants_zookeeper)
        if wants_redis:
            ports = []
            for _ in range(3 if "pottery" in text else 1):
                words, port = redis()
                stack.enter_context(process(words, port, folder))
                ports.append(str(port))
            found |= {"redis": ports[0], "masters": ",".join(ports)}
        if wants_zookeeper:
            words, port = zookeeper(folder)
            stack.enter_context(process(words, port, folder))
            found["zookeeper"] = f"127.0.0.1:{port}"
        if any(kind in text for kind in ("Mongo", "majority", "original", "naive")):
            from penstock.mongo.dev import DevSet

            made = DevSet.start(f"{folder}/mongo")
            stack.callback(made.stop)
            found["mongo"] = made.uri
        yield found
