"""A browser for the tests that look at pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.reading.chromium import Chromium
from tests.ready import ready


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with Chromium(str(ready("chromium"))) as browser:
        yield browser
