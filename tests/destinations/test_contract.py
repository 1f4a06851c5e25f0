"""Every destination passes the one suite."""

from collections.abc import Callable

import pytest
from tests.destinations.conftest import Place

from penstock.destinations import Destination, open_destination
from penstock.testing import DestinationContract


class TestDestinations(DestinationContract):
    @pytest.fixture
    def open_destination(self, place: Place) -> Callable[[], Destination]:
        return lambda: open_destination(place.address)
