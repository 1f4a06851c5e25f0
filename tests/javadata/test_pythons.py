"""The native core, compiled for every Python that is here: its rows are those of Python."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from tests.ready import lack

from penstock.javadata.native import load

ROOM = Path(__file__).parents[2] / "src" / "penstock"
VERSIONS = ["3.11", "3.12", "3.13", "3.14", "3.14t"]
CHECK = """
import copy, pickle, sys, sysconfig
from penstock.javadata import Schema, core_line, parse_schema
from penstock.javadata.core import NATIVE_CODEC, PURE
if sysconfig.get_config_var("Py_GIL_DISABLED"):
    assert "free-threaded" in core_line(), core_line()
    sys.exit()
assert core_line() == "javadata: native core (C)", core_line()
text = "n: int, t: utf, ok: boolean, x: float, r: R{c: char, q: long?}, "
text += "s: <byte 1=A{i: int}, 2=B{u: utf}>"
native, pure = parse_schema(text, core=NATIVE_CODEC), parse_schema(text, core=PURE)
assert (native.core, pure.core) == ("native", "pure")
types = native.types
row = types["Record"](7, "é\\0😀", True, 0.5, types["R"]("x", None), types["B"]("y"))
data = native.encode([row])
assert data == pure.encode([row])
(got,), (wanted,) = native.decode(data), pure.decode(data)
assert got == wanted == row and type(got) is type(row)
assert hash(got) == hash(row) == hash(wanted) and hash(got.r) == hash(row.r)
assert got in {row} and {row: 1}[got] == 1
assert pickle.loads(pickle.dumps(got)) == copy.deepcopy(got) == got
assert repr(got) == repr(row) and got._replace(n=8) != got
for wrong in ((None,) * 6, row._replace(ok="yes"), row._replace(x=2**53 + 1)):
    errors = []
    for schema in (native, pure):
        try:
            schema.encode([wrong])
        except ValueError as error:
            errors.append(str(error))
    assert len(errors) == 2 and errors[0] == errors[1], errors
print(sys.version.split()[0])
"""


# What Python 3.14 has and an older one has not: a tuple that caches its hash.
NEWEST = """
#include_next <Python.h>
#undef PY_VERSION_HEX
#define PY_VERSION_HEX 0x030E0000
typedef struct { PyObject_VAR_HEAD Py_hash_t ob_hash; PyObject *ob_item[1]; } NewTuple;
#define PyTupleObject NewTuple
"""


def test_a_new_row_has_no_hash_yet_where_tuples_keep_theirs(tmp_path: Path) -> None:
    """Compiled as for 3.14: behind each allocation the core writes -1 where the hash is kept."""
    (tmp_path / "Python.h").write_text(NEWEST)
    source = ROOM / "javadata" / "_core.c"
    headers = [f"-I{tmp_path}", f"-I{sysconfig.get_path('include')}", str(source)]
    if shutil.which("cc") is None or not Path(sysconfig.get_path("include"), "Python.h").exists():
        lack("no C compiler, or no headers of this Python")
    preprocess = ["cc", "-E", "-P", *headers]
    seen = subprocess.run(preprocess, stdout=subprocess.PIPE, text=True, check=True).stdout
    allocated = seen.count("->allocate(")
    assert allocated == len(re.findall(r"->allocate\([^;]*;\s*if \(row [^;]*ob_hash = -1;", seen))
    assert allocated == source.read_text().count("->allocate(") == 1
    subprocess.run(["cc", "-fsyntax-only", *headers], check=True)


def test_free_threaded_python_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PENSTOCK_PURE", raising=False)
    monkeypatch.setattr(sysconfig, "get_config_var", {"Py_GIL_DISABLED": 1}.get)
    assert load() == (None, "the native core is not made for free-threaded Python")


def interpreters() -> dict[str, Path]:
    """Return the Pythons of this machine by version: on the path, or pyenv's."""
    found: dict[str, Path] = {}
    for version in VERSIONS:
        here = [shutil.which(f"python{version}")]
        folder = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
        plain = [each for each in folder.glob(f"{version.rstrip('t')}*/bin/python")
                 if each.parts[-3].endswith("t") == version.endswith("t")]  # fmt: skip
        for each in (*here, *map(str, plain)):
            if each is not None and "shims" not in each:
                found.setdefault(version, Path(each))
    found.setdefault(f"{sys.version_info.major}.{sys.version_info.minor}", Path(sys.executable))
    return found


@pytest.mark.parametrize("version", interpreters())
def test_rows_are_the_same_on_every_python(version: str, tmp_path: Path) -> None:
    python = interpreters()[version]
    ask = "import sysconfig as s; print(s.get_config_var('EXT_SUFFIX'), s.get_path('include'))"
    told = subprocess.run([python, "-c", ask], stdout=subprocess.PIPE, text=True, check=True)
    suffix, include = told.stdout.split()
    if not Path(include, "Python.h").exists() or shutil.which("cc") is None:
        lack(f"no C compiler, or no headers of Python {version}")
    package = tmp_path / "penstock"
    shutil.copytree(ROOM, package, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    source = package / "javadata" / "_core.c"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    subprocess.run(
        ["cc", "-O1", "-fPIC", "-shared", f'-DCORE_SOURCE="{digest}"', f"-I{include}",
         source, "-o", source.with_name(f"_core{suffix}")],
        check=True,
    )  # fmt: skip
    done = subprocess.run(
        [python, "-c", CHECK], env={"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
