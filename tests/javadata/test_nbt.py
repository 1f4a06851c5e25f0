"""NBT files of a published npm package, by the example, against nbtlib."""

import gzip
import importlib.util
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

from .conftest import missing

EXAMPLE = Path(__file__).parents[2] / "examples" / "javadata" / "nbt.py"
PACKAGE = "prismarine-nbt@2.8.0"
# The other samples are little-endian, or (emptyComp.nbt) end before their compound does.
FILES = ["sample/bigtest.nbt", "sample/bigtest.nbt.gz"]
NBTLIB = """
import json, nbtlib, sys
for path in sys.argv[1:]:
    file = nbtlib.load(path, gzipped=path.endswith(".gz"))
    print(json.dumps([file.root_name, file.unpack(json=True)]))
"""


@pytest.fixture(scope="module")
def nbt() -> ModuleType:
    spec = importlib.util.spec_from_file_location("nbt_example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files of the package, as npm packs it."""
    directory = tmp_path_factory.mktemp("npm")
    if shutil.which("npm") is None:
        missing("no npm: install one (Debian: apt-get install npm)")
    pack = ["npm", "pack", "--silent", PACKAGE]
    done = subprocess.run(pack, cwd=directory, check=False, capture_output=True, text=True)
    if done.returncode:
        missing(f"npm cannot fetch {PACKAGE}")
    with tarfile.open(directory / done.stdout.split()[-1]) as archive:
        archive.extractall(directory, filter="data")
    return [directory / "package" / name for name in FILES]


@pytest.fixture(scope="module")
def theirs(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[list[object]]:
    """What nbtlib reads, in an environment of its own."""
    target = tmp_path_factory.mktemp("nbtlib")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(target)]
    packages = ["nbtlib==2.0.4", "numpy==1.26.4"]
    if subprocess.run([*pip, *packages], check=False, capture_output=True).returncode:
        missing(f"cannot install {' and '.join(packages)}")
    done = subprocess.run(
        [sys.executable, "-c", NBTLIB, *map(str, files)],
        check=True, stdout=subprocess.PIPE, env={"PYTHONPATH": str(target)},
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_nbt_files_are_those_that_nbtlib_reads_and_are_written_again(
    nbt: ModuleType, files: list[Path], theirs: list[list[object]]
) -> None:
    for path, expected in zip(files, theirs, strict=True):
        name, tag = nbt.load(path)
        assert [name, json.loads(json.dumps(nbt.plain(tag)))] == expected
        data = path.read_bytes()
        raw = gzip.decompress(data) if path.suffix == ".gz" else data
        assert nbt.dumped(name, tag) == raw
