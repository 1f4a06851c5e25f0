"""A line for each row of prices as it arrives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from penstock.errors import InputError
from penstock.portfolio.arrays import np
from penstock.portfolio.estimators import split_name
from penstock.portfolio.files import text_rows
from penstock.portfolio.frames import parse_dates
from penstock.portfolio.online import OnlineRisk

__all__ = ["followed", "online_for"]


def online_for(weights: Mapping[str, float], options: Mapping[str, object]) -> OnlineRisk:
    """Return the online measure that the options of ``penstock portfolio risk`` ask for.

    Raises:
        InputError: An option that needs all rows.
    """
    name, number = split_name(str(options["estimator"]))
    if name not in {"sample", "ewma"} or options["missing"] != "raise":
        raise InputError("--follow knows --estimator sample and ewma, and --missing raise")
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
    lines: Iterable[str], source: str, online: OnlineRisk
) -> Iterator[dict[str, float | str]]:
    """Feed rows to ``online`` and yield date, volatility and who makes most of it.

    Raises:
        InputError: A row that cannot be, or a date that is not after the one before.
    """
    names = online.names or ()
    before = None
    for moment, row in text_rows(lines, source):
        now = parse_dates([moment])[0]
        if before is not None and not now > before:
            raise InputError(f"{source}: {moment} follows {before}: dates must ascend")
        before = now
        volatility = online.update(row)
        if volatility is None:
            continue
        reading: dict[str, float | str] = {
            "date": moment,
            "volatility": volatility,
            "volatility_annual": online.volatility_annual,
        }
        if volatility > 0:
            share = online.percent
            first = int(np.argmax(share))
            reading |= {"most": names[first], "share": float(share[first])}
        yield reading
