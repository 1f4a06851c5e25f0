"""A run that may have been replaced: settles a key for each line it is told, and says what came.

python fenced_worker.py PLACE TOKEN
"""

from __future__ import annotations

import sys

from penstock.errors import PenstockError
from penstock.pipeline.result import Landing
from penstock.store import Fence, open_store


def main(place: str, token: str) -> None:
    store = open_store(place, fence=Fence("lock", int(token)))
    print("open", flush=True)
    for line in sys.stdin:
        try:
            store.settle([Landing(line.strip(), b'"from %s"' % token.encode())], lambda _: None)
            store.flush()
        except PenstockError as error:
            print(f"{type(error).__name__}: {error}", flush=True)
        else:
            print("safe", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
