"""Means with their spread and confidence interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from penstock.neural.arrays import Floats
from penstock.neural.errors import BadData

__all__ = ["MeanInterval", "summarize"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MeanInterval:
    """A mean over independent runs.

    Attributes:
        count: Runs.
        mean: Of their values.
        spread: Their standard deviation (dividing by count - 1).
        low: Lower end of the mean's confidence interval.
        high: Its upper end.
        level: Of confidence.
    """

    count: int
    mean: float
    spread: float
    low: float
    high: float
    level: float

    def __str__(self) -> str:
        return (
            f"{self.mean:.4f} (spread {self.spread:.4f}, "
            f"{self.level:.0%} interval {self.low:.4f} to {self.high:.4f}, {self.count} runs)"
        )


def summarize(values: Floats, level: float = 0.95) -> MeanInterval:
    """Return mean, spread and Student's interval ``mean +- t * spread / sqrt(count)``.

    The interval is about the mean over such runs, not about a single run, and it takes the runs
    for independent: splits of one data set share rows, so it is narrower than the truth for what
    another data set would give (Nadeau and Bengio, 2003).

    >>> print(summarize(np.array([0.7, 0.8, 0.75, 0.72])))
    0.7425 (spread 0.0435, 95% interval 0.6734 to 0.8116, 4 runs)
    """
    if not len(values):
        raise BadData("no finite values to summarize")
    if not 0 < level < 1:
        raise BadData(f"level={level}: give a number between 0 and 1")
    count, mean = len(values), float(np.mean(values))
    if count == 1:
        spread, reach = math.nan, math.inf
    else:
        spread = float(np.std(values, ddof=1))
        reach = student(level, count - 1) * spread / math.sqrt(count)
    low, high = mean - reach, mean + reach
    return MeanInterval(count=count, mean=mean, spread=spread, low=low, high=high, level=level)


def student(level: float, freedom: int) -> float:
    """Return the two-sided quantile of Student's t: 2.776 for 95 % and 4 degrees of freedom.

    Exact for 1 and 2 degrees; else the expansion 26.7.5 of Abramowitz and Stegun around the
    normal quantile, good to 0.5 % from 3 degrees on.

    >>> [round(student(0.95, n), 2) for n in (1, 2, 4, 10, 199)]
    [12.71, 4.3, 2.78, 2.23, 1.97]
    """
    p = 1 - (1 - level) / 2
    if freedom == 1:
        return math.tan(math.pi * (p - 0.5))
    if freedom == 2:
        return (2 * p - 1) * math.sqrt(2 / (4 * p * (1 - p)))
    from statistics import NormalDist

    z, n = NormalDist().inv_cdf(p), freedom
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / n ** (power + 1) for power, term in enumerate(terms))
