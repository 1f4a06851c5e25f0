"""Which tests talk to a server or another program, which `make quick` leaves out; how examples
are drawn: for CI the same each time, at a desk other ones, and nowhere against a clock.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("desk", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

FIXTURES = {
    *("chromium", "etcd", "failing_mongo", "httpbin", "java", "java_home", "kinto", "mongo"),
    *("mongo_set", "nchan", "nginx", "penstock", "pima_csv", "postgres", "process", "s3"),
    *("servers", "simulate", "simulator", "web"),
}
# What a module of tests has imported, of which each starts a process, listens, or is from outside.
NAMES = {"Simulator", "Wire", "books", "ready", "socket", "subprocess", "wire"}
BACKENDS = {"mongo", "mongo, fenced", "shared"}  # parameters of fixtures that choose a store


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them, by the fixtures a test asks for and what its module imports."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        module = vars(getattr(item, "module", None) or object)
        chosen = getattr(getattr(item, "callspec", None), "params", {}).values()
        backends = BACKENDS.intersection(value for value in chosen if isinstance(value, str))
        if fixtures & FIXTURES or NAMES & module.keys() or backends:
            item.add_marker("server")
