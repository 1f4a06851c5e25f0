#!/usr/bin/env python3
"""Locks under faults: two holders at once, tokens that repeat, late writes that were accepted.

    .venv/bin/python benchmarks/locks/safety.py                     200 rounds, 30 failovers; long
    .venv/bin/python benchmarks/locks/safety.py --rounds 5 --failovers 3
    .venv/bin/python benchmarks/locks/safety.py paused          one of its parts

paused    a holder is stopped past its lease, the next one writes, the first goes on and writes too:
          the target, fenced, must refuse it. In both stores.
kills     holders and waiters are killed at random moments under contention. In both stores.
forks     a process forks while its threads lock and it holds; each child leaves its parent's block
          and locks for itself. In both stores.
failover  workers contend while the primary is killed, stepped down and paused in turn; one of them
          believes that it is an hour earlier, one an hour later.

Every history is checked by the same checker as in the tests. Ends with 1 where anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.locks.history import Stay, violation

from penstock.errors import PenstockError
from penstock.locks import LockerRoom
from penstock.locks.process_identity import elapsed
from penstock.mongo.dev import DevSet

WORKER = ROOT / "tests" / "locks" / "worker.py"
SKEWED = (
    "import sys, time\nreal, skew = time.time, float(sys.argv.pop(1))\n"
    "time.time = lambda: real() + skew\nexec(compile(open(sys.argv.pop(1)).read(), 'w', 'exec'))"
)


FORKER = """
import json, os, signal, sys, threading
from penstock.locks import LockerRoom
from penstock.locks.process_identity import elapsed
room, is_over = LockerRoom(sys.argv[1]), threading.Event()
def once():
    asked = elapsed()
    with room.lock_and_release("forks", timeout=60) as held:
        got = elapsed()
        held.check()
        giving = elapsed()
    said = dict(did="one", token=held.token, asked=asked, got=got, giving=giving, gave=elapsed())
    os.write(1, (json.dumps(said) + chr(10)).encode())
def often():
    while not is_over.is_set():
        once()
threads = [threading.Thread(target=often) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(int(sys.argv[2])):
    mine = room.lock_and_release("of the parent")
    with mine:
        if (pid := os.fork()) == 0:
            signal.alarm(60)
            mine.__exit__(None, None, None)
            once()
            os._exit(0)
        code = os.waitpid(pid, 0)[1]
        if code or not room.status("of the parent").locked:
            os.write(1, (json.dumps(dict(did="wrong", code=code)) + chr(10)).encode())
is_over.set()
"""


class Target:
    """What the lock protects: it refuses a token smaller than one it has seen."""

    def __init__(self) -> None:
        self.fence = 0
        self.refused = 0
        self.accepted = 0

    def write(self, token: int) -> bool:
        if token < self.fence:
            self.refused += 1
            return False
        self.fence = token
        self.accepted += 1
        return True


class Worker:
    def __init__(self, store: str, hours: int = 0) -> None:
        words = [sys.executable, "-c", SKEWED, str(3600 * hours), str(WORKER), store]
        pipe = subprocess.PIPE
        self.popen = subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True)
        self.heard()

    def say(self, words: str) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write(words + "\n")
        self.popen.stdin.flush()

    def heard(self) -> dict[str, object]:
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        return json.loads(line) if line.endswith("\n") else {"did": "died"}

    def end(self) -> None:
        self.popen.kill()
        self.popen.communicate()


def paused(store: str, rounds: int, lease: float) -> dict[str, object]:
    """A holder stands still past its lease, in the middle of what the lock protects."""
    target, tokens, wrong = Target(), [], 0
    worker = Worker(store)
    with LockerRoom(store) as room:
        for _ in range(rounds):
            worker.say(f"lock paused 60 {lease}")
            said = worker.heard()
            if "token" not in said:
                raise SystemExit(f"{said.get('message')} (a busy machine needs a longer --lease)")
            early = int(str(said["token"]))
            target.write(early)
            worker.popen.send_signal(signal.SIGSTOP)
            with room.lock_and_release("paused", lease=30) as held:
                wrong += held.token <= early
                tokens += [early, held.token]
                target.write(held.token)
                worker.popen.send_signal(signal.SIGCONT)
                worker.say("check paused")
                wrong += "error" not in worker.heard()  # it believed what is not so
                wrong += target.write(early)  # and writes all the same
                worker.say("release paused")
                worker.heard()
                held.check()
    worker.end()
    wrong += tokens != sorted(set(tokens))
    return {"rounds": rounds, "refused": target.refused, "violations": wrong}


def kills(store: str, rounds: int, seed: int) -> dict[str, object]:
    """Processes that lock again and again are killed at random moments and replaced."""
    rng, stays, lost = random.Random(seed), [], 0
    pause = threading.Event()
    for _ in range(rounds):
        workers = [Worker(store) for _ in range(4)]
        for worker in workers:
            worker.say("cycle kills 1000000")
        survivor, *others = rng.sample(workers, 4)
        for worker in others:
            pause.wait(rng.uniform(0.0, 0.3))
            worker.popen.kill()
            lost += 1
        killed_at = elapsed()
        for worker in others:
            stays += told(worker)
        while True:  # the survivor still gets it, past the dead
            stays.append(stay_of(survivor.heard()))
            if stays[-1].asked > killed_at:
                break
        survivor.popen.kill()
        stays += told(survivor)
        for worker in workers:
            worker.end()
    return {"killed": lost, "turns": len(stays), "violations": int(violation(stays) is not None)}


def forks(store: str, rounds: int) -> dict[str, object]:
    """A process forks while it holds and its threads lock."""
    words = [sys.executable, "-c", FORKER, store, str(rounds)]
    ran = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    stays = [stay_of(line) for line in lines if line["did"] == "one"]
    wrong = len(lines) - len(stays) + int(violation(stays) is not None)
    return {"forked": rounds, "turns": len(stays), "violations": wrong}


def told(worker: Worker) -> Iterator[Stay]:
    while (said := worker.heard())["did"] == "one":
        yield stay_of(said)


def stay_of(said: dict[str, object]) -> Stay:
    moments = [float(str(said[key])) for key in ("asked", "got", "giving", "gave")]
    return Stay(int(str(said["token"])), *moments)


def failover(dev: DevSet, store: str, faults: int) -> dict[str, object]:
    """Workers contend while the primary is lost again and again."""
    workers = [Worker(store, hours) for hours in (-1, 0, 1, 0)]
    stays: list[Stay] = []
    ends: list[dict[str, object]] = []
    mutex, turned = threading.Lock(), threading.Condition()

    def listen(worker: Worker) -> None:
        while (said := worker.heard())["did"] == "one":
            with mutex:
                stays.append(stay_of(said))
            with turned:
                turned.notify_all()
        ends.append(said)

    for worker in workers:
        worker.say("cycle failover 1000000")
    listeners = [threading.Thread(target=listen, args=(worker,)) for worker in workers]
    for listener in listeners:
        listener.start()
    longest = 0.0
    for number in range(faults):
        before, began = len(stays), elapsed()
        [dev.kill, dev.step_down, dev.pause][number % 3]("primary")
        with turned:
            turned.wait_for(lambda before=before: len(stays) > before + 20, timeout=120)
        longest = max(longest, elapsed() - began)
        dev.heal()
    for worker in workers:
        worker.popen.kill()
    for listener in listeners:
        listener.join()
    for worker in workers:
        worker.end()
    errors = [end for end in ends if end["did"] != "died"]
    found = violation(stays)
    return {
        "faults": faults,
        "turns": len(stays),
        "errors": len(errors),
        "longest_seconds_for_20_turns": round(longest, 1),
        "violations": int(found is not None),
        "said": found or [error.get("message") for error in errors],
    }


@contextmanager
def stores(*, with_set: bool) -> Iterator[tuple[str, DevSet | None]]:
    with tempfile.TemporaryDirectory(prefix="safety-") as folder:
        if not with_set:
            yield folder, None
            return
        made = DevSet.start(f"{folder}/set")
        try:
            yield folder, made
        finally:
            made.stop()


def main() -> int:
    as_it_is = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_it_is)
    parser.add_argument("parts", nargs="*", default=["paused", "kills", "forks", "failover"])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--failovers", type=int, default=30)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--lease", type=float, default=0.5, help="of a paused holder")
    parser.add_argument("--local", action="store_true", help="the directory only, no MongoDB")
    options = parser.parse_args()
    wrong = 0
    print("seed", options.seed)
    with stores(with_set=not options.local) as (folder, dev):
        places = {"SQLite": f"{folder}/locks", **({"MongoDB": dev.uri} if dev else {})}
        for part in options.parts:
            for name, store in places.items():
                if part == "failover" and (dev is None or name != "MongoDB"):
                    continue
                if part == "paused":
                    said = paused(store, options.rounds, options.lease)
                elif part == "kills":
                    said = kills(store, max(1, options.rounds // 10), options.seed)
                elif part == "forks":
                    said = forks(store, options.rounds)
                else:
                    said = failover(dev, store, options.failovers)
                wrong += int(str(said["violations"])) + int(str(said.get("errors", 0)))
                print(json.dumps({"part": part, "store": name, **said}), flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are stopped on the way out
    try:
        sys.exit(main())
    except PenstockError as error:
        sys.exit(str(error))
