"""The history of a training as curves: a picture, and lines of blocks for a terminal."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.errors import InputError, MissingExtra
from penstock.neural.checkpoint import write_whole
from penstock.neural.training import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["bars", "history_figure", "save_history_plot"]

BLOCKS = "▁▂▃▄▅▆▇█"
COLOURS = {"train": "#9aa5b1", "valid": "#1f5fa8"}
SUFFIXES = (".svg", ".png", ".pdf")


def history_figure(history: History, best_epoch: int = 0) -> Figure:
    """Return a figure with a panel for each kind of channel, epochs to the right.

    Data sets share a panel (``train_nll`` beside ``valid_nll``); a loss that spans a lot
    has a logarithmic axis. The best epoch is marked, with its value. What never changes
    (a constant learning rate) is said in the title and not drawn; what is not finite is a gap.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("a plot", "matplotlib", "neural") from error
    panels: dict[str, list[str]] = {}
    constant = []
    for name in history:
        values = list(history[name])
        kind = _kind(name)
        if name in {"epoch", "seconds"}:
            continue
        if kind == name and len(set(values)) == 1:
            constant.append(f"{name} {values[0]:g}")
        else:
            panels.setdefault(kind, []).append(name)
    figure = Figure(figsize=(8, 0.6 + 2.2 * max(1, len(panels))), layout="constrained")
    places = figure.subplots(max(1, len(panels)), 1, sharex=True, squeeze=False)[:, 0]
    loss_first = sorted(panels.items(), key=lambda panel: panel[0] not in _CHOSEN_BY)
    for axes, (kind, names) in zip(places, loss_first, strict=False):
        _panel(axes, kind, {name: list(history[name]) for name in names}, best_epoch)
    places[-1].set_xlabel("epoch", fontsize=9)
    if constant:
        figure.suptitle(", ".join(constant), fontsize=9, x=0.01, ha="left")
    return figure


def save_history_plot(path: Path, history: History, best_epoch: int = 0) -> None:
    """Write :func:`history_figure` as SVG, PNG or PDF, whole or not at all.

    Raises:
        InputError: Another suffix.
        MissingExtra: matplotlib is not installed.
        StorageError: The file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: a plot ends in {', '.join(SUFFIXES)}")
    figure = history_figure(history, best_epoch)
    import matplotlib as mpl

    written = io.BytesIO()
    metadata = {"Date": None} if suffix == ".svg" else None
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "penstock"}):
        figure.savefig(written, format=suffix[1:], dpi=150, metadata=metadata)
    write_whole(path, written.getvalue())


def bars(values: Sequence[float], width: int = 40) -> str:
    """Return the last values as a line of block characters, the lowest and the highest full range.

    >>> bars([3, 2, 1.5, 1, 1])
    '█▅▃▁▁'
    """
    shown = list(values)[-width:]
    finite = [value for value in shown if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    scale = (len(BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(
        BLOCKS[round((value - low) * scale)] if math.isfinite(value) else "?" for value in shown
    )


_CHOSEN_BY = ("nll", "mse", "misclass")  # what the best epoch can be chosen by: drawn first


def _kind(name: str) -> str:
    return name.rsplit("_", 1)[1] if name.endswith(("_nll", "_misclass", "_mse")) else name


def _panel(axes: Axes, kind: str, curves: dict[str, list[float]], best_epoch: int) -> None:
    from matplotlib.ticker import LogLocator

    finite = [v for values in curves.values() for v in values if math.isfinite(v)]
    if kind in {"nll", "mse", "gradient_norm"} and finite and 0 < 10 * min(finite) < max(finite):
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
    for name, values in curves.items():
        drawn = [value if math.isfinite(value) else math.nan for value in values]
        colour = COLOURS.get(name.split("_")[0], "#1f5fa8")
        axes.plot(range(1, len(drawn) + 1), drawn, color=colour, linewidth=1.4, label=name)
    last = list(curves)[-1] if "valid" not in "".join(curves) else f"valid_{kind}"
    if 0 < best_epoch <= len(curves[last]):
        axes.axvline(best_epoch, color="#c4541a", linewidth=0.8, linestyle="--")
    if 0 < best_epoch <= len(curves[last]) and kind in _CHOSEN_BY:
        value = curves[last][best_epoch - 1]
        axes.plot([best_epoch], [value], "o", color="#c4541a", markersize=4)
        told = f"epoch {best_epoch}: {value:.4g}"
        axes.annotate(told, (best_epoch, value), xytext=(6, 8), textcoords="offset points",
                      fontsize=8, color="#c4541a")  # fmt: skip
    axes.legend(frameon=False, fontsize=8, loc="best")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, which="both")
    axes.margins(x=0.01)
