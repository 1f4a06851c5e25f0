"""What the room offers: every name is there and documented, and importing it takes NumPy only."""

import subprocess
import sys
from pathlib import Path

import pytest

import penstock
from penstock import neural


@pytest.mark.parametrize("name", dir(neural))
def test_every_public_name_is_there_and_documented(name: str) -> None:
    offered = getattr(neural, name)
    assert offered.__doc__
    assert offered.__name__ == name  # the thing, not a module that happens to have its name


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="NeuralNothing"):
        _ = neural.NeuralNothing  # type: ignore[attr-defined] # that is the test


def test_importing_the_room_imports_numpy_and_no_more_of_the_room() -> None:
    code = (
        "import sys, penstock.neural; "
        "print([name for name in sys.modules if name.startswith('penstock.neural.')], "
        "'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['penstock.neural.arrays'] True"


def test_without_numpy_one_line_says_how_to_get_it() -> None:
    # -S leaves site-packages away: a real interpreter without NumPy.
    source = str(Path(penstock.__file__).parents[1])
    code = f"import sys; sys.path.insert(0, {source!r}); import penstock.neural.checkpoint"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False
    )
    assert "needs numpy: pip install 'penstock-data[neural]'" in done.stderr
