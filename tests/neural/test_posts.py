"""The numbers that the posts published, from each engine, by the programs a reader runs."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PUBLISHED = """\
Accuracy of train set:
398/537 correct
Accuracy of validation set:
136/161 correct
Accuracy of test set:
52/70 correct
best epoch 55, stopped after epoch 105
"""


def example(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "examples" / name, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_the_pima_post_comes_back_exactly(pima_csv: Path, engine: str) -> None:
    done = example("pylearn2_pima.py", str(pima_csv), "--engine", engine)
    assert (done.stdout, done.stderr) == (PUBLISHED, "")


def test_another_file_is_refused_with_one_line(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("1,2,3\n")
    done = example("pylearn2_pima.py", str(other))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "is not the UCI file" in done.stderr


@pytest.mark.slow
def test_the_xor_post_answers_the_four_corners() -> None:
    done = example("pylearn2_xor.py", "--seed", "2")
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    for line, right in zip(lines, (0, 1, 1, 0), strict=True):
        probabilities = [float(word) for word in line.split("[[")[1].strip(" ]").split()]
        assert probabilities[right] > 0.98  # the post shows 0.9947 for its own, unseeded, rows
        assert sum(probabilities) == pytest.approx(1)
