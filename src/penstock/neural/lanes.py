"""Many models of one form in one compiled program, one model in each SIMD lane.

The models lie on the last axis of every array, so that what one model does to a number, a vector
unit does to that number of 8 or 16 models at once. ``vmap`` would put them on the first axis and
turn each product into a batch of tiny ones, which is no faster than a loop. Products are written
out as sums over the contracted axis: XLA makes one vector loop of each, as long as it stands
alone. Left to itself it fuses one sum into the terms of the next and computes it again for each,
and it takes an ``optimization_barrier`` away before it fuses; hence :func:`_fenced`. Together
twice as quick as loops of two terms a turn (``benchmarks/neural``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from penstock.errors import MissingExtra
from penstock.neural.jax_engine import Form, activate, slope
from penstock.neural.layers import Activation

try:
    import jax
    import jax.numpy as jnp
    from jax.lax import dynamic_slice_in_dim, fori_loop, scan
except ImportError as problem:
    raise MissingExtra("training many models at once", "jax", "jax") from problem

if TYPE_CHECKING:
    from jax import Array

    Parts: TypeAlias = list[tuple[Array, Array]]

__all__ = ["Given", "Measured", "program"]

# Terms of a sum that are written out; more make a loop of as many a turn.
TERMS = 24


class Given(NamedTuple):
    """A block's arguments; E epochs, S steps, B rows a step, L lanes.

    Attributes:
        weights: (size, L).
        velocity: (size, L).
        table: (rows, inputs + outputs), all the rows there are.
        places: (E, S, B, L), where in the table the rows of each batch are.
        shares: (S, B, L): one over the rows of the lane's batch, 0 for rows that only pad it.
        rates: (E, L).
        momenta: (E, L).
        decay: (L,).
        valid_features: (chunks, rows, inputs, L or 1).
        valid_targets: (chunks, rows, outputs, L or 1).
        valid_shares: (chunks, rows, L or 1): one over the lane's validation rows, or 0.
        always: (), true: what fences ask, since XLA must not know.
    """

    weights: Array
    velocity: Array
    table: Array
    places: Array
    shares: Array
    rates: Array
    momenta: Array
    decay: Array
    valid_features: Array
    valid_targets: Array
    valid_shares: Array
    always: Array


class Measured(NamedTuple):
    """What a block gives back for each of its epochs.

    Attributes:
        weights: (E, size, L).
        velocity: (size, L), after the last.
        gradient_norm: (E, L); 0 where it was not asked for.
        nll: (E, L), of the validation rows.
        second: (E, L), their misclass or mse.
    """

    weights: Array
    velocity: Array
    gradient_norm: Array
    nll: Array
    second: Array


@lru_cache(maxsize=64)
def program(form: Form, *, uneven: bool, norms: bool) -> Callable[[Given], Measured]:
    """Return the compiled block of epochs.

    Args:
        form: What all the models share.
        uneven: Whether some lanes have fewer batches than others, and must stand still in the
            batches that they do not have.
        norms: Whether to measure the gradients, which takes a sixth of the time.
    """

    def block(given: Given) -> Measured:
        def epoch(
            carry: tuple[Array, Array], rows: tuple[Array, Array, Array]
        ) -> tuple[tuple[Array, Array], tuple[Array, ...]]:
            places, rate, momentum = rows
            start = (_split(form, carry[0]), _split(form, carry[1]), jnp.zeros_like(rate))
            pace = (rate, momentum, given.decay)

            def step(
                state: tuple[Parts, Parts, Array], batch: tuple[Array, Array]
            ) -> tuple[tuple[Parts, Parts, Array], None]:
                parts, speeds, total = state
                rows = _fenced(given, _rows, given.table, batch[0])
                slopes = _slopes(form, parts, (rows, batch[1]), given)
                if norms:
                    total = total + _norm(slopes)
                moved = _move_all(form, parts, speeds, slopes, pace)
                if uneven:
                    moved = _where(batch[1][0] > 0, moved, (parts, speeds))
                return (*moved, total), None

            (parts, speeds, total), _ = scan(step, start, (places, given.shares))
            steps = (given.shares[:, 0] > 0).sum(axis=0)
            nll, second = _measure(form, parts, given)
            after = _join(parts)
            return (after, _join(speeds)), (after, total / steps, nll, second)

        first = (given.weights, given.velocity)
        pace = (given.places, given.rates, given.momenta)
        (_, velocity), (weights, norm, nll, second) = scan(epoch, first, pace)
        return Measured(weights, velocity, norm, nll, second)

    return jax.jit(block)


def _fenced(given: Given, make: Callable[..., Array], *arguments: Array) -> Array:
    """Return ``make(*arguments)``, computed once and by itself, whatever it is used for.

    A branch that XLA cannot decide beforehand is the one thing that it does not fuse across.
    """
    shape = jax.eval_shape(make, *arguments)

    def never(*_: Array) -> Array:
        return jnp.zeros(shape.shape, shape.dtype)

    made: Array = jax.lax.cond(given.always, make, never, *arguments)
    return made


def _norm(slopes: Parts) -> Array:
    squares = [(g * g).reshape(-1, g.shape[-1]).sum(axis=0) for pair in slopes for g in pair]
    return jnp.sqrt(sum(squares[1:], squares[0]))


def _where(there: Array, new: tuple[Parts, Parts], old: tuple[Parts, Parts]) -> tuple[Parts, Parts]:
    kept: tuple[Parts, Parts] = jax.tree.map(lambda a, b: jnp.where(there, a, b), new, old)
    return kept


def _move_all(
    form: Form, parts: Parts, speeds: Parts, slopes: Parts, pace: tuple[Array, Array, Array]
) -> tuple[Parts, Parts]:
    moved, faster = [], []
    for three in zip(parts, speeds, slopes, strict=True):
        (matrix, v), (biases, w) = (
            _move(form, one, pace[0], pace[1]) for one in zip(*three, strict=True)
        )
        moved.append((matrix, biases))
        faster.append((v, w))
    return moved, faster


def _move(
    form: Form, one: tuple[Array, Array, Array], rate: Array, momentum: Array
) -> tuple[Array, Array]:
    p, v, g = one
    if form.velocity == "torch":
        v = momentum * v + g
        return p - rate * (g + momentum * v if form.nesterov else v), v
    v = momentum * v - rate * g
    return p + (momentum * v - rate * g if form.nesterov else v), v


def _slopes(form: Form, parts: Parts, batch: tuple[Array, Array], given: Given) -> Parts:
    rows, shares = batch
    values = _forward(form, parts, rows, given)
    delta = _fenced(given, _error, values.pop(), rows, shares)
    slopes: Parts = []
    for number in range(len(parts) - 1, -1, -1):
        matrix, below = parts[number][0], values.pop()
        into = _fenced(given, partial(_outer, matrix.shape[0]), below, delta)
        into = into + given.decay * matrix
        slopes.insert(0, (into, _sum(delta.shape[0], delta.__getitem__)))
        if number:
            back = partial(_back, form.activations[number - 1])
            delta = _fenced(given, back, delta, matrix, below)
    return slopes


def _forward(form: Form, parts: Parts, features: Array, given: Given) -> list[Array]:
    values = [features]
    for (matrix, biases), kind in zip(parts, form.activations, strict=True):
        values.append(_fenced(given, partial(_layer, kind), values[-1], matrix, biases))
    return values


def _rows(table: Array, places: Array) -> Array:
    """Return the rows, (B, inputs + outputs, L), of places (B, L)."""
    rows = table.at[places].get(mode="promise_in_bounds")
    return rows.transpose(0, 2, 1)


def _layer(kind: Activation, values: Array, matrix: Array, biases: Array) -> Array:
    """(B, i or more, L) by (i, u, L) to (B, u, L)."""
    terms = matrix.shape[0]
    return activate(kind, _sum(terms, lambda i: _at(values, i, 1) * matrix[i]) + biases)


def _error(outputs: Array, rows: Array, shares: Array) -> Array:
    return (outputs - rows[:, -outputs.shape[1] :]) * shares[:, None]


def _outer(inputs: int, below: Array, delta: Array) -> Array:
    """(B, i or more, L) and (B, u, L) to (i, u, L), summed over the rows."""
    return _sum(delta.shape[0], lambda row: below[row][:inputs, None] * delta[row])


def _back(kind: Activation, delta: Array, matrix: Array, below: Array) -> Array:
    """(B, u, L) by (i, u, L) to (B, i, L), times the activation's slope."""
    back = _sum(delta.shape[1], lambda unit: _at(delta, unit, 1) * _at(matrix, unit, 1)[:, 0])
    return back * slope(kind, below)


def _at(values: Array, place: Array | int, axis: int) -> Array:
    taken: Array = dynamic_slice_in_dim(values, place, 1, axis)
    return taken


def _sum(count: int, term: Callable[[Array | int], Array]) -> Array:
    """Return the sum of ``count`` terms."""
    if count <= TERMS:
        return sum((term(n) for n in range(1, count)), term(0))

    def turn(number: Array, total: Array) -> Array:
        return sum((term(TERMS * number + n) for n in range(TERMS)), total)

    rest = count % TERMS
    total = sum((term(count - 1 - n) for n in range(rest)), jnp.zeros_like(term(0)))
    done: Array = fori_loop(0, count // TERMS, turn, total)
    return done


def _measure(form: Form, parts: Parts, given: Given) -> tuple[Array, Array]:
    kind = form.activations[-1]
    lanes = given.weights.shape[-1]

    def chunk(
        sums: tuple[Array, Array, Array], rows: tuple[Array, Array, Array]
    ) -> tuple[tuple[Array, Array, Array], None]:
        features, targets, shares = rows
        outputs = _forward(form, parts, features, given)[-1]
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
