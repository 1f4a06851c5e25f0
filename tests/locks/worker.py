"""A process that locks: told what to do line by line, and says what came of it in JSON.

    python tests/locks/worker.py STORE

lock NAME [TIMEOUT [LEASE]]     {"did": "lock", "token": 7} or {..., "error": "LockTimeout"}
release NAME                    {"did": "release"}
check NAME                      {"did": "check"} or with an error
cycle NAME COUNT                lock and release again and again, saying each as history has it
wait NAME                       until it is lost, then {"did": "wait", "lost": REASON}
"""

from __future__ import annotations

import json
import sys
import threading

from penstock.errors import PenstockError
from penstock.locks import Held, LockerRoom
from penstock.locks.process_identity import elapsed


def say(**words: object) -> None:
    print(json.dumps(words), flush=True)


class Worker:
    def __init__(self, store: str) -> None:
        self.room = LockerRoom(store)
        self.held: dict[str, Held] = {}
        self.lost: dict[str, threading.Event] = {}
        say(did="open", pid=self.room._backend.process)

    def lock(self, name: str, timeout: str = "60", lease: str = "30") -> dict[str, object]:
        event = self.lost[name] = threading.Event()
        held = self.held[name] = self.room.lock(
            name, timeout=float(timeout), lease=float(lease), lost=lambda _: event.set()
        )
        return {"token": held.token}

    def release(self, name: str) -> dict[str, object]:
        self.held[name].release()
        return {}

    def check(self, name: str) -> dict[str, object]:
        self.held[name].check()
        return {"left": self.held[name].left}

    def wait(self, name: str) -> dict[str, object]:
        self.lost[name].wait()
        return {"lost": self.held[name].lease.reason}

    def cycle(self, name: str, count: str) -> dict[str, object]:
        for _ in range(int(count)):
            asked = elapsed()
            held = self.room.lock(name, timeout=60)
            got = elapsed()
            giving = elapsed()
            held.release()
            say(did="one", token=held.token, asked=asked, got=got, giving=giving, gave=elapsed())
        return {"told": self.room.tally.told, "unheard": self.room.tally.unheard}

    def do(self, line: str) -> None:
        word, *rest = line.split()
        try:
            said = getattr(self, word)(*rest)
        except PenstockError as error:
            said = {"error": type(error).__name__, "message": str(error)}
        say(did=word, **said)


if __name__ == "__main__":
    worker = Worker(sys.argv[1])
    for each in sys.stdin:
        worker.do(each)
