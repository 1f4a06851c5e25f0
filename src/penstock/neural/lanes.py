"""Many models of one form in one compiled program, one model in each SIMD lane.

The models lie on the last axis of every array, so that what one model does to a number, a vector
unit does to that number of 8 or 16 models at once. ``vmap`` would put them on the first axis and
turn each product into a batch of tiny ones, which is no faster than a loop. Products are written
as loops of fused multiply-adds over the contracted axis, two terms a turn: XLA turns each into
one tight vector loop whose data stays in the cache, which its own reductions and long unrolled
sums do not (measured in ``benchmarks/neural``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from penstock.errors import MissingExtra
from penstock.neural.jax_engine import Form, activate, slope

try:
    import jax
    import jax.numpy as jnp
    from jax.lax import dynamic_index_in_dim, fori_loop, scan
except ImportError as problem:
    raise MissingExtra("training many models at once", "jax", "jax") from problem

if TYPE_CHECKING:
    from jax import Array

    Parts: TypeAlias = list[tuple[Array, Array]]

__all__ = ["Given", "Measured", "program"]


class Given(NamedTuple):
    """A block's arguments; E epochs, S steps, B rows a step, L lanes.

    Attributes:
        weights: (size, L).
        velocity: (size, L).
        features: (E, S, B, inputs, L).
        targets: (E, S, B, outputs, L).
        shares: (S, B, L): one over the rows of the lane's batch, 0 for rows that only pad it.
        rates: (E, L).
        momenta: (E, L).
        decay: (L,).
        valid_features: (chunks, rows, inputs, L or 1).
        valid_targets: (chunks, rows, outputs, L or 1).
        valid_shares: (chunks, rows, L or 1): one over the lane's validation rows, or 0.
    """

    weights: Array
    velocity: Array
    features: Array
    targets: Array
    shares: Array
    rates: Array
    momenta: Array
    decay: Array
    valid_features: Array
    valid_targets: Array
    valid_shares: Array


class Measured(NamedTuple):
    """What a block gives back for each of its epochs.

    Attributes:
        weights: (E, size, L).
        velocity: (size, L), after the last.
        gradient_norm: (E, L).
        nll: (E, L), of the validation rows.
        second: (E, L), their misclass or mse.
    """

    weights: Array
    velocity: Array
    gradient_norm: Array
    nll: Array
    second: Array


@lru_cache(maxsize=64)
def program(form: Form, *, uneven: bool) -> Callable[[Given], Measured]:
    """Return the compiled block of epochs.

    Args:
        form: What all the models share.
        uneven: Whether some lanes have fewer batches than others, and must stand still in the
            batches that they do not have.
    """

    def block(given: Given) -> Measured:
        def epoch(
            carry: tuple[Array, Array], rows: tuple[Array, Array, Array, Array]
        ) -> tuple[tuple[Array, Array], tuple[Array, ...]]:
            features, targets, rate, momentum = rows
            start = (_split(form, carry[0]), _split(form, carry[1]), jnp.zeros_like(rate))

            def step(
                state: tuple[Parts, Parts, Array], batch: tuple[Array, Array, Array]
            ) -> tuple[tuple[Parts, Parts, Array], None]:
                return _step(form, state, batch, (rate, momentum, given.decay), uneven=uneven), None

            (parts, speeds, norms), _ = scan(step, start, (features, targets, given.shares))
            steps = (given.shares[:, 0] > 0).sum(axis=0)
            nll, second = _measure(form, parts, given)
            after = _join(parts)
            return (after, _join(speeds)), (after, norms / steps, nll, second)

        first = (given.weights, given.velocity)
        pace = (given.features, given.targets, given.rates, given.momenta)
        (_, velocity), (weights, norms, nll, second) = scan(epoch, first, pace)
        return Measured(weights, velocity, norms, nll, second)

    return jax.jit(block)


def _step(
    form: Form,
    state: tuple[Parts, Parts, Array],
    batch: tuple[Array, Array, Array],
    pace: tuple[Array, Array, Array],
    *,
    uneven: bool,
) -> tuple[Parts, Parts, Array]:
    parts, speeds, norms = state
    rate, momentum, decay = pace
    slopes = _slopes(form, parts, batch, decay)
    square = jnp.zeros_like(norms)
    moved, faster = [], []
    there = batch[2][0] > 0
    for own, speed, gradient in zip(parts, speeds, slopes, strict=True):
        pairs = []
        for p, v, g in zip(own, speed, gradient, strict=True):
            square = square + (g * g).reshape(-1, g.shape[-1]).sum(axis=0)
            new, w = _move(form, (p, v, g), rate, momentum)
            if uneven:
                new, w = jnp.where(there, new, p), jnp.where(there, w, v)
            pairs.append((new, w))
        moved.append((pairs[0][0], pairs[1][0]))
        faster.append((pairs[0][1], pairs[1][1]))
    return moved, faster, norms + jnp.sqrt(square)


def _move(
    form: Form, one: tuple[Array, Array, Array], rate: Array, momentum: Array
) -> tuple[Array, Array]:
    p, v, g = one
    if form.velocity == "torch":
        v = momentum * v + g
        return p - rate * (g + momentum * v if form.nesterov else v), v
    v = momentum * v - rate * g
    return p + (momentum * v - rate * g if form.nesterov else v), v


def _slopes(form: Form, parts: Parts, batch: tuple[Array, Array, Array], decay: Array) -> Parts:
    features, targets, shares = batch
    values = _forward(form, parts, features)
    # Barriers keep XLA from computing an exponential again wherever its value is used.
    delta = _barrier((values.pop() - targets) * shares[:, None])
    slopes: Parts = []
    for number in range(len(parts) - 1, -1, -1):
        matrix, below = parts[number][0], values.pop()
        slopes.insert(0, (_outer(below, delta) + decay * matrix, _total(delta)))
        if number:
            back = _back(delta, matrix)
            delta = _barrier(back * slope(form.activations[number - 1], below))
    return slopes


def _forward(form: Form, parts: Parts, features: Array) -> list[Array]:
    values = [features]
    for (matrix, biases), kind in zip(parts, form.activations, strict=True):
        z = _barrier(_product(values[-1], matrix) + biases)
        values.append(activate(kind, z))
    return values


def _product(values: Array, matrix: Array) -> Array:
    """(B, i, L) by (i, u, L) to (B, u, L)."""
    shape = (values.shape[0], matrix.shape[1], matrix.shape[2])

    def term(i: Array | int) -> Array:
        column: Array = dynamic_index_in_dim(values, i, 1, keepdims=True)
        return column * matrix[i]

    return _by_twos(term, matrix.shape[0], jnp.zeros(shape, matrix.dtype))


def _outer(below: Array, delta: Array) -> Array:
    """(B, i, L) and (B, u, L) to (i, u, L), summed over the rows."""
    shape = (below.shape[1], delta.shape[1], delta.shape[2])

    def term(row: Array | int) -> Array:
        return below[row][:, None] * delta[row]

    return _by_twos(term, delta.shape[0], jnp.zeros(shape, delta.dtype))


def _back(delta: Array, matrix: Array) -> Array:
    """(B, u, L) by (i, u, L) to (B, i, L)."""
    shape = (delta.shape[0], matrix.shape[0], matrix.shape[2])

    def term(unit: Array | int) -> Array:
        column: Array = dynamic_index_in_dim(matrix, unit, 1, keepdims=False)
        error: Array = dynamic_index_in_dim(delta, unit, 1, keepdims=True)
        return error * column

    return _by_twos(term, delta.shape[1], jnp.zeros(shape, delta.dtype))


def _barrier(values: Array) -> Array:
    kept: Array = jax.lax.optimization_barrier(values)  # type: ignore[no-untyped-call] # JAX's own
    return kept


def _total(delta: Array) -> Array:
    total = delta[0]
    for row in range(1, delta.shape[0]):
        total = total + delta[row]
    return total


def _by_twos(term: Callable[[Array | int], Array], count: int, zero: Array) -> Array:
    """Return the sum of ``count`` terms, two in each turn of a compiled loop."""
    if count <= 2:
        return sum((term(i) for i in range(count)), zero)

    def turn(i: Array, total: Array) -> Array:
        return total + term(2 * i) + term(2 * i + 1)

    total: Array = fori_loop(0, count // 2, turn, zero)
    return total + term(count - 1) if count % 2 else total


def _measure(form: Form, parts: Parts, given: Given) -> tuple[Array, Array]:
    kind = form.activations[-1]
    lanes = given.weights.shape[-1]

    def chunk(
        sums: tuple[Array, Array, Array], rows: tuple[Array, Array, Array]
    ) -> tuple[tuple[Array, Array, Array], None]:
        features, targets, shares = rows
        outputs = _forward(form, parts, features)[-1]
        if kind == "linear":
            square = ((outputs - targets) ** 2).sum(axis=1)
            losses, seconds = square / 2, square / targets.shape[1]
        else:
            losses, seconds = _class_losses(kind, outputs, targets)
        there = (shares > 0).astype(seconds.dtype)
        nll, second, count = sums
        return (
            nll + (losses * shares).sum(axis=0),
            second + (seconds * there).sum(axis=0),
            count + there.sum(axis=0),
        ), None

    zero = jnp.zeros(lanes, given.weights.dtype)
    rows = (given.valid_features, given.valid_targets, given.valid_shares)
    # Wrong rows are counted and divided once: equal counts must be equal to the last bit, or
    # rounding would decide which epoch is the best.
    (nll, second, count), _ = scan(chunk, (zero, zero, zero), rows)
    return nll, second / count


def _class_losses(kind: str, outputs: Array, targets: Array) -> tuple[Array, Array]:
    tiny = np.finfo(outputs.dtype).tiny
    logs = targets * jnp.log(jnp.maximum(outputs, tiny))
    if kind == "softmax":
        wrong = outputs.argmax(axis=1) != targets.argmax(axis=1)
    else:
        logs = logs + (1 - targets) * jnp.log(jnp.maximum(1 - outputs, tiny))
        wrong = ((outputs > 0.5) != (targets > 0.5)).any(axis=1)
    return -logs.sum(axis=1), wrong.astype(outputs.dtype)


def _split(form: Form, weights: Array) -> Parts:
    parts, at, lanes = [], 0, weights.shape[-1]
    for rows, units in form.shapes:
        middle, end = at + rows * units, at + (rows + 1) * units
        parts.append((weights[at:middle].reshape(rows, units, lanes), weights[middle:end]))
        at = end
    return parts


def _join(parts: Parts) -> Array:
    return jnp.concatenate([x.reshape(-1, x.shape[-1]) for pair in parts for x in pair])
