"""Other schedulers: the pages of docs/cluster.md as they stand there, and one from a package."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from tests.cluster.workers import FILE as QUICK
from tests.cluster.workers import ended, started
from tests.real.mongod import Mongo

from penstock.assembly import Run, lead, plan, read_file
from penstock.errors import InputError
from penstock.simulator import SimulatorSettings, simulator_process
from penstock.store import WritableStore, open_readonly

FILE = QUICK.replace("lease = 2.0", "lease = 30.0")  # nobody dies here
PAGE = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text()
BIN = str(Path(sys.executable).parent)


def shell() -> str:
    """Return the page's own script."""
    found = re.search(r"```sh\n(for n in .*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1].replace("1 2 3 4", "1 2")


def indexed_job() -> str:
    """Return the command of the page's Job as its pods run it, one after the other."""
    found = re.search(r"command: \[sh, -c, '(.*)'\]", PAGE)
    assert found is not None
    command = found[1].replace("/8", "/2")
    return f"for n in 0 1; do (export JOB_COMPLETION_INDEX=$n; {command}) || exit; done"


@pytest.mark.slow
@pytest.mark.parametrize("script", [shell(), indexed_job()], ids=["shell", "Indexed Job"])
def test_the_page_does_what_it_says(mongo: Mongo, tmp_path: Path, script: str) -> None:
    uri = mongo.with_database
    with simulator_process(SimulatorSettings(users=60, limit=0)) as simulator:
        (tmp_path / "users.toml").write_text(FILE.format(stop=60, base=simulator.url))
        environment = {**os.environ, "MONGO": uri, "PATH": f"{BIN}:{os.environ['PATH']}"}
        subprocess.run(["sh", "-c", script], cwd=tmp_path, env=environment, check=True)
        assert simulator.truth()["served_total"] == 60
        (tmp_path / "users.toml").write_text("[source]\nkind = 'nothing'\n")
        failed = subprocess.run(
            ["sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, check=False
        )
    assert failed.returncode == 2  # the script hides nothing
    with open_readonly(uri) as store:
        status = store.status()
    assert (status.landed, status.pending) == (60, 0)


OUTSIDE = Path(__file__).parents[1] / "assembly" / "outside"
BESIDE = 'kind = "python"\nobject = "outside_kinds:gang"\n'


@pytest.mark.slow
@pytest.mark.parametrize("kind", ['kind = "gang"\n', BESIDE], ids=["a package", "beside the file"])
def test_a_package_or_a_module_beside_the_file_adds_a_scheduler(
    mongo: Mongo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    place = tmp_path
    if kind != BESIDE:
        place = tmp_path / "site"
        about = place / "outside-1.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1\n")
        (about / "entry_points.txt").write_text("[penstock.launchers]\ngang = outside_kinds:gang\n")
        monkeypatch.setenv("PYTHONPATH", f"{place}:{os.environ.get('PYTHONPATH', '')}")
    shutil.copytree(OUTSIDE / "outside_kinds", place / "outside_kinds")
    file, uri, log = tmp_path / "users.toml", mongo.with_database, tmp_path / "log"
    with simulator_process(SimulatorSettings(users=60, limit=0)) as simulator:
        text = FILE.format(stop=60, base=simulator.url)
        file.write_text(f'{text}[cluster.scheduler]\n{kind}log = "{log}"\n')
        summary = ended(started("run", file, uri, "--workers", "2"))
        assert simulator.truth()["served_total"] == 60
    assert (summary["new"], summary["landed"], summary["complete"]) == (60, 60, True)
    assert log.read_text() == "2"


@pytest.mark.parametrize(
    ("scheduler", "says"),
    [
        ("workers = 3", 'write scheduler = "local:4" instead'),
        ('scheduler = "dusk://here"', "did you mean 'dask'"),
        ('[cluster.scheduler]\nkind = "dusk"\n', "did you mean 'dask'"),
        ('[cluster.scheduler]\nkind = "dask"\n', "address"),
        ('[cluster.scheduler]\nkind = "dask"\naddress = "tcp://here"\nport = 1\n', "port"),
        ('[cluster.scheduler]\nkind = "python"\nobject = "json:nothing"\n', "no attribute"),
        ('[cluster.scheduler]\nkind = "python"\nobject = "platform:node"\n', "launches nothing"),
    ],
)
def test_a_scheduler_that_cannot_be_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheduler: str, says: str
) -> None:
    monkeypatch.setenv("MONGO", "mongodb://127.0.0.1:1/users")
    file = tmp_path / "users.toml"
    file.write_text(f"{FILE.format(stop=60, base='http://127.0.0.1:1')}{scheduler}\n")

    def begin() -> None:
        described = read_file(file)
        plan(described, tmp_path)
        lead(Run(described, tmp_path, path=file), cast("WritableStore", None))

    with pytest.raises(InputError, match=says):
        begin()
