"""The same small training in the peers' own ways."""

from __future__ import annotations

import os
import time
from typing import Self

os.environ.setdefault("KERAS_BACKEND", "torch")

import jax
import jax.numpy as jnp
import numpy as np
import torch
from joblib import Parallel, delayed
from sklearn.neural_network import MLPClassifier

from penstock.neural import Examples, LinearDecay, Network, Pylearn2Seeds, Ramp, Sigmoid, Softmax

torch.set_num_threads(1)  # threads only cost at this size


class Watch:
    """Wall and processor seconds of a block."""

    def __enter__(self) -> Self:
        self._start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        wall, processor = self._start
        self.wall, self.processor = time.perf_counter() - wall, time.process_time() - processor

    def rates(self, epochs: float) -> tuple[float, float]:
        """Return epochs a second, by the wall's clock and by the processor's."""
        return epochs / self.wall, epochs / self.processor


POST = Network(8, (Sigmoid(20, 0.05, 1.0), Softmax(2, 0.05)))


def sklearn_epochs(
    data: dict[str, Examples], epochs: int = 60, seed: int = 0
) -> tuple[float, float]:
    rows = data["train"]
    net = MLPClassifier(
        (20,), activation="logistic", solver="sgd", batch_size=10, learning_rate_init=0.05,
        momentum=0.5, max_iter=epochs, tol=0, n_iter_no_change=epochs, random_state=seed,
    )  # fmt: skip
    with Watch() as watch:
        net.fit(rows.features, rows.targets.argmax(axis=1))
    return watch.rates(net.n_iter_)


def joblib_epochs(data: dict[str, Examples], fits: int, epochs: int) -> tuple[float, float]:
    with Parallel(n_jobs=os.cpu_count()) as pool:
        pool(delayed(sklearn_epochs)(data, 2, n) for n in range(2))  # processes are up
        start = time.perf_counter()
        found = pool(delayed(sklearn_epochs)(data, epochs, n) for n in range(fits))
        wall = fits * epochs / (time.perf_counter() - start)
        return wall, sum(rate for _, rate in found) / len(found)


def torch_net(kind: torch.dtype) -> torch.nn.Sequential:
    net = torch.nn.Sequential(torch.nn.Linear(8, 20), torch.nn.Sigmoid(), torch.nn.Linear(20, 2))
    return net.to(kind)


def torch_epochs(data: dict[str, Examples], epochs: int = 12) -> tuple[float, float]:
    x, y = tensors(data["train"], torch.float32)
    valid, answers = tensors(data["valid"], torch.float32)
    net, loss = torch_net(torch.float32), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.5)
    with Watch() as watch:
        for _ in range(epochs):
            for batch in torch.randperm(len(x)).split(10):
                optimizer.zero_grad()
                loss(net(x[batch]), y[batch]).backward()
                optimizer.step()
            with torch.no_grad():
                float((net(valid).argmax(1) != answers).float().mean())
    return watch.rates(epochs)


def torch_counts(data: dict[str, Examples], precision: str) -> tuple[list[int], int, int]:
    """Run the post with torch.optim.SGD from the same first weights and orders."""
    kind = torch.float64 if precision == "double" else torch.float32
    seeds = Pylearn2Seeds()
    net, loss = torch_net(kind), torch.nn.CrossEntropyLoss()
    load(net, POST, seeds.weights(POST))
    x, y = tensors(data["train"], kind)
    valid, answers = tensors(data["valid"], kind)
    rate, momentum = LinearDecay(0.05, 0.1, 1, 50), Ramp(0.5, 0.99, 1, 50)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.5)
    best, best_epoch, epoch, kept = 2.0, 0, 0, {}
    while epoch - best_epoch < 50:
        optimizer.param_groups[0].update(lr=rate(epoch), momentum=momentum(epoch))
        epoch += 1
        for batch in torch.from_numpy(seeds.order(len(x))).split(10):
            optimizer.zero_grad()
            loss(net(x[batch]), y[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            wrong = float((net(valid).argmax(1) != answers).to(kind).mean())
        if wrong < best:
            best, best_epoch = wrong, epoch
            kept = {name: values.clone() for name, values in net.state_dict().items()}
    net.load_state_dict(kept)
    sets = [tensors(rows, kind) for rows in data.values()]
    return [int((net(a).argmax(1) == b).sum()) for a, b in sets], best_epoch, epoch


def torch_descent(network, first, rows, orders, rates, nesterov):
    """Return torch's weights after 1 step and after each tenth epoch, in our flat order."""
    sizes = [(rows_, units) for rows_, units in network.shapes]
    layers = [torch.nn.Linear(*sizes[0]), torch.nn.Tanh(), torch.nn.Linear(*sizes[1])]
    net = torch.nn.Sequential(*layers).double()
    load(net, network, first)
    x, y = torch.tensor(rows[0]), torch.tensor(rows[1])
    loss = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=nesterov)
    reached = []
    for epoch, (order, rate) in enumerate(zip(orders, rates, strict=True)):
        optimizer.param_groups[0]["lr"] = rate
        for number, batch in enumerate(torch.from_numpy(order).split(8)):
            optimizer.zero_grad()
            loss(net(x[batch]), y[batch]).backward()
            optimizer.step()
            if epoch == number == 0:
                reached.append(flat(net))
        if epoch % 10 == 9:
            reached.append(flat(net))
    return reached


def load(net: torch.nn.Sequential, network: Network, weights: np.ndarray) -> None:
    linear = [layer for layer in net if isinstance(layer, torch.nn.Linear)]
    with torch.no_grad():
        for layer, (matrix, biases) in zip(linear, network.split(weights), strict=True):
            layer.weight.copy_(torch.tensor(matrix.T))
            layer.bias.copy_(torch.tensor(biases))


def flat(net: torch.nn.Sequential) -> list[float]:
    linear = [layer for layer in net if isinstance(layer, torch.nn.Linear)]
    parts = [part for layer in linear for part in (layer.weight.T.reshape(-1), layer.bias)]
    return torch.cat(parts).tolist()


def tensors(rows: Examples, kind: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor(rows.features).to(kind), torch.tensor(rows.targets.argmax(axis=1))


def skorch_epochs(data: dict[str, Examples], epochs: int = 6) -> tuple[float, float]:
    from skorch import NeuralNetClassifier
    from skorch.dataset import Dataset
    from skorch.helper import predefined_split

    def arrays(rows: Examples) -> tuple[np.ndarray, np.ndarray]:
        return rows.features.astype(np.float32), rows.targets.argmax(axis=1)

    net = NeuralNetClassifier(
        torch_net(torch.float32), criterion=torch.nn.CrossEntropyLoss, max_epochs=epochs, lr=0.05,
        batch_size=10, optimizer=torch.optim.SGD, optimizer__momentum=0.5, verbose=0,
        iterator_train__shuffle=True, train_split=predefined_split(Dataset(*arrays(data["valid"]))),
    )  # fmt: skip
    with Watch() as watch:
        net.fit(*arrays(data["train"]))
    return watch.rates(epochs)


def keras_epochs(data: dict[str, Examples], epochs: int = 3) -> tuple[float, float]:
    import keras

    net = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(20, "sigmoid"), keras.layers.Dense(2, "softmax")]
    )
    net.compile(keras.optimizers.SGD(0.05, 0.5), "categorical_crossentropy", metrics=["accuracy"])
    rows, valid = data["train"], data["valid"]
    fit = {"batch_size": 10, "verbose": 0, "validation_data": (valid.features, valid.targets)}
    net.fit(rows.features, rows.targets, epochs=1, **fit)
    with Watch() as watch:
        net.fit(rows.features, rows.targets, epochs=epochs, **fit)
    return watch.rates(epochs)


def vmap_epochs(data: dict[str, Examples], models: int, epochs: int = 8) -> tuple[float, float]:
    """Train with jax.vmap over the obvious program for a single model, own shuffles."""
    rows = data["train"]
    x = jnp.asarray(rows.features, jnp.float32)
    y = jnp.asarray(rows.targets, jnp.float32)
    valid = jnp.asarray(data["valid"].features, jnp.float32)
    answers = jnp.asarray(data["valid"].targets.argmax(axis=1))
    full = len(x) // 10

    def outputs(p, a):
        return jax.nn.sigmoid(a @ p[0] + p[1]) @ p[2] + p[3]

    def loss(p, a, t):
        return -(t * jax.nn.log_softmax(outputs(p, a))).sum(axis=1).mean()

    def step(carry, batch):
        p, v = carry
        g = jax.grad(loss)(p, *batch)
        v = jax.tree.map(lambda v, g: 0.5 * v - 0.05 * g, v, g)
        return (jax.tree.map(jnp.add, p, v), v), None

    def epoch(carry, key):
        order = jax.random.permutation(key, len(x))
        batches = order[: full * 10].reshape(full, 10)
        carry, _ = jax.lax.scan(step, carry, (x[batches], y[batches]))
        rest = order[full * 10 :]
        carry, _ = step(carry, (x[rest], y[rest]))
        return carry, (outputs(carry[0], valid).argmax(1) != answers).mean()

    def fit(key):
        shapes = [(8, 20), (20,), (20, 2), (2,)]
        keys = jax.random.split(key, 4)
        p = [jax.random.uniform(k, s, minval=-0.05, maxval=0.05) for k, s in zip(keys, shapes)]
        v = jax.tree.map(jnp.zeros_like, p)
        return jax.lax.scan(epoch, (p, v), jax.random.split(key, epochs))[1]

    program = jax.jit(jax.vmap(fit))
    keys = jax.random.split(jax.random.key(0), models)
    jax.block_until_ready(program(keys))
    with Watch() as watch:
        jax.block_until_ready(program(keys))
    return watch.rates(models * epochs)
