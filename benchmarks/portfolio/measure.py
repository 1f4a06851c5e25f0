"""What run.py runs inside the environment of the peers."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np

warnings.simplefilter("ignore")
SEED = 20261121
Work = Callable[[], object]


def market(rows: int, assets: int) -> np.ndarray:
    rng = np.random.default_rng(SEED)
    shared = rng.standard_normal((rows, 1)) * 0.008
    return shared + rng.standard_normal((rows, assets)) * 0.01 + 0.0003


def seconds(work: Work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleaved(works: dict[str, Work], rounds: int) -> dict[str, tuple[float, float]]:
    """Time each in turn, ``rounds`` times over, after one to warm up.

    Gives the best wall time and the best processor time (all threads) of each: on a machine
    that others use too, the best is what disturbs least, and processor time leaves out waiting.
    What takes little is repeated until it takes about twenty milliseconds.
    """
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    repeats = {}
    for name, work in works.items():
        first = seconds(work)  # with what it imports
        taken = seconds(work) if first < 1 else first
        repeats[name] = max(1, min(200, int(0.02 / max(taken, 1e-7))))
    for _ in range(rounds):
        for name, work in works.items():
            if repeats[name] > 1:
                work()  # what the one before left in the caches is not its fault
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(repeats[name]):
                work()
            spent = (time.perf_counter() - wall, time.process_time() - cpu)
            times[name].append((spent[0] / repeats[name], spent[1] / repeats[name]))
    return {
        name: (min(wall for wall, _ in runs), min(cpu for _, cpu in runs))
        for name, runs in times.items()
    }


def show(
    title: str, found: dict[str, tuple[float, float]], aims: dict[str, float], note: str = ""
) -> None:
    ours = found["penstock"]
    print(f"\n{title}{': ' + note if note else ''}")
    print(f"  {'':<34} {'wall ms':>11} {'ratio':>9} {'cpu ms':>11} {'ratio':>9}")
    for name, (wall, cpu) in found.items():
        aim = f"  (aim {aims[name]:g})" if name in aims else ""
        walls = f"{wall * 1e3:11.4f} {wall / ours[0]:8.1f}x"
        print(f"  {name:<34} {walls} {cpu * 1e3:11.4f} {cpu / ours[1]:8.1f}x{aim}", flush=True)


def contributions() -> None:
    import pandas as pd
    import riskfolio
    from skfolio import Portfolio, RiskMeasure

    from penstock.portfolio import risk

    returns = market(2520, 500)
    weights = np.full(500, 1 / 500)
    frame = pd.DataFrame(returns)
    covariance = frame.cov()
    column = pd.DataFrame(weights)
    theirs = Portfolio(frame, weights)
    found = interleaved(
        {
            "penstock": lambda: risk(returns, weights, kind="returns").component,
            "limit: two bare products": lambda: (returns @ weights) @ returns,
            "numpy: np.cov, then w*Sw/s": lambda: (
                weights
                * (np.cov(returns.T) @ weights)
                / np.sqrt(weights @ np.cov(returns.T) @ weights)
            ),
            "Riskfolio-Lib (covariance given)": lambda: riskfolio.Risk_Contribution(
                column, frame, covariance, rm="MV"
            ),
            "skfolio": lambda: theirs.contribution(measure=RiskMeasure.STANDARD_DEVIATION),
        },
        5,
    )
    exact = np.asarray(returns, dtype=np.longdouble)
    series = exact @ weights
    product = exact.T @ (series - series.mean()) / 2519
    truth = weights * product / np.sqrt(product @ weights)
    ours = risk(returns, weights, kind="returns").component
    error = float(np.max(np.abs(ours / truth - 1)))
    aims = {"Riskfolio-Lib (covariance given)": 480, "skfolio": 3200}
    show("contributions, 2,520 x 500", found, aims, f"largest relative error {error:.1e}")


def rolling_volatility() -> None:
    import pandas as pd
    import polars as pl
    from skfolio import Portfolio, RiskMeasure

    import penstock.portfolio as ours

    returns, weights = market(8000, 20), np.full(20, 1 / 20)
    frame = pd.DataFrame(returns)
    theirs = Portfolio(frame, weights)
    show(
        "rolling 252-day volatility, 8,000 x 20",
        interleaved(
            {
                "penstock": lambda: ours.rolling_volatility(returns, weights, kind="returns"),
                "pandas": lambda: (frame * weights).sum(axis=1).rolling(252).std(),
                "polars (series given by numpy)": lambda: pl.Series(returns @ weights).rolling_std(
                    252
                ),
                "skfolio": lambda: theirs.rolling_measure(
                    measure=RiskMeasure.STANDARD_DEVIATION, window=252
                ),
            },
            7,
        ),
        {"pandas": 3.5, "polars (series given by numpy)": 2.2, "skfolio": 2000},
    )


def rolling_covariance_few() -> None:
    import pandas as pd

    import penstock.portfolio as ours

    returns = market(8000, 20)
    frame = pd.DataFrame(returns)
    stream = ours.rolling_covariance(returns, kind="returns")
    show(
        "rolling full covariance, 8,000 x 20, all kept",
        interleaved(
            {
                "penstock": stream.stack,
                "limit: filling a new array": lambda: np.empty((7749, 20, 20)).fill(1.0),
                "penstock, streamed": lambda: [None for _ in stream],
                "pandas": lambda: frame.rolling(252).cov(),
            },
            5,
        ),
        {"pandas": 34},
    )


def rolling_covariance_many() -> None:
    import pandas as pd

    import penstock.portfolio as ours

    returns = market(2520, 500)
    frame = pd.DataFrame(returns[:, :40])
    stream = ours.rolling_covariance(returns, kind="returns")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    whole = seconds(lambda: [None for _ in stream]) / len(stream)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    found = interleaved(
        {
            "penstock": lambda: [None for _, _ in zip(range(300), stream, strict=False)],
            "np.cov per window (20 windows)": lambda: [
                np.cov(returns[k : k + 252].T) for k in range(20)
            ],
            "pandas (40 of 500 columns)": lambda: frame.rolling(252).cov(),
        },
        3,
    )
    parts = {
        "penstock": ("penstock", 1 / 300),
        "np.cov per window": ("np.cov per window (20 windows)", 1 / 20),
        "pandas, n^2 extrapolated from 40": ("pandas (40 of 500 columns)", 12.5**2 / 2269),
    }
    per = {
        name: (found[source][0] * part, found[source][1] * part)
        for name, (source, part) in parts.items()
    }
    note = f"whole run {whole * len(stream):.2f} s, peak memory grew by {grown:.0f} MB"
    aims = {"np.cov per window": 20, "pandas, n^2 extrapolated from 40": 200}
    show("rolling full covariance streamed, 2,520 x 500, a step", per, aims, note)


def rolling_covariance_5000() -> None:
    import penstock.portfolio as ours

    returns = market(2520, 5000)
    lower = ours.rolling_covariance(returns, kind="returns", lower=True)
    took = seconds(lambda: [None for _ in lower])
    sparse = ours.rolling_covariance(returns, kind="returns", every=63)
    few = seconds(lambda: [None for _ in sparse])
    print(
        f"\nrolling full covariance, 5,000 names: {len(lower)} days {took:.1f} s (aim 20, lower"
        f" triangle), every 63rd {few:.1f} s; {os.cpu_count()} cores"
    )


ALONE = """
import sys, time, resource
import numpy as np
rng = np.random.default_rng(1)
returns = np.empty((2520, 5000))
for row in returns:
    row[:] = rng.standard_normal(5000) * 0.01
weights = np.full(5000, 1 / 5000)
if sys.argv[1] == "penstock":
    from penstock.portfolio import risk
    work = lambda: risk(returns, weights, kind="returns", estimator="lw").volatility
elif sys.argv[1] == "limit":
    work = lambda: float((returns @ returns.T)[0, 0])
else:
    from sklearn.covariance import ledoit_wolf
    work = lambda: float(np.sqrt(weights @ ledoit_wolf(returns)[0] @ weights))
start = time.perf_counter()
value = work()
took = time.perf_counter() - start
print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, repr(value))
"""


def ledoit_wolf() -> None:
    found: dict[str, list[list[float]]] = {"penstock": [], "scikit-learn": [], "limit": []}
    for _ in range(2):
        for name, runs in found.items():
            out = subprocess.run(
                [sys.executable, "-c", ALONE, name], check=True, capture_output=True, text=True
            )
            runs.append([float(word) for word in out.stdout.split()])
    ours, theirs, limit = (min(runs) for runs in found.values())
    print(
        f"\nLedoit-Wolf volatility, 2,520 x 5,000: penstock {ours[0]:.2f} s {ours[1]:.0f} MB,"
        f" scikit-learn {theirs[0]:.2f} s {theirs[1]:.0f} MB: {theirs[0] / ours[0]:.1f}x (aim 11),"
        f" one product {limit[0]:.2f} s: {ours[0] / limit[0]:.2f} of it (aim 1.2),"
        f" {ours[1] / theirs[1]:.0%} of its memory (aim 60%),"
        f" relative difference {abs(ours[2] / theirs[2] - 1):.1e}"
    )


def pairwise() -> None:
    import pandas as pd

    from penstock.portfolio.pairwise import pairwise_covariance

    rng = np.random.default_rng(2)
    one, staggered = market(2520, 500), market(2520, 500)
    one[1000, 3] = np.nan
    for column in range(500):
        staggered[: rng.integers(0, 1200), column] = np.nan
    for title, returns in (("one NaN", one), ("staggered starts", staggered)):
        frame = pd.DataFrame(returns)
        found = interleaved(
            {"penstock": lambda r=returns: pairwise_covariance(r), "pandas": frame.cov}, 3
        )
        theirs = frame.cov().to_numpy()
        error = np.abs(pairwise_covariance(returns) - theirs).max() / np.abs(theirs).max()
        show(
            f"pairwise covariance, 2,520 x 500, {title}", found, {"pandas": 20},
            f"largest difference {error:.1e}",
        )  # fmt: skip


def imports() -> None:
    names = ["numpy", "penstock.portfolio", "pandas", "skfolio", "riskfolio"]
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(7):
        for name in names[: 5 if len(times["riskfolio"]) < 3 else 4]:
            command = [sys.executable, "-c", f"import {name}"]
            times[name].append(seconds(lambda c=command: subprocess.check_call(c)))
    bare = float(
        np.median(
            [seconds(lambda: subprocess.check_call([sys.executable, "-c", ""])) for _ in range(7)]
        )
    )
    found = {name: float(np.median(runs)) - bare for name, runs in times.items()}
    print(f"\nimport, without the interpreter's own {bare * 1e3:.0f} ms")
    for name, value in found.items():
        ratio = value / found["numpy"]
        print(f"  {name:<34} {value * 1e3:12.1f} ms {ratio:10.2f}x numpy's")
    print(
        f"  penstock / numpy {found['penstock.portfolio'] / found['numpy']:.2f} (aim 1.3),"
        f" skfolio / penstock {found['skfolio'] / found['penstock.portfolio']:.1f} (aim 10)"
    )


def ticks() -> None:
    from penstock.portfolio import OnlineRisk, risk

    returns = market(2000, 500)
    weights = np.full(500, 1 / 500)
    for title, choices in (
        ("EWMA", {"decay": 0.94}),
        ("all rows", {}),
        ("window", {"window": 252}),
    ):
        online = OnlineRisk(weights, kind="returns", **choices)

        def feed(online: OnlineRisk = online) -> None:
            for row in returns:
                online.update(row)

        best = sorted(seconds(feed) for _ in range(5))[2] / len(returns)
        aim = " (aim 10)" if title == "EWMA" else ""
        print(f"\none tick, n=500, {title}: {best * 1e6:.1f} us{aim}")
    rows = np.random.default_rng(3).standard_normal((1_000_000, 3)) * 0.01
    three = np.array([0.3, 0.5, 0.2])
    for estimator, choices in (("ewma:0.94", {"decay": 0.94}), ("sample", {})):
        online = OnlineRisk(three, kind="returns", **choices)
        for row in rows:
            online.update(row)
        batch = risk(rows, three, kind="returns", estimator=estimator)
        error = abs(online.volatility / batch.volatility - 1)
        print(f"after 1,000,000 ticks, {estimator}: {error:.1e} from the batch (aim 1e-12)")


ALL = [
    contributions, rolling_volatility, rolling_covariance_few, rolling_covariance_many,
    rolling_covariance_5000, ledoit_wolf, pairwise, imports, ticks,
]  # fmt: skip


def main(words: list[str]) -> None:
    cores = os.environ.get("OPENBLAS_CORETYPE", "unset")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, OPENBLAS_CORETYPE {cores}")
    for figure in ALL:
        if not words or any(word in figure.__name__ for word in words):
            figure()


if __name__ == "__main__":
    main(sys.argv[1:])
