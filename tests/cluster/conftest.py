"""The places of shared budgets under test: one more is one more entry."""

from pathlib import Path

import pytest
from tests.real.mongod import Mongo, failing_mongo, mongo, mongo_set

__all__ = ["failing_mongo", "mongo", "mongo_set"]


@pytest.fixture(params=["directory", "mongo"])
def at(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a budget is shared."""
    if request.param == "directory":
        return str(tmp_path / "budgets")
    given: Mongo = request.getfixturevalue("mongo")
    return given.with_database
