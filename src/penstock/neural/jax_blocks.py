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
from penstock.neural.jax_engine import BlockArguments, chunked, form, program, shares_of
from penstock.neural.layers import Network
from penstock.neural.model import fold_in
from penstock.neural.randomness import Seeded
from penstock.neural.runs import TrainingRun, data_of
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
ROUND_BYTES = 32 * 2**20
"""Most memory of one block's weights and places of rows in a round."""


def run_group(
    network: Network,
    datasets: Mapping[str, Examples],
    plan: Plan,
    runs: Sequence[TrainingRun],
    *,
    scale: bool,
) -> list[tuple[Floats, float, int, int]]:
    """Train runs of one form; return each one's best weights, value and epoch, and its epochs."""
    lanes, rows = _lanes(network, datasets, plan, runs, scale=scale)
    group = _Group(plan, lanes, rows)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        while group.active.any():
            group.round(pool)
    return group.outcomes()


class _Lane(NamedTuple):
    """One run's own things; its rows begin at ``first`` in the table of all."""

    network: Network
    sgd: SGD
    random: Seeded
    first: int
    rows: int
    held: Examples
    scaler: Scaler | None


def _lanes(
    network: Network,
    datasets: Mapping[str, Examples],
    plan: Plan,
    runs: Sequence[TrainingRun],
    *,
    scale: bool,
) -> tuple[list[_Lane], list[Examples]]:
    """Return the lanes, and the rows of the table; runs without rows of their own share theirs."""
    lanes: list[_Lane] = []
    table: list[Examples] = []
    common: tuple[int, int, Examples, Scaler | None] | None = None
    for run in runs:
        shares = run.rows is None and run.held is None
        found = common if shares else None
        if found is None:
            rows, held, scaler = data_of(datasets, run, scale=scale)
            found = (sum(map(len, table)), len(rows), held, scaler)
            table.append(rows)
        if shares:
            common = found
        own = Seeded(run.seed)
        lanes.append(_Lane(run.network or network, run.sgd or plan.sgd, own, *found))
    return lanes, table


@final
class _Group:
    def __init__(self, plan: Plan, lanes: list[_Lane], rows: list[Examples]) -> None:
        assert plan.stop is not None  # fit_many completed the plan
        self._plan, self._lanes = plan, lanes
        self._kind = np.float64 if plan.precision == "double" else np.float32
        parts = [np.concatenate([x.features, x.targets], axis=1) for x in rows]
        self._table = np.concatenate(parts).astype(self._kind)
        self._row_weights = None
        if any(x.weights is not None for x in rows):
            own = [np.ones(len(x)) if x.weights is None else x.weights for x in rows]
            self._row_weights = np.concatenate(own)
        self._tables: dict[jax.Device, jax.Array] = {}
        sizes = {-(-lane.rows // lane.sgd.batch_size) for lane in lanes}
        self._form = form(lanes[0].network, lanes[0].sgd)
        self._steps = max(sizes)
        # Nobody sees the norms of a lane's gradients but a rule that asks for them.
        whole = "gradient_norm" in {plan.best, *plan.stop.channels()}
        self._program = program(self._form, uneven=len(sizes) > 1, whole=whole)
        count = len(lanes)
        self._weights = np.stack([x.random.weights(x.network) for x in lanes], axis=1)
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
            weights, velocity = np.asarray(measured.weights), np.asarray(measured.velocity)
            self._weights[:, block] = weights[-1][:, : len(block)]
            last = velocity[-1] if velocity.ndim == 3 else velocity
            self._velocity[:, block] = last[:, : len(block)]
            channels = {name: np.asarray(found) for name, found in measured.channels.items()}
            return {**paces, **channels, "weights": weights}

    def _given(
        self, lanes: Integers, real: int, device: jax.Device
    ) -> tuple[BlockArguments, dict[str, Floats]]:
        own = [self._lanes[n] for n in lanes]
        batch, kind = self._form.batch, self._kind
        length = self._steps * batch
        size = len(own) * (4 * length + len(self._weights) * np.dtype(kind).itemsize)
        epochs = max(1, min(EPOCHS, ROUND_BYTES // size))
        index = np.zeros((epochs, length, len(own)), dtype=np.int32)
        shares = np.zeros((self._steps, batch, len(own)))
        for at, lane in enumerate(own):
            part = shares_of(lane.rows, batch)
            shares[: len(part), :, at] = part
            for epoch in range(epochs if at < real else 0):
                index[epoch, : lane.rows, at] = lane.first + lane.random.order(lane.rows)
        index[..., real:] = index[..., :1]
        places = index.reshape(epochs, self._steps, batch, len(own))
        if self._row_weights is not None:
            shares = shares * self._row_weights[places]
        finished = range(self._epoch, self._epoch + epochs)
        rates = np.array([[value(x.sgd.learning_rate, n) for x in own] for n in finished])
        momenta = np.array([[value(x.sgd.momentum, n) for x in own] for n in finished])
        helds = [x.held for x in own]
        if all(x is helds[0] for x in helds):
            helds = helds[:1]  # lanes that share them share the memory too
        arguments = {
            "weights": self._weights[:, lanes],
            "velocity": self._velocity[:, lanes],
            "table": self._placed(device),
            "places": places,
            "shares": shares.astype(kind),
            "rates": rates.astype(kind),
            "momenta": momenta.astype(kind),
            "decay": np.array([x.sgd.decay for x in own], kind),
            "monitored": {"valid": chunked(helds, kind)},
            "always": np.True_,
        }
        given = BlockArguments(**jax.device_put(arguments, device))
        return given, {"learning_rate": rates, "momentum": momenta}

    def _placed(self, device: jax.Device) -> jax.Array:
        """Return the table of rows, put on the device once."""
        if device not in self._tables:
            self._tables[device] = jax.device_put(self._table, device)
        return self._tables[device]
