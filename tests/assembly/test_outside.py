"""A stranger adds one kind of every slot, from a package or beside the file, without a patch.

The additions that newcomers tried, and what shows each of them here: a dialect of rate limits, a
style of pages, a lock, a store, a preset and a framing, a shared budget, calls on an executor, a
use (and a stage), and what a dashboard needs. A scheduler is shown in tests/cluster/test_launchers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jsonschema
import pytest

from penstock.assembly import SLOTS, Run, read_file
from penstock.events import Event, Landed
from penstock.simulator import Simulator, SimulatorSettings

PACKAGE = Path(__file__).with_name("outside")
PENSTOCK = [sys.executable, "-m", "penstock.cli.main"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built and installed into a folder of its own: nothing is fetched."""
    folder = tmp_path_factory.mktemp("site")
    words = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words, "--target", str(folder), str(PACKAGE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def penstock(
    installed: Path | None, *words: object, **env: str
) -> subprocess.CompletedProcess[str]:
    path = {} if installed is None else {"PYTHONPATH": str(installed)}
    return subprocess.run(
        [*PENSTOCK, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **path, **env},
    )


def last(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert done.returncode == 0, done.stderr
    decoded = json.loads(done.stdout.strip().splitlines()[-1])
    assert isinstance(decoded, dict)
    return decoded


def test_a_package_adds_source_auth_stage_use_store_and_lock(
    installed: Path, tmp_path: Path
) -> None:
    file = tmp_path / "users.toml"
    with Simulator(SimulatorSettings(users=20, auth="bearer")) as simulator:
        file.write_text(f"""
store = "shelf://{tmp_path}/shelf"
[source]
kind = "evens"
stop = 10
[api]
base = "{simulator.url}"
auth = {{ kind = "door", phrase = "env:PHRASE" }}
[request]
path = "/users/{{key}}.json"
[[stage]]
kind = "stamp"
word = "seen"
[[use]]
kind = "tally"
""")
        env = {"PHRASE": "penstock-token"}
        plan = penstock(installed, "check", file, **env)
        assert "stamp: seen" in plan.stdout, plan.stderr
        told = last(penstock(installed, "run", file, "--json", "--quiet", **env))
    assert (told["landed"], told["failed"]) == (5, 0)
    assert told["uses"] == [{"kind": "tally", "text": "counted", "taken": 5, "left_out": 0}]
    status = last(penstock(installed, "status", f"shelf://{tmp_path}/shelf", "--json"))
    assert status["landed"] == 5
    without = penstock(None, "run", file)
    assert without.returncode == 2
    assert "'evens' is unknown" in without.stderr


def test_a_package_adds_a_style_of_pages(installed: Path, tmp_path: Path) -> None:
    file = tmp_path / "pages.toml"
    with Simulator(SimulatorSettings(users=10)) as simulator:
        file.write_text(f"""
store = "store"
[source]
kind = "pages"
path = "/pages/page?per_page=4"
items = "items"
[source.style]
kind = "hop"
[api]
base = "{simulator.url}"
""")
        told = last(penstock(installed, "run", file, "--json", "--quiet"))
    assert told["landed"] == 10


@pytest.mark.parametrize(
    "preset",
    [
        'preset = "ticker"',
        'framing = "pipes"\nid = "id"',
        """[stream.preset]
service = "mine"
framing = "pipes"
id = ["id"]
resume = { kind = "never" }
signs = [{ kind = "odd", path = "odd" }]""",
    ],
)
def test_a_package_or_the_file_adds_a_framing_and_a_preset(
    installed: Path, tmp_path: Path, preset: str
) -> None:
    file = tmp_path / "stream.toml"
    with Simulator(SimulatorSettings()) as simulator:
        url = f"{simulator.url}/stream/lf;messages=20"
        file.write_text(
            f'store = "store"\n[stream]\nurl = "{url}"\n{preset}\n[lock]\nstore = "shelf://locks"\n'
        )
        done = penstock(installed, "run", file, "--json", "--quiet", "--max-messages", "20")
    assert last(done)["landed"] == 20


BESIDE = """
from dataclasses import dataclass

def odd(stop: int):
    yield from range(1, stop, 2)

@dataclass(frozen=True)
class Times:
    "Multiplies."
    factor: int = 2

    def __call__(self, results):
        return results
"""


def test_a_module_beside_the_file_is_a_kind(tmp_path: Path) -> None:
    (tmp_path / "my_kinds.py").write_text(BESIDE)
    file = tmp_path / "users.toml"
    with Simulator(SimulatorSettings(users=20)) as simulator:
        file.write_text(f"""
store = "store"
[source]
kind = "python"
object = "my_kinds:odd"
stop = 6
[api]
base = "{simulator.url}"
[request]
path = "/users/{{key}}.json"
[[stage]]
kind = "python"
object = "my_kinds:Times"
factor = 3
""")
        told = last(penstock(None, "run", file, "--json", "--quiet"))
    assert told["landed"] == 3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("factor", "factr"), "unknown key 'factr' in [stage]; did you mean 'factor'?"),
        (("factor = 3", 'factor = "3"'), "stage.factor: expected int, got str"),
        (("my_kinds:Times", "my_kinds:Thymes"), "has no attribute 'Thymes'"),
        (("my_kinds:Times", "my_kindz:Times"), "No module named 'my_kindz'"),
        (('object = "my_kinds:Times"\n', ""), 'needs object = "my_module:MyKind"'),
        (("my_kinds:Times", "os:getcwd"), "unknown key 'factor'"),
        (("my_kinds:Times", "json:loads"), "needs a type that a file can hold"),
    ],
)
def test_what_is_wrong_with_a_kind_beside_the_file_is_one_line(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    (tmp_path / "my_kinds.py").write_text(BESIDE)
    file = tmp_path / "users.toml"
    text = """
store = "store"
[source]
kind = "range"
stop = 6
[api]
base = "https://a.example"
[request]
path = "/users/{key}"
[[stage]]
kind = "python"
object = "my_kinds:Times"
factor = 3
"""
    assert change[0] in text
    file.write_text(text.replace(*change))
    done = penstock(None, "check", file)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert says in done.stderr
    assert str(file) in done.stderr
    assert not (tmp_path / "store").exists()


def test_the_schema_knows_the_kinds_of_the_package(installed: Path) -> None:
    schema = json.loads(penstock(installed, "schema").stdout)
    assert "evens" in json.dumps(schema)
    assert schema["$defs"]["StampSection"]["properties"]["word"]["description"] == "The word."
    jsonschema.Draft202012Validator.check_schema(schema)


class Shop(BaseHTTPRequestHandler):
    """Ten calls an hour, and a header of its own that says how many are left."""

    left = 10

    def do_GET(self) -> None:
        type(self).left -= 1
        self.send_response(200 if self.left >= 0 else 429)
        self.send_header("X-Shop-Left", str(max(0, self.left)))
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def shop() -> Iterator[str]:
    Shop.left = 10
    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


OWN_DIALECT = """
from penstock.resilience import Dialect, Quota, Reset

def read(fields):
    if "x-shop-left" in fields:
        yield Quota("shop", remaining=float(fields["x-shop-left"]), reset=Reset(3600.0))

SHOP = Dialect("shop", "x-shop-", read)
"""


@pytest.mark.parametrize("dialect", ["shop", "my_kinds:SHOP"])
def test_a_package_or_a_file_adds_a_dialect_of_rate_limits(
    installed: Path, tmp_path: Path, shop: str, dialect: str
) -> None:
    (tmp_path / "my_kinds.py").write_text(OWN_DIALECT)
    file = tmp_path / "shop.toml"
    file.write_text(f"""
store = "store"
[source]
kind = "range"
stop = 30
[api]
base = "{shop}"
[request]
path = "/{{key}}"
[budget]
reserve = 4
dialects = ["{dialect}"]
[batch]
size = 3
empty = "stop"
""")
    done = penstock(installed, "run", file, "--quiet")
    assert done.returncode == 3, done.stderr
    status = json.loads(penstock(installed, "status", tmp_path / "store", "--json").stdout)
    assert (status["landed"], Shop.left) == (6, 4)


def keys(file: Path, base: str, more: str) -> Path:
    file.write_text(f"""
store = "store"
[source]
kind = "range"
stop = 12
[api]
base = "{base}"
[request]
path = "/users/{{key}}.json"
{more}
""")
    return file


def test_a_package_adds_a_gate(installed: Path, tmp_path: Path) -> None:
    counted = tmp_path / "counted"
    gate = f'[budget.gate]\nkind = "counted"\npath = "{counted}"\nreserve = 2\n'
    with Simulator(SimulatorSettings(users=12)) as simulator:
        file = keys(tmp_path / "users.toml", simulator.url, gate)
        told = last(penstock(installed, "run", file, "--json", "--quiet"))
    assert (told["landed"], counted.read_text()) == (12, "12")


def test_a_package_adds_a_place_of_shared_budgets(installed: Path, tmp_path: Path) -> None:
    budget = '[budget]\nname = "mine"\nshared = "attic://loft"\n'
    with Simulator(SimulatorSettings(users=12)) as simulator:
        file = keys(tmp_path / "users.toml", simulator.url, budget)
        assert last(penstock(installed, "run", file, "--json", "--quiet"))["landed"] == 12


@pytest.mark.parametrize("kind", ["crew", "threads", "processes"])
def test_an_executor_of_a_package_or_ours_makes_the_calls(
    installed: Path, tmp_path: Path, kind: str
) -> None:
    log = tmp_path / "log"
    more = f'[executor]\nkind = "{kind}"\n' + (f'log = "{log}"\n' if kind == "crew" else "")
    with Simulator(SimulatorSettings(users=12)) as simulator:
        file = keys(tmp_path / "users.toml", simulator.url, more)
        assert last(penstock(installed, "run", file, "--json", "--quiet"))["landed"] == 12
    if kind == "crew":
        assert sorted(map(int, log.read_text().split())) == list(range(12))


def test_a_package_adds_a_destination(installed: Path, tmp_path: Path) -> None:
    pile = tmp_path / "pile.json"
    more = f'[[destination]]\nto = "pile://{pile}"\ntable = "users"\n'
    with Simulator(SimulatorSettings(users=12)) as simulator:
        file = keys(tmp_path / "users.toml", simulator.url, more)
        last(penstock(installed, "run", file, "--json", "--quiet"))
    assert len(json.loads(pile.read_text())["users"]["rows"]) == 12


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('[budget]\ndialects = ["shopp"]\n', "rate-limit dialect 'shopp' is not known"),
        ('[budget]\ndialects = ["json:loads"]\n', "json:loads is a function, not a Dialect"),
        (
            '[budget]\nreserve = 3\n[budget.gate]\nkind = "memory"\n',
            "budget.reserve: it belongs into [budget.gate]",
        ),
        ('[budget.gate]\nkind = "memori"\n', "did you mean 'memory'?"),
        ('[executor]\nkind = "process"\n', "did you mean 'processes'?"),
        ('[executor]\nkind = "threads"\nworkers = 0\n', "executor.workers"),
        (
            '[executor]\nkind = "threads"\n[cluster]\nscheduler = "local:2"\n',
            "give one of the two",
        ),
    ],
)
def test_what_is_wrong_with_a_gate_a_dialect_or_an_executor_is_one_line(
    tmp_path: Path, more: str, says: str
) -> None:
    file = keys(tmp_path / "users.toml", "https://a.example", more)
    done = penstock(None, "check", file)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert says in done.stderr
    assert not (tmp_path / "store").exists()


def test_a_server_that_refuses_us_ends_calls_on_an_executor_at_once(tmp_path: Path) -> None:
    with Simulator(SimulatorSettings(users=12, auth="bearer")) as simulator:
        more = '[executor]\nkind = "processes"\n'
        file = keys(tmp_path / "users.toml", simulator.url, more)
        done = penstock(None, "run", file, "--quiet")
    assert done.returncode == 2, done.stderr
    assert "refuses our credentials" in done.stderr
    status = json.loads(penstock(None, "status", tmp_path / "store", "--json").stdout)
    assert (status["landed"], status["failed"]) == (0, 0)


def test_a_dashboard_has_the_events_and_the_look_of_a_run(tmp_path: Path) -> None:
    with Simulator(SimulatorSettings(users=12)) as simulator:
        file = keys(tmp_path / "users.toml", simulator.url, "")
        run = Run(read_file(file), tmp_path)
        seen: list[type[Event]] = []
        run.events.subscribe(lambda event: seen.append(type(event)))
        with run.opened() as store:
            run.go(store)
    assert Landed in seen
    assert (run.look().progress.done, run.look().progress.total) == (12, 12)


def test_every_slot_has_a_kind_of_the_package() -> None:
    groups = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]["entry-points"]
    assert {slot.group for slot in SLOTS.values()} <= set(groups)
