"""Run PyMongo's own tests through the proxy, and through plain PyMongo.

    .venv/bin/pip download --no-binary :all: --no-deps pymongo==VERSION   # and unpack it
    .venv/bin/python benchmarks/mongo/suite.py FOLDER [--only test_session] [--verbose]

FOLDER is the unpacked source of the PyMongo that is installed; its tests run against a set of one
node on this machine. Ends with 1 if a test fails through the proxy only and is not in REVIEWED.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import pymongo
from suite_exceptions import REVIEWED

from penstock.mongo.dev import DevSet

HERE = Path(__file__).parent
MODULES = (
    *("test_collection", "test_database", "test_bulk", "test_session", "test_cursor"),
    *("test_gridfs", "test_grid_file", "test_gridfs_bucket", "test_raw_bson", "test_custom_types"),
    *("test_collation", "test_comment", "test_sessions_unified", "test_collection_management"),
)
SECONDS = 900


def outcome(folder: Path, module: str, uri: str, how: str) -> dict[str, str]:
    """Return what became of each test: "passed", "skipped", or why it failed."""
    with pymongo.MongoClient(uri) as client:
        for name in set(client.list_database_names()) - {"admin", "config", "local"}:
            client.drop_database(name)
    host, port = uri.removeprefix("mongodb://").partition("/")[0].rsplit(":", 1)
    known = os.environ | {"DB_IP": host, "DB_PORT": port, "PENSTOCK_SUITE": how}
    known["PYTHONPATH"] = os.pathsep.join([str(HERE), str(folder)])
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        words = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "suite_plugin"]
        words += ["-c", os.devnull, "--rootdir", str(folder), f"--junit-xml={report.name}"]
        words += ["--timeout", "60", f"test/{module}.py"]
        # Ends with 1 where a test fails, which the report says.
        subprocess.run(
            words, cwd=folder, env=known, timeout=SECONDS, stdout=subprocess.DEVNULL, check=False
        )
        cases = ET.parse(report.name).getroot().iter("testcase")
        return {f"{module}: {one.get('name')}": _said(one) for one in cases}


def _said(case: ET.Element) -> str:
    for child in case:
        if child.tag in {"failure", "error"}:
            return (child.get("message") or child.text or "failed").strip()
        if child.tag == "skipped":
            return "skipped"
    return "passed"


def main() -> int:
    """Run, compare, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    # The suite is run beside the installed PyMongo, not with the sources it came with.
    with tempfile.TemporaryDirectory() as room:
        suite = Path(room) / "suite"
        shutil.copytree(given.folder / "test", suite / "test")
        unified = suite / "test" / "unified_format.py"
        # It asks for the name of a client's class where it means the class.
        by_name, by_class = (
            'type(client).__name__ != "MongoClient"',
            "not isinstance(client, MongoClient)",
        )
        unified.write_text(unified.read_text().replace(by_name, by_class))
        dev = DevSet.start(Path(room) / "set", nodes=1)
        try:
            unexpected = sum(
                compared(suite, module, dev.uri, verbose=given.verbose)
                for module in MODULES
                if given.only in module
            )
        finally:
            dev.stop(remove=True)
    print("unexpected:", unexpected)
    return 1 if unexpected else 0


def compared(suite: Path, module: str, uri: str, *, verbose: bool) -> int:
    """Print one module's counts and return how many tests fail that should not."""
    plain = outcome(suite, module, uri, "plain")
    ours = outcome(suite, module, uri, "proxy")
    fine = {"passed", "skipped"}
    only = {name: why for name, why in ours.items() if why not in fine and plain[name] in fine}
    gone = sorted(plain.keys() - ours.keys())
    new = {n: w for n, w in only.items() if not any(re.search(key, n) for key in REVIEWED)}
    failed = sum(why not in fine for why in plain.values())
    print(
        f"{module:30} {len(plain):4} tests, failed plainly {failed}, through the proxy only "
        f"{len(only)}, of those reviewed {len(only) - len(new)}",
        flush=True,
    )
    for name, why in (only if verbose else new).items():
        print(f"  {name}\n    {why[:300]}", flush=True)
    for name in gone:
        print(f"  {name}\n    was not reached through the proxy", flush=True)
    return len(new) + len(gone)


if __name__ == "__main__":
    sys.exit(main())
