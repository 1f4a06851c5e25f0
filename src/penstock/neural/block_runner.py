"""Runs lanes in blocks over threads, applies the rules to all of them, drops those that ended.

Each round sends the lanes still training, packed into full blocks, through the compiled program
for some epochs; then the same criteria as everywhere see the rows of all lanes at once. What a
lane does after its last epoch in a round is thrown away.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, final

import jax
import numpy as np

from penstock.neural.arrays import Bools, Floats, Integers
from penstock.neural.datasets import Examples, Scaler
from penstock.neural.descent import SGD
from penstock.neural.faults import BadData
from penstock.neural.jax_engine import form
from penstock.neural.lanes import Given, program
from penstock.neural.layers import Network
from penstock.neural.model import fold_in
from penstock.neural.randomness import Seeded
from penstock.neural.runs import Run
from penstock.neural.schedules import value
from penstock.neural.stopping import NotFinite, finite
from penstock.neural.training import Plan

__all__ = ["run_group"]

EPOCHS = 8
"""Epochs a round: fewer waste less after a stop, more cost fewer calls."""
BLOCK = 32
"""Lanes a block on a CPU: a step's working set then stays in the first two caches."""
BLOCK_ON_DEVICE = 1024
"""Lanes a block on a GPU, which has the threads for them."""
CHUNK = 16
"""Validation rows measured at a time."""
ROUND_BYTES = 32 * 2**20
"""Most memory of one block's weights and places of rows in a round."""


def run_group(
    network: Network,
    datasets: Mapping[str, Examples],
    plan: Plan,
    runs: Sequence[Run],
    *,
    scale: bool,
) -> list[tuple[Floats, float, int, int]]:
    """Train runs of one form; return each one's best weights, value and epoch, and its epochs."""
    group = _Group(network, datasets, plan, runs, scale=scale)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        while group.active.any():
            group.round(pool)
    return group.outcomes()


class _Lane(NamedTuple):
    """One run's own things."""

    network: Network
    sgd: SGD
    random: Seeded
    rows: Integers
    held: Integers
    scaler: Scaler | None


@final
class _Group:
    def __init__(
        self,
        network: Network,
        datasets: Mapping[str, Examples],
        plan: Plan,
        runs: Sequence[Run],
        *,
        scale: bool,
    ) -> None:
        assert plan.stop is not None  # fit_many completed the plan
        self._plan = plan
        self._kind = np.float64 if plan.precision == "double" else np.float32
        self._source = _Source(datasets, self._kind, scale=scale)
        self._lanes = [
            _Lane(
                run.network or network,
                run.sgd or plan.sgd,
                Seeded(run.seed),
                *self._source.lane(run),
            )
            for run in runs
        ]
        self._source.close()
        self._tables: dict[jax.Device, jax.Array] = {}
        # Lanes that share rows and scaler share their validation rows in memory too.
        self._shared = all(run.rows is None and run.held is None for run in runs)
        sizes = {-(-len(lane.rows) // lane.sgd.batch_size) for lane in self._lanes}
        first = self._lanes[0]
        self._form = form(first.network, first.sgd)
        self._steps = max(sizes)
        # Nobody sees the norms of a lane's gradients but a rule that asks for them.
        asked = {plan.best, *plan.stop.channels()}
        self._norms = "gradient_norm" in asked
        self._program = program(self._form, uneven=len(sizes) > 1, norms=self._norms)
        count = len(runs)
        self._weights = np.stack([x.random.weights(x.network) for x in self._lanes], axis=1)
        self._weights = self._weights.astype(self._kind)
        self._velocity = np.zeros_like(self._weights)
        self._best_weights = self._weights.copy()
        self._best = np.full(count, np.inf)
        self._best_epoch = np.zeros(count, dtype=np.int64)
        self._ended = np.zeros(count, dtype=np.int64)
        self._epoch = 0
        self._watch = (NotFinite() | plan.stop).watch()
        self._row: dict[str, Floats] = {}
        self.active: Bools = np.ones(count, dtype=np.bool_)

    def outcomes(self) -> list[tuple[Floats, float, int, int]]:
        """Return best weights, best value, best epoch and epochs of each lane."""
        return [
            (
                fold_in(lane.network, self._best_weights[:, n].astype(np.float64), lane.scaler),
                float(self._best[n]),
                int(self._best_epoch[n]),
                int(self._ended[n]),
            )
            for n, lane in enumerate(self._lanes)
        ]

    def round(self, pool: ThreadPoolExecutor) -> None:
        """Train the active lanes for some epochs and judge them."""
        going = np.flatnonzero(self.active)
        width = BLOCK if jax.default_backend() == "cpu" else BLOCK_ON_DEVICE
        width = min(width, 1 << (len(self._lanes) - 1).bit_length())
        blocks = [going[at : at + width] for at in range(0, len(going), width)]
        devices = jax.devices()
        homes = [devices[n % len(devices)] for n in range(len(blocks))]
        results = list(pool.map(self._train, blocks, [width] * len(blocks), homes))
        epochs = results[0]["learning_rate"].shape[0]
        for epoch in range(epochs):
            self._epoch += 1
            self._judge(epoch, blocks, results)

    def _judge(self, epoch: int, blocks: list[Integers], results: list[dict[str, Floats]]) -> None:
        """Show one epoch of every lane to the rules; ended lanes show their last row again."""
        count = len(self._lanes)
        row = {**self._row, "epoch": np.full(count, float(self._epoch))}
        for name in results[0].keys() - {"weights"}:
            values = row.get(name, np.zeros(count)).copy()
            for block, result in zip(blocks, results, strict=True):
                values[block] = result[name][epoch, : len(block)]
            row[name] = values
        stop, _ = self._watch(row)
        now = row[self._plan.best]
        better = self.active & finite(row) & (now < self._best)
        self._best = np.where(better, now, self._best)
        self._best_epoch[better] = self._epoch
        for block, result in zip(blocks, results, strict=True):
            inside = np.flatnonzero(better[block])
            self._best_weights[:, block[inside]] = result["weights"][epoch][:, inside]
        ending = self.active & stop
        self._ended[ending] = self._epoch
        self.active &= ~stop
        self._row = row

    def _train(self, block: Integers, width: int, device: jax.Device) -> dict[str, Floats]:
        """Run one block; its lanes' weights and velocities go on, the rest is returned."""
        # A block that is not full trains copies of its first lane beside the real ones.
        lanes = np.concatenate([block, np.repeat(block[:1], width - len(block))])
        with jax.enable_x64(self._plan.precision == "double"):
            given, paces = self._given(lanes, len(block), device)
            measured = self._program(given)
            weights = np.asarray(measured.weights)
            self._weights[:, block] = weights[-1][:, : len(block)]
            self._velocity[:, block] = np.asarray(measured.velocity)[:, : len(block)]
            second = "mse" if self._form.activations[-1] == "linear" else "misclass"
            norms = {"gradient_norm": np.asarray(measured.gradient_norm)} if self._norms else {}
            return {
                **paces,
                **norms,
                "weights": weights,
                "valid_nll": np.asarray(measured.nll),
                f"valid_{second}": np.asarray(measured.second),
            }

    def _given(
        self, lanes: Integers, real: int, device: jax.Device
    ) -> tuple[Given, dict[str, Floats]]:
        own = [self._lanes[n] for n in lanes]
        batch, kind = self._form.batch, self._kind
        length = self._steps * batch
        size = len(own) * (4 * length + len(self._weights) * np.dtype(kind).itemsize)
        epochs = max(1, min(EPOCHS, ROUND_BYTES // size))
        index = np.zeros((epochs, len(own), length), dtype=np.int32)
        for at, lane in enumerate(own[:real]):
            for epoch in range(epochs):
                order = lane.random.order(len(lane.rows))
                index[epoch, at, : len(order)] = lane.rows[order]
        index[:, real:] = index[:, :1]
        finished = range(self._epoch, self._epoch + epochs)
        rates = np.array([[value(x.sgd.learning_rate, n) for x in own] for n in finished])
        momenta = np.array([[value(x.sgd.momentum, n) for x in own] for n in finished])
        places = index.transpose(0, 2, 1).reshape(epochs, self._steps, batch, len(own))
        arguments = {
            "weights": self._weights[:, lanes],
            "velocity": self._velocity[:, lanes],
            "table": self._table(device),
            "places": np.ascontiguousarray(places),
            "shares": _shares(own, self._steps).astype(kind),
            "rates": rates.astype(kind),
            "momenta": momenta.astype(kind),
            "decay": np.array([x.sgd.decay for x in own], kind),
            "always": np.True_,
            **self._validation(own),
        }
        given = Given(**jax.device_put(arguments, device))
        return given, {"learning_rate": rates, "momentum": momenta}

    def _table(self, device: jax.Device) -> jax.Array:
        """Return the rows, put on the device once."""
        if device not in self._tables:
            self._tables[device] = jax.device_put(self._source.table, device)
        return self._tables[device]

    def _validation(self, own: list[_Lane]) -> dict[str, Floats]:
        """Return the validation rows in chunks, padded by rows that do not count."""
        if self._shared:
            own = own[:1]
        chunks = -(-max(len(lane.held) for lane in own) // CHUNK)
        index = np.zeros((1, len(own), chunks * CHUNK), dtype=np.int64)
        shares = np.zeros((chunks * CHUNK, len(own)), dtype=self._kind)
        for at, lane in enumerate(own):
            index[0, at, : len(lane.held)] = lane.held
            shares[: len(lane.held), at] = 1 / len(lane.held)
        features, targets = self._source.gather(index)
        shape = (chunks, CHUNK, -1, len(own))
        return {
            "valid_features": features.reshape(shape),
            "valid_targets": targets.reshape(shape),
            "valid_shares": shares.reshape(chunks, CHUNK, len(own)),
        }


@final
class _Source:
    """All rows in one tall table; runs that scale by rows of their own have a copy of their own.

    Scaling is computed in double precision and rounded once, as with the other engines.
    """

    def __init__(
        self, datasets: Mapping[str, Examples], kind: type[np.floating], *, scale: bool
    ) -> None:
        parts = [datasets["train"], *([datasets["valid"]] if "valid" in datasets else [])]
        self._features = np.concatenate([x.features for x in parts])
        self._targets = np.concatenate([x.targets for x in parts])
        self._train = len(parts[0])
        self._kind, self._scale = kind, scale
        self._tables: list[Floats] = []
        self._common: tuple[int, Scaler | None] | None = None
        self.table: Floats = np.empty((0, 0))

    def lane(self, run: Run) -> tuple[Integers, Integers, Scaler | None]:
        """Return the places in the table of a run's training and validation rows."""
        rows = np.arange(self._train) if run.rows is None else self._known(run.rows)
        valid = np.arange(self._train, len(self._features))
        held = self._known(run.held) if run.held is not None else valid if len(valid) else rows
        if run.rows is None and self._common is not None:
            offset, scaler = self._common
        elif self._scale or not self._tables:
            scaler = Scaler.fit(self._features[rows]) if self._scale else None
            offset = self._add(scaler)
            if run.rows is None or not self._scale:
                self._common = offset, scaler
        else:
            offset, scaler = 0, None
        return rows + offset, held + offset, scaler

    def close(self) -> None:
        """Put the table together once every run has its place."""
        self.table = np.concatenate(self._tables)

    def _add(self, scaler: Scaler | None) -> int:
        features = self._features if scaler is None else scaler(self._features)
        self._tables.append(np.concatenate([features, self._targets], axis=1).astype(self._kind))
        return (len(self._tables) - 1) * len(self._features)

    def _known(self, rows: Integers) -> Integers:
        if not len(rows) or rows.min() < 0 or rows.max() >= self._train:
            raise BadData(f"row numbers of a run: there are rows 0 to {self._train - 1}")
        return rows

    def gather(self, index: Integers) -> tuple[Floats, Floats]:
        """Return features and targets at places (E, L, rows), as (E, rows, columns, L)."""
        rows = np.take(self.table, index, axis=0, mode="clip").transpose(0, 2, 3, 1)
        inputs = self._features.shape[1]
        # The copy brings a column's lanes together: it is what the program reads.
        return np.ascontiguousarray(rows[:, :, :inputs]), np.ascontiguousarray(rows[:, :, inputs:])


def _shares(own: list[_Lane], steps: int) -> Floats:
    """Return for each step, row and lane one over the rows of the lane's batch, or 0."""
    batch = own[0].sgd.batch_size
    shares = np.zeros((steps * batch, len(own)))
    for at, lane in enumerate(own):
        rows = np.arange(len(lane.rows))
        sizes = np.minimum(batch, len(rows) - rows // batch * batch)
        shares[: len(rows), at] = 1 / sizes
    return shares.reshape(steps, batch, len(own))
