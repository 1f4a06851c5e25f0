"""The parts of the benchmark; run.py calls this inside the peers' environment."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from peers import (
    Watch,
    joblib_epochs,
    keras_epochs,
    sklearn_epochs,
    skorch_epochs,
    torch_counts,
    torch_epochs,
    vmap_epochs,
)

from penstock.neural import (
    SGD,
    Epochs,
    Examples,
    LinearDecay,
    Network,
    Patience,
    Plan,
    Pylearn2Seeds,
    Ramp,
    ReLU,
    Scaler,
    Seeded,
    Sigmoid,
    Softmax,
    Tanh,
    TrainingRun,
    chronological_split,
    classify,
    cross_validate,
    fit_many,
    read_pima,
    study,
    train,
)

POST = Network(8, (Sigmoid(20, 0.05, 1.0), Softmax(2, 0.05)))
DESCENT = SGD(learning_rate=LinearDecay(0.05, 0.1, 1, 50), momentum=Ramp(0.5, 0.99, 1, 50))
PLAN = Plan(sgd=DESCENT, stop=Patience("valid_misclass", 50), best="valid_misclass")
FAST = replace(PLAN, engine="jax", precision="single")


def datasets(path: Path) -> dict[str, Examples]:
    features, labels = read_pima(path)
    examples, _ = classify(Scaler.fit(features)(features), labels)
    learned, rest = chronological_split(examples, 0.7)
    valid, test = chronological_split(rest, 0.7)
    return {"train": learned, "valid": valid, "test": test}


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


Rates = tuple[float, float]
"""Epochs a second by the wall's clock, and by the processor's, which other work disturbs less."""


def rate(call: Callable[[], Rates], rounds: int = 3) -> Rates:
    """Return the best of some rounds."""
    found = [call() for _ in range(rounds)]
    return max(wall for wall, _ in found), max(processor for _, processor in found)


def ours(data: dict[str, Examples], plan: Plan) -> Rates:
    learned = {name: data[name] for name in ("train", "valid")}
    with Watch() as watch:
        done = train(POST, learned, plan, seed=Pylearn2Seeds())
    return watch.rates(done.epoch)


def engines(path: Path) -> None:
    data = datasets(path)
    print("\nthe Pima post: epochs a second, with validation each epoch")
    first = seconds(lambda: ours(data, FAST))
    forms = [(e, p) for e in ("numpy", "jax") for p in ("double", "single")]
    found = {f"penstock {e} {p}": rate(partial(ours, data, replace(PLAN, engine=e, precision=p)))
             for e, p in forms}  # fmt: skip
    found["scikit-learn"] = rate(lambda: sklearn_epochs(data))
    found["torch eager"] = rate(lambda: torch_epochs(data))
    found["skorch"] = rate(lambda: skorch_epochs(data), 2)
    found["Keras (torch)"] = rate(lambda: keras_epochs(data), 2)
    # Again after the peers, so that a machine that changes its mind shows.
    again = rate(lambda: ours(data, FAST))
    found["penstock jax single, again"] = again
    base, eager = found["scikit-learn"], found["torch eager"]
    print(f"{'':28} by wall: epochs/s, x scikit-learn, x torch; the same by processor time")
    for name, speeds in found.items():
        columns = (f"{a:8.1f} {a / b:7.2f} {a / c:7.1f}" for a, b, c in zip(speeds, base, eager))
        print(f"{name:28}", "   ".join(columns))
    print(f"first result with compilation: {first:.2f} s")


def exact(path: Path) -> None:
    data = datasets(path)
    print("\nthe Pima post: train, valid, test right; best epoch, stopped after")
    for engine in ("numpy", "jax"):
        for precision in ("double", "single"):
            plan = replace(PLAN, engine=engine, precision=precision, monitor=("valid",))
            done = train(POST, data, plan, seed=Pylearn2Seeds())
            right = [
                int((done.model.outputs(x.features).argmax(1) == x.targets.argmax(1)).sum())
                for x in data.values()
            ]
            print(f"penstock {engine} {precision:7}", right, done.best_epoch, done.epoch)
    for precision in ("double", "single"):
        print(f"torch.optim.SGD {precision:7}", *torch_counts(data, precision))


def many(path: Path) -> None:
    data = datasets(path)
    learned = {name: data[name] for name in ("train", "valid")}

    def lanes(count: int) -> Rates:
        with Watch() as watch:
            done = fit_many(POST, learned, FAST, runs=count)
        return watch.rates(float(done.epochs.sum()))

    print("\nmany models: model-epochs a second by wall, and a second of processor time")
    first = seconds(lambda: lanes(256))
    slow = joblib_epochs(data, fits=8, epochs=40)
    speed = rate(lambda: lanes(256), 2)
    naive = vmap_epochs(data, models=256)
    print(f"penstock fit_many(256)   {speed[0]:8.0f} {speed[1]:8.0f}  (first call {first:.2f} s)")
    for name, peer in (("scikit-learn with joblib", slow), ("jax.vmap of the fit", naive)):
        ratios = f"penstock is {speed[0] / peer[0]:.1f} x and {speed[1] / peer[1]:.1f} x"
        print(f"{name:24} {peer[0]:8.0f} {peer[1]:8.0f}  {ratios}")


def xor(_: Path) -> None:
    corners, answers = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    bits = np.random.default_rng(0).integers(0, 2, (100, 1000, 2)).astype(float)

    def chances(model: object) -> np.ndarray:
        return model.outputs(corners)[np.arange(4), answers]

    def sets(count: int) -> tuple[Examples, list[TrainingRun]]:
        rows = bits[:count].reshape(-1, 2)
        runs = [
            TrainingRun(seed=n, rows=np.arange(n * 1000, n * 1000 + 1000)) for n in range(count)
        ]
        return classify(rows, rows.sum(axis=1) % 2)[0], runs

    print("\nXOR, 1,000 random rows, each seed with rows of its own")
    rows, runs = sets(100)
    runs = [replace(run, held=run.rows) for run in runs]
    plan = Plan(sgd=SGD(learning_rate=0.01), stop=Epochs(60), engine="jax", precision="single")
    done = fit_many(
        Network(2, (ReLU(100), Softmax(2))), {"train": rows}, plan, runs=runs, scale=True
    )
    worst = np.array([chances(done.model(n)).min() for n in range(100)])
    print(f"our defaults, 60 epochs: {(worst > 0.99).sum()}/100 seeds within 0.01")
    post = Network(2, (Sigmoid(2, 0.1, 1.0), Softmax(2, 0.1)))
    plan = replace(plan, sgd=SGD(learning_rate=0.05, momentum=0.0), stop=Epochs(400))
    sixteen = [replace(runs[n // 16], seed=n) for n in range(1600)]
    done = fit_many(post, {"train": rows}, plan, runs=sixteen)
    right = np.array([(chances(done.model(n)) > 0.5).all() for n in range(1600)])
    groups = done.values.reshape(100, 16).argmin(axis=1) + 16 * np.arange(100)
    print(f"the post's own: {right.mean():.1%} of 1,600 runs right; "
          f"best of 16 restarts right for {right[groups].sum()}/100 data sets")  # fmt: skip


def studies(path: Path) -> None:
    features, labels = read_pima(path)
    examples, _ = classify(features, labels)
    print("\na study of the post's configuration: 200 seeds, each with a split of its own")
    start = time.perf_counter()
    found = study(POST, examples, FAST, seeds=200)
    print(found, f"\n{time.perf_counter() - start:.2f} s with compilation")


def ensemble(path: Path) -> None:
    features, labels = read_pima(path)
    examples, _ = classify(features, labels)
    plan = replace(FAST, best="valid_nll", stop=Patience("valid_nll", 50) | Epochs(200))
    print("\n10-fold cross-validation on Pima, 3 repeats; logistic regression has 0.7756")
    for members in (1, 16):
        found = [cross_validate(POST, examples, plan, members=members, seed=n) for n in range(3)]
        accuracy = statistics.mean(x.accuracy.mean for x in found)
        score = statistics.mean(x.brier.mean for x in found)
        error = statistics.mean(x.accuracy.spread for x in found) / 10**0.5
        print(f"{members:2} network(s): accuracy {accuracy:.4f}, one standard error {error:.4f}, "
              f"Brier score {score:.4f}")  # fmt: skip


def imports(_: Path) -> None:
    print("\nimport, median of 5 fresh processes")

    def median(module: str) -> float:
        code = (
            f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
        )
        runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
                for _ in range(5)]  # fmt: skip
        return statistics.median(float(run) for run in runs)

    base = median("numpy")
    for module in ("numpy", "penstock.neural", "jax", "sklearn.neural_network", "torch"):
        took = median(module)
        print(f"{module:24} {took:6.3f} s  {took / base:5.2f} x numpy")


def torch_values(_: Path) -> None:
    """Write the weights that torch.optim.SGD reaches, for the tests to compare with."""
    from peers import torch_descent

    network = Network(2, (Tanh(3), Softmax(2)))
    random = np.random.default_rng(11)
    features = random.normal(size=(21, 2)).round(3)
    labels = random.integers(0, 2, 21)
    start = Seeded(5)
    first = start.weights(network)
    orders = [start.order(21) for _ in range(60)]
    decay = LinearDecay(0.1, 0.1, 1, 50)
    cases = []
    for nesterov in (False, True):
        for moving in (False, True):
            rates = [decay(n) if moving else 0.05 for n in range(60)]
            reached = torch_descent(network, first, (features, labels), orders, rates, nesterov)
            cases.append({"nesterov": nesterov, "moving": moving, "weights": reached})
    out = Path(__file__).parents[2] / "tests" / "neural" / "torch_values.json"
    facts = {"features": features.tolist(), "labels": labels.tolist(), "cases": cases}
    out.write_text(json.dumps(facts) + "\n")
    print(f"wrote {out}")


def accuracies(_: Path) -> None:
    from tables import accuracy

    accuracy()


PARTS = {
    "tables": accuracies, "exact": exact, "engines": engines, "many": many, "xor": xor,
    "study": studies, "ensemble": ensemble, "imports": imports, "torch": torch_values,
}  # fmt: skip

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    chosen = sys.argv[2:] or [name for name in PARTS if name != "torch"]
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name in chosen:
        PARTS[name](Path(sys.argv[1]))
