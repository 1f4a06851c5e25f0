"""The names of Pylearn2's that the two posts use, as makers of this room's values.

Each takes the arguments it took there and returns what penstock calls it: lay a post beside its
counterpart in ``examples/``. Pylearn2's own defaults hold, its built-in seeds included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

from penstock.neural.datasets import Examples
from penstock.neural.descent import SGD as Descent  # noqa: N811 - a class
from penstock.neural.layers import Layer, Network
from penstock.neural.layers import Sigmoid as SigmoidLayer
from penstock.neural.layers import Softmax as SoftmaxLayer
from penstock.neural.randomness import Pylearn2Seeds, Randomness
from penstock.neural.schedules import LinearDecay, Ramp
from penstock.neural.stopping import Criterion, Epochs, Patience
from penstock.neural.training import EngineName, Plan, Training, train

__all__ = [
    "MLP",
    "SGD",
    "DenseDesignMatrix",
    "EpochCounter",
    "LinearDecayOverEpoch",
    "Momentum",
    "MomentumAdjustor",
    "MonitorBased",
    "MonitorBasedSaveBest",
    "Sigmoid",
    "Softmax",
]

DenseDesignMatrix = Examples


def Sigmoid(dim: int, layer_name: str, irange: float, init_bias: float = 0.0) -> SigmoidLayer:
    """Return a sigmoid layer: ``mlp.Sigmoid``."""
    return SigmoidLayer(dim, irange, init_bias, layer_name)


def Softmax(n_classes: int, layer_name: str, irange: float) -> SoftmaxLayer:
    """Return a softmax layer: ``mlp.Softmax``."""
    return SoftmaxLayer(n_classes, irange, 0.0, layer_name)


def MLP(layers: list[Layer], nvis: int) -> Network:
    """Return a network: ``mlp.MLP``."""
    return Network(nvis, tuple(layers))


def EpochCounter(max_epochs: int) -> Epochs:
    """Return the criterion of a number of epochs."""
    return Epochs(max_epochs)


def MonitorBased(prop_decrease: float = 0.01, N: int = 5, channel_name: str = "") -> Patience:
    """Return the criterion of no improvement over N epochs."""
    return Patience(channel_name, N, prop_decrease)


@final
@dataclass(frozen=True, slots=True)
class Momentum:
    """The learning rule: ``learning_rule.Momentum``."""

    init_momentum: float
    nesterov_momentum: bool = False


@final
@dataclass(frozen=True, slots=True)
class MomentumAdjustor:
    """Moves the rule's momentum from where it begins to ``final_momentum``."""

    final_momentum: float
    start: int
    saturate: int


@final
@dataclass(frozen=True, slots=True)
class LinearDecayOverEpoch:
    """Moves the rate down to ``decay_factor`` of where it begins."""

    start: int
    saturate: int
    decay_factor: float


@final
@dataclass(frozen=True, slots=True)
class MonitorBasedSaveBest:
    """Keeps the weights of the lowest value of a channel."""

    channel_name: str


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SGD:
    """The training algorithm: ``sgd.SGD``, with the posts' loop as :meth:`train`."""

    learning_rate: float
    batch_size: int
    termination_criterion: Criterion
    learning_rule: Momentum | None = None
    monitoring_dataset: Examples | None = None

    def train(
        self,
        model: Network,
        dataset: Examples,
        extensions: tuple[MomentumAdjustor | LinearDecayOverEpoch | MonitorBasedSaveBest, ...] = (),
        *,
        engine: EngineName = "numpy",
        randomness: Randomness | None = None,
        watch: Callable[[Training], object] | None = None,
    ) -> Training:
        """Run the posts' loop: train, monitor, save the best, continue?, adjust.

        Adjusting comes last there, so epoch 1 trains with what the rule began with and epoch n
        with what n - 1 finished epochs give, which is this room's own convention.
        """
        datasets = {"train": dataset}
        if self.monitoring_dataset is not None:
            datasets["valid"] = self.monitoring_dataset
        measured = "valid" if self.monitoring_dataset is not None else "train"

        def channel(name: str) -> str:
            # "<last layer>_misclass" of the monitoring data set.
            return name.replace(f"{model.names[-1]}_", f"{measured}_", 1)

        stop = self.termination_criterion
        if isinstance(stop, Patience):
            stop = replace(stop, channel=channel(stop.channel))
        plan = Plan(sgd=self._descent(extensions), stop=stop, engine=engine)
        for extension in extensions:
            if isinstance(extension, MonitorBasedSaveBest):
                plan = replace(plan, best=channel(extension.channel_name))
        return train(model, datasets, plan, seed=randomness or Pylearn2Seeds(), watch=watch)

    def _descent(self, extensions: tuple[object, ...]) -> Descent:
        rule = self.learning_rule or Momentum(0.0)
        descent = Descent(
            learning_rate=self.learning_rate,
            momentum=rule.init_momentum,
            nesterov=rule.nesterov_momentum,
            batch_size=self.batch_size,
        )
        for each in extensions:
            if isinstance(each, MomentumAdjustor):
                ramp = Ramp(rule.init_momentum, each.final_momentum, each.start, each.saturate)
                descent = replace(descent, momentum=ramp)
            elif isinstance(each, LinearDecayOverEpoch):
                decay = LinearDecay(
                    self.learning_rate, each.decay_factor, each.start, each.saturate
                )
                descent = replace(descent, learning_rate=decay)
        return descent
