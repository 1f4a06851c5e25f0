"""The package as a whole: quick to import, and nothing optional comes with it."""

import subprocess
import sys

IMPORTED = "import penstock, sys; print(*sorted(sys.modules))"


def test_importing_penstock_imports_no_optional_library() -> None:
    out = subprocess.run([sys.executable, "-c", IMPORTED], check=True, capture_output=True)
    modules = set(out.stdout.decode().split())
    assert not modules & {"pyarrow", "oauthlib", "numpy", "pandas", "pymongo", "jax", "torch"}
