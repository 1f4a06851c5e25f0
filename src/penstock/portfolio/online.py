"""``OnlineRisk``: a portfolio's risk kept up to date row by row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast, final

from penstock.errors import InputError
from penstock.portfolio.arrays import Floats, np
from penstock.portfolio.holdings import Weights, summing
from penstock.portfolio.memories import memory, numbers
from penstock.portfolio.returns import KINDS
from penstock.portfolio.table import floats

__all__ = ["OnlineRisk"]

_FLOAT = np.dtype(np.float64)


@final
class OnlineRisk:
    """Volatility and contributions of a portfolio, up to date after every row.

    The work a row costs grows with the assets, not with their square: of the covariance only what
    it does to the weights is kept.

    Args:
        weights: By name (rows are then mappings, or sequences in this order) or by position.
        kind: What rows hold: ``prices``, ``returns`` or ``log``.
        decay: Forget by this factor a row (EWMA, zero mean), such as 0.94.
        window: Remember that many returns. Without either, remember all.
        scheme: ``constant`` weights, or ``hold``: they drift with the prices.
        periods: Rows in a year.
        ddof: Sums are divided by rows minus this (not for EWMA).
        cash: Whether the weights may sum to something else than one.

    Raises:
        InputError: Weights or choices that cannot be.

    >>> online = OnlineRisk({"A": 0.6, "B": 0.4}, decay=0.94)
    >>> online.update({"A": 100, "B": 50})
    >>> round(online.update({"A": 101, "B": 50.2}), 6)
    0.0076
    """

    def __init__(  # noqa: PLR0913 - each is one choice that a user makes by its keyword
        self,
        weights: Weights,
        *,
        kind: str = "prices",
        decay: float | None = None,
        window: int | None = None,
        scheme: str = "constant",
        periods: float = 252.0,
        ddof: int = 1,
        cash: bool = False,
    ) -> None:
        if isinstance(weights, Mapping):
            self.names: tuple[str, ...] | None = tuple(str(name) for name in weights)
            self.weights = floats(list(weights.values()), "weights")
        else:
            self.names = None
            self.weights = np.array(floats(weights, "weights"))
        self.weights = summing(self.weights, cash=cash)
        if kind not in KINDS:
            raise InputError(f"no kind is called {kind}: choose one of {', '.join(KINDS)}")
        if scheme not in {"constant", "hold"}:
            raise InputError(f"online, scheme is constant or hold, not {scheme}")
        self.periods = periods
        self._choices = {"kind": kind, "decay": decay, "window": window, "scheme": scheme}
        self._choices |= {"periods": periods, "ddof": ddof, "cash": cash}
        self._kind = kind
        self._drifts = scheme == "hold"
        width = len(self.weights)
        # One row for the memory: returns, contributions where weights drift, the portfolio's.
        self._row = np.zeros((2 if self._drifts else 1) * width + 1)
        self._memory = memory(len(self._row), decay, window, ddof)
        self._held = self.weights.copy()
        self._first: Floats | None = None
        self._last: Floats | None = None

    @property
    def seen(self) -> int:
        """Returns taken in so far, those of merged ones included."""
        return self._memory.seen

    def update(self, row: Mapping[str, float] | Sequence[float] | Floats) -> float | None:
        """Take in the next row; return the volatility per row, None while rows are too few.

        A row that cannot be taken in changes nothing.

        Raises:
            InputError: An asset is missing, a value is no finite number, or a price is not above
                zero.
        """
        values = self._values(row)
        if self._kind == "prices":
            if not values.min() > 0:
                raise InputError(
                    f"row {self.seen}: a price is not a number above zero: {self._odd(values)}"
                )
            if self._last is None:
                if not np.isfinite(values).all():
                    raise InputError(f"row {self.seen}: a price is not finite")
                self._first = self._last = values.copy()
                return None
            returns = values / self._last
            returns -= 1
        else:
            returns = values if self._kind == "returns" else np.expm1(values)
        self._take(returns)
        if self._kind == "prices":
            self._last = values.copy()
        return self._volatility()

    def _odd(self, values: Floats) -> str:
        """Return which value is the wrong one, with its asset."""
        place = int((~(values > 0)).argmax())
        name = f"asset {place}" if self.names is None else self.names[place]
        return f"{values[place]:g} of {name}"

    def _values(self, row: Mapping[str, float] | Sequence[float] | Floats) -> Floats:
        if type(row) is np.ndarray and row.dtype is _FLOAT and row.shape == self.weights.shape:
            return row  # the common case first: a tick costs microseconds
        if isinstance(row, Mapping):
            if self.names is None:
                raise InputError("these weights have no names: give rows by position")
            try:
                row = [row[name] for name in self.names]
            except KeyError as error:
                raise InputError(f"row {self.seen}: no value for {error.args[0]}") from error
        values = floats(row, f"row {self.seen}")
        if values.shape != self.weights.shape:
            raise InputError(
                f"row {self.seen} has shape {values.shape}: {len(self.weights)} assets"
            )
        return values

    def _take(self, returns: Floats) -> None:
        whole = float(returns.dot(self._held))
        # A value that is missing or infinite would have made the sum so, whatever its weight.
        if not math.isfinite(whole):
            raise InputError(f"row {self.seen}: a value is not a finite number")
        width = len(returns)
        self._row[:width] = returns
        self._row[-1] = whole
        if self._drifts:
            if whole <= -1:
                raise InputError(f"row {self.seen}: the portfolio loses all there is")
            np.multiply(returns, self._held, out=self._row[width:-1])
            self._held *= (1 + returns) / (1 + whole)
        self._memory.add(self._row)

    def _volatility(self) -> float | None:
        variance = self._memory.variance()
        return None if variance is None else math.sqrt(max(0.0, variance))

    @property
    def volatility(self) -> float:
        """Standard deviation of the portfolio's return per row.

        Raises:
            InputError: Too few rows so far.
        """
        found = self._volatility()
        if found is None:
            raise InputError(f"{self.seen} returns so far: too few for a volatility")
        return found

    @property
    def volatility_annual(self) -> float:
        """Volatility times the square root of the rows in a year."""
        return self.volatility * math.sqrt(self.periods)

    @property
    def marginal(self) -> Floats:
        """Covariance of each asset with the portfolio over the volatility, shape (assets,)."""
        return self._scaled()[: len(self.weights)]

    @property
    def component(self) -> Floats:
        """What each asset adds to the volatility, shape (assets,); the sum is the volatility."""
        scaled = self._scaled()
        return scaled[len(self.weights) : -1] if self._drifts else scaled[:-1] * self.weights

    @property
    def percent(self) -> Floats:
        """Shares of the risk, shape (assets,); the sum is 1."""
        return self.component / self.volatility

    def _scaled(self) -> Floats:
        products, volatility = self._memory.products(), self.volatility
        if products is None or not volatility:
            raise InputError("the portfolio does not move: contributions do not exist")
        return products / volatility

    def state(self) -> dict[str, object]:
        """Return everything as JSON values: for a store, a file, or another process.

        >>> import json
        >>> online = OnlineRisk([0.5, 0.5], kind="returns")
        >>> _ = online.update([0.01, 0.02]), online.update([-0.01, 0.01])
        >>> OnlineRisk.load(json.loads(json.dumps(online.state()))).volatility == online.volatility
        True
        """
        return {
            "format": 1,
            "names": None if self.names is None else list(self.names),
            "weights": self.weights.tolist(),
            "choices": dict(self._choices),
            "held": self._held.tolist(),
            "first": None if self._first is None else self._first.tolist(),
            "last": None if self._last is None else self._last.tolist(),
            "memory": self._memory.state(),
        }

    @classmethod
    def load(cls, state: Mapping[str, object]) -> OnlineRisk:
        """Return the measure that ``state`` was taken of; it goes on to the same bits.

        Raises:
            InputError: Not a state of this class, or a damaged one.
        """
        kept = dict(state)
        if kept.get("format") != 1:
            raise InputError(f"not a state of OnlineRisk: format is {kept.get('format')!r}, not 1")
        try:
            weights = numbers(kept, "weights", (-1,))
            names = cast("list[str] | None", kept["names"])
            choices = cast("dict[str, float]", kept["choices"])
            new = cls(
                weights if names is None else dict(zip(names, weights.tolist(), strict=True)),
                **choices,  # type: ignore[arg-type] # what __init__ was given, as JSON kept it
            )
            new._held = numbers(kept, "held", weights.shape)
            if kept["first"] is not None:
                new._first = numbers(kept, "first", weights.shape)
                new._last = numbers(kept, "last", weights.shape)
            new._memory.restore(cast("dict[str, object]", kept["memory"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"a damaged state of OnlineRisk: {error}") from error
        return new

    def merge(self, later: OnlineRisk) -> OnlineRisk:
        """Return the measure of this one's rows followed by those of ``later``; both stay.

        Of prices, the return from this one's last to the other's first row is counted too.

        Raises:
            InputError: They measure different things, or weights that drift: where the later one
                began, they were not what it assumed.

        >>> def online(rows):
        ...     made = OnlineRisk([0.5, 0.5], kind="returns")
        ...     for row in rows:
        ...         _ = made.update(row)
        ...     return made
        >>> rows = [[0.01, 0.02], [-0.01, 0.01], [0.02, -0.01], [0.0, 0.01]]
        >>> merged = online(rows[:2]).merge(online(rows[2:]))
        >>> abs(merged.volatility - online(rows).volatility) < 1e-17
        True
        """
        same = self.names == later.names and self._choices == later._choices
        if not same or not np.array_equal(self.weights, later.weights):
            raise InputError("these two measure different portfolios or in different ways")
        if self._drifts and self.seen:
            raise InputError("weights that drift cannot be merged: the later part began elsewhere")
        if self._kind == "prices" and self._last is None:
            return OnlineRisk.load(later.state())
        new = OnlineRisk.load(self.state())
        if later._first is not None:
            new.update(later._first)
            new._last = later._last
        new._memory.absorb(later._memory)
        return new
