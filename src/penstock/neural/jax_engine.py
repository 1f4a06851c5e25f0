"""The compiled engine: whole strides of epochs in one JAX program, one model.

Formulas are those of the reference engine, written a second time on purpose: that the two agree
is a test of both. Data and schedules are arguments of the program, not parts of it, so that it
compiles once for a shape, whatever the seed, the rate or the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, final

import numpy as np

from penstock.errors import MissingExtra
from penstock.neural.arrays import Floats, Integers
from penstock.neural.datasets import Examples
from penstock.neural.descent import SGD, How, Lap
from penstock.neural.faults import BadData
from penstock.neural.layers import Activation, Network

try:
    import jax
    import jax.numpy as jnp
except ImportError as problem:
    raise MissingExtra("the compiled engine", "jax", "jax") from problem

if TYPE_CHECKING:
    from jax import Array

    Parts: TypeAlias = list[Array]
    Pair: TypeAlias = tuple[Array, Array]

__all__ = ["JaxEngine"]

# Longer strides amortise calls, shorter ones waste less when the training ends inside one.
STRIDE = 16
STRIDE_BYTES = 64 * 2**20
ALONE = How()
# Multiplications up to which a matrix product costs more in calling than in computing.
TINY = 8192
# Columns up to which a row's greatest and sum are taken one by one.
FEW = 4


@final
class JaxEngine:
    """Trains with compiled programs. Takes the same arguments as the NumPy engine."""

    def __init__(
        self,
        network: Network,
        datasets: Mapping[str, Examples],
        monitored: tuple[str, ...],
        sgd: SGD,
        how: How = ALONE,
    ) -> None:
        precision, devices = how.precision, how.devices
        if devices > len(jax.devices()):
            raise BadData(f"devices={devices}: JAX has {len(jax.devices())} here")
        self._double = precision == "double"
        kind = np.float64 if self._double else np.float32
        self.stride = max(1, min(STRIDE, STRIDE_BYTES // (16 * network.size)))
        self._kind = kind
        self._program = program(form(network, sgd, devices))
        with jax.enable_x64(self._double):
            data = {
                name: (
                    jnp.asarray(rows.features.astype(kind)),
                    jnp.asarray(rows.targets.astype(kind)),
                )
                for name, rows in datasets.items()
            }
        self._train = data["train"]
        self.rows = len(datasets["train"])
        self._monitored = {name: data[name] for name in monitored}
        self._decay = sgd.decay

    def run(
        self,
        weights: Floats,
        velocity: Floats,
        orders: Integers,
        rates: Floats,
        momenta: Floats,
    ) -> Lap:
        """Train an epoch for each row of ``orders``, at its rate and momentum."""
        # NumPy changes the kind of the arguments: in JAX each change would be a program of its
        # own to compile.
        with jax.enable_x64(self._double):
            kept, speeds, channels = self._program(
                (weights.astype(self._kind), velocity.astype(self._kind)),
                orders.astype(np.int32),
                (rates.astype(self._kind), momenta.astype(self._kind)),
                self._train,
                self._monitored,
                self._kind(self._decay),
            )
            found = {name: np.asarray(values) for name, values in channels.items()}
            return Lap(np.asarray(kept), np.asarray(speeds), found)


class Form(NamedTuple):
    """All that a program depends on besides its arguments' shapes."""

    shapes: tuple[tuple[int, int], ...]
    activations: tuple[Activation, ...]
    velocity: str
    nesterov: bool
    batch: int
    devices: int = 1


def form(network: Network, sgd: SGD, devices: int = 1) -> Form:
    """Return the form of the program that trains this network in this way."""
    activations = tuple(layer.activation for layer in network.layers)
    return Form(network.shapes, activations, sgd.velocity, sgd.nesterov, sgd.batch_size, devices)


@lru_cache(maxsize=64)
def program(form: Form) -> Callable[..., tuple[Array, Array, dict[str, Array]]]:
    """Return the compiled stride: (state, orders, pace, data, monitored, decay) to a lap."""

    def stride(
        state: Pair,
        orders: Array,
        pace: Pair,
        train: Pair,
        monitored: dict[str, Pair],
        decay: Array,
    ) -> tuple[Array, Array, dict[str, Array]]:
        def epoch(
            carry: Pair, given: tuple[Array, Array, Array]
        ) -> tuple[Pair, tuple[Array, Array, dict[str, Array]]]:
            order, rate, momentum = given
            after, norm = _epoch(form, carry, order, train, (rate, momentum, decay))
            channels = {"gradient_norm": norm}
            for name, rows in monitored.items():
                for channel, value in _measure(form, after[0], rows).items():
                    channels[f"{name}_{channel}"] = value
            return after, (*after, channels)

        _, (weights, velocity, channels) = jax.lax.scan(epoch, state, (orders, *pace))
        return weights, velocity, channels

    return jax.jit(stride)


def _epoch(
    form: Form, state: Pair, order: Array, train: Pair, pace: tuple[Array, Array, Array]
) -> tuple[Pair, Array]:
    """Go once through the rows; the last batch is filled up with rows that do not count.

    So all batches are one piece of program: half as much to compile as with a step for the rest.
    """
    rate, momentum, decay = pace
    rows = len(order)
    batch = min(form.batch, rows)
    steps = -(-rows // batch)
    order = jnp.concatenate([order, jnp.zeros(steps * batch - rows, order.dtype)])
    there = np.arange(steps * batch).reshape(steps, batch) < rows

    def step(
        carry: tuple[Parts, Parts, Array], rows: tuple[Array, Array, Array]
    ) -> tuple[tuple[Parts, Parts, Array], None]:
        parts, speeds, norms = carry
        slopes = _slopes(form, parts, rows, decay)
        moved = [
            _move(form, one, rate, momentum) for one in zip(parts, speeds, slopes, strict=True)
        ]
        square = sum(((g * g).sum() for g in slopes), jnp.zeros_like(norms))
        norms = norms + jnp.sqrt(square)
        return ([p for p, _ in moved], [v for _, v in moved], norms), None

    batches = (
        train[0][order].reshape(steps, batch, -1),
        train[1][order].reshape(steps, batch, -1),
        jnp.asarray(there),
    )
    carry = (_split(form, state[0]), _split(form, state[1]), jnp.zeros_like(rate))
    carry, _ = jax.lax.scan(step, carry, batches)
    return (_join(carry[0]), _join(carry[1])), carry[2] / steps


def _move(form: Form, one: tuple[Array, Array, Array], rate: Array, momentum: Array) -> Pair:
    p, v, g = one
    if form.velocity == "torch":
        v = momentum * v + g
        return p - rate * (g + momentum * v if form.nesterov else v), v
    v = momentum * v - rate * g
    return p + (momentum * v - rate * g if form.nesterov else v), v


def _forward(form: Form, parts: Parts, features: Array) -> list[Array]:
    """Return the features and every layer's outputs."""
    values = [features]
    for part, kind in zip(parts, form.activations, strict=True):
        values.append(activate(kind, _product(values[-1], part[:-1]) + part[-1]))
    return values


def activate(kind: Activation, z: Array) -> Array:
    if kind == "sigmoid":
        return 0.5 * (1.0 + jnp.tanh(0.5 * z))
    if kind == "tanh":
        return jnp.tanh(z)
    if kind == "relu":
        return jnp.maximum(z, 0.0)
    if kind == "softmax":
        powers = jnp.exp(z - _along(jnp.maximum, z))
        return powers / _along(jnp.add, powers)
    return z


def _along(combine: Callable[[Array, Array], Array], values: Array) -> Array:
    """Combine the columns; few of them one by one, which XLA fuses with what is around them."""
    if values.shape[1] > FEW:
        whole = values.max if combine is jnp.maximum else values.sum
        return whole(axis=1, keepdims=True)
    return reduce(combine, [values[:, n : n + 1] for n in range(values.shape[1])])


def slope(kind: Activation, y: Array) -> Array | float:
    if kind == "sigmoid":
        return y * (1.0 - y)
    if kind == "tanh":
        return 1.0 - y * y
    if kind == "relu":
        return (y > 0.0).astype(y.dtype)
    return 1.0


def _slopes(form: Form, parts: Parts, rows: tuple[Array, Array, Array], decay: Array) -> Parts:
    """Return the mean gradient over a batch, in the order of ``parts``: back-propagation."""
    features, targets, there = (_spread(form, part) for part in rows)
    values = _forward(form, parts, features)
    delta = jnp.where(there[:, None], values.pop() - targets, 0.0) / there.sum(dtype=targets.dtype)
    slopes: Parts = []
    for number in range(len(parts) - 1, -1, -1):
        matrix, below = parts[number][:-1], values.pop()
        # A column of ones beside the inputs has the biases' slopes as its own.
        ones = jnp.ones((len(below), 1), below.dtype)
        slopes.insert(0, _product(jnp.concatenate([below, ones], axis=1).T, delta))
        decayed = np.arange(len(matrix) + 1)[:, np.newaxis] < len(matrix)
        slopes[0] = slopes[0] + jnp.where(decayed, decay * parts[number], 0.0)
        if number:
            delta = _product(delta, matrix.T) * slope(form.activations[number - 1], below)
    return slopes


def _product(left: Array, right: Array) -> Array:
    """Return ``left @ right``; tiny ones as sums, which XLA fuses with what is around them."""
    if left.shape[0] * left.shape[1] * right.shape[1] > TINY:
        return left @ right
    return (left[:, :, None] * right[None]).sum(axis=1)


def _spread(form: Form, rows: Array) -> Array:
    """Divide a batch's rows over the devices; XLA adds the gradients up across them."""
    if form.devices == 1 or len(rows) % form.devices:
        return rows
    mesh = jax.sharding.Mesh(np.array(jax.devices()[: form.devices]), ("rows",))
    spec = jax.sharding.PartitionSpec("rows")  # type: ignore[no-untyped-call] # JAX's own
    place = jax.sharding.NamedSharding(mesh, spec)
    spread: Array = jax.lax.with_sharding_constraint(rows, place)  # type: ignore[no-untyped-call] # JAX's own
    return spread


def _measure(form: Form, weights: Array, rows: Pair) -> dict[str, Array]:
    features, targets = rows
    outputs = _forward(form, _split(form, weights), features)[-1]
    kind = form.activations[-1]
    if kind == "linear":
        mse = jnp.mean((outputs - targets) ** 2)
        return {"nll": mse * targets.shape[1] / 2, "mse": mse}
    tiny = np.finfo(outputs.dtype).tiny
    logs = targets * jnp.log(jnp.maximum(outputs, tiny))
    if kind == "softmax":
        wrong = outputs.argmax(axis=1) != targets.argmax(axis=1)
    else:
        logs = logs + (1 - targets) * jnp.log(jnp.maximum(1 - outputs, tiny))
        wrong = ((outputs > 0.5) != (targets > 0.5)).any(axis=1)
    return {"nll": -logs.sum(axis=1).mean(), "misclass": wrong.mean(dtype=outputs.dtype)}


def _split(form: Form, weights: Array) -> Parts:
    """Return each layer's matrix with its biases as last row, as they lie in ``weights``."""
    parts, at = [], 0
    for rows, units in form.shapes:
        end = at + (rows + 1) * units
        parts.append(weights[at:end].reshape(rows + 1, units))
        at = end
    return parts


def _join(parts: Parts) -> Array:
    return jnp.concatenate([part.ravel() for part in parts])
