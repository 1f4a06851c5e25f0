"""The servers that are harvested from: nginx where it can be had, penstock's simulator else.

Each is a context manager that yields the base URL, or an object with it and the server's counts.
All serve ``/users/{id}.json``, about 1 KB.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spine.machine import Bench, Trouble, child
from spine.simulated import Simulated, simulate

__all__ = ["Counting", "can_nginx", "fast", "limited", "server_name", "slow"]

_MODULES = (
    Path("/usr/lib/nginx/modules/ngx_http_echo_module.so"),
    Path("/usr/share/nginx/modules/ngx_http_echo_module.so"),
)
_PACKAGES = ("nginx", "libnginx-mod-http-echo")

_USER = {
    "name": "Ada Lovelace",
    "screen_name": "ada",
    "location": "London",
    "followers_count": 1815,
    "friends_count": 1852,
    "verified": True,
    "description": "Poetical science. " * 20,
    "status": {"text": "That brain of mine is something more than merely mortal. " * 6, "n": 7},
    "entities": {"urls": [{"url": f"http://example.com/{n}", "at": [n, n]} for n in range(4)]},
}

_CONFIGURATION = """\
{module}
daemon off;
{user}
worker_processes 1;
worker_rlimit_nofile 16384;
pid {work}/nginx.pid;
error_log {work}/error.log;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    default_type application/json;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
    client_body_temp_path {work}/body;
    proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/fastcgi;
    uwsgi_temp_path {work}/uwsgi;
    scgi_temp_path {work}/scgi;
    log_format status '$status';
    {http}
    server {{
        listen 127.0.0.1:{port} backlog=8192;
        location ~ ^/users/(?<id>[0-9]+)\\.json$ {{
            {location}
        }}
    }}
}}
"""


def _body() -> str:
    """Return the answer as nginx is to write it: 1 KB of JSON with $id in it."""
    return '{"id":$id,' + json.dumps(_USER)[1:]


@contextlib.contextmanager
def fast(bench: Bench, items: int) -> Iterator[str]:
    """A server without limit or delay; yields its URL."""
    if can_nginx(bench):
        with _nginx(bench, location=f"return 200 '{_body()}';") as (url, _):
            yield url
    else:
        with simulate(bench, users=items, limit=0, gzip=0, chunked=0) as simulated:
            yield simulated.url


@contextlib.contextmanager
def slow(bench: Bench, items: int, seconds: float) -> Iterator[str]:
    """A server that waits ``seconds`` before each answer; yields its URL."""
    if can_nginx(bench):
        location = f"echo_sleep {seconds}; echo -n '{_body()}';"
        with _nginx(bench, location=location, echo=True) as (url, _):
            yield url
    else:
        wait = {"users": items, "limit": 0, "gzip": 0, "chunked": 0, "latency": seconds}
        with simulate(bench, **wait) as simulated:
            yield simulated.url


@dataclass(frozen=True, slots=True)
class Counting:
    """A server that says how many requests it answered with which status."""

    url: str
    log: Path | None
    simulated: Simulated | None

    def statuses(self) -> Counter[str]:
        if self.simulated is not None:
            return Counter(self.simulated.truth()["by_status"])
        assert self.log is not None
        with self.log.open() as lines:
            return Counter(status.strip() for status in lines)


@contextlib.contextmanager
def limited(bench: Bench, items: int, rate: int, burst: int) -> Iterator[Counting]:
    """A server that lets ``rate`` a second pass and ``burst`` at once, and tells nothing of it."""
    if can_nginx(bench):
        # An empty key would switch limit_req off; the address never is.
        http = f"limit_req_zone $binary_remote_addr zone=all:1m rate={rate}r/s;"
        # `return` would answer before the limit is looked at: it belongs to an earlier phase.
        location = f"limit_req zone=all burst={burst} nodelay; limit_req_status 429;"
        location += f" access_log {{work}}/access.log status; echo -n '{_body()}';"
        with _nginx(bench, location=location, http=http, echo=True) as (url, folder):
            yield Counting(url, folder / "access.log", None)
    else:
        bucket = {"limiter": "bucket", "dialect": "none", "limit": rate, "window": 1}
        with simulate(bench, users=items, burst=burst, **bucket) as simulated:
            yield Counting(simulated.url, None, simulated)


def can_nginx(bench: Bench) -> bool:
    """Whether nginx with its echo module is here; installs both where we may."""
    if not bench.nginx:
        return False
    if _program() is None or _echo() is None:
        _install()
    return _program() is not None and _echo() is not None


def server_name(bench: Bench) -> str:
    """Return what the figures are measured against, with its version."""
    if not can_nginx(bench):
        return "penstock simulate (no nginx with echo module)"
    told = subprocess.run([str(_program()), "-v"], capture_output=True, text=True, check=False)
    return told.stderr.strip().rpartition(" ")[2]


def _program() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def _echo() -> Path | None:
    return next((path for path in _MODULES if path.exists()), None)


def _install() -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    print(f"  installing {' '.join(_PACKAGES)}", file=sys.stderr)
    # RUNLEVEL=1 keeps Debian's scripts from starting a server of their own on port 80.
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", *_PACKAGES]
    for command in (["apt-get", "update"], install):
        subprocess.run(command, env=quiet, capture_output=True, check=False)


@contextlib.contextmanager
def _nginx(
    bench: Bench, *, location: str, http: str = "", echo: bool = False
) -> Iterator[tuple[str, Path]]:
    folder = bench.folder("nginx")
    port = _free_port()
    text = _CONFIGURATION.format(
        module=f"load_module {_echo()};" if echo else "",
        user="user root;" if os.geteuid() == 0 else "",
        work=folder,
        http=http,
        port=port,
        location=location.replace("{work}", str(folder)),
    )
    configuration = folder / "nginx.conf"
    configuration.write_text(text)
    program = [str(_program()), "-p", str(folder), "-c", str(configuration)]
    with child(bench.server_core, program, folder / "words") as process:
        _wait_for(port, process, folder / "words")
        yield f"http://127.0.0.1:{port}", folder


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def _wait_for(port: int, process: subprocess.Popen[str], words: Path) -> None:
    """Return when something listens on ``port``.

    Raises:
        Trouble: The process ended, or does not listen within 10 seconds.
    """
    for _ in range(500):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise Trouble(f"a server did not start: {words.read_text().strip()[-300:]}")
