"""One stream, one worker: another takes over when it dies or stands still, and nothing is lost."""

import os
import signal
from pathlib import Path

import pytest
from tests.cluster.workers import ended, started
from tests.real.mongod import Mongo
from tests.waiting import until

from penstock.assembly import last_beats
from penstock.simulator import Simulator, SimulatorSettings
from penstock.store import open_readonly

FILE = """
store = "env:MONGO"
[stream]
url = "{base}/stream/sse;messages=300;rate=100;ends=close"
preset = "sse"
id = "id"
once = true
[cluster]
lease = 3.0
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_stream_is_taken_over_when_its_worker_dies_or_stands_still(
    mongo: Mongo, tmp_path: Path, how: signal.Signals
) -> None:
    file, uri = tmp_path / "stream.toml", mongo.with_database
    with Simulator(SimulatorSettings()) as simulator:
        file.write_text(FILE.format(base=simulator.url))
        workers = [started("work", file, uri) for _ in range(2)]
        until(lambda: any(beat.landed > 20 for beat in last_beats(uri)), workers[0])
        found = [beat for beat in last_beats(uri) if beat.landed > 20]
        (first,) = [worker for worker in workers if worker.pid == found[0].pid]
        (second,) = [worker for worker in workers if worker is not first]
        os.kill(first.pid, how)
        summary = ended(second)
        if how == signal.SIGSTOP:
            os.kill(first.pid, signal.SIGCONT)
            assert ended(first)["landed"] == 300  # it joins again by itself
        first.communicate()
    assert (summary["ended"], summary["gaps"]) == (True, 0)
    with open_readonly(uri) as store:
        bodies = [record.body for record in store.records()]
    assert len(bodies) == 300
