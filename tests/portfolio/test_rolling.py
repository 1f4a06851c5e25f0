"""Rolling measures: against windows measured alone, and under stress."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import InputError
from penstock.portfolio import rolling_covariance, rolling_volatility, rolling_windows
from penstock.portfolio.arrays import Floats
from penstock.portfolio.rolling_windows import rolling_squares

RNG = np.random.default_rng(21)
RETURNS = RNG.standard_normal((700, 6)) * 0.01
WEIGHTS = np.full(6, 1 / 6)
ROWS, WINDOW = 8000, 252


@pytest.fixture(params=["C", "NumPy"], scope="module")
def core(request: pytest.FixtureRequest) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "NumPy":
            patch.setattr(rolling_windows, "NATIVE", None)
        elif rolling_windows.NATIVE is None:
            pytest.skip("built without a C compiler")
        yield request.param


IN_BOTH_CORES = pytest.mark.usefixtures("core")


def test_the_compiled_core_is_that_of_this_source() -> None:
    if rolling_windows.NATIVE is None:
        pytest.skip("built without a C compiler")
    source = Path(rolling_windows.__file__).with_name("_windows.c").read_bytes()
    assert hashlib.sha256(source).hexdigest() == rolling_windows.NATIVE.SOURCE, "pip install -e ."


@pytest.mark.parametrize(("window", "width"), [(1, 1), (3, 1), (4, 2), (7, 5)])
def test_the_core_refuses_what_does_not_fit(window: int, width: int) -> None:
    if rolling_windows.NATIVE is None:
        pytest.skip("built without a C compiler")
    rows = np.zeros((3, window, width))
    out = np.zeros((2, window, width, width))
    rolling_windows.NATIVE.group(rows, out, window, width)
    for sizes in ((window + 1, width), (window, width + 1), (0, width), (window, 0), (-1, -1)):
        with pytest.raises(ValueError, match="different sizes"):
            rolling_windows.NATIVE.group(rows, out, *sizes)
    with pytest.raises(ValueError, match="different sizes"):
        rolling_windows.NATIVE.group(rows[:2], out, window, width)


def windows(values: Floats, window: int) -> Floats:
    return np.lib.stride_tricks.sliding_window_view(values, window, axis=0)


@IN_BOTH_CORES
@pytest.mark.parametrize("window", [2, 3, 7, 252, 699, 700])
def test_volatility_is_that_of_each_window_alone(window: int) -> None:
    found = rolling_volatility(RETURNS, WEIGHTS, window, kind="returns")
    alone = windows(RETURNS @ WEIGHTS, window).std(axis=-1, ddof=1)
    assert found == pytest.approx(alone, rel=1e-12)


@IN_BOTH_CORES
@pytest.mark.parametrize("window", [2, 5, 252, 700])
@pytest.mark.parametrize("every", [1, 3, 11])
def test_covariance_is_that_of_each_window_alone(window: int, every: int) -> None:
    stream = rolling_covariance(RETURNS, window, kind="returns", every=every)
    seen = 0
    for row, matrix in stream:
        alone = np.cov(RETURNS[row + 1 - window : row + 1].T)
        assert np.allclose(matrix, alone, rtol=1e-9, atol=1e-17)
        assert (matrix == matrix.T).all()
        seen += 1
    assert seen == len(stream) == (700 - window) // every + 1


@pytest.mark.parametrize("every", [1, 4, 25])
def test_covariance_of_many_assets(every: int) -> None:
    returns = RNG.standard_normal((120, 80)) * 0.01
    lower = rolling_covariance(returns, 30, kind="returns", every=every, lower=True)
    full = rolling_covariance(returns, 30, kind="returns", every=every)
    below = np.tri(80, dtype=bool)
    for (row, matrix), (_, half) in zip(full, lower, strict=True):
        assert np.allclose(matrix, np.cov(returns[row - 29 : row + 1].T), rtol=1e-9, atol=1e-17)
        assert (matrix[below] == half[below]).all()
        assert np.isnan(half[~below]).all()


@IN_BOTH_CORES
def test_stack_is_the_stream_kept() -> None:
    stream = rolling_covariance(RETURNS, 50, kind="returns")
    kept = np.array([matrix.copy() for _, matrix in stream])
    assert (stream.stack() == kept).all()


def stress() -> dict[str, Floats]:
    """The eight series of the anchor page: level, bad ticks, a change of regime, a halt."""
    rng = np.random.default_rng(12)
    plain = rng.standard_normal(ROWS) * 0.01
    tick, large = plain.copy(), plain.copy()
    tick[100], large[100] = 1e6, 9.5e8
    regime = plain.copy()
    regime[ROWS // 2 :] *= 1e-6
    halted = plain.copy()
    halted[ROWS // 2 :] = 0.0
    return {
        "plain": plain,
        "1e3 + r": 1e3 + plain,
        "1e6 + r": 1e6 + plain,
        "a tick of 1e6": tick,
        "a tick of 9.5e8": large,
        "a change of regime": regime,
        "halted": halted,
        "around 5": 5 + rng.standard_normal(ROWS) * 1e-3,
    }


def exact(series: Floats, window: int) -> Floats:
    """Variance of each window in long double, two passes."""
    wide = windows(series.astype(np.longdouble), window)
    mean = wide.mean(axis=-1, keepdims=True)
    return np.asarray(((wide - mean) ** 2).sum(axis=-1) / (window - 1))


@IN_BOTH_CORES
@pytest.mark.parametrize("name", list(stress()))
def test_stays_within_ten_times_the_error_of_polars(name: str) -> None:
    series = stress()[name]
    truth = exact(series, WINDOW)
    ours = rolling_squares(series, WINDOW) / (WINDOW - 1)
    theirs = pl.Series(series).rolling_var(WINDOW).to_numpy()[WINDOW - 1 :]
    assert (ours >= 0).all()
    scale = np.where(truth > 0, truth, 1e-4)
    errors = [float(np.max(np.abs(found - truth) / scale)) for found in (ours, theirs)]
    assert errors[0] <= 10 * max(errors[1], 1e-15)


def test_equals_polars_on_covariance() -> None:
    frame = pl.DataFrame({"a": RETURNS[:, 0], "b": RETURNS[:, 1]})
    theirs = frame.select(pl.rolling_cov("a", "b", window_size=60)).to_series().to_numpy()[59:]
    ours = rolling_covariance(RETURNS, 60, kind="returns").stack()[:, 0, 1]
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-18)


@IN_BOTH_CORES
@given(
    place=st.integers(0, 99),
    size=st.sampled_from([1e4, -1e9, 1e15, 0.0]),
    window=st.integers(2, 40),
)
@settings(max_examples=60, deadline=None)
def test_a_bad_tick_leaves_no_trace_to_the_last_bit(place: int, size: float, window: int) -> None:
    clean = RETURNS[:150, :3]
    bad = clean.copy()
    bad[place, 1] = size
    weights = np.full(3, 1 / 3)
    series = [rolling_volatility(r, weights, window, kind="returns") for r in (clean, bad)]
    same = series[0] == series[1]
    assert same[: max(0, place - window + 1)].all()
    assert same[place + 1 :].all()
    stacks = [rolling_covariance(r, window, kind="returns").stack() for r in (clean, bad)]
    assert (stacks[0][place + 1 :] == stacks[1][place + 1 :]).all()


def test_many_assets_forget_a_bad_tick_at_once_and_to_the_bit_at_the_next_whole_window() -> None:
    clean = RNG.standard_normal((160, 70)) * 0.01
    bad = clean.copy()
    bad[35, 3] = 1e8
    streams = (rolling_covariance(r, 30, kind="returns") for r in (clean, bad))
    for (row, right), (_, found) in zip(*streams, strict=True):
        if row >= 65:
            assert np.allclose(found, right, rtol=1e-9, atol=1e-16)
            assert (np.diagonal(found) > 0).all()
        if row >= 89:
            assert (found == right).all()


@pytest.mark.parametrize(
    ("window", "ddof", "says"),
    [(1, 0, "at least 2 rows"), (5, 5, "more than ddof"), (701, 1, "does not fit into 700")],
)
def test_windows_that_cannot_be(window: int, ddof: int, says: str) -> None:
    with pytest.raises(InputError, match=says):
        rolling_volatility(RETURNS, WEIGHTS, window, kind="returns", ddof=ddof)
    with pytest.raises(InputError, match=says):
        rolling_covariance(RETURNS, window, kind="returns", ddof=ddof)


def test_missing_data_is_refused_or_dropped() -> None:
    holed = RETURNS.copy()
    holed[10, 2] = np.nan
    with pytest.raises(InputError, match="1 returns are missing"):
        rolling_volatility(holed, WEIGHTS, 20, kind="returns")
    with pytest.raises(InputError, match="1 returns are missing"):
        rolling_covariance(holed, 20, kind="returns")
    whole = np.delete(RETURNS, 10, axis=0)
    dropped = rolling_volatility(holed, WEIGHTS, 20, kind="returns", missing="common")
    assert (dropped == rolling_volatility(whole, WEIGHTS, 20, kind="returns")).all()


def test_of_a_weight_of_zero_what_is_missing_is_refused_too() -> None:
    holed = RETURNS.copy()
    holed[10, 2] = np.nan
    weights = np.array([0.2, 0.2, 0.0, 0.2, 0.2, 0.2])
    with pytest.raises(InputError, match="missing"):
        rolling_volatility(holed, weights, 20, kind="returns")


@pytest.mark.parametrize("scheme", ["hold", "every:21"])
def test_rolling_over_weights_that_move(scheme: str) -> None:
    from penstock.portfolio import risk

    series = risk(RETURNS, WEIGHTS, kind="returns", scheme=scheme).series
    found = rolling_volatility(RETURNS, WEIGHTS, 60, kind="returns", scheme=scheme)
    assert found == pytest.approx(windows(series, 60).std(axis=-1, ddof=1), rel=1e-12)
