"""Resilient data pipelines: data from services that limit, fail and disconnect, under control.

The names below are loaded when they are first used, so importing the package costs next to
nothing. Rooms are imported by name: ``from penstock.store import LocalStore``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.distribution import __version__
from penstock.later import later

if TYPE_CHECKING:
    from penstock.clock import FakeClock as FakeClock
    from penstock.http import Api as Api
    from penstock.http import ApiKey as ApiKey
    from penstock.http import Basic as Basic
    from penstock.http import Bearer as Bearer
    from penstock.http import Get as Get
    from penstock.http import OAuth1 as OAuth1
    from penstock.http import OAuth2 as OAuth2
    from penstock.http import Post as Post
    from penstock.http import Record as Record
    from penstock.http import secret as secret
    from penstock.pipeline import Pipeline as Pipeline
    from penstock.pipeline import batches as batches
    from penstock.resilience import Budget as Budget
    from penstock.resilience import RetryPolicy as RetryPolicy

_HOMES = {
    "Api": "http",
    "ApiKey": "http",
    "Basic": "http",
    "Bearer": "http",
    "Budget": "resilience",
    "FakeClock": "clock",
    "Get": "http",
    "OAuth1": "http",
    "OAuth2": "http",
    "Pipeline": "pipeline",
    "Post": "http",
    "Record": "http",
    "RetryPolicy": "resilience",
    "batches": "pipeline",
    "secret": "http",
}

__all__ = [*_HOMES, "__version__"]  # noqa: PLE0604 - the table is the list


if not TYPE_CHECKING:  # a name that is not there is found by the type checker
    __getattr__ = later(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
