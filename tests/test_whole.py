"""Files appear whole or not at all, and never where a device was."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.errors import InputError
from penstock.whole import whole_file


def test_a_file_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")

    def fail() -> None:
        with whole_file(path) as file:
            file.write(b"new")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["f"]
    with whole_file(path) as file:
        file.write(b"new")
    assert path.read_text() == "new"


def test_a_device_is_not_replaced_by_a_file() -> None:
    """Root may rename a file over /dev/null, and every program of the machine would suffer."""
    null = Path("/dev/null")
    with pytest.raises(InputError, match="not an ordinary file"), whole_file(null):
        pass
    assert stat.S_ISCHR(null.stat().st_mode)


@pytest.mark.parametrize(
    "command",
    [
        ["read", "make", "book.txt", "-o", "/dev/null", "--to", "html"],
        ["export", "store", "--to", "csv", "-o", "/dev/null", "--force"],
        ["javadata", "from-parquet", "x.parquet", "--schema", "int", "-o", "/dev/null"],
    ],
)
def test_no_command_replaces_a_device(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("One line.\n")
    done = subprocess.run(
        [sys.executable, "-m", "penstock.cli.main", *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
