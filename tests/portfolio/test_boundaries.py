"""The rules of what is taken in and shrunk, where they turn."""

import numpy as np

from penstock.portfolio.returns import RowsAYear, doubts
from penstock.portfolio.shrinkage import oracle


def test_returns_with_a_zero_among_them_are_not_taken_for_prices() -> None:
    above, with_zero = np.array([[2.0], [5.0], [3.0]]), np.array([[0.0], [5.0], [3.0]])
    assert "are these prices?" in doubts(above, None, ["A"], "returns")[0]
    assert "are these in percent?" in doubts(with_zero, None, ["A"], "returns")[0]


def test_given_rows_a_year_do_not_look_at_dates() -> None:
    given = RowsAYear(52.0)
    assert [given.take(np.datetime64(day)) for day in ("2024-01-05", "2024-01-08")] == [52.0, 52.0]
    assert given.seen == []
    assert RowsAYear().take(None) == 252.0


def test_where_all_is_alike_nothing_but_the_mean_variance_is_believed() -> None:
    returns = np.array([[1.0, 0.0], [0.0, 1.01], [-1.0, 0.0], [0.0, -1.01]])
    assert oracle(returns).shrinkage == 1.0


def test_of_many_rows_the_sample_is_believed() -> None:
    returns = np.random.default_rng(4).standard_normal((2_000, 3)) * [0.01, 0.02, 0.04]
    assert 0.0 < oracle(returns).shrinkage < 0.05
