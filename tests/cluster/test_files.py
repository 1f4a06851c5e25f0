"""What pipeline files say of budgets that are shared."""

from pathlib import Path

import pytest

from penstock.assembly import Run, plan, read_any
from penstock.errors import InputError
from penstock.simulator import Simulator, SimulatorSettings

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


def test_two_files_that_name_one_budget_spend_one_limit(tmp_path: Path) -> None:
    shared = 'name = "me"\nshared = "budgets"\nreserve = 10'
    with Simulator(SimulatorSettings(users=20, limit=40, window=1.0)) as simulator:
        for name in ("one", "two"):
            file = read_any(str(written(tmp_path, name, simulator.url, shared)))
            run = Run(file, tmp_path)
            with run.opened() as store:
                assert run.go(store).landed == 20
        (key,) = simulator.truth()["per_key"].values()
    assert key["rejected"] == 0
    assert (key["lowest_remaining"] or 0) >= 10
    assert (tmp_path / "budgets" / "budgets.sqlite").exists()
