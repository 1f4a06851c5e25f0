"""``penstock portfolio`` as a user types it: real processes, real files."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from penstock.pipeline.result import Landing

ROWS = [
    "date,MSFT,AAPL,PEP",
    "2026-01-05,100,50,70",
    "2026-01-06,101,51,70.5",
    "2026-01-07,99.5,50.2,70.1",
    "2026-01-08,102,52.5,70.9",
    "2026-01-09,101.2,51.7,71.5",
]
WEIGHTS = "MSFT=.3,AAPL=.5,PEP=.2"


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    path = tmp_path / "prices.csv"
    path.write_text("\n".join(ROWS) + "\n")
    return path


def run(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "penstock.cli.main", "portfolio", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def test_json_has_the_names_of_the_result(prices: Path) -> None:
    done = run("risk", str(prices), "--weights", WEIGHTS, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert sum(found["component"].values()) == pytest.approx(found["volatility"], rel=1e-12)
    assert found["volatility_annual"] == pytest.approx(found["volatility"] * 252**0.5)
    for name in ("marginal", "percent", "diversification_ratio", "assumptions"):
        assert found[name]


def test_the_table_names_every_asset_and_what_was_assumed(prices: Path) -> None:
    done = run("risk", str(prices), "--weights", WEIGHTS)
    assert done.returncode == 0, done.stderr
    for text in ("MSFT", "AAPL", "PEP", "portfolio", "volatility a year", "Assumed:", "ddof=1"):
        assert text in done.stdout


def test_limit_is_a_gate_on_the_annual_volatility(prices: Path) -> None:
    assert run("risk", str(prices), "--weights", WEIGHTS, "--limit", "5").returncode == 0
    over = run("risk", str(prices), "--weights", WEIGHTS, "--limit", "0.01", "--json")
    assert over.returncode == 3
    assert json.loads(over.stdout)["volatility_annual"] > 0.01
    assert "over the limit of 0.01" in over.stderr


def test_standard_input(prices: Path) -> None:
    by_file = run("risk", str(prices), "--weights", WEIGHTS, "--json")
    by_pipe = run("risk", "-", "--weights", WEIGHTS, "--json", stdin=prices.read_text())
    assert by_pipe.stdout == by_file.stdout


def test_bad_input_is_one_line_and_exit_two(prices: Path) -> None:
    for weights, says in [("MSFT=.3,AAPL=.5,PEP=.1", "sum to 0.9"), (".3,.7", "NAME=NUMBER")]:
        done = run("risk", str(prices), "--weights", weights)
        assert (done.returncode, done.stdout) == (2, "")
        assert says in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_follow_prints_each_row_and_stops_over_the_limit(prices: Path) -> None:
    follow = ("risk", str(prices), "--weights", WEIGHTS, "--follow", "--json")
    done = run(*follow, "--estimator", "ewma:0.9")
    assert done.returncode == 0, done.stderr
    readings = [json.loads(line) for line in done.stdout.splitlines()]
    assert [reading["date"] for reading in readings] == [row[:10] for row in ROWS[2:]]
    batch = run("risk", str(prices), "--weights", WEIGHTS, "--json", "--estimator", "ewma:0.9")
    found = json.loads(batch.stdout)
    assert readings[-1]["volatility"] == pytest.approx(found["volatility"], rel=1e-12)
    for odd in ("nowhere.csv", str(prices.parent)):
        refused = run("risk", odd, "--weights", WEIGHTS, "--follow")
        assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    stopped = run(*follow, "--limit", "0.01")
    assert stopped.returncode == 3
    assert len(stopped.stdout.splitlines()) == 1


def test_follow_prints_before_the_next_row_arrives() -> None:
    command = [sys.executable, "-m", "penstock.cli.main", "portfolio", "risk", "-"]
    command += ["--weights", WEIGHTS, "--follow", "--estimator", "ewma"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload] # two pipes
        for row in ROWS[:3]:
            process.stdin.write(row + "\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith("2026-01-06")
        process.stdin.write(ROWS[3] + "\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith("2026-01-07")
        process.stdin.close()
        assert process.wait() == 0


def test_rolling_and_a_plot(prices: Path, tmp_path: Path) -> None:
    plot = tmp_path / "out.svg"
    arguments = ("--weights", WEIGHTS, "--rolling", "3", "--plot", str(plot), "--json")
    done = run("risk", str(prices), *arguments)
    assert done.returncode == 0, done.stderr
    rolling = json.loads(done.stdout)["rolling"]
    assert rolling["dates"] == ["2026-01-08", "2026-01-09"]
    assert len(rolling["volatility"]) == 2
    drawn = ET.fromstring(plot.read_text())
    words = " ".join(
        "".join(text.itertext()) for text in drawn.iter("{http://www.w3.org/2000/svg}text")
    )
    for word in ("MSFT", "AAPL", "PEP", "share of risk", "Correlation", "frontier"):
        assert word in words
    refused = run("risk", str(prices), "--weights", WEIGHTS, "--plot", str(tmp_path / "out.gif"))
    assert refused.returncode == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.svg", "prices.csv"]


def test_weights_and_frontier_agree_on_the_least_volatility(prices: Path) -> None:
    least = json.loads(run("weights", str(prices), "--json").stdout)
    line = json.loads(run("frontier", str(prices), "--json", "--points", "4").stdout)
    assert line["volatility"][0] == pytest.approx(least["volatility"], rel=1e-9)
    parity = json.loads(run("weights", str(prices), "--aim", "parity", "--json").stdout)
    assert list(parity["percent"].values()) == pytest.approx([1 / 3] * 3)


def test_explain_shows_the_posts_value_and_the_right_one(prices: Path) -> None:
    shown = run("explain")
    assert shown.returncode == 0
    for text in ("0.757758", "0.018003", "42.1 times", "covariance"):
        assert text in shown.stdout
    own = run("explain", str(prices))
    assert own.returncode == 0
    assert "0.757758" not in own.stdout


def test_the_sample_is_a_file_that_risk_reads(tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    path.write_text(run("sample").stdout)
    found = json.loads(run("risk", str(path), "--weights", WEIGHTS, "--json").stdout)
    assert found["volatility"] == pytest.approx(0.01800300553215595, rel=1e-12)


def test_a_store_is_read_in_the_order_of_its_dates(tmp_path: Path) -> None:
    """Until the store's room is there a folder is refused; from then on it is measured."""
    rows = [dict(zip(ROWS[0].split(","), row.split(","), strict=True)) for row in ROWS[1:]]
    records = [{k: v if k == "date" else float(v) for k, v in row.items()} for row in rows]
    folder = tmp_path / "store"
    made = getattr(importlib.import_module("penstock.store"), "LocalStore", None)
    if made is None:
        folder.mkdir()
        assert run("risk", str(folder), "--weights", WEIGHTS).returncode == 2
        return
    with made(folder) as store:
        for key, record in reversed(list(enumerate(records))):
            store.settle([Landing(key, json.dumps(record).encode())], lambda count: count)
        store.flush()
    (tmp_path / "prices.csv").write_text("\n".join(ROWS))
    by_file = run("risk", str(tmp_path / "prices.csv"), "--weights", WEIGHTS, "--json")
    assert run("risk", str(folder), "--weights", WEIGHTS, "--json").stdout == by_file.stdout


def test_every_command_has_help_without_numpy() -> None:
    check = (
        "import sys; from penstock.cli.portfolio import portfolio\n"
        "assert all(command.help for command in portfolio.commands.values())\n"
        "assert 'numpy' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
