"""The compiled engine: models of one form in one JAX program, one model in each SIMD lane.

The models lie on the last axis of every array, so that what one model does to a number, a vector
unit does to that number of 8 or 16 models at once; one model alone is a lane of one. ``vmap`` would
put them on the first axis and turn each product into a batch of tiny ones, which is no faster than
a loop. Products are written out as sums over the contracted axis: XLA makes one vector loop of
each, as long as it stands alone. Left to itself it fuses one sum into the terms of the next and
computes it again for each, and it takes an ``optimization_barrier`` away before it fuses; hence
:func:`_fenced`. Together twice as quick as loops of two terms a turn (``benchmarks/neural``).

Formulas are those of the reference engine, written a second time on purpose: that the two agree
is a test of both. Data and schedules are arguments of the program, not parts of it, so that it
compiles once for a shape, whatever the seed, the rate or the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial, reduce
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, final

import numpy as np

from penstock.errors import MissingExtra
from penstock.neural.arrays import Floats, Integers
from penstock.neural.datasets import Examples
from penstock.neural.descent import SGD, Lap, Precision
from penstock.neural.layers import Activation, Network

try:
    import jax
    import jax.numpy as jnp
    from jax.lax import dynamic_slice_in_dim, fori_loop, scan
except ImportError as problem:
    raise MissingExtra("the compiled engine", "jax", "jax") from problem

if TYPE_CHECKING:
    from jax import Array

    Parts: TypeAlias = list[tuple[Array, Array]]
    Rows: TypeAlias = tuple[Array, Array, Array]

__all__ = [
    "BlockArguments",
    "BlockResults",
    "Form",
    "JaxEngine",
    "chunked",
    "form",
    "program",
    "shares_of",
]

TERMS = 24
"""Terms of a sum that are written out; more make a loop of as many a turn."""
ALONE = 8192
"""Multiplications from which on a product of one model is left to the library."""
FEW = 4
"""Columns up to which a row's greatest and sum are taken one by one."""
CHUNK = 16
"""Rows measured at a time."""
# Longer strides amortise calls, shorter ones waste less when the training ends inside one.
STRIDE = 16
STRIDE_BYTES = 64 * 2**20


class Form(NamedTuple):
    """All that a program depends on besides its arguments' shapes."""

    shapes: tuple[tuple[int, int], ...]
    activations: tuple[Activation, ...]
    velocity: str
    nesterov: bool
    batch: int


def form(network: Network, sgd: SGD) -> Form:
    """Return the form of the program that trains this network in this way."""
    activations = tuple(layer.activation for layer in network.layers)
    return Form(network.shapes, activations, sgd.velocity, sgd.nesterov, sgd.batch_size)


class BlockArguments(NamedTuple):
    """A block's arguments; E epochs, S steps, B rows a step, L lanes.

    Attributes:
        weights: (size, L).
        velocity: (size, L).
        table: (rows, inputs + outputs), all the rows there are.
        places: (E, S, B, L), where in the table the rows of each batch are.
        shares: (S, B, L), one over the rows of the lane's batch, 0 for rows that only pad it; or
            (E, S, B, L), where rows have weights.
        rates: (E, L).
        momenta: (E, L).
        decay: (L,).
        monitored: By name, rows to measure: :func:`chunked`.
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
    monitored: dict[str, Rows]
    always: Array


class BlockResults(NamedTuple):
    """What a block gives back.

    Attributes:
        weights: (E, size, L), after each epoch.
        velocity: (E, size, L), after each epoch; (size, L) after the last without ``norms``.
        channels: Of each epoch, (E, L).
    """

    weights: Array
    velocity: Array
    channels: dict[str, Array]


@lru_cache(maxsize=64)
def program(form: Form, *, uneven: bool, whole: bool) -> Callable[[BlockArguments], BlockResults]:
    """Return the compiled block of epochs.

    Args:
        form: What all the models share.
        uneven: Whether some lanes have fewer batches than others, and must stand still in the
            batches that they do not have.
        whole: Whether to measure the gradients and keep every epoch's velocity, which takes a
            sixth of the time.
    """

    def block(given: BlockArguments) -> BlockResults:
        def epoch(
            carry: tuple[Array, Array], rows: tuple[Array, Array, Array, Array]
        ) -> tuple[tuple[Array, Array], tuple[Array, Array | None, dict[str, Array]]]:
            places, shares, rate, momentum = rows
            start = (_split(form, carry[0]), _split(form, carry[1]), jnp.zeros_like(rate))
            pace = (rate, momentum)

            def step(
                state: tuple[Parts, Parts, Array], batch: tuple[Array, Array]
            ) -> tuple[tuple[Parts, Parts, Array], None]:
                parts, speeds, total = state
                rows = _fenced(given, _rows, given.table, batch[0])
                slopes = _slopes(form, parts, (rows, batch[1]), given)
                if whole:
                    total = total + _norm(slopes)
                moved = _move_all(form, parts, speeds, slopes, pace)
                if uneven:
                    moved = _where(batch[1].max(axis=0) > 0, moved, (parts, speeds))
                return (*moved, total), None

            (parts, speeds, total), _ = scan(step, start, (places, shares))
            channels = {}
            if whole:
                steps = (shares.sum(axis=1) > 0).sum(axis=0)
                channels["gradient_norm"] = total / steps
            for name, known in given.monitored.items():
                for kind, found in _measure(form, parts, known, given).items():
                    channels[f"{name}_{kind}"] = found
            after, speed = _join(parts), _join(speeds)
            return (after, speed), (after, speed if whole else None, channels)

        first = (given.weights, given.velocity)
        shares = given.shares
        if shares.ndim == 3:
            shares = jnp.broadcast_to(shares, given.places.shape)
        pace = (given.places, shares, given.rates, given.momenta)
        (_, last), (weights, velocity, channels) = scan(epoch, first, pace)
        return BlockResults(weights, last if velocity is None else velocity, channels)

    return jax.jit(block)


@final
class JaxEngine:
    """Trains one model with compiled programs. Takes the same arguments as the NumPy engine."""

    def __init__(
        self,
        network: Network,
        datasets: Mapping[str, Examples],
        monitored: tuple[str, ...],
        sgd: SGD,
        precision: Precision = "double",
    ) -> None:
        self._double = precision == "double"
        self._kind = np.float64 if self._double else np.float32
        self.stride = max(1, min(STRIDE, STRIDE_BYTES // (16 * network.size)))
        self._form, self._decay = form(network, sgd), sgd.decay
        self._program = program(self._form, uneven=False, whole=True)
        train = datasets["train"]
        self.rows = len(train)
        self._weights = train.weights
        table = np.concatenate([train.features, train.targets], axis=1).astype(self._kind)
        known = {name: chunked([datasets[name]], self._kind) for name in monitored}
        with jax.enable_x64(self._double):
            self._table, self._monitored = jax.device_put((table, known))

    def run(
        self,
        weights: Floats,
        velocity: Floats,
        orders: Integers,
        rates: Floats,
        momenta: Floats,
    ) -> Lap:
        """Train an epoch for each row of ``orders``, at its rate and momentum."""
        batch = self._form.batch
        shares, kind = shares_of(orders.shape[1], batch), self._kind
        places = np.zeros((len(orders), shares.size), dtype=np.int32)
        places[:, : orders.shape[1]] = orders
        if self._weights is not None:
            shares = shares * self._weights[places].reshape(-1, *shares.shape)
        arguments = {
            "weights": weights.astype(kind)[:, None],
            "velocity": velocity.astype(kind)[:, None],
            "table": self._table,
            "places": places.reshape(len(orders), -1, batch, 1),
            "shares": shares[..., None].astype(kind),
            "rates": rates.astype(kind)[:, None],
            "momenta": momenta.astype(kind)[:, None],
            "decay": np.array([self._decay], kind),
            "monitored": self._monitored,
            "always": np.True_,
        }
        with jax.enable_x64(self._double):
            found = self._program(BlockArguments(**jax.device_put(arguments)))
            channels = {name: np.asarray(x)[:, 0] for name, x in found.channels.items()}
            return Lap(
                np.asarray(found.weights)[..., 0], np.asarray(found.velocity)[..., 0], channels
            )


def shares_of(rows: int, batch: int) -> Floats:
    """Return for each step and row one over the rows of its batch, or 0: shape (steps, batch).

    >>> shares_of(3, 2)
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    steps = -(-rows // batch)
    sizes = np.minimum(batch, rows - np.arange(0, rows, batch))
    shares = np.repeat(1 / sizes, batch).reshape(steps, batch)
    shares[-1, sizes[-1] :] = 0.0
    return shares


def chunked(lanes: Sequence[Examples], kind: type[np.floating]) -> tuple[Floats, Floats, Floats]:
    """Return rows to measure, in chunks, padded by rows that do not count.

    Features (chunks, rows, inputs, L), targets (chunks, rows, outputs, L) and each row's share of
    the mean (chunks, rows, L).
    """
    count = -(-max(map(len, lanes)) // CHUNK) * CHUNK
    features = np.zeros((count, lanes[0].features.shape[1], len(lanes)), kind)
    targets = np.zeros((count, lanes[0].targets.shape[1], len(lanes)), kind)
    shares = np.zeros((count, len(lanes)), kind)
    for at, rows in enumerate(lanes):
        features[: len(rows), :, at] = rows.features
        targets[: len(rows), :, at] = rows.targets
        weights = np.ones(len(rows)) if rows.weights is None else rows.weights
        shares[: len(rows), at] = weights / weights.sum()
    parts = (features, targets, shares)
    return tuple(x.reshape(-1, CHUNK, *x.shape[1:]) for x in parts)  # type: ignore[return-value] # three


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


def _fenced(given: BlockArguments, make: Callable[..., Array], *arguments: Array) -> Array:
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
    form: Form, parts: Parts, speeds: Parts, slopes: Parts, pace: tuple[Array, Array]
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


def _slopes(form: Form, parts: Parts, batch: tuple[Array, Array], given: BlockArguments) -> Parts:
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


def _forward(form: Form, parts: Parts, features: Array, given: BlockArguments) -> list[Array]:
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
    if _is_large(values, matrix):
        return activate(kind, (values[:, :terms, 0] @ matrix[..., 0] + biases[:, 0])[..., None])
    return activate(kind, _sum(terms, lambda i: _at(values, i, 1) * matrix[i]) + biases)


def _error(outputs: Array, rows: Array, shares: Array) -> Array:
    return (outputs - rows[:, -outputs.shape[1] :]) * shares[:, None]


def _outer(inputs: int, below: Array, delta: Array) -> Array:
    """(B, i or more, L) and (B, u, L) to (i, u, L), summed over the rows."""
    if _is_large(below, delta[0]):
        return (below[:, :inputs, 0].T @ delta[..., 0])[..., None]
    return _sum(delta.shape[0], lambda row: below[row][:inputs, None] * delta[row])


def _back(kind: Activation, delta: Array, matrix: Array, below: Array) -> Array:
    """(B, u, L) by (i, u, L) to (B, i, L), times the activation's slope."""
    if _is_large(below, matrix[0]):
        return (delta[..., 0] @ matrix[..., 0].T)[..., None] * slope(kind, below)
    back = _sum(delta.shape[1], lambda unit: _at(delta, unit, 1) * _at(matrix, unit, 1)[:, 0])
    return back * slope(kind, below)


def _is_large(values: Array, other: Array) -> bool:
    """Return whether there is one model alone, and one so large that a library is quicker."""
    return bool(values.shape[-1] == other.shape[-1] == 1 and values.size * other.shape[-2] > ALONE)


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


def _measure(form: Form, parts: Parts, known: Rows, given: BlockArguments) -> dict[str, Array]:
    kind = form.activations[-1]

    def chunk(
        sums: tuple[Array, Array], rows: tuple[Array, Array, Array]
    ) -> tuple[tuple[Array, Array], None]:
        features, targets, shares = rows
        outputs = _forward(form, parts, features, given)[-1]
        if kind == "linear":
            square = ((outputs - targets) ** 2).sum(axis=1)
            losses, seconds = square / 2, square / targets.shape[1]
        else:
            losses, seconds = _class_losses(kind, outputs, targets)
        # Each row counts by its share of the largest: equal counts of wrong rows have to be equal
        # to the last bit, or rounding would decide which epoch is the best.
        counted = seconds * (shares / largest)
        return (sums[0] + (losses * shares).sum(axis=0), sums[1] + counted.sum(axis=0)), None

    largest = known[2].max(axis=(0, 1))
    zero = jnp.zeros(given.weights.shape[-1], given.weights.dtype)
    (nll, second), _ = scan(chunk, (zero, zero), known)
    return {"nll": nll, "mse" if kind == "linear" else "misclass": second / (1 / largest)}


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
