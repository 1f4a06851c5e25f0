"""Plots worth looking at, drawn by matplotlib into a file that appears whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from penstock.errors import InputError, MissingExtra
from penstock.portfolio.arrays import Dates, Floats, np
from penstock.portfolio.cluster import clustered
from penstock.portfolio.ratios import drawdowns
from penstock.whole import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from penstock.portfolio.allocation import Frontier
    from penstock.portfolio.result import Risk

__all__ = [
    "draw_contributions",
    "draw_correlation",
    "draw_drawdown",
    "draw_frontier",
    "draw_growth",
    "draw_rolling",
    "new_figure",
    "overview",
    "save",
]

_INK, _QUIET, _BLUE, _RED = "#1f2933", "#9aa5b1", "#2f6f9f", "#c8553d"
_SUFFIXES = (".svg", ".png", ".pdf")
_POINTS = 1500
_NAMED = 40  # assets up to which each gets its name on an axis


def new_figure(width: float = 7.0, height: float = 4.5) -> Figure:
    """Return an empty figure of ``width`` by ``height`` inches.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("a plot", "matplotlib", "portfolio") from error
    return Figure(figsize=(width, height), layout="constrained")


def _plain(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, color=_INK, fontweight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_QUIET)
    axes.tick_params(colors=_INK, labelsize=8)


def draw_contributions(axes: Axes, found: Risk) -> None:
    """Draw weight and share of the risk of each asset, the largest share on top (40 at most)."""
    order = np.argsort(found.percent)[-_NAMED:]
    places = np.arange(len(order))
    axes.barh(places + 0.2, found.percent[order] * 100, 0.38, color=_RED, label="share of risk")
    axes.barh(places - 0.2, found.weights[order] * 100, 0.38, color=_BLUE, label="weight")
    axes.set_yticks(places, [found.names[i] for i in order])
    axes.axvline(0, color=_QUIET, linewidth=0.8)
    axes.set_xlabel("percent", fontsize=8, color=_INK)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    _plain(axes, f"Who makes the risk: {found.volatility_annual:.1%} a year")


def draw_correlation(axes: Axes, found: Risk) -> None:
    """Draw the correlations as a heat map, assets that move alike side by side."""
    order = clustered(found.correlation)
    shown = found.correlation[np.ix_(order, order)]
    image = axes.imshow(shown, cmap="RdBu_r", vmin=-1, vmax=1)
    names = [found.names[i] for i in order]
    if len(names) <= _NAMED:
        axes.set_xticks(range(len(names)), names, rotation=90)
        axes.set_yticks(range(len(names)), names)
    if len(names) <= 8:
        for (row, column), value in np.ndenumerate(shown):
            color = "white" if abs(value) > 0.6 else _INK
            axes.text(
                column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=color
            )
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.8)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, colors=_INK)
    _plain(axes, "Correlation, alike beside alike")
    axes.spines[:].set_visible(False)


def draw_rolling(
    axes: Axes, volatility: Floats, window: int, periods: float, dates: Dates | None
) -> None:
    """Draw annual volatility over each window, with its mean over all."""
    annual = volatility * np.sqrt(periods) * 100
    mean = float(annual.mean())
    step = -(-len(annual) // _POINTS)  # more points than pixels only make a large file
    along = (np.arange(len(annual)) if dates is None else dates)[::step]
    annual = annual[::step]
    axes.fill_between(along, annual, color=_BLUE, alpha=0.15, linewidth=0)
    axes.plot(along, annual, color=_BLUE, linewidth=1.2)
    axes.axhline(mean, color=_RED, linewidth=0.9, linestyle="--")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("percent a year", fontsize=8, color=_INK)
    axes.margins(x=0)
    _plain(axes, f"Volatility over {window} rows, mean {mean:.1f} % a year")


def draw_frontier(axes: Axes, frontier: Frontier, found: Risk) -> None:
    """Draw the efficient frontier, the single assets and this portfolio."""
    year = frontier.periods
    across, up = np.sqrt(year) * 100, year * 100
    axes.plot(frontier.volatilities * across, frontier.expected * up, color=_BLUE, linewidth=2)
    means = found.asset_means
    axes.scatter(found.individual * across, means * up, color=_QUIET, s=18, zorder=3)
    named: list[Floats] = []
    spots = np.column_stack([found.individual * across, means * up])
    room = np.ptp(spots, axis=0) * (0.05, 0.03) + 1e-12
    for name, spot in zip(found.names, spots, strict=True):
        if all((np.abs(spot - other) > room).any() for other in named):  # names do not overlap
            axes.annotate(name, spot, xytext=(4, 3), textcoords="offset points", fontsize=7)
            named.append(spot)
    here = (found.volatility * across, float(found.weights @ means) * up)
    axes.scatter(*here, color=_RED, s=45, zorder=4, marker="D")
    axes.annotate(
        "this portfolio", here, xytext=(6, -11), textcoords="offset points", fontsize=8, color=_RED
    )
    axes.set_xlabel("volatility, percent a year", fontsize=8, color=_INK)
    axes.set_ylabel("mean return, percent a year", fontsize=8, color=_INK)
    _plain(axes, "Efficient frontier, no shorts (means of the past)")


def draw_growth(axes: Axes, found: Risk) -> None:
    """Draw what 1 became, on a logarithmic axis."""
    value = np.cumprod(1 + found.series)
    along, step = _along(found)
    axes.plot(along, value[::step], color=_BLUE, linewidth=1.2)
    axes.axhline(1, color=_QUIET, linewidth=0.8)
    if value.max() > 3 * value.min():
        axes.set_yscale("log")
    axes.margins(x=0)
    axes.set_ylabel("value of 1", fontsize=8, color=_INK)
    _plain(axes, f"Growth: 1 became {value[-1]:.3g}")


def draw_drawdown(axes: Axes, found: Risk) -> None:
    """Draw the loss from the last peak."""
    curve = drawdowns(found.series)[0] * 100
    along, step = _along(found)
    axes.fill_between(along, curve[::step], color=_RED, alpha=0.3, linewidth=0)
    axes.margins(x=0)
    axes.set_ylabel("percent below the last peak", fontsize=8, color=_INK)
    _plain(axes, f"Drawdown, the largest {found.max_drawdown:.1%}")


def _along(found: Risk) -> tuple[Floats | Dates, int]:
    """Return where to draw each row of a series, and every how many rows are drawn."""
    rows = len(found.series)
    step = -(-rows // _POINTS)
    return (np.arange(float(rows)) if found.dates is None else found.dates)[::step], step


def overview(found: Risk, rolling: Floats | None, window: int, frontier: Frontier | str) -> Figure:
    """Return one figure of all six plots.

    Args:
        found: The portfolio.
        rolling: Its rolling volatility per row, or None where there are too few rows for it.
        window: Rows of the rolling volatility.
        frontier: The frontier of its assets, or why there is none.
    """
    figure = new_figure(11.5, 12)
    places = figure.subplots(3, 2)
    if len(found.series) < 2 or (found.series <= -1).any():
        for axes, title in zip(places[2], ("Growth", "Drawdown"), strict=True):
            _say(axes, title, "none: no series, or one that loses all there is")
    else:
        draw_growth(places[2, 0], found)
        draw_drawdown(places[2, 1], found)
    draw_contributions(places[0, 0], found)
    draw_correlation(places[0, 1], found)
    if rolling is None:
        _say(places[1, 0], f"Volatility over {window} rows", "none: too few rows, or no series")
    else:
        dates = None if found.dates is None else found.dates[window - 1 :]
        draw_rolling(places[1, 0], rolling, window, found.periods, dates)
    if isinstance(frontier, str):
        _say(places[1, 1], "Efficient frontier", frontier)
    else:
        draw_frontier(places[1, 1], frontier, found)
    return figure


def _say(axes: Axes, title: str, text: str) -> None:
    axes.set_axis_off()
    axes.set_title(title, loc="left", fontsize=11, color=_INK, fontweight="bold")
    axes.text(0, 0.5, text, fontsize=9, color=_INK, wrap=True, transform=axes.transAxes)


def save(figure: Figure, path: Path) -> None:
    """Write ``figure`` as SVG, PNG or PDF by the suffix of ``path``; the same figure, same bytes.

    Raises:
        InputError: Another suffix, or a place that cannot be written to.
    """
    import matplotlib as mpl

    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise InputError(f"{path}: a plot ends in {', '.join(_SUFFIXES)}")
    # Text as text: smaller files, and a reader can search and copy it. No date, no random ids.
    settings = {"svg.fonttype": "none", "svg.hashsalt": "penstock"}
    metadata = {"Date": None, "Creator": None}
    if suffix == ".pdf":
        metadata = {"CreationDate": None, "Creator": None, "Producer": None}
    elif suffix == ".png":
        metadata = {"Software": None}
    with whole_file(path) as file, mpl.rc_context(settings):
        figure.savefig(file, format=suffix[1:], dpi=150, metadata=metadata)
