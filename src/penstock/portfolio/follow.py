"""A line for each row of prices as it arrives."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

from penstock.errors import InputError
from penstock.portfolio.arrays import np
from penstock.portfolio.columns import Format, dates_of
from penstock.portfolio.estimators import split_name
from penstock.portfolio.files import text_rows
from penstock.portfolio.matrix import shown
from penstock.portfolio.online import OnlineRisk
from penstock.portfolio.returns import RowsAYear

__all__ = ["followed", "online_for"]


def online_for(weights: Mapping[str, float], options: Mapping[str, object]) -> OnlineRisk:
    """Return the online measure that the options of ``penstock portfolio risk`` ask for.

    Raises:
        InputError: An option that needs all rows.
    """
    name, number = split_name(str(options["estimator"]))
    if name not in {"sample", "ewma"} or options["missing"] not in {"raise", "common"}:
        raise InputError("--follow knows --estimator sample and ewma, --missing raise and common")
    window, ddof, periods = options["rolling"], options["ddof"], options["periods"]
    if name == "ewma" and window is not None:
        raise InputError("--rolling and --estimator ewma exclude each other under --follow")
    return OnlineRisk(
        weights,
        kind=str(options["kind"]),
        scheme=str(options["scheme"]),
        decay=number if name == "ewma" else None,
        window=window if isinstance(window, int) else None,
        ddof=ddof if isinstance(ddof, int) else 1,
        periods=periods if isinstance(periods, float) else 252.0,
        cash=bool(options["cash"]),
    )


def followed(
    lines: Iterable[str],
    source: str,
    online: OnlineRisk,
    how: Format,
    *,
    missing: str = "raise",
    periods: float | None = None,
) -> Iterator[dict[str, float | str]]:
    """Feed rows to ``online`` and yield date, volatility and who makes most of it.

    With ``missing="common"`` a row that lacks a value is passed over and yields ``left_out``: the
    next return spans it. How many rows make a year is read off the first dates, as in a file.

    Raises:
        InputError: A row that cannot be, or a date that is not after the one before.
    """
    names = online.names or ()
    before: np.datetime64 | None = None
    rows = RowsAYear(periods)
    for moment, row in text_rows(lines, source, how):
        now = _moment(moment, how)
        if before is not None and now is not None and not now > before:
            raise InputError(f"{source}: {moment} follows {shown(before)}: dates must ascend")
        before = now
        year = rows.take(now)
        absent = [name for name in names or row if math.isnan(row.get(name, 0.0))]
        if absent and missing == "common":
            yield {"date": moment, "left_out": f"no value of {', '.join(absent)}"}
            continue
        try:
            volatility = online.update(row)
        except InputError as error:
            raise InputError(
                f"{source}, {moment}: {error} (--missing common passes over)"
            ) from error
        if volatility is not None:
            yield {"date": moment, **_read(online, volatility, year)}


def _read(online: OnlineRisk, volatility: float, year: float) -> dict[str, float | str]:
    """Return what is known after a row: volatility, and who makes most of it."""
    reading: dict[str, float | str] = {
        "volatility": volatility,
        "volatility_annual": volatility * math.sqrt(year),
    }
    if volatility > 0:
        share, names = online.percent, online.names or ()
        first = int(np.argmax(share))
        reading |= {"most": names[first], "share": float(share[first])}
    return reading


def _moment(text: str, how: Format) -> np.datetime64 | None:
    if how.dates == "none":
        return None
    return np.datetime64(dates_of([text], how.dates)[0][0], "us")
