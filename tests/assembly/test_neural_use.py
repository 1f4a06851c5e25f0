"""A network that learns from what landed: the use ``neural`` of a pipeline file."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from penstock.assembly.neural_use import NeuralTraining, neural_section
from penstock.assembly.room_sections import NeuralUse
from penstock.errors import InputError
from penstock.events import Event, Events, LeftOut, Notice
from penstock.neural import label, load_model
from penstock.pipeline import Landing
from penstock.store import LocalStore


def people(count: int) -> list[dict[str, object]]:
    """Records with a nested number, a category, a list, a gap, and what is learned from them."""
    rng = random.Random(5)
    rows: list[dict[str, object]] = []
    for number in range(count):
        colour, size = rng.choice(["red", "blue"]), rng.random() * 10
        kind = "yes" if (colour == "red") == (size > 5) else "no"
        about = {"colour": colour, "size": None if number % 20 == 7 else size, "new": size > 5}
        rows.append({"about": about, "tags": ["a"], "kind": kind, "id": f"R{number}"})
    return rows


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    with LocalStore(tmp_path / "store") as made:
        land(made, dict(enumerate(people(120))))
        yield made


def land(store: LocalStore, records: Mapping[int | str, object]) -> None:
    store.settle([Landing(key, json.dumps(x).encode()) for key, x in records.items()], durable=str)
    store.flush()


def heard() -> tuple[Events, list[Event]]:
    events, seen = Events(), list[Event]()
    events.subscribe(seen.append)
    return events, seen


def section(**keys: object) -> NeuralUse:
    given = {
        "kind": "neural",
        "path": "net.safetensors",
        "label": "kind",
        "drop": ["id"],
        "engine": "numpy",
    }
    return msgspec.convert(given | keys, NeuralUse)


def test_what_landed_is_learned_and_labels_the_next_records(
    store: LocalStore, tmp_path: Path
) -> None:
    used = NeuralTraining(section(hidden=[8]), tmp_path, Events()).finish(store)
    assert (used.taken, used.left_out) == (120, 0)
    for said in ("120 records", "held-out rows right", "tags holds lists and is left away",
                 "about.colour: 2 categories", "about.size: 6 missing values"):  # fmt: skip
        assert said in used.text
    model = load_model(tmp_path / "net.safetensors")
    answers = label(people(120), model, field="guess")
    assert sum(row["guess"] == row["kind"] for row in answers) > 100
    first = (tmp_path / "net.safetensors").read_bytes()
    NeuralTraining(section(hidden=[8]), tmp_path, Events()).finish(store)
    assert (tmp_path / "net.safetensors").read_bytes() == first


def test_a_configuration_of_the_command_line_is_the_same_training(
    store: LocalStore, tmp_path: Path
) -> None:
    (tmp_path / "net.toml").write_text(
        '[neural]\ndata = "x.csv"\nlabel = "kind"\nhidden = "8"\ndrop = "id, tags"\n'
        'engine = "numpy"\nlearning-rate = 0.02\nepochs = 40\nout = "x"\n'
    )
    told = section(config="net.toml", label="", drop=[])
    found = neural_section(told, tmp_path)
    assert (found.hidden, found.drop, found.learning_rate) == ((8,), ("id", "tags"), 0.02)
    used = NeuralTraining(told, tmp_path, Events()).finish(store)
    again = section(hidden=[8], drop=["id", "tags"], learning_rate=0.02, epochs=40, path="b")
    NeuralTraining(again, tmp_path, Events()).finish(store)
    assert (tmp_path / "b").read_bytes() == (tmp_path / "net.safetensors").read_bytes()
    assert used.taken == 120
    judged = NeuralTraining(section(epochs=40, seeds=3), tmp_path, Events()).finish(store)
    assert "3 runs" in judged.text


def test_a_record_without_the_label_is_left_out_and_counted(
    store: LocalStore, tmp_path: Path
) -> None:
    land(store, {500: {"about": {"colour": "red"}, "kind": None, "id": "x"}, 501: [1]})
    events, seen = heard()
    used = NeuralTraining(section(epochs=40), tmp_path, events).finish(store)
    assert (used.taken, used.left_out) == (120, 2)
    land(store, {600 + k: {"a.b": k, "x": {"a": k % 2}} for k in range(40)})
    flat = section(label="a.b", regress=True, epochs=40, drop=[])
    assert NeuralTraining(flat, tmp_path, Events()).finish(store).left_out == 122
    assert [x.key for x in seen if isinstance(x, LeftOut)] == [500, 501]


def test_a_network_that_learned_nothing_is_not_kept(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "net.safetensors").write_bytes(b"the one before")
    events, seen = heard()
    bad = section(features=["about.size"], regress=True, label="n", drop=[], learning_rate=10.0)
    land(store, {1000 + k: {"about": {"size": k}, "n": 3 * k} for k in range(120)})
    used = NeuralTraining(bad, tmp_path, events).finish(store)
    assert "nothing learned" in used.text
    assert [x.doubtful for x in seen if isinstance(x, Notice)] == [True]
    assert (tmp_path / "net.safetensors").read_bytes() == b"the one before"


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"label": ""}, "label says which member"),
        ({"config": "none.toml"}, "none.toml"),
        ({"config": "bad.toml"}, "speed"),
        ({"config": "not.toml"}, "neural"),
        ({"features": ["about.height"]}, "no column 'about.height'"),
        ({"drop": []}, "'id' has 120 different texts"),
        ({"label": "kinds"}, "none to learn from"),
        ({"label": "about.size", "drop": ["id", "kind"]}, "different numbers"),
    ],
)
def test_what_cannot_be_learned_is_one_line(
    store: LocalStore, tmp_path: Path, keys: dict[str, object], says: str
) -> None:
    (tmp_path / "bad.toml").write_text('[neural]\nlabel = "kind"\nspeed = 1\n')
    (tmp_path / "not.toml").write_text("[other]\n")
    with pytest.raises(InputError, match=says) as caught:
        NeuralTraining(section(**keys), tmp_path, Events()).finish(store)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "net.safetensors").exists()
