"""The contract over Google Cloud Storage and Azure, as servers of theirs that packages bring.

    python -m pytest tests/destinations/bucket_servers.py

Run by hand: the servers are ``gcp-storage-emulator`` (of Python) and ``azurite-blob`` (of npm's
package azurite), each in an environment of its own that PATH leads to.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from pyarrow import fs
from tests.destinations.conftest import Place, bucket_rows
from tests.real.conftest import free_port, running

from penstock.destinations import Destination, open_destination
from penstock.testing import DestinationContract

ACCOUNT = "devstoreaccount1"  # Azurite's own, with the key that its documentation names
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def program(name: str) -> str:
    found = shutil.which(name)
    assert found is not None, f"{name} is not in PATH"
    return found


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder, host = tmp_path_factory.mktemp("azure"), f"127.0.0.1:{free_port()}"
    words = ["--silent", "--skipApiVersionCheck", "--blobPort", host.partition(":")[2]]
    with running([program("azurite-blob"), *words], folder, f"http://{host}/"):
        yield {
            "account_key": KEY,
            **dict.fromkeys(("blob_storage_authority", "dfs_storage_authority"), host),
            **dict.fromkeys(("blob_storage_scheme", "dfs_storage_scheme"), "http"),
        }


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, host = tmp_path_factory.mktemp("google"), f"127.0.0.1:{free_port()}"
    words = ["start", "--host", "127.0.0.1", "--port", host.partition(":")[2], "--in-memory"]
    server = [program("gcp-storage-emulator"), *words, "--default-bucket", "bucket"]
    with running(server, folder, f"http://{host}/"):
        yield host


class TestBuckets(DestinationContract):
    @pytest.fixture(params=["gs", "abfss"])
    def place(self, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
        folder = f"b{abs(hash(str(tmp_path)))}"
        if request.param == "gs":
            host = request.getfixturevalue("google")
            address = f"gs://anonymous@bucket/{folder}?scheme=http&endpoint_override={host}"
            return Place(address, lambda table="users": bucket_rows(address, table))
        options = request.getfixturevalue("azure")
        files = fs.AzureFileSystem(ACCOUNT, **options)
        files.create_dir(folder)
        query = "&".join(f"{name}={quote(value)}" for name, value in options.items())
        address = f"abfss://{folder}@{ACCOUNT}/there?{query}"
        return Place(address, lambda table="users": bucket_rows(f"{folder}/there", table, files))

    @pytest.fixture
    def read_table(self, place: Place) -> Callable[..., object]:
        return place.read

    @pytest.fixture
    def open_destination(self, place: Place) -> Callable[[], Destination]:
        return lambda: open_destination(place.address)
