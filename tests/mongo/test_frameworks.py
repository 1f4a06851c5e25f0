"""The ready lines of the page for those who use MongoDB through something else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.ready import ROOT, ready
from tests.real.mongod import Mongo

HERE = Path(__file__).parent


def test_each_ready_line_rides_out_what_is_lost(mongo: Mongo, tmp_path: Path) -> None:
    paths = os.pathsep.join([str(ready("frameworks")), str(ROOT), str(ROOT / "src")])
    ran = subprocess.run(
        [sys.executable, HERE / "frameworks.py", mongo.uri],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    names = "mongoengine beanie odmantic apscheduler flask flask_pymongo django"
    assert ran.stdout.split() == names.split()
