"""What users hand to an estimator, checked: labels, numbers, column names."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from penstock.neural.arrays import Floats, Integers
from penstock.neural.datasets import check_finite
from penstock.neural.errors import BadData

__all__ = [
    "class_weights",
    "feature_names",
    "known_labels",
    "label_column",
    "name_trouble",
    "number_columns",
    "numbered_classes",
    "row_weights",
    "several_answers",
]


def feature_names(features: object) -> npt.NDArray[np.object_] | None:
    """Return the column names of a data frame, or None where there are none."""
    columns = getattr(features, "columns", None)
    if columns is None or not all(isinstance(name, str) for name in columns):
        return None
    return np.asarray(list(columns), dtype=object)


def name_trouble(fitted: list[object], given: list[object]) -> str:
    """Return what is wrong with column names, in the words that scikit-learn's tools expect."""
    unseen = [str(name) for name in given if name not in fitted]
    missing = [str(name) for name in fitted if name not in given]
    lines = ["The feature names should match those that were passed during fit."]
    if unseen:
        lines += ["Feature names unseen at fit time:", *(f"- {name}" for name in sorted(unseen))]
    if missing:
        lines.append("Feature names seen at fit time, yet now missing:")
        lines += [f"- {name}" for name in sorted(missing)]
    if not unseen and not missing:
        lines.append("Feature names must be in the same order as they were in fit.")
    return "\n".join(lines) + "\n"


def label_column(labels: npt.ArrayLike | None, rows: int) -> npt.NDArray[np.generic]:
    """Return labels as a vector of that many rows."""
    if labels is None:
        raise BadData("requires y to be passed, but the target y is None")
    column = np.asarray(labels)
    if column.ndim == 2 and column.shape[1] == 1:
        _warn_column()
        column = column[:, 0]
    if column.ndim != 1:
        raise BadData(f"y should be a 1d array, got an array of shape {column.shape} instead.")
    if len(column) != rows:
        raise BadData(f"inconsistent numbers of rows: {rows} in X, {len(column)} in y")
    return np.asarray(column)


def _warn_column() -> None:
    """Warn as scikit-learn does, with its own class where it is loaded."""
    text = "A column-vector y was passed when a 1d array was expected."
    loaded = sys.modules.get("sklearn.exceptions")
    kind = UserWarning if loaded is None else loaded.DataConversionWarning
    warnings.warn(text, kind, stacklevel=4)


def numbered_classes(labels: npt.NDArray[np.generic]) -> tuple[npt.NDArray[np.generic], Integers]:
    """Return the classes, sorted, and each label's place among them.

    Raises:
        BadData: A label is missing, a fraction, or all are the same.
    """
    if labels.dtype.kind == "f":
        numbers = labels.astype(np.float64)
        if not np.isfinite(numbers).all():
            raise BadData("Input y contains NaN or infinity: drop rows without a label")
        if (numbers != np.round(numbers)).any():
            raise BadData("Unknown label type: continuous. Classes are texts or whole numbers")
    if labels.dtype == object:
        if any(_absent(x) for x in labels.tolist()):
            raise BadData("Input y contains NaN or None: drop rows without a label")
        kinds = {isinstance(x, str) for x in labels.tolist()}
        if len(kinds) > 1:
            raise BadData("y mixes texts and numbers: make all labels one or the other")
    classes, index = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise BadData(f"y has only one class, {classes.tolist()}: there is nothing to tell apart")
    return classes, index


def known_labels(
    labels: npt.ArrayLike | None, classes: npt.NDArray[np.generic], rows: int
) -> npt.NDArray[np.generic]:
    """Return labels to compare with ``classes``: a vector of that many rows, of the same type.

    Raises:
        BadData: Another shape, number of rows, or texts for numbers (or the other way round).
    """
    column = label_column(labels, rows)
    texts = [values.dtype.kind in "OUS" and any(isinstance(x, str) for x in values.tolist())
             for values in (column, classes)]  # fmt: skip
    if texts[0] != texts[1] and len(column):
        kinds = ["texts" if text else "numbers" for text in texts]
        raise BadData(f"y holds {kinds[0]}, and the classes are {kinds[1]}: {classes.tolist()[:5]}")
    return column


def row_weights(weights: npt.ArrayLike | None, rows: int) -> Floats | None:
    """Return how much each row counts, mean 1, or None where all count the same.

    Raises:
        BadData: Another number of rows, a weight that is negative or not finite, or none above 0.
    """
    if weights is None:
        return None
    values = np.asarray(weights, dtype=np.float64)
    if values.shape != (rows,):
        raise BadData(f"sample_weight has shape {values.shape}: give one weight a row, {rows}")
    if not np.isfinite(values).all() or (values < 0).any() or not values.any():
        raise BadData("sample_weight: weights are finite, 0 or more, and not all zero")
    return np.asarray(values / values.mean())


def class_weights(
    weight: Mapping[object, float] | str | None,
    classes: npt.NDArray[np.generic],
    index: Integers,
) -> Floats | None:
    """Return each row's weight by its class: given, or ``balanced``: rows / (classes * count)."""
    if weight is None:
        return None
    if isinstance(weight, str):
        if weight != "balanced":
            raise BadData(f"class_weight={weight!r}: write 'balanced', or a weight for each class")
        counts = np.bincount(index, minlength=len(classes))
        return np.asarray((len(index) / (len(classes) * counts))[index])
    names = classes.tolist()
    strange = [name for name in weight if name not in names]
    if strange:
        raise BadData(f"class_weight: {strange[0]!r} is none of the classes {names[:8]}")
    return np.array([float(weight.get(name, 1.0)) for name in names])[index]


def several_answers(labels: object) -> Floats | None:
    """Return a table of zeros and ones with two columns or more, or None where it is none."""
    table = np.asarray(labels)
    if table.ndim != 2 or table.shape[1] < 2 or table.dtype.kind not in "biuf":
        return None
    if not np.isin(table, (0, 1)).all():
        return None
    return table.astype(np.float64)


def _absent(label: object) -> bool:
    """Return whether a label is None, NaN or pandas' NA, which compares to nothing."""
    return label is None or type(label).__name__ == "NAType" or label != label


def number_columns(targets: npt.ArrayLike | None, rows: int) -> Floats:
    """Return numbers to predict as a finite table of that many rows.

    Raises:
        BadData: Missing, complex, not finite, or of another number of rows.
    """
    if targets is None:
        raise BadData("requires y to be passed, but the target y is None")
    values = np.asarray(targets)
    if np.iscomplexobj(values):
        raise BadData("Complex data not supported: pass real numbers")
    numbers = values.astype(np.float64)
    if numbers.ndim == 1:
        numbers = numbers[:, np.newaxis]
    if numbers.ndim != 2:
        raise BadData(f"y should have 1 or 2 dimensions, not {numbers.ndim}")
    if len(numbers) != rows:
        raise BadData(f"inconsistent numbers of rows: {rows} in X, {len(numbers)} in y")
    check_finite(numbers, "Input y")
    return numbers
