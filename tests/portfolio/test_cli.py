"""``penstock portfolio`` as a user types it: real processes, real files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
    for text in ("MSFT", "AAPL", "PEP", "portfolio", "volatility, a year", "Assumed:", "ddof=1"):
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


BAD = [
    ("weights that sum to 0.9", None, "MSFT=.3,AAPL=.5,PEP=.1", "sum to 0.9"),
    ("an unknown asset", None, "MSFT=.3,AAPL=.5,PEPS=.2", "did you mean PEP?"),
    ("weights without names", None, ".3,.5,.2", "write NAME=NUMBER"),
    ("a price of zero", (2, "2026-01-06,101,0,70.5"), WEIGHTS, "price 0"),
    ("a repeated date", (2, "2026-01-05,101,51,70.5"), WEIGHTS, "comes twice"),
    ("dates that go back", (2, "2025-01-05,101,51,70.5"), WEIGHTS, "not ascending"),
    ("a missing price", (2, "2026-01-06,,51,70.5"), WEIGHTS, "--missing"),
    ("a word for a price", (2, "2026-01-06,abc,51,70.5"), WEIGHTS, "'abc' of MSFT"),
    ("a short line", (2, "2026-01-06,51,70.5"), WEIGHTS, "line 3: 3 cells"),
    ("a date that is none", (2, "yesterday,101,51,70.5"), WEIGHTS, "2026-01-30"),
    ("one column name twice", (0, "date,MSFT,MSFT,PEP"), WEIGHTS, "two columns"),
    ("no header", (0, "2026-01-04,1,2,3"), WEIGHTS, "first line"),
]


@pytest.mark.parametrize(("line", "weights", "says"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_bad_input_is_one_line_and_exit_two(
    tmp_path: Path, line: tuple[int, str] | None, weights: str, says: str
) -> None:
    rows = list(ROWS)
    if line is not None:
        rows[line[0]] = line[1]
    path = tmp_path / "prices.csv"
    path.write_text("\n".join(rows))
    done = run("risk", str(path), "--weights", weights)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


@pytest.mark.parametrize("content", [b"", b"date,A\n", b"date\n", b"\xff\xfe\x00", b"PAR1junk"])
def test_files_that_hold_no_prices(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "prices"
    path.write_bytes(content)
    done = run("risk", str(path), "--weights", "A=1")
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)


def test_a_file_that_is_not_there() -> None:
    done = run("risk", "nowhere.csv", "--weights", "A=1")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
