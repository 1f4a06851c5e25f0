"""Servers that nobody here wrote, each a process on a free port that ends with the tests."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.ready import ready

CHECKS = 600  # times a tenth of a second that a server may take to answer


@pytest.fixture(scope="session")
def servers() -> Path:
    """The folder with the programs of an environment that has the servers, and nothing of ours."""
    return ready("real servers")


@pytest.fixture(scope="session")
def nginx() -> str:
    """The program nginx."""
    return str(ready("nginx"))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def running(
    words: Sequence[str | Path], folder: Path, ready: str, said: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run a server until the end of the block, from when ``ready`` answers."""
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            words, cwd=folder, env=said, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
        try:
            wait_for(process, ready, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    pause = threading.Event()
    for _ in range(CHECKS):
        with contextlib.suppress(OSError):
            try:
                urllib.request.urlopen(url, timeout=10).close()
            except urllib.error.HTTPError as answered:
                answered.close()
            return
        assert process.poll() is None, log.read_text()
        pause.wait(0.1)
    pytest.fail(f"{url} never answered: {log.read_text()}")


KINTO = """
[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = {port}
[app:main]
use = egg:kinto
kinto.storage_backend = kinto.core.storage.memory
kinto.cache_backend = kinto.core.cache.memory
kinto.permission_backend = kinto.core.permission.memory
kinto.userid_hmac_secret = nothing to hide here
multiauth.policies = basicauth
multiauth.policy.basicauth.use = kinto.core.authentication.BasicAuthAuthenticationPolicy
kinto.bucket_create_principals = system.Authenticated
kinto.paginate_by = 7
kinto.backoff = 1
[loggers]
keys = root
[handlers]
keys =
[formatters]
keys =
[logger_root]
level = ERROR
handlers =
"""


@pytest.fixture(scope="session")
def kinto(servers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Kinto: Basic authentication, opaque next-page URLs, Backoff on every answer."""
    folder, port = tmp_path_factory.mktemp("kinto"), free_port()
    (folder / "kinto.ini").write_text(KINTO.format(port=port))
    words = [f"{servers}/kinto", "start", "--ini", "kinto.ini", "--port", str(port)]
    url = f"http://127.0.0.1:{port}/v1"
    with running(words, folder, f"{url}/__lbheartbeat__"):
        yield url


@pytest.fixture(scope="session")
def httpbin(servers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Httpbin under gunicorn."""
    folder, port = tmp_path_factory.mktemp("httpbin"), free_port()
    words = [
        f"{servers}/python",
        "-m",
        "gunicorn",
        "--threads",
        "16",
        "--keep-alive",
        "300",  # a kept connection that it drops is no answer, and would fail a single attempt
        "--bind",
        f"127.0.0.1:{port}",
    ]
    words += ["--control-socket", str(folder / "control"), "httpbin:app"]
    url = f"http://127.0.0.1:{port}"
    with running(words, folder, f"{url}/get"):
        yield url


@pytest.fixture(scope="session")
def datasette(servers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Datasette over a table with a compound key of texts that a URL has to escape."""
    folder, port = tmp_path_factory.mktemp("datasette"), free_port()
    with contextlib.closing(sqlite3.connect(folder / "d.db")) as database:
        database.execute("create table pairs (a text, b text, n int, primary key (a, b))")
        rows = [(f"a/{n % 7}", f"b?{n}#%&+..~", n) for n in range(250)]
        database.executemany("insert into pairs values (?, ?, ?)", rows)
        database.commit()
    words = [f"{servers}/datasette", "-h", "127.0.0.1", "-p", str(port), "d.db"]
    url = f"http://127.0.0.1:{port}"
    with running(words, folder, f"{url}/-/versions.json"):
        yield url


PYGEOAPI = """
server:
  bind: {{host: 127.0.0.1, port: {port}}}
  url: http://127.0.0.1:{port}
  mimetype: application/json; charset=UTF-8
  encoding: utf-8
  languages: [en-US]
  limits: {{default_items: 10, max_items: 7}}
  map: {{url: "https://tile.example/{{z}}/{{x}}/{{y}}.png", attribution: none}}
logging: {{level: ERROR}}
metadata:
  identification:
    {{title: lakes, description: lakes, keywords: [lakes], keywords_type: theme,
      terms_of_service: none, url: http://example.org}}
  license: {{name: CC0, url: http://example.org}}
  provider: {{name: nobody, url: http://example.org}}
  contact: {{name: nobody, position: none, email: nobody@example.org, url: http://example.org}}
resources:
  lakes:
    type: collection
    title: lakes
    description: lakes
    keywords: [lakes]
    links: []
    extents: {{spatial: {{bbox: [-180, -90, 180, 90]}}}}
    providers:
      - {{type: feature, name: CSV, data: {folder}/lakes.csv, id_field: id,
          geometry: {{x_field: lon, y_field: lat}}}}
"""


@pytest.fixture(scope="session")
def pygeoapi(servers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """pygeoapi, an OGC API: 30 features, 10 a page, and the next link in a list by its rel."""
    folder, port = tmp_path_factory.mktemp("pygeoapi"), free_port()
    lines = [f"{n},lake {n},{n}.5,{n}.25" for n in range(1, 31)]
    (folder / "lakes.csv").write_text("\n".join(["id,name,lon,lat", *lines, ""]))
    (folder / "config.yml").write_text(PYGEOAPI.format(folder=folder, port=port))
    names = {"PYGEOAPI_CONFIG": "config.yml", "PYGEOAPI_OPENAPI": "openapi.yml"}
    said = {**os.environ, **{name: str(folder / file) for name, file in names.items()}}
    made = [f"{servers}/pygeoapi", "openapi", "generate", "config.yml"]
    made += ["--output-file", "openapi.yml"]
    subprocess.run(made, cwd=folder, env=said, check=True, capture_output=True)
    url = f"http://127.0.0.1:{port}"
    with running([f"{servers}/pygeoapi", "serve"], folder, f"{url}/conformance", said):
        yield url


@pytest.fixture(scope="session")
def json_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """json-server: posts and their comments, with the next page in a Link header."""
    folder, port = tmp_path_factory.mktemp("json-server"), free_port()
    comments = [{"id": n, "postId": n % 25 + 1} for n in range(1, 61)]
    rows = {"posts": [{"id": n} for n in range(1, 26)], "comments": comments}
    (folder / "db.json").write_text(json.dumps(rows))
    words = [str(ready("json-server")), "--host", "127.0.0.1", "--port", str(port), "db.json"]
    url = f"http://127.0.0.1:{port}"
    with running(words, folder, f"{url}/posts"):
        yield url


NGINX = """
{user}
daemon off;
pid {folder}/pid;
error_log {folder}/error;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    default_type application/json;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    limit_req_zone $binary_remote_addr zone=all:1m rate=200r/s;
    limit_req_status 429;
    server {{
        listen 127.0.0.1:{port};
        listen 127.0.0.1:{tls_port} ssl http2;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.key;
        root {folder};
        location /limited/ {{ limit_req zone=all burst=20 nodelay; try_files /item.json =404; }}
        location / {{ try_files /item.json =404; }}
    }}
}}
"""


@pytest.fixture(scope="session")
def web(nginx: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Path]]:
    """nginx: its URL, the one with TLS and HTTP/2, and the certificate to trust."""
    folder, port, tls_port = tmp_path_factory.mktemp("nginx"), free_port(), free_port()
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-keyout", "server.key", "-out", "server.pem", "-subj", "/CN=nginx"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([ready("openssl"), *words], cwd=folder, check=True, capture_output=True)
    (folder / "item.json").write_text('{"name": "Ada"}\n')
    user = "user root;" if os.geteuid() == 0 else ""
    told = NGINX.format(folder=folder, port=port, tls_port=tls_port, user=user)
    (folder / "nginx.conf").write_text(told)
    url = f"http://127.0.0.1:{port}"
    words = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", f"{folder}/error"]
    with running(words, folder, url):
        yield url, f"https://127.0.0.1:{tls_port}", folder / "server.pem"


NCHAN = """
{user}
load_module {module};
daemon off;
pid {folder}/pid;
error_log {folder}/error;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    nchan_message_buffer_length 5000;
    nchan_message_timeout 1h;
    server {{
        listen 127.0.0.1:{port};
        nchan_subscriber_first_message oldest;
        nchan_channel_id $arg_channel;
        location = /publish {{ nchan_publisher; }}
        location = /events {{ nchan_subscriber eventsource; nchan_eventsource_ping_interval 1; }}
        location = /chunks {{ nchan_subscriber http-chunked; }}
        location = /socket {{ nchan_subscriber websocket; nchan_websocket_ping_interval 1; }}
        location = /raw {{
            nchan_subscriber http-raw-stream;
            nchan_subscriber_http_raw_stream_separator "\\r\\n";
        }}
    }}
}}
"""


@pytest.fixture(scope="session")
def nchan(nginx: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """nginx with nchan: publish and subscribe, with events that can be gone back to."""
    found = ready("nchan")
    folder, port = tmp_path_factory.mktemp("nchan"), free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    told = NCHAN.format(folder=folder, port=port, module=found, user=user)
    (folder / "nginx.conf").write_text(told)
    words = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", f"{folder}/error"]
    with running(words, folder, f"http://127.0.0.1:{port}/"):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[str]:
    """etcd with a store of its own, so that its revisions begin at 2."""
    program = str(ready("etcd"))
    port, peer = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    words = [program, "--data-dir", str(tmp_path / "etcd"), "--log-level", "error"]
    words += ["--listen-client-urls", url, "--advertise-client-urls", url]
    words += ["--listen-peer-urls", f"http://127.0.0.1:{peer}"]
    words += ["--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}"]
    words += ["--initial-cluster", f"default=http://127.0.0.1:{peer}"]
    with running(words, tmp_path, f"{url}/health"):
        yield url
