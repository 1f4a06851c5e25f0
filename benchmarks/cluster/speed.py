"""Workers on one run into MongoDB at 0.2 s latency: four beside one; and how a limit is used.

    python benchmarks/cluster/speed.py mongodb://host,host/bench?replicaSet=name [KEYS]

Each worker has five calls under way, so that it waits for answers and not for the machine: 25 keys
a second at most. The rate is that between a fifth and nine tenths of the keys: without the start
of the processes, and without the end, where some have no block. Then how much of a limit is used
in windows of 20 s, and how soon the keys of a killed worker are taken up again.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from penstock.simulator import SimulatorSettings, simulator_process

FILE = """
store = "env:MONGO"
[source]
kind = "range"
stop = {keys}
[api]
base = "{base}"
concurrency = {concurrency}
[request]
path = "/users/{{key}}.json"
[cluster]
block = 25
lease = {lease}
"""
LIMITED = '[budget]\nname = "speed"\nshared = "env:MONGO"\nreserve = 50\n'


LEASE = 5.0


@contextmanager
def started(uri, settings, count, concurrency=5, more=""):
    """Start workers on one run; give the simulator and the processes."""
    with simulator_process(settings) as simulator, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "users.toml"
        facts = {"keys": settings.users, "concurrency": concurrency, "lease": LEASE}
        file.write_text(FILE.format(base=simulator.url, **facts) + more)
        words = [sys.executable, "-m", "penstock", "work", str(file), "--quiet", "--json"]
        environment = {**os.environ, "MONGO": uri}
        pipe = subprocess.PIPE
        yield (
            simulator,
            [subprocess.Popen(words, stdout=pipe, env=environment) for _ in range(count)],
        )


def at(simulator, served):
    """Return when so many keys were served."""
    while simulator.truth()["served"] < served:
        time.sleep(0.02)
    return time.monotonic()


def ended(workers):
    for worker in workers:
        assert json.loads(worker.communicate()[0])["complete"]


def rate(uri, keys, count):
    """Return keys a second, and the seconds of CPU that a key costs the workers."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    settings = SimulatorSettings(users=keys, limit=0, latency=0.2)
    with started(uri, settings, count) as (simulator, workers):
        begun, over = at(simulator, keys * 0.2), at(simulator, keys * 0.9)
        ended(workers)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return keys * 0.7 / (over - begun), spent / keys


def used(uri, windows=3):
    """Return the share of (limit - reserve) that four workers use in windows of 20 s."""
    settings = SimulatorSettings(users=950 * windows + 300, limit=1000, window=20.0)
    with started(uri, settings, 4, 20, LIMITED) as (simulator, workers):
        ended(workers)
        (key,) = simulator.truth()["per_key"].values()
    whole = [window["accepted"] for window in key["windows"]][:-1]
    return sum(whole) / (950 * len(whole)), len(whole), key


def taken_up(uri, keys=300):
    """Return the seconds from the death of one of two workers to all of its block's keys."""
    settings = SimulatorSettings(users=keys, limit=0, latency=0.2)
    with started(uri, settings, 2) as (simulator, workers):
        at(simulator, keys * 0.8)
        workers[0].kill()
        killed = time.monotonic()
        workers[0].communicate()
        # The other does what is left, waits for the block's lease, and does the block.
        over = at(simulator, keys)
        ended(workers[1:])
    return over - killed


def main(uri, keys="1000"):
    def named(name):
        return uri.replace("?", f"{name}?")

    (one, cost), (four, _) = (rate(named(n), int(keys), n) for n in (1, 4))
    print(f"1 worker {one:.1f} keys/s, 4 workers {four:.1f}: {four / one:.2f} times")
    print(f"{cost * 1e3:.1f} ms of CPU a key in one worker, its start included")
    share, windows, key = used(named("limited"))
    print(f"4 workers, 1,000 per 20 s, reserve 50: {share:.1%} used in {windows} whole windows")
    print(f"refused {key['rejected']}, lowest left {key['lowest_remaining']}")
    seconds = taken_up(named("killed"))
    print(f"all keys of a killed worker, lease {LEASE:g} s: after {seconds:.1f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
