"""The history of a training as curves: an SVG file, and lines of blocks for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from penstock.neural.checkpoint import write_whole
from penstock.neural.faults import UnknownChannel
from penstock.neural.training import History

__all__ = ["bars", "history_svg", "save_history_plot"]

WIDTH, HEIGHT, LEFT, GAP = 640, 150, 64, 34
COLOURS = ("#1f5fa8", "#c4541a", "#2c7a4b", "#7a3f98", "#8a6d00")
BLOCKS = "▁▂▃▄▅▆▇█"


def history_svg(history: History, channels: Sequence[str] = (), best_epoch: int = 0) -> str:
    """Return an SVG picture, one panel a kind of channel, epochs to the right.

    Channels of one kind (``train_nll``, ``valid_nll``) share a panel. The best epoch is a
    vertical line. Values that are not finite are gaps.

    Args:
        history: Of a training.
        channels: Which to draw; () takes all but ``epoch`` and ``seconds``.
        best_epoch: Where to draw the line; 0 draws none.

    Raises:
        UnknownChannel: There is no such channel.
    """
    names = list(channels) or [name for name in history if name not in {"epoch", "seconds"}]
    for name in names:
        if name not in history:
            raise UnknownChannel(name, history)
    panels: dict[str, list[str]] = {}
    for name in names:
        panels.setdefault(_kind(name), []).append(name)
    height = len(panels) * (HEIGHT + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}">',
        "<style>text {font: 11px sans-serif}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    for number, group in enumerate(panels.values()):
        parts += _panel(history, group, GAP + number * (HEIGHT + GAP), best_epoch)
    return "\n".join([*parts, "</svg>\n"])


def save_history_plot(path: Path, history: History, best_epoch: int = 0) -> None:
    """Write :func:`history_svg` to a file, whole or not at all.

    Raises:
        StorageError: The file cannot be written.
    """
    write_whole(path, history_svg(history, best_epoch=best_epoch).encode())


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


def _kind(name: str) -> str:
    return name.rsplit("_", 1)[1] if name.endswith(("_nll", "_misclass", "_mse")) else name


def _panel(history: History, names: list[str], top: int, best_epoch: int) -> list[str]:
    values = [value for name in names for value in history[name] if math.isfinite(value)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    count = max(2, *(len(history[name]) for name in names))
    bottom, right = top + HEIGHT, WIDTH - 12

    def point(epoch: int, value: float) -> str:
        x = LEFT + (epoch - 1) * (right - LEFT) / (count - 1)
        y = top + HEIGHT * (high - value) / (high - low)
        return f"{x:.1f} {y:.1f}"

    parts = [
        f'<path d="M{LEFT} {top}V{bottom}H{right}" fill="none" stroke="#555"/>',
        _text(LEFT - 6, top + 8, f"{high:.4g}", "end"),
        _text(LEFT - 6, bottom, f"{low:.4g}", "end"),
        _text(LEFT, bottom + 14, "epoch 1", "start"),
        _text(right, bottom + 14, str(count), "end"),
    ]
    if best_epoch:
        line = f"M{point(best_epoch, high)}L{point(best_epoch, low)}"
        parts.append(f'<path d="{line}" stroke="#999" stroke-dasharray="4 3"/>')
    for number, name in enumerate(names):
        colour = COLOURS[number % len(COLOURS)]
        curve = _curve([(point(n + 1, v), v) for n, v in enumerate(history[name])])
        parts.append(f'<path d="{curve}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(_text(LEFT + 8 + 130 * number, top - 6, name, "start", colour))
    return parts


def _curve(points: list[tuple[str, float]]) -> str:
    """Return an SVG path that lifts the pen over values that are not finite."""
    steps, lift = [], True
    for place, value in points:
        if math.isfinite(value):
            steps.append(f"{'M' if lift else 'L'}{place}")
        lift = not math.isfinite(value)
    return "".join(steps)


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#333") -> str:
    start = f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
    return f"{start}{escape(text)}</text>"
