"""What pipeline files say of budgets that are shared."""

import json
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from penstock.assembly import plan, read_any
from penstock.errors import InputError
from penstock.simulator import LimiterKind, SimulatorSettings, simulator_process

FILE = """
store = "{name}"
[source]
kind = "range"
stop = 20
[api]
base = "{base}"
[request]
path = "/users/{{key}}.json"
[budget]
{budget}
"""


def written(folder: Path, name: str, base: str, budget: str) -> Path:
    path = folder / f"{name}.toml"
    path.write_text(FILE.format(name=name, base=base, budget=budget))
    return path


def run(file: Path) -> "subprocess.Popen[str]":
    words = [sys.executable, "-m", "penstock", "run", str(file), "--json", "--quiet"]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ('name = "me"', "budget.name needs budget.shared"),
        ('shared = "budgets"', "budget.shared needs budget.name"),
        ('name = "me"\nshared = "redis://host"', "cannot keep a budget at redis"),
        ('name = ""\nshared = "budgets"', "has a name"),
    ],
)
def test_half_a_shared_budget_is_refused_before_anything_happens(
    tmp_path: Path, budget: str, message: str
) -> None:
    file = read_any(str(written(tmp_path, "users", "http://127.0.0.1:1", budget)))
    with pytest.raises(InputError, match=message):
        plan(file, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["users.toml"]


@pytest.mark.slow
@pytest.mark.parametrize("limiter", ["fixed", "sliding"])
def test_two_files_that_name_one_budget_spend_one_limit(tmp_path: Path, limiter: str) -> None:
    """At the same time, with different reserves, and one of them with a limit of its own."""
    shared = 'name = "me"\nshared = "budgets"\nreserve = {}'
    settings = SimulatorSettings(
        users=40, limit=40, window=1.0, limiter=cast("LimiterKind", limiter)
    )
    with simulator_process(settings) as simulator:
        base = simulator.url
        one = written(tmp_path, "one", base, shared.format(10))
        limits = "\nlimits = [{ count = 40, per = 1 }]"
        two = written(tmp_path, "two", base, shared.format(5) + limits)
        runs = [run(file) for file in (one, two)]
        assert [json.loads(run.communicate()[0])["landed"] for run in runs] == [20, 20]
        (key,) = simulator.truth()["per_key"].values()
    assert key["rejected"] == 0
    assert (key["lowest_remaining"] or 0) >= 5
    assert (tmp_path / "budgets" / "budgets.sqlite").exists()
