"""Workers on one run into MongoDB at 0.2 s latency: four beside one; and how a limit is used.

python benchmarks/cluster/speed.py mongodb://host,host/bench?replicaSet=name [KEYS]
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from penstock.simulator import SimulatorSettings, simulator_process

FILE = """
store = "env:MONGO"
[source]
kind = "range"
stop = {keys}
[api]
base = "{base}"
concurrency = 20
[request]
path = "/users/{{key}}.json"
[cluster]
block = 100
"""
LIMITED = '[budget]\nname = "speed"\nshared = "env:MONGO"\nreserve = 50\n'


def run(uri, settings, count, more=""):
    """Return seconds from the first call to the last, and the server's own counts of the key."""
    with simulator_process(settings) as simulator, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "users.toml"
        file.write_text(FILE.format(keys=settings.users, base=simulator.url) + more)
        words = [sys.executable, "-m", "penstock", "work", str(file), "--quiet", "--json"]
        environment = {**os.environ, "MONGO": uri}
        pipe = subprocess.PIPE
        workers = [subprocess.Popen(words, stdout=pipe, env=environment) for _ in range(count)]
        while not simulator.truth()["served"]:
            time.sleep(0.01)
        start = time.monotonic()
        while simulator.truth()["served"] < settings.users:
            time.sleep(0.02)
        seconds = time.monotonic() - start
        for worker in workers:
            assert json.loads(worker.communicate()[0])["complete"]
        (key,) = simulator.truth()["per_key"].values()
        return seconds, key


def main(uri, keys="2000"):
    settings = SimulatorSettings(users=int(keys), limit=0, latency=0.2)
    taken = [run(uri.replace("?", f"{n}?"), settings, n)[0] for n in (1, 4)]
    print(f"1 worker {taken[0]:.1f} s, 4 workers {taken[1]:.1f} s: {taken[0] / taken[1]:.2f} times")
    settings = SimulatorSettings(users=int(keys), limit=500, window=5.0)
    _, key = run(uri.replace("?", "limited?"), settings, 4, LIMITED)
    used = [window["accepted"] for window in key["windows"]][:-1]
    share = sum(used) / (450 * max(1, len(used)))
    print(f"4 workers, 500 per 5 s, reserve 50: {share:.0%} used in {len(used)} whole windows")
    print(f"refused {key['rejected']}, lowest left {key['lowest_remaining']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
