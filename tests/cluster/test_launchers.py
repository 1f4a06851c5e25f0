"""Other schedulers: the pages of docs/cluster.md as they stand there, and one from a package."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cluster.workers import FILE, ended, started
from tests.real.mongod import Mongo

from penstock.simulator import SimulatorSettings, simulator_process
from penstock.store import open_readonly

PAGE = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text()
BIN = str(Path(sys.executable).parent)

LAUNCHER = '''
import threading
from penstock.cluster import Ended

class Threads:
    """Each worker is a thread of this process."""

    def __init__(self, address, work, most):
        self._ended, self._work = [], work
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(most)]
        for thread in self._threads:
            thread.start()

    def _run(self, number):
        try:
            ended = Ended(str(number), summary=self._work())
        except Exception as error:
            ended = Ended(str(number), error=error)
        self._ended.append(ended)

    @property
    def running(self):
        return sum(thread.is_alive() for thread in self._threads)

    def look(self):
        ended, self._ended = self._ended, []
        return ended

    def close(self):
        for thread in self._threads:
            thread.join()
'''


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


@pytest.mark.slow
def test_a_package_adds_a_scheduler(
    mongo: Mongo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = tmp_path / "threads-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: threads\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[penstock.launchers]\nthreads = launcher:Threads\n")
    (tmp_path / "launcher.py").write_text(LAUNCHER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    file, uri = tmp_path / "users.toml", mongo.with_database
    with simulator_process(SimulatorSettings(users=60, limit=0)) as simulator:
        text = FILE.format(stop=60, base=simulator.url)
        file.write_text(text.replace("[cluster]", '[cluster]\nscheduler = "threads://"'))
        summary = ended(started("run", file, uri, "--workers", "2"))
        assert simulator.truth()["served_total"] == 60
    assert (summary["new"], summary["landed"], summary["complete"]) == (60, 60, True)


def test_a_scheduler_that_nobody_knows_is_one_line(mongo: Mongo, tmp_path: Path) -> None:
    file = tmp_path / "users.toml"
    text = FILE.format(stop=60, base="http://127.0.0.1:1")
    file.write_text(text.replace("[cluster]", '[cluster]\nscheduler = "tpc://here"'))
    run = started("run", file, mongo.with_database)
    _, complaint = run.communicate(timeout=60)
    assert run.returncode == 2
    assert "did you mean 'tcp'" in complaint
    assert "Traceback" not in complaint
