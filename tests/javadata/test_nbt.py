"""NBT files of a published npm package, by the example, against nbtlib."""

import gzip
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.ready import ready

from penstock.javadata import parse_schema

EXAMPLE = Path(__file__).parents[2] / "examples" / "javadata" / "nbt.py"
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
def files() -> list[Path]:
    """The files of the package, as npm packs it."""
    return [ready("NBT files") / name for name in FILES]


@pytest.fixture(scope="module")
def theirs(files: list[Path]) -> list[list[object]]:
    """What nbtlib reads, in an environment of its own."""
    done = subprocess.run(
        [sys.executable, "-c", NBTLIB, *map(str, files)],
        check=True, stdout=subprocess.PIPE, env={"PYTHONPATH": str(ready("nbtlib"))},
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
        by_schema = parse_schema(EXAMPLE.with_suffix(".schema").read_text(encoding="utf-8"))
        assert by_schema.encode(by_schema.decode(raw)) == raw
