"""Columns that hold several fields an asset (open, high, low, close): one of them is measured."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.errors import InputError

__all__ = ["FIELDS", "chosen_field", "fold", "is_bars"]

FIELDS = frozenset(
    {"open", "high", "low", "close", "adj close", "adjusted close", "adj_close", "volume", "vol"}
    | {"openint", "dividends", "stock splits", "capital gains", "price", "vwap"}
)
"""What the columns of one asset are called, in lower case."""

_ADJUSTED = {"adj close", "adjusted close", "adj_close", "adjclose"}


def is_bars(names: Sequence[str]) -> bool:
    """Return whether the columns are one asset's bars, not assets."""
    return {"open", "high", "low", "close"} <= {name.lower() for name in names}


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
    if "close" not in lowered or _ADJUSTED & set(lowered):
        raise InputError(f"several fields: choose one with --field: {', '.join(known)}")
    close = known[lowered.index("close")]
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
