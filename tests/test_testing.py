"""The suites for what others add hold for a stranger's own: locks in memory, a store, a style."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.assembly.outside.outside_kinds import Hop, InMemory, Shelf, gang

from penstock.cluster import Launch
from penstock.http import Api, LinkHeader, Style
from penstock.locks import LockerRoom
from penstock.simulator import Simulator, SimulatorSettings
from penstock.testing import LauncherContract, LockContract, StoreContract, StyleContract
from penstock.testing.refused import refused
from penstock.testing.store_contract import OpenStore
from penstock.testing.style_contract import Reading


class TestLocksInMemory(LockContract):
    @pytest.fixture
    def room(self) -> Iterator[LockerRoom]:
        with LockerRoom(InMemory("shelf://locks")) as room:
            yield room


class TestShelf(StoreContract):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        return lambda: Shelf.open(f"shelf://{tmp_path}", None)


class TestGang(LauncherContract):
    @pytest.fixture
    def launch(self, tmp_path: Path) -> Launch:
        return gang(str(tmp_path / "log"))


class TestStyles(StyleContract):
    @pytest.fixture(params=[("page", Hop()), ("link-header", LinkHeader())], ids=str)
    def paged(self, request: pytest.FixtureRequest) -> Iterator[Reading]:
        where: str
        style: Style
        where, style = request.param
        settings = SimulatorSettings(users=10)
        with Simulator(settings) as simulator:
            yield Api(simulator.url), f"/pages/{where}?per_page=4", style


def test_what_was_not_refused_is_an_error() -> None:
    with pytest.raises(AssertionError, match="ValueError was expected"), refused(ValueError):
        pass
    with pytest.raises(AssertionError, match="does not say"), refused(ValueError, "seven"):
        int("x")
