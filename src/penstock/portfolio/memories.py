"""What an online measure remembers of the rows it saw: all, the newest most, or the last few.

Each takes rows whose last entry is the portfolio's return, and gives the mean products of all
entries with that one: the last is the portfolio's variance, the others are the covariances that
its contributions are made of.
"""

from __future__ import annotations

from typing import Protocol, final

from penstock.errors import InputError
from penstock.portfolio.arrays import Floats, np, product

__all__ = ["All", "Fading", "Last", "Memory", "memory"]


class Memory(Protocol):
    """The common shape of the three."""

    @property
    def seen(self) -> int:
        """Rows taken in, those of merged memories included."""
        ...

    def add(self, row: Floats) -> None:
        """Take in the next row."""
        ...

    def products(self) -> Floats | None:
        """Return the mean products with the last entry, or None while there are too few rows."""
        ...

    def variance(self) -> float | None:
        """Return the last of the products alone, quickly."""
        ...

    def absorb(self, later: Memory) -> None:
        """Take in all rows of ``later``, which follow those taken in so far."""
        ...

    def state(self) -> dict[str, object]:
        """Return everything as JSON values; the same memory comes from :meth:`restore`."""
        ...

    def restore(self, state: dict[str, object]) -> None:
        """Become the memory that ``state`` was taken of."""
        ...


def numbers(state: dict[str, object], name: str, shape: tuple[int, ...]) -> Floats:
    """Return an array of ``state``, or say that it does not fit."""
    try:
        return np.array(state[name], dtype=np.float64).reshape(shape)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"this state does not fit: {name} is missing or damaged") from error


def count_of(state: dict[str, object]) -> int:
    """Return the rows that a state has seen, or say that it is damaged."""
    seen = state.get("seen")
    if not isinstance(seen, int) or seen < 0:
        raise InputError("this state does not fit: seen is missing or damaged")
    return seen


@final
class All:
    """Every row counts the same (Welford 1962; merged by Chan, Golub and LeVeque 1979)."""

    def __init__(self, width: int, ddof: int) -> None:
        self.seen = 0
        self._ddof = ddof
        self._mean: Floats = np.zeros(width)
        self._sums: Floats = np.zeros(width)
        self._away: Floats = np.zeros(width)

    def add(self, row: Floats) -> None:
        """Take in the next row."""
        self.seen += 1
        away = np.subtract(row, self._mean, out=self._away)
        gap = away[-1]
        self._mean += away / self.seen
        np.subtract(row, self._mean, out=away)
        away *= gap
        self._sums += away

    def products(self) -> Floats | None:
        """Return the mean products with the last entry, or None while there are too few rows."""
        if self.seen < 2 or self.seen <= self._ddof:
            return None
        return self._sums / (self.seen - self._ddof)

    def variance(self) -> float | None:
        """Return the last of the products alone, quickly."""
        if self.seen < 2 or self.seen <= self._ddof:
            return None
        return float(self._sums[-1]) / (self.seen - self._ddof)

    def absorb(self, later: Memory) -> None:
        """Take in all rows of ``later``, which follow those taken in so far."""
        if not isinstance(later, All):
            raise TypeError(later)
        total = self.seen + later.seen
        if not later.seen:
            return
        gap = later._mean - self._mean
        self._sums += later._sums + gap * (gap[-1] * self.seen * later.seen / total)
        self._mean += gap * (later.seen / total)
        self.seen = total

    def state(self) -> dict[str, object]:
        """Return everything as JSON values."""
        return {"seen": self.seen, "mean": self._mean.tolist(), "sums": self._sums.tolist()}

    def restore(self, state: dict[str, object]) -> None:
        """Become the memory that ``state`` was taken of."""
        self.seen = count_of(state)
        self._mean = numbers(state, "mean", self._mean.shape)
        self._sums = numbers(state, "sums", self._sums.shape)


@final
class Fading:
    """A row counts ``decay`` times what the next one counts; the mean is taken as zero.

    Kept without its divisor (sum and total weight apart), so that two stretches merge exactly:
    the earlier one has faded by ``decay`` to the power of the rows of the later.
    """

    def __init__(self, width: int, decay: float) -> None:
        self.seen = 0
        self._decay = decay
        self._total = 0.0
        self._sums: Floats = np.zeros(width)
        self._new: Floats = np.zeros(width)

    def add(self, row: Floats) -> None:
        """Take in the next row."""
        self.seen += 1
        self._total = self._total * self._decay + 1.0
        np.multiply(row, row[-1], out=self._new)
        self._sums *= self._decay
        self._sums += self._new

    def products(self) -> Floats | None:
        """Return the mean products with the last entry, or None while there are too few rows."""
        return self._sums / self._total if self.seen else None

    def variance(self) -> float | None:
        """Return the last of the products alone, quickly."""
        return float(self._sums[-1]) / self._total if self.seen else None

    def absorb(self, later: Memory) -> None:
        """Take in all rows of ``later``, which follow those taken in so far."""
        if not isinstance(later, Fading):
            raise TypeError(later)
        faded = self._decay**later.seen
        self._sums = self._sums * faded + later._sums
        self._total = self._total * faded + later._total
        self.seen += later.seen

    def state(self) -> dict[str, object]:
        """Return everything as JSON values."""
        return {"seen": self.seen, "total": self._total, "sums": self._sums.tolist()}

    def restore(self, state: dict[str, object]) -> None:
        """Become the memory that ``state`` was taken of."""
        self.seen = count_of(state)
        self._total = float(numbers(state, "total", ()))
        self._sums = numbers(state, "sums", self._sums.shape)


@final
class Last:
    """The last ``window`` rows count the same, those before them not at all.

    The rows themselves are kept, in a ring, and measured in two passes.
    """

    def __init__(self, width: int, window: int, ddof: int) -> None:
        self.seen = 0
        self._window, self._ddof = window, ddof
        self._ring = np.zeros((window, width))
        self._filled = 0  # rows that this memory itself was given

    def add(self, row: Floats) -> None:
        """Take in the next row."""
        self._ring[self._filled % self._window] = row
        self.seen += 1
        self._filled += 1

    def products(self) -> Floats | None:
        """Return the mean products with the last entry, or None until the window is full."""
        if self._filled < self._window:
            return None
        rows = self._rows()
        own = rows[:, -1] - rows[:, -1].mean()
        return np.asarray(product((rows - rows.mean(axis=0)).T, own) / (len(rows) - self._ddof))

    def variance(self) -> float | None:
        """Return the last of the products alone, quickly."""
        if self._filled < self._window:
            return None
        # In order, so that a memory that was resumed gives the same bits.
        series = np.roll(self._ring[:, -1], -(self._filled % self._window))
        return float(series.var(ddof=self._ddof))

    def _rows(self) -> Floats:
        """Return the rows, oldest first."""
        start = self._filled % self._window
        if self._filled < self._window:
            return self._ring[:start]
        return np.concatenate([self._ring[start:], self._ring[:start]])

    def absorb(self, later: Memory) -> None:
        """Take in all rows of ``later``, which follow those taken in so far."""
        if not isinstance(later, Last):
            raise TypeError(later)
        seen = self.seen + later.seen
        for row in later._rows():
            self.add(row)
        self.seen = seen

    def state(self) -> dict[str, object]:
        """Return everything as JSON values."""
        return {"seen": self.seen, "rows": self._rows().tolist()}

    def restore(self, state: dict[str, object]) -> None:
        """Become the memory that ``state`` was taken of."""
        seen = count_of(state)
        for row in numbers(state, "rows", (-1, self._ring.shape[1]))[-self._window :]:
            self.add(row)
        self.seen = seen


def memory(width: int, decay: float | None, window: int | None, ddof: int) -> Memory:
    """Return the memory that was asked for; all rows where neither is given.

    Raises:
        InputError: Both are given, or a number that cannot be.
    """
    if decay is not None and window is not None:
        raise InputError("decay and window exclude each other: choose how the past is forgotten")
    if decay is not None:
        if not 0 < decay < 1:
            raise InputError(f"decay={decay:g}: give a number between 0 and 1, such as 0.94")
        return Fading(width, decay)
    if window is not None:
        if window < 2 or not 0 <= ddof < window:
            raise InputError(f"window={window} with ddof={ddof}: at least 2 rows, more than ddof")
        return Last(width, window, ddof)
    if ddof not in {0, 1}:
        raise InputError(f"ddof={ddof}: give 0 or 1")
    return All(width, ddof)
