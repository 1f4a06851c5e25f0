"""Schedules, criteria and the keeping of the best, each against its formula."""

import math

import numpy as np
import pytest

from penstock.clock import FakeClock
from penstock.neural import (
    SGD,
    BadData,
    Cosine,
    Epochs,
    Examples,
    Exponential,
    Linear,
    LinearDecay,
    Network,
    NotFinite,
    Patience,
    Plan,
    Ramp,
    ReduceOnPlateau,
    Seconds,
    Softmax,
    Tanh,
    Target,
    Training,
    UnknownChannel,
    WarmUp,
    train,
)
from penstock.neural.stopping import Criterion


def told(criterion: Criterion, **channels: list[float]) -> int | None:
    """Return after which row the criterion stops."""
    watch = criterion.watch()
    for number in range(len(next(iter(channels.values())))):
        stop, _ = watch({name: np.array([values[number]]) for name, values in channels.items()})
        if stop[0]:
            return number + 1
    return None


def test_the_ramp_divides_by_saturate_minus_start() -> None:
    ramp = Ramp(0.5, 0.99, start=1, saturate=50)
    assert [ramp(n) for n in (0, 1, 2, 25, 50, 51)] == pytest.approx(
        [0.5, 0.5, 0.5 + 0.49 / 49, 0.5 + 0.49 * 24 / 49, 0.99, 0.99]
    )


def test_the_decay_divides_by_one_more_and_steps_at_start() -> None:
    decay = LinearDecay(0.05, 0.1, start=1, saturate=50)
    assert [decay(n) for n in (0, 1, 2, 49, 50, 51)] == pytest.approx(
        [0.05, 0.05 - 0.0009, 0.05 - 0.0018, 0.05 - 49 * 0.0009, 0.005, 0.005]
    )


def test_the_posts_two_schedules_pull_apart() -> None:
    # lr / (1 - m) is the size of a settled step: the "decreasing" schedule ends five times larger.
    rate, momentum = LinearDecay(0.05, 0.1, 1, 50), Ramp(0.5, 0.99, 1, 50)
    steps = [rate(n) / (1 - momentum(n)) for n in (0, 24, 48, 50)]
    assert steps == pytest.approx([0.10, 0.105, 0.227, 0.50], rel=0.03)


def test_a_ramp_of_no_length_is_a_step() -> None:
    assert [Ramp(0.1, 0.9, 3, 3)(n) for n in (2, 3, 4)] == [0.1, 0.9, 0.9]


def test_the_other_schedules_are_their_formulas() -> None:
    assert Exponential(0.1, 0.5, final=0.02)(2) == pytest.approx(0.025)
    assert Exponential(0.1, 0.5, final=0.02)(3) == 0.02
    assert Cosine(0.1, 0.01, 10)(3) == pytest.approx(
        0.01 + 0.09 * (1 + math.cos(0.3 * math.pi)) / 2
    )
    assert [WarmUp(Ramp(1.0, 0.0, 0, 10), 2)(n) for n in (0, 1, 2)] == pytest.approx(
        [0.5, 0.9, 0.8]
    )


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Ramp(0.5, 0.9, 5, 4),
        lambda: LinearDecay(0.5, 0.9, 5, 4),
        lambda: SGD(learning_rate=0),
        lambda: SGD(momentum=1.0),
        lambda: SGD(batch_size=0),
        lambda: SGD(decay=-1),
        lambda: Epochs(0),
        lambda: Patience("x", 0),
        lambda: Network(2, (Softmax(2), Linear(1))),
        lambda: Network(2, (Tanh(2),)),
        lambda: Network(2, ()),
        lambda: Tanh(0),
        lambda: Tanh(3, spread=math.nan),
    ],
)
def test_nonsense_is_refused_where_it_is_written(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(BadData):
        wrong()


def test_patience_counts_from_the_last_improvement() -> None:
    assert told(Patience("c", 3), c=[5, 4, 4, 4, 3, 3, 3, 3, 3]) == 8


def test_patience_needs_the_proportion_but_raises_the_bar_all_the_same() -> None:
    # Each value lies 5 % under the one before: the bar moves, 10 % is never reached.
    creeping = [1.0 * 0.95**n for n in range(10)]
    assert told(Patience("c", 4, proportion=0.1), c=creeping) == 5
    assert told(Patience("c", 4, proportion=0.04), c=creeping) is None


def test_patience_is_strict() -> None:
    assert told(Patience("c", 1), c=[1.0, 1.0]) == 2


def test_patience_is_right_for_negative_and_for_rising_channels() -> None:
    assert told(Patience("c", 2, proportion=0.1), c=[-1.0, -1.05, -1.05, -1.0]) == 3
    assert told(Patience("c", 2, proportion=0.1), c=[-1.0, -1.2, -1.4, -1.6]) is None
    assert told(Patience("c", 2, goal="max"), c=[0.1, 0.2, 0.3, 0.3, 0.2]) == 5


def test_patience_takes_nan_for_no_improvement() -> None:
    assert told(Patience("c", 2), c=[1.0, math.nan, math.nan]) == 3


def test_targets_time_and_nan_stop() -> None:
    assert told(Target("c", 0.5), c=[0.9, 0.6, 0.5]) == 3
    assert told(Target("c", 0.5, goal="max"), c=[0.1, 0.4, 0.7]) == 3
    assert told(Seconds(10), seconds=[4.0, 9.9, 10.0]) == 3
    assert told(NotFinite(), c=[1.0, math.inf]) == 2


def test_criteria_combine() -> None:
    either, both = Target("c", 0.5) | Epochs(2), Target("c", 0.5) & Epochs(2)
    assert told(either, c=[0.9, 0.9, 0.4], epoch=[1, 2, 3]) == 2
    assert told(both, c=[0.4, 0.9, 0.4], epoch=[1, 2, 3]) == 3


def test_lanes_are_judged_apart() -> None:
    watch = (Patience("c", 2) | Target("c", 0.1)).watch()
    rows = [[1.0, 1.0, 0.5], [1.0, 0.9, 0.05], [1.0, 0.8, 0.5]]
    stops = [watch({"c": np.array(row)})[0].tolist() for row in rows]
    assert stops == [[False, False, False], [False, False, True], [True, False, False]]


def noisy(plan: Plan, **more: Examples) -> Training:
    random = np.random.default_rng(1)
    features = random.normal(size=(40, 3))
    data = Examples(features, np.eye(2)[random.integers(0, 2, 40)])
    held = Examples(random.normal(size=(20, 3)), np.eye(2)[random.integers(0, 2, 20)])
    datasets = {"train": data, "valid": held, **more}
    return train(Network(3, (Tanh(8), Softmax(2))), datasets, plan, seed=1)


def test_the_best_weights_are_kept_whatever_ended_the_training() -> None:
    done = noisy(Plan(stop=Epochs(60)))
    valid = done.history["valid_nll"]
    assert done.best_epoch == int(np.argmin(valid)) + 1 < 60
    assert (done.best_weights != done.weights).any()
    again = noisy(Plan(stop=Epochs(done.best_epoch)))
    assert (again.weights == done.best_weights).all()


def test_of_equal_epochs_the_first_is_kept() -> None:
    done = noisy(Plan(stop=Epochs(60), best="valid_misclass"))
    assert done.best_epoch == int(np.argmin(done.history["valid_misclass"])) + 1


def test_every_named_data_set_has_its_channels() -> None:
    other = Examples(np.zeros((2, 3)), np.eye(2))
    done = noisy(Plan(stop=Epochs(2)), holiday=other)
    assert {"holiday_nll", "holiday_misclass", "valid_nll", "gradient_norm"} <= done.history.keys()
    assert "train_nll" not in done.history
    assert done.history["epoch"] == [1, 2]
    assert done.history["momentum"] == [0.9, 0.9]


@pytest.mark.parametrize("where", ["stop", "best"])
def test_a_channel_that_does_not_exist_names_the_nearest(where: str) -> None:
    plan = Plan(stop=Patience("valid_misclas")) if where == "stop" else Plan(best="valid_misclas")
    with pytest.raises(UnknownChannel, match="did you mean 'valid_misclass'"):
        noisy(plan)


def test_a_loss_that_becomes_nan_stops_and_keeps_the_best() -> None:
    random = np.random.default_rng(0)
    data = Examples(random.normal(size=(30, 2)) * 1e4, random.normal(size=(30, 1)))
    plan = Plan(sgd=SGD(learning_rate=0.1), stop=Epochs(500))
    done = train(Network(2, (Linear(1),)), {"train": data}, plan)
    assert "is not finite" in done.reason
    assert done.epoch < 500
    assert np.isfinite(done.best_weights).all()


def test_time_is_read_from_the_clock_that_is_given() -> None:
    clock = FakeClock()
    plan = Plan(stop=Seconds(30), clock=clock)
    random = np.random.default_rng(0)
    data = Examples(random.normal(size=(10, 2)), np.eye(2)[random.integers(0, 2, 10)])
    network = Network(2, (Softmax(2),))
    done = train(network, {"train": data}, plan, watch=lambda _: clock.advance(10))
    assert done.history["seconds"] == [0, 10, 20, 30]
    assert done.reason == "30 seconds are over"


def test_ctrl_c_ends_a_training_with_its_best_weights() -> None:
    def interrupt(training: Training) -> None:
        if not training.reason and training.epoch == 3:
            raise KeyboardInterrupt

    random = np.random.default_rng(0)
    data = Examples(random.normal(size=(10, 2)), np.eye(2)[random.integers(0, 2, 10)])
    done = train(Network(2, (Softmax(2),)), {"train": data}, watch=interrupt)
    assert (done.reason, done.epoch, done.best_epoch) == ("interrupted", 3, 3)


@pytest.mark.parametrize("factor", [0.0, 1.0, -0.5, 1.5])
def test_a_plateau_lowers_the_rate_by_a_factor_between_0_and_1(factor: float) -> None:
    with pytest.raises(BadData, match="a factor between 0 and 1"):
        ReduceOnPlateau(0.1, factor=factor)


def test_first_weights_may_all_be_zero() -> None:
    assert Tanh(3, spread=0.0).limit(10) == 0.0
    with pytest.raises(BadData, match="spread=inf"):
        Tanh(3, spread=math.inf)


def test_hidden_layers_are_counted_from_the_second_on() -> None:
    network = Network(4, (Tanh(3), Tanh(3), Tanh(3), Softmax(2)))
    assert network.names == ("hidden", "hidden2", "hidden3", "output")
