"""Training data larger than memory: read anew each epoch, a chunk at a time.

A stream is opened once an epoch and cut into chunks of equal size; each chunk is shuffled and
trained on in mini-batches, and forgotten. Rows are shuffled within chunks only, so write them in
an order that is random already, or take chunks large enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np

from penstock.neural.arrays import Floats, Integers
from penstock.neural.datasets import Examples, Scaler, classify
from penstock.neural.descent import Lap, TrainingEngine
from penstock.neural.errors import BadData
from penstock.neural.layers import Network
from penstock.neural.numpy_engine import measure

__all__ = [
    "ColumnBatch",
    "ExampleStream",
    "Stream",
    "StreamEngine",
    "from_columns",
    "from_records",
    "scaler_of",
]

CHUNK = 8192


@final
@dataclass(frozen=True, slots=True, eq=False)
class ExampleStream:
    """Examples that are read anew each epoch.

    Attributes:
        open: Returns the examples from the first on, in pieces of any size, the same ones in the
            same order every time it is called.
        chunk: Rows to hold and shuffle at a time.
    """

    open: Callable[[], Iterable[Examples]]
    chunk: int = CHUNK

    def __post_init__(self) -> None:
        if self.chunk < 1:
            raise BadData(f"chunk={self.chunk}: hold at least 1 row")

    def chunks(self) -> Iterator[Examples]:
        """Yield chunks of exactly ``chunk`` rows; the last may be shorter.

        >>> pieces = [Examples(np.zeros((n, 1)), np.zeros((n, 1))) for n in (3, 4, 2)]
        >>> [len(part) for part in ExampleStream(lambda: pieces, chunk=4).chunks()]
        [4, 4, 1]
        """
        waiting: list[Examples] = []
        count = 0
        for piece in self.open():
            waiting.append(piece)
            count += len(piece)
            while count >= self.chunk:
                whole, rest = _cut(_join(waiting), self.chunk)
                waiting, count = ([rest], len(rest)) if rest else ([], 0)
                yield whole
                del whole, rest  # not held while the next piece is read
        if waiting:
            yield _join(waiting)

    def scaled(self, scaler: Scaler) -> ExampleStream:
        """Return the stream with scaled features."""
        read = self.open
        return ExampleStream(
            lambda: (Examples(scaler(piece.features), piece.targets) for piece in read()),
            self.chunk,
        )


class ColumnBatch(Protocol):
    """What :func:`from_columns` needs of a record batch: pyarrow's has it."""

    def column(self, name: str, /) -> Iterable[object]:
        """Return a column's values."""
        ...


def from_columns(
    batches: Iterable[ColumnBatch],
    features: Sequence[str],
    label: str,
    classes: Sequence[object],
) -> Iterator[Examples]:
    """Yield examples from record batches, such as ``ParquetFile(path).iter_batches()``.

    Args:
        batches: With a method ``column(name)``.
        features: Names of the feature columns.
        label: Name of the label column.
        classes: All the classes, in the order of the network's outputs.

    Raises:
        BadData: A label outside ``classes``, or a feature that is no finite number.
    """
    for batch in batches:
        table = np.column_stack([np.asarray(batch.column(name)) for name in features])
        yield classify(table, np.asarray(batch.column(label)), classes)[0]


def from_records(
    records: Iterable[Mapping[str, object]],
    features: Sequence[str],
    label: str,
    classes: Sequence[object],
) -> Iterator[Examples]:
    """Yield examples from records, such as those that a penstock store yields.

    Args:
        records: Mappings.
        features: Keys of the features.
        label: Key of the label.
        classes: All the classes, in the order of the network's outputs.

    Raises:
        BadData: A key is missing, or as in :func:`from_columns`.

    >>> records = [{"x": 1, "y": "a"}, {"x": 2, "y": "b"}]
    >>> [part.targets.tolist() for part in from_records(records, ["x"], "y", ["a", "b"])]
    [[[1.0, 0.0], [0.0, 1.0]]]
    """
    rows: list[list[object]] = []
    labels: list[object] = []
    for number, record in enumerate(records):
        try:
            rows.append([record[name] for name in features])
            labels.append(record[label])
        except KeyError as error:
            raise BadData(f"record {number} has no {error}") from error
        if len(rows) == CHUNK:
            yield classify(np.array(rows), np.array(labels), classes)[0]
            rows, labels = [], []
    if rows:
        yield classify(np.array(rows), np.array(labels), classes)[0]


def scaler_of(stream: ExampleStream) -> Scaler:
    """Return the scaler of all the rows, in one pass and without holding them.

    Means and squared deviations of chunks are combined as by Chan, Golub and LeVeque (1979).

    >>> rows = Examples(np.array([[1.0], [3.0], [8.0]]), np.zeros((3, 1)))
    >>> scaler = scaler_of(ExampleStream(lambda: [rows], chunk=2))
    >>> scaler.mean.tolist(), round(float(scaler.deviation[0]), 6)
    ([4.0], 2.94392)
    """
    count, mean, squares = 0, np.zeros(1), np.zeros(1)
    for chunk in stream.chunks():
        rows, own = len(chunk), chunk.features.mean(axis=0)
        gap = own - mean
        squares = squares + ((chunk.features - own) ** 2).sum(axis=0)
        squares = squares + gap**2 * count * rows / (count + rows)
        mean = mean + gap * rows / (count + rows)
        count += rows
    if not count:
        raise BadData("the stream is empty: nothing to learn from")
    deviation = np.sqrt(squares / count)
    constant = deviation <= 10 * np.finfo(np.float64).eps * np.abs(mean)
    return Scaler(mean, np.where(constant, 1.0, deviation))


@final
class StreamEngine:
    """Trains an epoch chunk by chunk, each by an engine made for it."""

    stride = 1
    """Epochs a call: each reads the stream once."""

    def __init__(
        self,
        network: Network,
        stream: ExampleStream,
        monitored: Mapping[str, Examples],
        make: Callable[[Examples], TrainingEngine],
    ) -> None:
        self._network, self._stream = network, stream
        self._monitored, self._make = monitored, make
        # One order an epoch serves all its chunks.
        self.rows = stream.chunk

    def run(
        self,
        weights: Floats,
        velocity: Floats,
        orders: Integers,
        rates: Floats,
        momenta: Floats,
    ) -> Lap:
        """Train one epoch, at its rate and momentum."""
        norms, count = 0.0, 0
        for chunk in self._stream.chunks():
            if chunk.features.shape[1] != self._network.inputs:
                raise BadData(
                    f"the stream has {chunk.features.shape[1]} features, the network "
                    f"{self._network.inputs} inputs"
                )
            order = orders[:, orders[0] < len(chunk)]
            lap = self._make(chunk).run(weights, velocity, order, rates, momenta)
            weights, velocity = lap.weights[-1], lap.velocity[-1]
            norms += float(lap.channels["gradient_norm"][-1]) * len(chunk)
            count += len(chunk)
        if not count:
            raise BadData("the stream is empty: nothing to learn from")
        channels = {"gradient_norm": np.array([norms / count])}
        for name, examples in self._monitored.items():
            for channel, value in measure(self._network, weights, examples).items():
                channels[f"{name}_{channel}"] = np.array([value])
        return Lap(weights[np.newaxis], velocity[np.newaxis], channels)


def _join(pieces: list[Examples]) -> Examples:
    if len(pieces) == 1:
        return pieces[0]
    return Examples(
        np.concatenate([piece.features for piece in pieces]),
        np.concatenate([piece.targets for piece in pieces]),
    )


def _cut(rows: Examples, at: int) -> tuple[Examples, Examples | None]:
    whole = Examples(rows.features[:at], rows.targets[:at])
    if len(rows) == at:
        return whole, None
    # A copy: a view would keep the whole piece alive.
    return whole, Examples(rows.features[at:].copy(), rows.targets[at:].copy())


Stream = ExampleStream  # its name in earlier versions
