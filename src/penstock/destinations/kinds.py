"""Destinations by the scheme of their addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, cast

from penstock.address import hide, is_address, scheme_of
from penstock.destinations.ports import Destination
from penstock.errors import InputError
from penstock.registry import Registry, load_object

__all__ = ["DESTINATIONS", "open_destination"]

Opening: TypeAlias = Callable[[str], Destination]

_DATABASES = "penstock.destinations.databases:"
_POSTGRES = f"{_DATABASES}open_postgres"
_DATASET = "penstock.destinations.dataset:open_dataset"
DESTINATIONS: Registry[Opening] = Registry(
    "destination",
    "penstock.destinations",
    {
        "csv": "penstock.destinations.kept_text:open_csv",
        "jsonl": "penstock.destinations.kept_text:open_jsonl",
        "sqlite": f"{_DATABASES}open_sqlite",
        "duckdb": f"{_DATABASES}open_duckdb",
        "postgresql": _POSTGRES,
        "postgres": _POSTGRES,
        "python": "penstock.destinations.kinds:open_own",
        **dict.fromkeys(("parquet", "s3", "gs", "abfss"), _DATASET),
    },
)
"""What opens a destination, by the scheme of its address."""


def open_own(address: str) -> Destination:
    """Open ``python://MODULE:FUNCTION/PLACE``: what the function returns for the whole address."""
    name = address.partition("://")[2].partition("?")[0].partition("/")[0]
    return cast("Opening", load_object(name, "destination"))(address)


def open_destination(address: str) -> Destination:
    """Open the destination at an address, such as ``duckdb://users.duckdb``.

    Raises:
        InputError: No kind of destination has this scheme, or it cannot be there.
        MissingExtra: A library is not installed.
        StorageError: It does not answer.
    """
    if not is_address(address):
        raise InputError(
            f"{hide(address)!r} is not an address: write SCHEME://..., such as duckdb://FILE"
        )
    return DESTINATIONS.find(scheme_of(address))(address)
