"""The pipeline stage: records in as they land, readings of the risk out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import final

from penstock.errors import InputError
from penstock.portfolio.online import OnlineRisk

__all__ = ["Reading", "watch"]

Record = Mapping[str, float] | bytes | str


@final
@dataclass(frozen=True, slots=True)
class Reading:
    """The risk after one record.

    Attributes:
        key: The record's key.
        volatility: Per row.
        volatility_annual: Per year.
        over: Whether the annual volatility is above the limit.
    """

    key: str | int
    volatility: float
    volatility_annual: float
    over: bool


def watch(
    records: Iterable[tuple[str | int, Record]],
    online: OnlineRisk,
    *,
    limit: float | None = None,
) -> Iterator[Reading]:
    """Feed each record to ``online`` and yield a reading as soon as there is a volatility.

    A plain generator: it holds nothing but ``online``, whose ``state()`` resumes it.

    Args:
        records: Pairs of key and record in the order of time: a mapping of asset to price (or
            return), or the JSON text of one. Other fields are passed over.
        online: What is kept up to date.
        limit: Annual volatility above which a reading is ``over``.

    Raises:
        InputError: A record that is no JSON object, lacks an asset, or holds no price; the
            message names its key.

    >>> prices = [("mon", {"A": 100, "B": 50}), ("tue", b'{"A": 101, "B": 50.2}')]
    >>> for reading in watch(prices, OnlineRisk({"A": 0.6, "B": 0.4}, decay=0.94), limit=0.1):
    ...     print(reading.key, round(reading.volatility, 4), reading.over)
    tue 0.0076 True
    """
    for key, record in records:
        try:
            volatility = online.update(_decoded(record))
        except InputError as error:
            raise InputError(f"record {key!r}: {error}") from error
        if volatility is None:
            continue
        annual = volatility * float(online.periods) ** 0.5
        yield Reading(key, volatility, annual, over=limit is not None and annual > limit)


def _decoded(record: Record) -> Mapping[str, float]:
    if isinstance(record, Mapping):
        return record
    try:
        decoded: object = json.loads(record)
    except ValueError as error:
        raise InputError(f"not JSON: {error}") from error
    if not isinstance(decoded, dict):
        raise InputError("not an object with one number an asset")
    return decoded
