"""The JDK's lib/tzdb.dat by the example's schema, against the JVM's rules and Python's zoneinfo."""

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from zoneinfo import ZoneInfo

import pytest
from tests.ready import lack

from penstock.javadata import Schema

from .conftest import Java
from .cores import CORES, Core

EXAMPLE = Path(__file__).parents[2] / "examples" / "javadata" / "tzdb.py"
LAST_YEAR = 2099


@pytest.fixture(scope="module")
def tzdb() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tzdb_example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_zone_and_transition_is_that_of_the_jvm(
    tzdb: ModuleType, java: Java, java_home: Path
) -> None:
    _, zones = tzdb.read_tzdb(str(java_home / "lib" / "tzdb.dat"))
    theirs = java("Zones").decode().splitlines()
    ours = []
    for name in sorted(zones):
        changes = "".join(f" {when}:{to}" for when, to in tzdb.transitions(zones[name], LAST_YEAR))
        ours.append(f"{name} {zones[name].first}{changes}")
    assert ours == theirs
    assert sum(line.count(":") for line in ours) > 50_000


@pytest.mark.parametrize("core", CORES)
def test_the_file_is_written_again_byte_for_byte(
    tzdb: ModuleType, java_home: Path, core: Core
) -> None:
    path = java_home / "lib" / "tzdb.dat"
    schema = Schema(tzdb.Tzdb, core=core)
    assert schema.encode(schema.decode(path.read_bytes())) == path.read_bytes()


def test_every_zone_is_that_of_zoneinfo_with_the_same_release(
    tzdb: ModuleType, java_home: Path, tmp_path: Path
) -> None:
    release, zones = tzdb.read_tzdb(str(java_home / "lib" / "tzdb.dat"))
    known = tzdata(release, tmp_path)
    compared = 0
    for name, rules in zones.items():
        if name.startswith("SystemV/"):  # Java's own, in no release of the database
            continue
        with (known / name).open("rb") as file:
            zone = ZoneInfo.from_file(file)
        for when, offset in moments(tzdb.transitions(rules, LAST_YEAR), rules.first):
            ours = datetime.fromtimestamp(when, UTC).astimezone(zone).utcoffset()
            assert ours is not None
            assert ours.total_seconds() == offset, (name, when)
            compared += 1
    assert compared > 100_000


def moments(changes: list[tuple[int, int]], first: int) -> Iterator[tuple[int, int]]:
    """Yield the last second before each change and the first one after it, with their offsets."""
    before = first
    for when, after in changes:
        yield when - 1, before
        yield when, after
        before = after


def tzdata(release: str, directory: Path) -> Path:
    """Install the release of the time zone database that the JDK has, beside the project."""
    version = f"{release[:4]}.{ord(release[4]) - ord('a') + 1}"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    target = ["--target", str(directory), f"tzdata=={version}"]
    if subprocess.run([*command, *target], check=False, capture_output=True).returncode:
        lack(f"cannot install tzdata=={version}, which matches this JDK's release {release}")
    return directory / "tzdata" / "zoneinfo"
