"""Columns that hold several fields an asset (open, high, low, close): one of them is measured."""

from __future__ import annotations

import re
from collections.abc import Sequence

from penstock.errors import InputError
from penstock.tables import DATE_NAMES

__all__ = ["FIELDS", "chosen_field", "fold", "is_bars", "names_and_fields", "without_volumes"]

_BESIDE = frozenset({
    "volume", "vol", "vol.", "px_volume", "total_volume", "market_cap", "openint", "id", "change",
    "change %", "year", "month", "quarter", "weekday", "dividends", "stock splits",
    "capital gains", "trades", "turnover",
})  # fmt: skip
"""What is told of an asset and is not its price, in lower case."""

_CLOSES = ("close", "close*", "close/last", "price", "last", "px_last", "last price", "nav")
_ADJUSTED = {"adj close", "adj close**", "adjusted close", "adj_close", "adjclose"}
_BARS = {"open", "high", "low", "vwap", "px_open", "px_high", "px_low"}
FIELDS = _BESIDE | _ADJUSTED | _BARS | set(_CLOSES)
"""What the columns of one asset are called, in lower case."""


def is_bars(names: Sequence[str]) -> bool:
    """Return whether the columns, but for dates, are one asset's bars, not assets."""
    lowered = {name.lower() for name in names}
    closes = bool(lowered & {*_CLOSES, *_ADJUSTED})
    bars = {"open", "high", "low"} <= lowered and closes
    alone = len(lowered - DATE_NAMES) > 1 and lowered - DATE_NAMES <= FIELDS
    return bars or (alone and (closes or bool(lowered & _BESIDE)))


def without_volumes(names: Sequence[str]) -> list[int]:
    """Return the places of columns that can be assets: not volumes and the like beside them.

    >>> without_volumes(["A", "Volume"])
    [0]
    """
    whole = set(names)
    kept = []
    for place, name in enumerate(names):
        asset, field = _split(name)
        if name.lower() not in _BESIDE and not (asset in whole and field.lower() in _BESIDE):
            kept.append(place)
    return kept or list(range(len(names)))


def names_and_fields(names: Sequence[str]) -> list[list[str]]:
    """Return names such as ``A.Close`` and ``A_Open`` as assets and fields; [] where they are not.

    >>> names_and_fields(["A.Close", "A.Open"]), names_and_fields(["A", "B"])
    ([['A', 'A'], ['Close', 'Open']], [])
    """
    parts = [_split(name) for name in names]
    fields = {field for _, field in parts}
    assets = {asset for asset, _ in parts}
    whole = any(all((asset, field) in parts for asset in assets) for field in fields)
    if len(fields) < 2 or "" in assets or not whole:
        return []
    return [list(level) for level in zip(*parts, strict=True)]


_FIELD_BEHIND = re.compile(r"(?P<asset>.+?)(?:[._:| -]+)(?P<field>[^._:|-]+)")
_FIELD_BEFORE = re.compile(r"(?P<field>[^._:|-]+?)(?:[._:| -]+)(?P<asset>.+)")


def _split(name: str) -> tuple[str, str]:
    """Return asset and field of one name, two empty texts where it does not name a field."""
    for form in (_FIELD_BEHIND, _FIELD_BEFORE):
        found = None if name.lower() in FIELDS else form.fullmatch(name)
        if found and found["field"].lower() in FIELDS:
            return found["asset"], found["field"]
    return "", ""


def chosen_field(known: Sequence[str], field: str) -> tuple[str, tuple[str, ...]]:
    """Return which field is measured, and what is to be said about it.

    Raises:
        InputError: No such field, or several that could be meant.

    >>> chosen_field(["Open", "Close"], "")
    ('Close', ('of several fields Close is used',))
    """
    if field:
        found = next((name for name in known if name.lower() == field.lower()), None)
        if found is None:
            raise InputError(f"field {field!r}: there are {', '.join(known)}")
        return found, (f"of several fields {found} is used (given)",)
    if len(known) == 1:
        return known[0], ()
    lowered = [name.lower() for name in known]
    closes = [name for name in _CLOSES if name in lowered]
    if not closes or _ADJUSTED & set(lowered):
        raise InputError(f"several fields: choose one with --field: {', '.join(known)}")
    close = known[lowered.index(closes[0])]
    return close, (f"of several fields {close} is used",)


def fold(
    levels: Sequence[Sequence[str]], field: str
) -> tuple[list[int], tuple[str, ...], tuple[str, ...]]:
    """Return the places, the asset names and the words of one field of columns with two names.

    Raises:
        InputError: Neither of the names is a field.

    >>> fold([["Close", "Open"], ["A", "A"]], "")[:2]
    ([0], ('A',))
    """
    if len(levels) != 2:
        raise InputError(f"{len(levels)} header rows: a field and an asset are read, two")
    fields = next((k for k in (0, 1) if all(x.lower() in FIELDS for x in levels[k])), None)
    names = list(levels[0])
    if fields is None and all(names) and len(set(names)) == len(names):
        return list(range(len(names))), tuple(names), _units(names, levels[1])
    if fields is None:
        raise InputError(
            f"two header rows, neither of which holds fields such as Close: {levels[0][0]},"
            f" {levels[1][0]}, …"
        )
    name, words = chosen_field(list(dict.fromkeys(levels[fields])), field)
    keep = [place for place, found in enumerate(levels[fields]) if found == name]
    return keep, tuple(levels[1 - fields][place] for place in keep), words


def _units(names: Sequence[str], units: Sequence[str]) -> tuple[str, ...]:
    """Return what is to be said about a row of units below the names."""
    for name, unit in zip(names, units, strict=True):
        if "%" in unit or "percent" in unit.lower():
            raise InputError(
                f"{name} is in {unit} by its row of units: write 1.5% in its cells, or 0.015, and"
                " leave that row away"
            )
    return (f"a row of units is left away: {', '.join(dict.fromkeys(filter(None, units)))}",)
