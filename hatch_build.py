"""Build the native cores of javadata and portfolio where there is a C compiler; do without if not.

Nothing depends on them: the same results come without. PENSTOCK_PURE=1 leaves them out.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = (Path("src/penstock/javadata/_core.c"), Path("src/penstock/portfolio/_windows.c"))
LINK = {"darwin": ["-bundle", "-undefined", "dynamic_lookup"]}


class NativeCore(BuildHookInterface):
    """Compile each C file, into the wheel or beside its source (editable)."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, object]) -> None:
        """Called by hatchling before it gathers the files."""
        # A wheel is built beside the sources only in name: what they hold now is left alone.
        self.scratch = None if version == "editable" else Path(tempfile.mkdtemp())
        made = {}
        for source in SOURCES:
            beside = self.scratch or Path(self.root, source).parent
            target = beside / f"{source.stem}{sysconfig.get_config_var('EXT_SUFFIX')}"
            if compiled(Path(self.root, source), target):
                made[str(target)] = str(source.relative_to("src").with_name(target.name))
        if made and version != "editable":
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
            build_data["force_include"] = made

    def finalize(self, *_: object) -> None:
        """Called by hatchling when the wheel is made."""
        if self.scratch is not None:
            shutil.rmtree(self.scratch, ignore_errors=True)


def compiled(source: Path, target: Path) -> bool:
    """Compile ``source``; return whether it worked."""
    target.unlink(missing_ok=True)
    compiler = shlex.split(os.environ.get("CC", "")) or [shutil.which("cc") or "gcc"]
    reasons = {
        "PENSTOCK_PURE is set": os.environ.get("PENSTOCK_PURE"),
        "this Python is free-threaded": sysconfig.get_config_var("Py_GIL_DISABLED"),
        "there is no C compiler": os.name != "posix" or not shutil.which(compiler[0]),
    }
    why = next((why for why, so in reasons.items() if so), None)
    if why is not None:
        print(f"penstock: {why}: {source.name} is not built; the same is done without it")
        return False
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    fresh = target.with_suffix(".new")
    command = [
        *compiler, "-O3", "-fPIC", *LINK.get(sys.platform, ["-shared"]),
        *shlex.split(os.environ.get("CFLAGS", "")),
        f'-DCORE_SOURCE="{digest}"', f"-I{sysconfig.get_path('include')}",
        str(source), "-o", str(fresh),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"penstock: {source.name} will run in pure Python: {compiler[0]}: {done.stderr}")
        return False
    fresh.replace(target)
    return True
