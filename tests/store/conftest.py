"""The backends under test. A second one is plugged into the same suite by one more entry here."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from penstock.store import LocalStore

AnyStore: TypeAlias = LocalStore
OpenStore: TypeAlias = Callable[[], AnyStore]
"""Opens the same store each time it is called; the test closes it."""


def local_backend(path: Path) -> OpenStore:
    return lambda: LocalStore(path / "store")


BACKENDS: dict[str, Callable[[Path], OpenStore]] = {"local": local_backend}


@pytest.fixture(params=list(BACKENDS))
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    return BACKENDS[request.param](tmp_path)
