"""Weights: which assets are held, how much of each, and how that moves with time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import final

from penstock.errors import InputError
from penstock.portfolio.arrays import Dates, Floats, np
from penstock.portfolio.table import ReturnTable, floats
from penstock.registry import did_you_mean

__all__ = ["Scheme", "Weights", "chosen", "drifting", "near", "resets", "turnovers"]

type_of_weights = "weights by name, such as {'MSFT': 0.6, 'AAPL': 0.4}"

Weights = Mapping[str, float] | Sequence[float] | Floats
"""Weights by name for frames and files, by position for plain arrays."""

Scheme = str | Sequence[date]
"""``constant``, ``hold``, a calendar word, ``every:21``, or the dates of rebalancing."""

_CALENDAR = {"weekly": "W", "monthly": "M", "quarterly": "3M", "yearly": "Y"}
_SUM_TOLERANCE = 1e-9


@final
@dataclass(frozen=True, slots=True)
class Holdings:
    """The assets that are held.

    Attributes:
        columns: Their columns in the table, or None for all of them in order.
        names: Their names, shape (assets,).
        weights: Their weights, shape (assets,).
        words: What was done to them, in sentences.
    """

    columns: list[int] | None
    names: tuple[str, ...]
    weights: Floats
    words: tuple[str, ...] = ()


def near(name: str, known: Sequence[str]) -> str:
    """Return a hint at what may have been meant by ``name``."""
    return did_you_mean(name, known, str, "known are ", most=8)


def chosen(table: ReturnTable, weights: Weights, *, cash: bool = False) -> Holdings:
    """Match ``weights`` with the columns of ``table``.

    Args:
        table: The data.
        weights: By name where the table has names, else by position.
        cash: True when the weights need not sum to one and the rest is cash without risk.

    Raises:
        InputError: An unknown asset, the wrong number of weights, a weight that is no finite
            number, or a sum other than one.
    """
    if type(weights).__name__ == "Series" and table.named:
        weights = {str(name): value for name, value in weights.items()}  # type: ignore[union-attr] # pandas'
    if isinstance(weights, Mapping):
        if not table.named:
            raise InputError("a plain array has no names: give weights by position, or names=[…]")
        for name in weights:
            if name not in table.names:
                raise InputError(f"no asset is named {name}: {near(str(name), table.names)}")
        names = tuple(weights)
        vector = floats(list(weights.values()), "weights")
        columns: list[int] | None = [table.names.index(name) for name in names]
        if names == table.names:
            columns = None
    else:
        if table.named:
            raise InputError(f"this data has names: give {type_of_weights}")
        vector, names = floats(weights, "weights"), table.names
        if vector.shape != (len(names),):
            raise InputError(f"weights have shape {vector.shape} for {len(names)} assets")
        columns = None
    summed = summing(vector, cash=cash)
    if summed is vector:
        return Holdings(columns, names, vector)
    total = float(vector.sum())
    said = "are in percent" if total > 50 else "by rounding"
    return Holdings(columns, names, summed, (f"weights sum to {total:.6g} {said}: scaled to 1",))


def summing(vector: Floats, *, cash: bool) -> Floats:
    """Return the weights, scaled to one where they are in percent or rounded to some decimals.

    Raises:
        InputError: One is not finite, or they do not sum to one (and the rest is not cash).
    """
    total = math.fsum(vector.tolist())
    if not vector.size:
        raise InputError(f"no asset is held: give {type_of_weights}")
    if not math.isfinite(total):
        raise InputError(f"a weight is not a finite number: {vector.tolist()}")
    if cash or abs(total - 1) <= _SUM_TOLERANCE:
        return vector
    if abs(total - 100) <= 0.5 and not (vector < 0).any():
        return summing(vector / 100, cash=False)
    decimals = next(
        (k for k in range(3, 8) if np.allclose(vector, vector.round(k), 0, 1e-12)), None
    )
    if decimals and abs(total - 1) <= len(vector) * 0.5 * 10**-decimals + _SUM_TOLERANCE:
        return np.asarray(vector / total)
    raise InputError(
        f"weights sum to {total:.10g}, not 1: scale them, or say that the rest is cash"
        " (cash=True, --cash)"
    )


def resets(scheme: Scheme, dates: Dates | None, rows: int) -> list[int]:
    """Return the rows of returns at whose beginning the weights are what they were at first.

    ``hold`` gives row 0 alone; ``monthly`` the first return of each month; ``every:21`` each
    21st row; dates the first return after each of them.

    Raises:
        InputError: An unknown scheme, or a calendar without dates.
    """
    if scheme == "hold":
        return [0]
    if isinstance(scheme, str) and scheme.startswith("every:"):
        step = scheme.removeprefix("every:")
        if not step.isdecimal() or int(step) < 1:
            raise InputError(f"scheme {scheme}: write a whole number of rows, such as every:21")
        return list(range(0, rows, int(step)))
    if isinstance(scheme, str) and scheme not in _CALENDAR:
        words = ["constant", "hold", "every:21", *_CALENDAR]
        raise InputError(f"no scheme is called {scheme}: choose one of {', '.join(words)}")
    if dates is None:
        raise InputError("rebalancing by the calendar needs dates: give a frame with dates")
    if isinstance(scheme, str):
        changed = _period(dates, scheme)
        return [0, *(np.flatnonzero(changed[1:] != changed[:-1]) + 1).tolist()]
    marks = np.sort(np.asarray([np.datetime64(day, "us") for day in scheme]))
    found = np.searchsorted(dates, marks, side="right")
    return sorted({0, *(int(row) for row in found if row < rows)})


def _period(dates: Dates, scheme: str) -> Floats:
    days = dates.astype("datetime64[D]").astype(np.int64)
    if scheme == "weekly":
        return np.floor_divide(days + 3, 7).astype(np.float64)  # 1970-01-01 was a Thursday
    months = dates.astype("datetime64[M]").astype(np.int64)
    return np.floor_divide(months, {"monthly": 1, "quarterly": 3, "yearly": 12}[scheme]).astype(
        np.float64
    )


def turnovers(path: Floats, returns: Floats) -> Floats:
    """Return how much was traded at the beginning of each row, shape (rows,).

    It is the sum over assets of how far a weight is from what the row before had made of it; the
    first purchase is not counted.

    Args:
        path: Weights at the beginning of each row, shape (rows, assets).
        returns: Simple returns, NaN where missing.
    """
    moved = np.nan_to_num(returns)
    grown = path * (1 + moved)
    left = grown / (1 + (path * moved).sum(axis=1, keepdims=True))
    traded = np.abs(path[1:] - left[:-1]).sum(axis=1)
    return np.concatenate([[0.0], np.where(traded < 1e-12, 0.0, traded)])


def drifting(returns: Floats, weights: Floats, starts: list[int]) -> Floats:
    """Return the weights at the beginning of each row, shape (rows, assets).

    Between two rebalancings a holding grows with its own return, so its weight is its share of
    the value: ``w_i G_i / sum(w_j G_j)`` with ``G`` the growth since the last rebalancing.

    Raises:
        InputError: The portfolio lost all it had, so that no weights are left.
    """
    path = np.empty_like(returns)
    rest = 1 - math.fsum(weights)
    for start, stop in zip(starts, [*starts[1:], len(returns)], strict=True):
        path[start] = 1
        np.cumprod(1 + returns[start : stop - 1], axis=0, out=path[start + 1 : stop])
        path[start:stop] *= weights
        value = path[start:stop].sum(axis=1, keepdims=True) + rest
        if (value <= 0).any():
            raise InputError(f"the portfolio is worth nothing after row {start}: no weights left")
        path[start:stop] /= value
    return path
