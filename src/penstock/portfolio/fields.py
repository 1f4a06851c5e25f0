"""Columns that hold several fields an asset (open, high, low, close): one of them is measured."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.errors import InputError
from penstock.tables import DATE_NAMES

__all__ = ["FIELDS", "chosen_field", "fold", "is_bars", "without_volumes"]

_BESIDE = frozenset(
    {"volume", "vol", "vol.", "total_volume", "market_cap", "openint", "id", "change", "change %"}
    | {"dividends", "stock splits", "capital gains", "trades", "turnover"}
)
"""What is told of an asset and is not its price, in lower case."""

_CLOSES = ("close", "close*", "close/last", "price", "last")
_ADJUSTED = {"adj close", "adj close**", "adjusted close", "adj_close", "adjclose"}
FIELDS = _BESIDE | _ADJUSTED | {"open", "high", "low", "vwap", *_CLOSES}
"""What the columns of one asset are called, in lower case."""


def is_bars(names: Sequence[str]) -> bool:
    """Return whether the columns, but for dates, are one asset's bars, not assets."""
    lowered = {name.lower() for name in names}
    bars = {"open", "high", "low"} <= lowered and bool(lowered & set(_CLOSES))
    return bars or (bool(lowered & _BESIDE) and lowered - DATE_NAMES <= FIELDS)


def without_volumes(names: Sequence[str]) -> list[int]:
    """Return the places of columns that can be assets: not volumes and the like beside them.

    >>> without_volumes(["A", "Volume"])
    [0]
    """
    kept = [place for place, name in enumerate(names) if name.lower() not in _BESIDE]
    return kept or list(range(len(names)))


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
    if fields is None:
        raise InputError(
            f"two header rows, neither of which holds fields such as Close: {levels[0][0]},"
            f" {levels[1][0]}, …"
        )
    name, words = chosen_field(list(dict.fromkeys(levels[fields])), field)
    keep = [place for place, found in enumerate(levels[fields]) if found == name]
    return keep, tuple(levels[1 - fields][place] for place in keep), words
