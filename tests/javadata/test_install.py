"""What is there without the optional parts: without NumPy, without pyarrow, without a compiler."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.ready import lack

ROOT = Path(__file__).parents[2]
WITHOUT = """
import sys
sys.modules[{library!r}] = None
from penstock.errors import MissingExtra
from penstock.javadata import DataInputStream, parse_schema
assert parse_schema("a: int, b: utf").decode(bytes.fromhex("00000007000141")) == [(7, "A")]
try:
    {call}
except MissingExtra as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("library", "call"),
    [
        ("numpy", "DataInputStream(bytes(4)).read_array('int', 1)"),
        ("pyarrow", "parse_schema('a: int').table(bytes(4))"),
        ("pyarrow", "parse_schema('a: int').to_parquet(bytes(4), 'out.parquet')"),
    ],
)
def test_without_an_optional_library_the_rest_works_and_the_error_names_the_extra(
    library: str, call: str, tmp_path: Path
) -> None:
    code = WITHOUT.format(library=library, call=call)
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert "pip install 'penstock-data[javadata]'" in done.stdout
    assert library in done.stdout
    assert not list(tmp_path.iterdir())


def test_streams_and_schemas_import_no_optional_library() -> None:
    code = "import penstock.javadata, sys; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True
    )
    assert not set(done.stdout.split()) & {"numpy", "pyarrow", "pandas"}


@pytest.mark.slow
def test_a_wheel_built_without_a_compiler_reads_and_writes(tmp_path: Path) -> None:
    pip = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(tmp_path),
    ]
    done = subprocess.run(
        [*pip, str(ROOT)],
        check=False, capture_output=True, env={**os.environ, "CC": "no-such-compiler"},
    )  # fmt: skip
    if done.returncode:
        lack("cannot build a wheel: pip finds no hatchling")
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if name.endswith(".so")]
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import penstock.javadata as javadata\n"
        "from penstock.javadata.native import NATIVE\n"
        "assert sys.argv[1] in javadata.__file__ and NATIVE is None\n"
        "schema = javadata.parse_schema('a: int, b: utf')\n"
        "print(schema.decode(schema.encode([(7, 'né')])))\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, str(wheel)], check=True, stdout=subprocess.PIPE, text=True
    )
    assert out.stdout == "[Record(a=7, b='né')]\n"
