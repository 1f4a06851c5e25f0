"""Data larger than memory, and several devices."""

import json
import os
import subprocess
import sys
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.neural import (
    SGD,
    BadData,
    Epochs,
    Examples,
    ExampleStream,
    Network,
    Plan,
    Scaler,
    Softmax,
    Tanh,
    train,
)
from penstock.neural.streams import from_columns, from_records, scaler_of

NETWORK = Network(2, (Tanh(4), Softmax(2)))
PLAN = Plan(sgd=SGD(batch_size=16, learning_rate=0.1), stop=Epochs(6))


def circle(rows: int = 700) -> Examples:
    features = np.random.default_rng(0).normal(size=(rows, 2))
    return Examples(features, np.eye(2)[((features**2).sum(axis=1) < 1.4).astype(int)])


def pieces(whole: Examples, size: int) -> Iterator[Examples]:
    for at in range(0, len(whole), size):
        yield whole.rows(np.arange(at, min(at + size, len(whole))))


@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_a_stream_of_one_chunk_is_the_data_set_itself(engine: Literal["numpy", "jax"]) -> None:
    whole, plan = circle(), replace(PLAN, engine=engine)
    held = {"valid": circle(50)}
    stream = ExampleStream(lambda: pieces(whole, 33), chunk=700)
    one = train(NETWORK, {"train": whole, **held}, plan, seed=2)
    two = train(NETWORK, {"train": stream, **held}, plan, seed=2)
    assert two.weights == pytest.approx(one.weights, abs=1e-12)
    assert two.history["valid_nll"] == pytest.approx(one.history["valid_nll"], abs=1e-12)
    assert two.history["gradient_norm"] == pytest.approx(one.history["gradient_norm"], abs=1e-12)


def test_a_stream_in_chunks_learns() -> None:
    stream = ExampleStream(lambda: pieces(circle(), 40), chunk=128)
    done = train(NETWORK, {"train": stream, "valid": circle()}, replace(PLAN, stop=Epochs(60)))
    assert done.history["valid_misclass"][done.best_epoch - 1] < 0.1


def test_only_a_chunk_or_two_are_ever_held() -> None:
    alive, most = 0, 0

    def gone() -> None:
        nonlocal alive
        alive -= 1

    def counted() -> Iterator[Examples]:
        nonlocal alive, most
        for number in range(200):
            piece = circle(64).features + number
            weakref.finalize(piece, gone)
            alive += 1
            most = max(most, alive)
            yield Examples(piece, np.tile([1.0, 0.0], (64, 1)))
            del piece

    plan = replace(PLAN, stop=Epochs(1))
    train(NETWORK, {"train": ExampleStream(counted, chunk=64), "valid": circle(10)}, plan)
    assert alive == 0
    assert most <= 3


def test_parquet_and_records_train_as_arrays_do(tmp_path: Path) -> None:
    whole = circle()
    kinds = np.array(["out", "in"])[whole.targets.argmax(axis=1)]
    table = pa.table({"x": whole.features[:, 0], "y": whole.features[:, 1], "kind": kinds})
    pq.write_table(table, tmp_path / "t.parquet")

    def parquet() -> Iterator[Examples]:
        with pq.ParquetFile(tmp_path / "t.parquet") as file:
            yield from from_columns(
                file.iter_batches(batch_size=100), ["x", "y"], "kind", ["out", "in"]
            )

    def records() -> Iterator[Examples]:
        return from_records(table.to_pylist(), ["x", "y"], "kind", ["out", "in"])

    held = {"valid": circle(50)}
    wanted = train(NETWORK, {"train": whole, **held}, PLAN).weights
    for read in (parquet, records):
        found = train(NETWORK, {"train": ExampleStream(read, chunk=700), **held}, PLAN).weights
        assert (found == wanted).all()


def test_a_streams_scaler_is_that_of_its_rows() -> None:
    whole = circle()
    stream = ExampleStream(lambda: pieces(whole, 40), chunk=128)
    found, wanted = scaler_of(stream), Scaler.fit(whole.features)
    assert found.mean == pytest.approx(wanted.mean)
    assert found.deviation == pytest.approx(wanted.deviation)
    scaled = np.concatenate([part.features for part in stream.scaled(found).chunks()])
    assert scaled == pytest.approx(wanted(whole.features))


def test_streams_that_cannot_be_used_say_why() -> None:
    good = {"valid": circle(10)}
    with pytest.raises(BadData, match="empty"):
        train(NETWORK, {"train": ExampleStream(list), **good}, PLAN)
    with pytest.raises(BadData, match="only 'train' can be a stream"):
        train(NETWORK, {"train": circle(), "valid": ExampleStream(lambda: [circle()])}, PLAN)
    with pytest.raises(BadData, match="cannot monitor 'train'"):
        train(NETWORK, {"train": ExampleStream(lambda: [circle()])}, PLAN)
    wide = Examples(np.zeros((3, 5)), np.eye(2)[[0, 1, 0]])
    with pytest.raises(BadData, match="5 features, the network 2"):
        train(NETWORK, {"train": ExampleStream(lambda: [wide]), **good}, PLAN)
    with pytest.raises(BadData, match="record 1 has no 'x'"):
        list(from_records([{"x": 1, "k": 0}, {"k": 1}], ["x"], "k", [0, 1]))
    with pytest.raises(BadData, match="none of the classes"):
        list(from_records([{"x": 1, "k": 2}], ["x"], "k", [0, 1]))


DEVICES = """
import json
from dataclasses import replace
import jax, numpy as np
from penstock.neural import *

random = np.random.default_rng(0)
features = random.normal(size=(128, 3))
data = {"train": Examples(features, np.eye(2)[(features[:, 0] > 0).astype(int)])}
network = Network(3, (Tanh(8), Softmax(2)))
plan = Plan(sgd=SGD(batch_size=32), stop=Epochs(5), engine="jax")
many = fit_many(network, data, plan, runs=70)
single = fit_many(network, data, replace(plan, engine="numpy"), runs=[TrainingRun(seed=69)])
print(json.dumps({
    "devices": len(jax.devices()),
    "lanes_apart": float(abs(many.weights[69] - single.weights[0]).max()),
}))
"""


@pytest.mark.slow
def test_runs_dealt_out_to_four_devices_are_what_they_are_alone() -> None:
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    done = subprocess.run(
        [sys.executable, "-c", DEVICES],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["devices"] == 4
    assert found["lanes_apart"] < 1e-10


def test_one_network_on_several_devices_is_refused_in_one_line() -> None:
    with pytest.raises(BadData, match="fit_many deals"):
        Plan(devices=4)


IMPORT = """
import sys
import penstock.neural
heavy = {"jax", "sklearn", "scipy", "onnx", "safetensors", "rich", "pandas", "torch"}
print(*sorted(heavy & set(sys.modules)))
"""


def test_importing_the_room_imports_numpy_and_nothing_heavier() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None  # as if it were not installed
import numpy as np
from pathlib import Path
from penstock.errors import MissingExtra
from penstock.neural import *
from penstock.neural.checkpoint import save_model
from penstock.neural.export import save_onnx

rows = Examples(np.zeros((4, 1)), np.eye(2)[[0, 1, 0, 1]])
network = Network(1, (Softmax(2),))
done = train(network, {"train": rows}, Plan(stop=Epochs(1)))
tries = {
    "jax": lambda: train(network, {"train": rows}, Plan(stop=Epochs(1), engine="jax")),
    "safetensors": lambda: save_model(Path("never"), done.model),
    "onnx": lambda: save_onnx(Path("never"), done.model),
}
try:
    tries[sys.argv[1]]()
except MissingExtra as error:
    print(error)
print(len(fit_many(network, {"train": rows}, Plan(stop=Epochs(1)), runs=2)))
"""


@pytest.mark.parametrize(
    ("library", "extra"), [("jax", "jax"), ("safetensors", "neural"), ("onnx", "onnx")]
)
def test_a_missing_library_is_named_with_its_extra(library: str, extra: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, library], capture_output=True, text=True, check=True
    )
    first, last = done.stdout.splitlines()
    assert first.endswith(f"needs {library}: pip install 'penstock-data[{extra}]'")
    assert last == "2"
