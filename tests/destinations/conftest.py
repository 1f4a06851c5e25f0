"""Places to keep tables in, each read by a program that is not ours."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import duckdb
import psycopg
import pytest
from pyarrow import dataset, fs
from tests.ready import ready
from tests.real.conftest import free_port, running
from tests.waiting import until

Rows: TypeAlias = list[dict[str, object]]


@dataclass(frozen=True)
class Place:
    """An address, and what reads the table ``users`` there."""

    address: str
    read: Callable[..., Rows]


class PostgresServer:
    """A server of our own, reached by a socket in a folder.

    Attributes:
        address: Where it is, without a database's name.
    """

    def __init__(self, folder: Path) -> None:
        self._programs = ready("PostgreSQL")
        self._folder = folder
        self._user = "postgres" if os.getuid() == 0 else None  # it refuses to run as root
        if self._user:
            shutil.chown(folder, self._user)
        self.address = f"postgresql:///postgres?user=postgres&host={folder}"
        data = str(folder / "data")
        made = [str(self._programs / "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-N"]
        subprocess.run(
            made, check=True, stdout=subprocess.DEVNULL, user=self._user, cwd=self._folder
        )
        options = (f"unix_socket_directories={folder}", "listen_addresses=", "fsync=off")
        sets = [word for option in options for word in ("-c", option)]
        self._command = [str(self._programs / "postgres"), "-D", data, *sets]
        self._log = (folder / "log").open("ab")
        self.start()

    def start(self) -> None:
        self._run()
        until(self._answers)

    def _run(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdout=self._log, stderr=self._log, user=self._user, cwd=self._folder
        )

    def _answers(self) -> bool:
        if self._process.poll() is not None:  # children of one that was killed have its memory yet
            self._run()
        with suppress(psycopg.OperationalError), psycopg.connect(self.address):
            return True
        return False

    def kill(self) -> None:
        """Kill it by SIGKILL; its children notice that it is gone."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()
        self._log.close()


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        server = PostgresServer(Path(folder))
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A server of our own; its address without a database's name."""
    with postgres_server() as server:
        yield server.address


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """A server that speaks S3; the options of its addresses."""
    host = f"127.0.0.1:{free_port()}"
    folder = Path(tempfile.mkdtemp(prefix="s3"))
    words = (sys.executable, "-c", _MOTO, str(ready("S3")), host.partition(":")[2])
    with running(words, folder, f"http://{host}/moto-api/"):
        yield f"scheme=http&endpoint_override={host}&allow_bucket_creation=true"
    shutil.rmtree(folder)


_MOTO = """
import sys
sys.path.insert(0, sys.argv[1])
from moto.server import main
main(["-H", "127.0.0.1", "-p", sys.argv[2]])
"""


def duck(query: str, path: str = ":memory:") -> Rows:
    with closing(duckdb.connect(path)) as connection:
        found = connection.execute(query)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def sqlite_rows(path: Path, table: str) -> Rows:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]


def postgres_rows(address: str, table: str) -> Rows:
    with psycopg.connect(address, row_factory=psycopg.rows.dict_row) as connection:
        return connection.execute(f"SELECT * FROM {table}".encode()).fetchall()


def csv_rows(path: Path) -> Rows:
    query = f"SELECT * FROM read_csv('{path}', all_varchar=true, allow_quoted_nulls=false)"
    return [{name: value(cell) for name, cell in row.items()} for row in duck(query)]


def value(cell: object) -> object:
    try:
        return json.loads(str(cell)) if cell is not None else None
    except ValueError:
        return cell


def dataset_rows(folder: Path) -> Rows:
    return duck(f"SELECT * FROM read_parquet('{folder}/**/*.parquet', union_by_name=true)")


def bucket_rows(root: str, table: str, files: fs.FileSystem | None = None) -> Rows:
    """Return the rows of a table in a folder of ``files``, or at an address."""
    if files is None:
        files, root = fs.FileSystem.from_uri(root)
    found = dataset.dataset(f"{root}/{table}", filesystem=files, exclude_invalid_files=True)
    rows: Rows = []
    for part in found.get_fragments():
        rows += part.to_table().to_pylist()
    return rows


KINDS = ("csv", "jsonl", "sqlite", "duckdb", "parquet", "postgresql", "s3")
LOCAL: dict[str, Callable[[Path, str], Rows]] = {
    "csv": lambda path, _: csv_rows(path),
    "jsonl": lambda path, _: [json.loads(line) for line in path.read_text().splitlines()],
    "sqlite": sqlite_rows,
    "duckdb": lambda path, table: duck(f"SELECT * FROM {table}", str(path)),
    "parquet": lambda path, table: dataset_rows(path / table),
}


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    kind: str = request.param
    if kind == "s3":
        options = request.getfixturevalue("s3")
        address = f"s3://me:secret@b{abs(hash(str(tmp_path)))}?{options}"
        files, bucket = fs.FileSystem.from_uri(address)
        files.create_dir(bucket)
        return Place(address, lambda table="users": bucket_rows(address, table))
    if kind == "postgresql":
        server = request.getfixturevalue("postgres")
        schema = f"s{abs(hash(str(tmp_path)))}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {schema}".encode())
        address = f"{server}&options=-csearch_path%3D{schema}"
        return Place(address, lambda table="users": postgres_rows(address, table))
    path = tmp_path / "place"
    return Place(f"{kind}://{path}", lambda table="users": LOCAL[kind](path, table))


@pytest.fixture
def read_table(place: Place) -> Callable[..., Iterable[dict[str, object]]]:
    return place.read
