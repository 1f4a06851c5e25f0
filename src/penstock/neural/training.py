"""The training loop: epochs by an engine, rules applied to what they showed, the best kept.

The loop knows neither files nor screens: whoever wants to save or show hands in a ``watch``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, final

import numpy as np

from penstock.clock import Clock, SystemClock
from penstock.neural.arrays import Floats
from penstock.neural.datasets import Examples
from penstock.neural.descent import SGD, Precision, TrainingEngine
from penstock.neural.errors import BadCheckpoint, BadData, UnknownChannel
from penstock.neural.layers import Network
from penstock.neural.model import Model
from penstock.neural.numpy_engine import NumpyEngine, compared, measure
from penstock.neural.randomness import Randomness, Seeded
from penstock.neural.schedules import ReduceOnPlateau, value
from penstock.neural.stopping import Criterion, Epochs, NotFinite, Patience
from penstock.neural.streams import ExampleStream, StreamEngine

__all__ = ["EngineName", "History", "Plan", "Training", "channels_of", "failure", "train"]

EngineName: TypeAlias = Literal["auto", "numpy", "jax"]
History: TypeAlias = Mapping[str, list[float]]
"""Each channel's values, one an epoch."""
Datasets: TypeAlias = Mapping[str, Examples | ExampleStream]
"""Data sets by name; ``train`` may be a stream, the others are held in memory."""
OWN_CHANNELS = ("epoch", "learning_rate", "momentum", "gradient_norm", "seconds")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to train.

    Attributes:
        sgd: The descent.
        stop: When to stop; None: no improvement of ``best`` for 50 epochs, or 1,000 epochs.
        best: The channel whose lowest value, strictly, marks the weights to keep; "" takes the
            ``nll`` of the first monitored data set.
        monitor: Names of the data sets to measure after each epoch; () takes all but ``train``,
            and ``train`` where it is alone.
        engine: ``numpy`` (the reference), ``jax`` (compiled, extra ``[jax]``), or ``auto``: numpy
            for one network, and for many jax where it is installed.
        precision: ``double`` or ``single``.
        devices: 1: a network is trained on one device; ``fit_many`` uses all that JAX has.
        clock: What the channel ``seconds`` is read from.
    """

    sgd: SGD = field(default_factory=SGD)
    stop: Criterion | None = None
    best: str = ""
    monitor: tuple[str, ...] = ()
    engine: EngineName = "auto"
    precision: Precision = "double"
    devices: int = 1
    clock: Clock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        if self.precision not in {"double", "single"}:
            raise BadData(f"precision={self.precision!r}: write 'double' or 'single'")
        if self.engine not in {"auto", "numpy", "jax"}:
            raise BadData(f"engine={self.engine!r}: write 'auto', 'numpy' or 'jax'")
        if self.devices != 1:
            raise BadData(
                f"devices={self.devices}: one network is trained on one device; fit_many deals"
                " its runs out to all that JAX has"
            )


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Training:
    """A training, running or ended: everything that it takes to go on exactly.

    Attributes:
        network: The layers.
        epoch: Epochs done.
        weights: After the last epoch.
        velocity: After the last epoch.
        best_weights: After the best epoch: what :attr:`model` uses.
        best_epoch: 0 while no epoch was any good: the first weights.
        history: All the channels of all the epochs.
        generator: State of the randomness, as JSON text.
        reason: Why it ended; "" while it runs.
        recipe: What the one who trains knows it by, to see that a resumed one is the same.
        start: The value of the channel that the best is chosen by, with the first weights; NaN
            where it is none of the monitored ones.
    """

    network: Network
    epoch: int
    weights: Floats
    velocity: Floats
    best_weights: Floats
    best_epoch: int
    history: History
    generator: str
    reason: str = ""
    recipe: str = ""
    start: float = math.nan

    @property
    def model(self) -> Model:
        """The network with its best weights."""
        return Model(network=self.network, weights=self.best_weights[np.newaxis])


def train(
    network: Network,
    datasets: Datasets,
    plan: Plan | None = None,
    *,
    seed: int | Randomness = 0,
    watch: Callable[[Training], object] | None = None,
    resume: Training | None = None,
) -> Training:
    """Train until the plan says stop, and keep the best weights, whatever ended it.

    NaN or infinity in any channel ends the training too, and so does Ctrl-C: both return the
    best weights so far and say so in ``reason``.

    Args:
        network: What to train.
        datasets: ``train``, and any others to measure on, by any name. ``train`` may be a
            :class:`ExampleStream` that is larger than memory.
        plan: How; None takes every default.
        seed: Of first weights and shuffles; or any :class:`Randomness`.
        watch: Called with the training as it stands, after each epoch (after each stride of
            epochs with the compiled engine), and once ended.
        resume: Go on from here; the other arguments must be what they were.

    Raises:
        BadData: Data sets that do not fit the network, or a channel that does not exist.
        BadCheckpoint: ``resume`` is of another network.

    >>> corners = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    >>> xor = Examples(corners, np.array([[1.0, 0], [0, 1], [0, 1], [1, 0]]))
    >>> from penstock.neural.layers import Softmax, Tanh
    >>> done = train(Network(2, (Tanh(4), Softmax(2))), {"train": xor},
    ...              Plan(sgd=SGD(batch_size=1), stop=Epochs(100)))
    >>> done.reason, done.model.predict(corners).tolist()
    ('100 epochs done', [0, 1, 1, 0])
    """
    plan = complete(network, datasets, plan or Plan())
    randomness = Seeded(seed) if isinstance(seed, int) else seed
    run = _Run(network, datasets, plan, randomness)
    if resume is None:
        run.begin(randomness.weights(network))
    else:
        run.restore(resume)
    try:
        while not run.reason:
            run.lap()
            if watch is not None:
                watch(run.training())
    except KeyboardInterrupt:
        run.reason = "interrupted"
        if watch is not None:
            watch(run.training())
    return run.training()


def failure(done: Training, datasets: Mapping[str, Examples]) -> str:
    """Return why a training is not a success, or "" where it is one.

    It is not where a channel became infinite or NaN, or where the best loss is no better than that
    of the first weights or of an answer that is the same for every row.
    """
    if not done.best_epoch or done.reason.endswith("is not finite"):
        return f"the training failed: {done.reason}; try a lower learning_rate"
    if done.reason == "interrupted":
        return ""
    held = "valid" if "valid" in datasets else "train"
    best = done.history[f"{held}_nll"][done.best_epoch - 1]
    return no_better(done.network, best, datasets, done.start)


def no_better(
    network: Network, best: float, datasets: Mapping[str, Examples], start: float = math.nan
) -> str:
    """Return why a best ``nll`` is nothing that was learned, or "" where it is."""
    held = "valid" if "valid" in datasets else "train"
    learned, rows = datasets["train"], datasets[held]
    mean = np.average(learned.targets, axis=0, weights=learned.weights)
    constant = np.broadcast_to(mean, rows.targets.shape)
    bars = {
        "one answer for all rows": compared(network, constant, rows.targets, rows.weights)["nll"],
        "the first weights": start,
    }
    for what, bar in bars.items():
        if not best < bar and not bar <= 1e-9 and not math.isnan(bar):
            return (
                f"nothing was learned: the best {held}_nll {best:.4g} is no better than the"
                f" {bar:.4g} of {what}; try other features, or another learning_rate"
            )
    return ""


def channels_of(network: Network, monitored: tuple[str, ...]) -> tuple[str, ...]:
    """Return the channels that a training of ``network`` has, given the monitored data sets."""
    kinds = ("nll", "mse" if network.kind == "linear" else "misclass")
    return (*OWN_CHANNELS, *(f"{name}_{kind}" for name in monitored for kind in kinds))


def complete(network: Network, datasets: Datasets, plan: Plan) -> Plan:
    """Return the plan with its open choices made, checked against network and data."""
    if "train" not in datasets:
        raise BadData(f"no data set named 'train' among {sorted(datasets)}")
    for name, rows in datasets.items():
        _fits(network, name, rows)
    monitor = plan.monitor or tuple(name for name in datasets if name != "train") or ("train",)
    for name in monitor:
        if name not in datasets or isinstance(datasets[name], ExampleStream):
            held = sorted(name for name, rows in datasets.items() if isinstance(rows, Examples))
            raise BadData(f"cannot monitor {name!r}: the data sets held in memory are {held}")
    best = plan.best or f"{monitor[0]}_nll"
    rate = plan.sgd.learning_rate
    watched = (rate.channel,) if isinstance(rate, ReduceOnPlateau) else ()
    if plan.engine == "jax" and plan.sgd.only_numpy:
        raise BadData(f"{plan.sgd.only_numpy}: the compiled engine does without; engine='numpy'")
    stop = plan.stop or (Patience(best, 50) | Epochs(1000))
    known = channels_of(network, monitor)
    for channel in (best, *stop.channels(), *watched):
        if channel not in known:
            raise UnknownChannel(channel, known)
    return replace(plan, monitor=monitor, best=best, stop=stop)


def _fits(network: Network, name: str, rows: Examples | ExampleStream) -> None:
    if isinstance(rows, ExampleStream):
        if name != "train":
            raise BadData(f"{name}: only 'train' can be a stream; hold the others in memory")
        return  # what it holds is seen when it is read
    got = (rows.features.shape[1], rows.targets.shape[1])
    wanted = (network.inputs, network.outputs)
    if got != wanted:
        raise BadData(f"{name}: inputs and outputs are {got}, the network's {wanted}")


def engine_for(network: Network, datasets: Datasets, plan: Plan) -> TrainingEngine:
    """Return the engine that the plan names, inside one that reads a stream where one is given."""
    held = {name: data for name, data in datasets.items() if isinstance(data, Examples)}
    rows = datasets["train"]
    if isinstance(rows, Examples):
        return _engine(network, held, plan)
    inner = replace(plan, monitor=())
    monitored = {name: held[name] for name in plan.monitor}

    def make(chunk: Examples) -> TrainingEngine:
        return _engine(network, {"train": chunk}, inner)

    return StreamEngine(network, rows, monitored, make)


def _engine(network: Network, datasets: Mapping[str, Examples], plan: Plan) -> TrainingEngine:
    if plan.engine in {"auto", "numpy"}:
        return NumpyEngine(network, datasets, plan.monitor, plan.sgd, plan.precision)
    from penstock.neural.jax_engine import JaxEngine

    return JaxEngine(network, datasets, plan.monitor, plan.sgd, plan.precision)


@final
class _Run:
    """The state of a training between laps."""

    def __init__(
        self,
        network: Network,
        datasets: Datasets,
        plan: Plan,
        randomness: Randomness,
    ) -> None:
        assert plan.stop is not None  # complete() made the choice
        self._network, self._plan, self._randomness = network, plan, randomness
        self._engine = engine_for(network, datasets, plan)
        name, _, kind = plan.best.rpartition("_")
        known = datasets.get(name) if kind in {"nll", "mse", "misclass"} else None
        self._chosen_by = (known, kind) if isinstance(known, Examples) else None
        self._watch = (NotFinite() | plan.stop).watch()
        self._best = np.inf
        self._start = math.nan
        self._history: dict[str, list[float]] = {}
        self._began = plan.clock.monotonic()
        self.reason = ""

    def begin(self, weights: Floats) -> None:
        self._epoch = self._best_epoch = 0
        self._weights = self._best_weights = weights
        self._velocity = self._plan.sgd.still(len(weights))
        self._generator = self._randomness.state()
        if self._chosen_by is not None:  # epoch 0: what no training at all would give
            known, kind = self._chosen_by
            self._start = measure(self._network, weights, known)[kind]

    def restore(self, past: Training) -> None:
        if past.network != self._network:
            raise BadCheckpoint(f"checkpoint is of {past.network}, not of {self._network}")
        self._epoch, self._best_epoch = past.epoch, past.best_epoch
        self._weights, self._velocity = past.weights, past.velocity
        self._best_weights, self._start = past.best_weights, past.start
        if len(self._velocity) != len(self._plan.sgd.still(self._network.size)):
            raise BadCheckpoint("checkpoint is of another descent: velocity 'adam' has more state")
        self._randomness.restore(past.generator)
        self._generator = self._randomness.state()
        self._history = {name: list(values) for name, values in past.history.items()}
        for number in range(past.epoch):
            self._judge({name: values[number] for name, values in self._history.items()})
        if past.best_epoch:
            self._best = self._history[self._plan.best][past.best_epoch - 1]
        if self._history:
            self._began -= self._history["seconds"][-1]

    def lap(self) -> None:
        """Do a stride of epochs and apply the rules to each; later ones than the stop are void."""
        # Always a whole stride: another length would be another program to compile.
        count = self._engine.stride
        orders = [self._randomness.order(self._engine.rows) for _ in range(count)]
        finished = range(self._epoch, self._epoch + count)
        rate = self._plan.sgd.learning_rate
        rates = np.array([value(rate, n, self._history) for n in finished])
        if not (rates >= 0).all():
            raise BadData(f"learning_rate gives {rates.min():g}: a schedule may not go below zero")
        momenta = np.array([value(self._plan.sgd.momentum, n) for n in finished])
        before = self._elapsed()
        lap = self._engine.run(self._weights, self._velocity, np.array(orders), rates, momenta)
        # Within a compiled stride the time of each epoch is not known: they share it evenly.
        seconds = before + (self._elapsed() - before) * np.arange(1, count + 1) / count
        own = {"learning_rate": rates, "momentum": momenta, "seconds": seconds}
        for n in range(count):
            row = {name: float(values[n]) for name, values in {**own, **lap.channels}.items()}
            self._accept(row, lap.weights[n])
            self._weights, self._velocity = lap.weights[n], lap.velocity[n]
            if self.reason:
                self._rewind(n + 1)
                return
        self._generator = self._randomness.state()

    def _rewind(self, epochs: int) -> None:
        """Bring the generator to where it was after that many epochs of the last stride.

        A state a stride and this replay at the end cost less than a state an epoch.
        """
        self._randomness.restore(self._randomness.text(self._generator))
        for _ in range(epochs):
            self._randomness.order(self._engine.rows)
        self._generator = self._randomness.state()

    def _elapsed(self) -> float:
        return self._plan.clock.monotonic() - self._began

    def _accept(self, row: dict[str, float], weights: Floats) -> None:
        self._epoch += 1
        row = {"epoch": float(self._epoch), **row}
        for name, number in row.items():
            self._history.setdefault(name, []).append(number)
        self._judge(row)
        if row[self._plan.best] < self._best and all(map(math.isfinite, row.values())):
            self._best, self._best_epoch = row[self._plan.best], self._epoch
            self._best_weights = weights

    def _judge(self, row: Mapping[str, float]) -> None:
        lanes = {name: np.array([number]) for name, number in row.items()}
        stop, why = self._watch(lanes)
        if bool(stop[0]):
            self.reason = why

    def training(self) -> Training:
        """Return the state as a value."""
        return Training(
            network=self._network,
            epoch=self._epoch,
            weights=self._weights,
            velocity=self._velocity,
            best_weights=self._best_weights,
            best_epoch=self._best_epoch,
            history={name: list(values) for name, values in self._history.items()},
            generator=self._randomness.text(self._generator),
            reason=self.reason,
            start=self._start,
        )
