"""Files that are replaced keep mode, owner and links; nothing is left behind."""

from __future__ import annotations

import gc
import os
import stat
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from penstock.errors import InputError
from penstock.javadata import DataOutputStream, RandomAccessFile, parse_schema
from penstock.whole import Replacement, whole_file

SCHEMA = parse_schema("a: int")
DATA = SCHEMA.encode([(1,)])


def by_whole_file(path: Path) -> None:
    with whole_file(path) as file:
        file.write(DATA)


WRITERS = [
    by_whole_file,
    lambda path: SCHEMA.write_records([(1,)], path),
    lambda path: SCHEMA.to_parquet(DATA, path),
]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o755])
def test_a_file_keeps_its_mode(write: object, mode: int, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"old")
    path.chmod(mode)
    write(path)  # type: ignore[operator]
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.read_bytes() != b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write", WRITERS)
def test_a_link_stays_one_and_the_file_behind_it_is_written(write: object, tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "real").write_bytes(b"old")
    link, dangling = tmp_path / "link", tmp_path / "dangling"
    link.symlink_to(Path("there") / "real")
    dangling.symlink_to(folder / "new")
    for path, target in ((link, "real"), (dangling, "new")):
        write(path)  # type: ignore[operator]
        assert path.is_symlink()
        assert (folder / target).read_bytes() not in {b"", b"old"}
    assert {each.name for each in folder.iterdir()} == {"new", "real"}
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(InputError, match="loop"):
        write(loop)  # type: ignore[operator]


def test_a_new_file_gets_the_mode_that_the_umask_says(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom penstock.whole import whole_file\n"
        "os.umask(int(sys.argv[1], 8))\n"
        "with whole_file(Path(sys.argv[2])) as file:\n    file.write(b'x')\n"
    )
    for umask in (0o022, 0o027, 0o077):
        path = tmp_path / f"{umask:o}"
        subprocess.run([sys.executable, "-c", code, f"{umask:o}", str(path)], check=True)
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "theirs"
    path.write_bytes(b"old")
    os.chown(path, 12345, 23456)
    by_whole_file(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)


def test_a_writer_that_nobody_closed_warns_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")

    def forget() -> None:
        DataOutputStream(path).write_int(1)
        gc.collect()

    with pytest.warns(ResourceWarning, match="never closed, so it is as it was"):
        forget()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_closed_and_discarded_writers_do_not_warn(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for end in (Replacement.close, Replacement.discard):
            file = Replacement(tmp_path / end.__name__)
            file.write(b"x")
            end(file)
            end(file)
            assert file.closed
            del file
            gc.collect()
    assert [each.name for each in tmp_path.iterdir()] == ["close"]


@pytest.mark.parametrize("mode", ["w", "rb", "x", "", "rwx", "R"])
def test_a_mode_that_java_does_not_have_makes_no_file(mode: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the modes are r, rw, rws, rwd"):
        RandomAccessFile(tmp_path / "f", mode)  # type: ignore[arg-type] # the mistake
    assert not (tmp_path / "f").exists()


def test_only_the_modes_that_say_so_write_at_once(tmp_path: Path) -> None:
    for mode, seen in (("rw", 0), ("rws", 4), ("rwd", 4)):
        path = tmp_path / mode
        with RandomAccessFile(path, mode) as file:  # type: ignore[arg-type] # one of them
            file.write_int(7)
            assert path.stat().st_size == seen
            file.seek(0)
            assert file.read_int() == 7
        assert path.stat().st_size == 4
    with RandomAccessFile(tmp_path / "rw", "r") as file, pytest.raises(OSError, match="write"):
        file.write_int(1)
    with pytest.raises(FileNotFoundError):
        RandomAccessFile(tmp_path / "nothing")
