"""What the room offers: every name is there and documented, and plots are the same each time."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import penstock
from penstock import portfolio
from penstock.errors import InputError
from penstock.portfolio import plots


@pytest.mark.parametrize("name", dir(portfolio))
def test_every_public_name_is_documented(name: str) -> None:
    assert getattr(portfolio, name).__doc__


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="rolling_nothing"):
        _ = portfolio.rolling_nothing  # type: ignore[attr-defined] # that is the test


def test_without_numpy_one_line_says_how_to_get_it() -> None:
    # -S leaves site-packages away: a real interpreter without NumPy.
    source = str(Path(penstock.__file__).parents[1])
    code = f"import sys; sys.path.insert(0, {source!r}); from penstock.portfolio import risk"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False
    )
    assert "needs numpy: pip install 'penstock-data[portfolio]'" in done.stderr


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_the_same_figure_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    written = []
    for name in ("one", "two"):
        figure = plots.new_figure()
        plots.draw_rolling(figure.subplots(), np.linspace(0.01, 0.02, 3000), 20, 252.0, None)
        plots.save(figure, tmp_path / f"{name}{suffix}")
        written.append((tmp_path / f"{name}{suffix}").read_bytes())
    assert written[0] == written[1]
    assert len(written[0]) > 1000


def test_a_plot_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    figure = plots.new_figure()
    with pytest.raises(InputError, match="does not exist"):
        plots.save(figure, tmp_path / "nowhere" / "out.svg")
    with pytest.raises(InputError, match=r"ends in \.svg"):
        plots.save(figure, tmp_path / "out.gif")
    assert not list(tmp_path.iterdir())
