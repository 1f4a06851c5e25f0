"""The server: in a thread of this process, or in the foreground for the command line."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self, final

from penstock.errors import InputError
from penstock.simulator.connection import ServedConnection
from penstock.simulator.ledger import Truth
from penstock.simulator.service import SimulatedService
from penstock.simulator.settings import SimulatorSettings

__all__ = ["Simulator", "serve"]

BACKLOG = 4096


def _listen(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        reason = error.strerror or str(error)
        raise InputError(
            f"simulator: cannot listen on 127.0.0.1:{port}: {reason}; "
            "another --port, or 0 for any that is free"
        ) from error
    sock.setblocking(False)  # noqa: FBT003 - the socket's own signature
    return sock


def raise_open_files(wanted: int = 20_000) -> int:
    """Raise this process's soft limit of open files as far as allowed; return what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    best = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < best:
        with contextlib.suppress(ValueError, OSError):  # the limit of the system is enough then
            resource.setrlimit(resource.RLIMIT_NOFILE, (best, hard))
            return best
    return soft


async def _run(sock: socket.socket, service: SimulatedService, stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    connections: set[ServedConnection] = set()
    inlet = memoryview(bytearray(64 * 1024))

    server = await loop.create_server(
        lambda: ServedConnection(service, connections, inlet), sock=sock, backlog=BACKLOG
    )
    try:
        await stop.wait()
    finally:
        server.close()
        for connection in tuple(connections):
            connection.abort()
        await asyncio.sleep(0)  # lets the aborted transports close their sockets


def _stop_at_eof(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()


@final
class Simulator:
    """A faulty HTTP server on 127.0.0.1 in a thread of its own.

    Args:
        settings: How it behaves.
        port: Where it listens; 0 means any free port.

    >>> import urllib.request
    >>> with Simulator(SimulatorSettings(users=10)) as simulator:
    ...     body = urllib.request.urlopen(simulator.url + "/users/7.json").read()
    ...     simulator.truth()["served"]
    1
    """

    def __init__(self, settings: SimulatorSettings | None = None, *, port: int = 0) -> None:
        self.settings = settings or SimulatorSettings()
        self._port = port
        self._service = SimulatedService(self.settings)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event
        self._lock = threading.Lock()  # close() lets a truth() in progress finish
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def url(self) -> str:
        """Where it is, without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> Self:
        """Listen and return; ``with`` does this.

        Raises:
            InputError: The port is taken or not allowed.
        """
        raise_open_files()
        sock = _listen(self._port)
        self._port = sock.getsockname()[1]
        started = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main(sock, started)), name="simulator", daemon=True
        )
        self._thread.start()
        started.wait()
        return self

    async def _main(self, sock: socket.socket, started: threading.Event) -> None:
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        started.set()
        await _run(sock, self._service, self._stop)

    def truth(self, *, ids: bool = False) -> Truth:
        """Return what the server counted; ``ids`` adds how often each id was served.

        May be called from any thread, also after :meth:`close`.
        """

        async def snapshot() -> Truth:
            return self._service.world.ledger.truth(ids=ids)

        with self._lock:
            if self._loop is None:
                return self._service.world.ledger.truth(ids=ids)
            return asyncio.run_coroutine_threadsafe(snapshot(), self._loop).result()

    def close(self) -> None:
        """Close every connection and end the thread. May be called again."""
        with self._lock:
            loop, self._loop = self._loop, None
            if loop is not None and self._thread is not None:
                loop.call_soon_threadsafe(self._stop.set)
                self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def serve(
    settings: SimulatorSettings,
    port: int,
    ready: Callable[[str, int], None],
    *,
    until_eof: bool = False,
) -> None:
    """Serve in the foreground until SIGTERM or SIGINT.

    Args:
        settings: How the server behaves.
        port: Where it listens; 0 means any free port.
        ready: Called once with URL and port when connections are accepted.
        until_eof: End also when standard input closes, as it does when a parent dies.

    Raises:
        InputError: The port is taken or not allowed.
    """
    raise_open_files()
    sock = _listen(port)
    taken: int = sock.getsockname()[1]

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)
        if until_eof:
            loop.add_reader(sys.stdin.fileno(), _stop_at_eof, stop)
        ready(f"http://127.0.0.1:{taken}", taken)
        await _run(sock, SimulatedService(settings), stop)

    asyncio.run(main())
