"""The native core under AddressSanitizer and UndefinedBehaviorSanitizer: how many reports?

    python benchmarks/javadata/sanitized.py [--examples 500]

Compiles the core apart and runs the room's tests and properties over it: generated schemas, valid
and damaged bytes, wrong rows. A report ends the process, so a run that passes has none.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = [f"tests/javadata/test_{name}.py" for name in ("forms", "schema", "arrow", "text", "live")]
# Those that start another process, or limit memory, which the sanitizer's own shadow needs.
UNSUITED = "another_process or takes_no_memory or constant_memory or leaks"


def built(folder: Path) -> None:
    """Put the package into ``folder``, with a core that looks at every access."""
    package = folder / "penstock"
    unwanted = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "src" / "penstock", package, ignore=unwanted)
    source = package / "javadata" / "_core.c"
    target = source.with_name(f"_core{sysconfig.get_config_var('EXT_SUFFIX')}")
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    command = ["gcc", "-O1", "-g", "-fPIC", "-shared", *checks, f'-DCORE_SOURCE="{digest}"']
    include = f"-I{sysconfig.get_path('include')}"
    subprocess.run([*command, include, source, "-o", target], check=True)


def library(name: str) -> str:
    """Return where gcc keeps a library."""
    asked = ["gcc", f"-print-file-name={name}"]
    return subprocess.run(asked, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=500)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        built(Path(name))
        environment = {
            **os.environ,
            "LD_PRELOAD": f"{library('libasan.so')} {library('libubsan.so')}",
            "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
            "PYTHONMALLOC": "malloc",  # Python's own allocator would hide what lies beside a block
            "PYTHONPATH": name,
            "PENSTOCK_SHAPES": str(asked.examples),
        }
        shown = [sys.executable, "-c", "import penstock.javadata as j; print(j.core_line())"]
        subprocess.run(shown, env=environment, check=True, cwd=name)
        pytest = [
            "-m",
            "pytest",
            "-q",
            "-o",
            "timeout=3000",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:randomly",
        ]
        command = [sys.executable, *pytest, *TESTS, "-k", f"not ({UNSUITED})"]
        return subprocess.call(command, env=environment, cwd=ROOT)


if __name__ == "__main__":
    sys.exit(main())
