"""How well classes were told apart: the confusion matrix, and figures for each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from penstock.neural.arrays import Floats, Integers

__all__ = ["ClassReport", "class_report"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class ClassReport:
    """What became of the rows of each class.

    Attributes:
        classes: In the order of rows and columns.
        matrix: Rows of each class (down) that were given each class (across).
    """

    classes: tuple[object, ...]
    matrix: Integers

    @property
    def precision(self) -> Floats:
        """Share of the rows given a class that are of it; NaN where none was given it."""
        return _share(np.diagonal(self.matrix), self.matrix.sum(axis=0))

    @property
    def recall(self) -> Floats:
        """Share of the rows of a class that were given it; NaN where there are none."""
        return _share(np.diagonal(self.matrix), self.matrix.sum(axis=1))

    @property
    def f1(self) -> Floats:
        """Harmonic mean of the two."""
        return _share(
            2 * np.diagonal(self.matrix), self.matrix.sum(axis=0) + self.matrix.sum(axis=1)
        )

    def __str__(self) -> str:
        names = [str(name) for name in self.classes]
        head = ["class", "rows", "precision", "recall", "F1", *(f"as {name}" for name in names)]
        rows = [head]
        figures = zip(self.precision, self.recall, self.f1, strict=True)
        for name, shares, counts in zip(names, figures, self.matrix.tolist(), strict=True):
            told = [f"{share:.3f}" for share in shares]
            rows.append([name, str(sum(counts)), *told, *map(str, counts)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ([x.rjust(width) for x, width in zip(row, widths, strict=True)] for row in rows)
        return "\n".join("  ".join(line) for line in lines)


def class_report(classes: Sequence[object], outputs: Floats, targets: Floats) -> ClassReport:
    """Return the report of probabilities beside one-hot targets, both (rows, classes).

    >>> found = class_report(["a", "b"], np.array([[0.9, 0.1], [0.6, 0.4]]), np.eye(2))
    >>> found.matrix.tolist(), found.precision.tolist()
    ([[1, 0], [1, 0]], [0.5, nan])
    """
    matrix = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(matrix, (targets.argmax(axis=1), outputs.argmax(axis=1)), 1)
    return ClassReport(tuple(classes), matrix)


def _share(part: Integers, whole: Integers) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(part / whole, dtype=np.float64)
