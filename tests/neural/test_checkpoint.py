"""Files: whole or not at all, readable by others, refused when broken, and exact after kill -9."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from penstock.errors import InputError
from penstock.neural import (
    SGD,
    BadCheckpoint,
    BadData,
    Epochs,
    Examples,
    Model,
    Network,
    Plan,
    Pylearn2Seeds,
    Ramp,
    Scaler,
    Seeded,
    Softmax,
    Tanh,
    Training,
    train,
)
from penstock.neural.checkpoint import load_model, load_training, save_model, save_training
from penstock.neural.randomness import Randomness

ROOM = Path(__file__).parents[2] / "src/penstock/neural"
NETWORK = Network(2, (Tanh(4, name="first"), Softmax(2)))
PROGRAM = """
import os, signal, sys
from pathlib import Path
import numpy as np
from penstock.neural import *
from penstock.neural.checkpoint import load_training, save_training

path, end = Path(sys.argv[1]), int(sys.argv[2])
random = np.random.default_rng(0)
rows = Examples(random.normal(size=(50, 2)), np.eye(2)[random.integers(0, 2, 50)])
held = Examples(random.normal(size=(20, 2)), np.eye(2)[random.integers(0, 2, 20)])
plan = Plan(
    sgd=SGD(learning_rate=LinearDecay(0.1, 0.1, 1, 30), momentum=Ramp(0.5, 0.95, 1, 30)),
    stop=Patience("valid_nll", 30) | Epochs(40),
    engine=sys.argv[3],
)

def watch(training):
    save_training(path, training)
    if training.epoch >= end:
        os.kill(os.getpid(), signal.SIGKILL)

network = Network(2, (Tanh(4), Softmax(2)))
resume = load_training(path, network) if path.exists() else None
train(network, {"train": rows, "valid": held}, plan, seed=9, watch=watch, resume=resume)
"""


def run(path: Path, end: int, engine: str) -> int:
    arguments = [sys.executable, "-c", PROGRAM, str(path), str(end), engine]
    return subprocess.run(arguments, check=False).returncode


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "kills"), [("numpy", (3, 11)), ("jax", (16,))])
def test_resuming_after_kill_9_is_exact_to_the_last_bit(
    tmp_path: Path, engine: str, kills: tuple[int, ...]
) -> None:
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    assert run(straight, 1000, engine) == 0
    for end in kills:
        assert run(broken, end, engine) == -signal.SIGKILL
        assert load_training(broken).epoch == end
    assert run(broken, 1000, engine) == 0
    one, two = load_file(straight), load_file(broken)
    assert one.keys() == two.keys()
    for name in one.keys() - {"history.seconds"}:  # the one thing that time decides
        assert one[name].tobytes() == two[name].tobytes(), name
    first, second = load_training(straight), load_training(broken)
    assert (first.epoch, first.best_epoch) == (second.epoch, second.best_epoch)
    assert (first.generator, first.reason) == (second.generator, second.reason)
    assert first.epoch > max(kills)


def some(count: int = 6) -> Training:
    random = np.random.default_rng(0)
    rows = Examples(random.normal(size=(30, 2)), np.eye(2)[random.integers(0, 2, 30)])
    plan = Plan(sgd=SGD(momentum=Ramp(0.5, 0.9, 1, 5)), stop=Epochs(count))
    return train(NETWORK, {"train": rows}, plan)


def test_a_model_comes_back_as_it_was(tmp_path: Path) -> None:
    model = Model(
        network=NETWORK,
        weights=np.random.default_rng(0).normal(size=(3, NETWORK.size)),
        scaler=Scaler(np.array([1.0, 2.0]), np.array([3.0, 4.0])),
        classes=("no", "yes"),
        features=("a", "b"),
        label="c",
    )
    save_model(tmp_path / "m", model)
    back = load_model(tmp_path / "m")
    rows = [[0.5, -3.0], [100.0, 7.0]]
    assert (back.outputs(rows) == model.outputs(rows)).all()
    assert back.predict(rows).tolist() == model.predict(rows).tolist()
    assert (back.network, back.classes, back.features, back.label) == (
        (model.network, model.classes, model.features, model.label)
    )


def test_safetensors_alone_opens_it(tmp_path: Path) -> None:
    done = some()
    save_training(tmp_path / "t", done)
    tensors = load_file(tmp_path / "t")
    first, _ = NETWORK.split(done.best_weights)[0]
    assert (tensors["best.first.W"][0] == first).all()
    assert tensors["velocity.output.b"].shape == (1, 2)
    assert tensors["history.train_nll"].tolist() == done.history["train_nll"]


def test_every_cut_is_refused_with_one_line(tmp_path: Path) -> None:
    path = tmp_path / "t"
    save_training(path, some())
    content = path.read_bytes()
    for length in [*range(0, 400, 7), *range(400, len(content), 97)]:
        path.write_bytes(content[:length])
        with pytest.raises(BadCheckpoint) as caught:
            load_training(path)
        assert "\n" not in str(caught.value)


def forged(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Rewrite the JSON beside the tensors."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    facts = json.loads(header["__metadata__"]["penstock"])
    change(facts)
    header["__metadata__"]["penstock"] = json.dumps(facts)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])


FORGERIES: list[Callable[[dict[str, object]], object]] = [
    lambda facts: facts.pop("network"),
    lambda facts: facts.update(network={"inputs": 3, "layers": [["softmax", 2, None, 0.0, ""]]}),
    lambda facts: facts.update(network={"inputs": 2, "layers": [["sofmax", 2, None, 0.0, ""]]}),
    lambda facts: facts.update(network="x"),
    lambda facts: facts.update(epoch="many"),
    lambda facts: facts.update(format="somebody else's"),
]


@pytest.mark.parametrize("change", FORGERIES)
def test_facts_that_do_not_fit_the_tensors_are_refused(
    tmp_path: Path, change: Callable[[dict[str, object]], object]
) -> None:
    path = tmp_path / "t"
    save_training(path, some())
    forged(path, change)
    with pytest.raises(BadCheckpoint, match=re.escape(str(path))):
        load_training(path)


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t"
    save_training(path, some())
    other = Network(2, (Tanh(5), Softmax(2)))
    with pytest.raises(BadCheckpoint, match="2 -> 4 tanh -> 2 softmax, not of 2 -> 5 tanh"):
        load_training(path, other)
    rows = Examples(np.zeros((2, 2)), np.eye(2))
    with pytest.raises(BadCheckpoint, match="not of 2 -> 5 tanh"):
        train(other, {"train": rows}, resume=load_training(path))


def test_a_model_alone_cannot_be_resumed(tmp_path: Path) -> None:
    save_model(tmp_path / "m", some().model)
    with pytest.raises(BadCheckpoint, match="a model only"):
        load_training(tmp_path / "m")
    with pytest.raises(BadCheckpoint, match="cannot read"):
        load_training(tmp_path / "nothing")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "m"
    model = some().model
    save_model(path, model)
    before = path.read_bytes()
    with pytest.raises(BadData, match="only texts and numbers"):
        save_model(path, replace(model, classes=(object(), "x")))
    with pytest.raises(InputError, match="does not exist"):
        save_model(tmp_path / "no" / "folder", model)
    assert path.read_bytes() == before
    assert [x.name for x in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize("make", [lambda: Seeded(3), Pylearn2Seeds])
def test_a_generators_state_comes_back(make: Callable[[], Randomness]) -> None:
    one, two = make(), make()
    one.order(10)
    two.restore(one.text(one.state()))
    assert (one.order(537) == two.order(537)).all()


def test_nothing_in_the_room_can_run_code_from_a_file() -> None:
    for module in ROOM.glob("*.py"):
        text = module.read_text()
        loaders = r"import (pickle|joblib|dill|marshal)|\beval\(|\bexec\(|torch\.load|allow_pickle"
        assert not re.search(loaders, text), module
