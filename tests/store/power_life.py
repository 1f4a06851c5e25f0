"""A store's life, recorded for the replay of power losses: every group says what is safe after it.

python power_life.py DIRECTORY ROUNDS: lands, fails, deletes, marks, tries again, closes (which is a
checkpoint), exports, backs up.
"""

import json
import sys
from pathlib import Path

from penstock.destinations import export
from penstock.pipeline import Deletion, Entry, Failing, LandedGap, Landing, Mark
from penstock.store import LocalStore, backup_store, open_readonly


def body(key: int) -> bytes:
    """Return the record of a key: of a length that is its own."""
    return b'{"id":%d,"text":"%b"}' % (key, b"x" * (key * 7919 % 700))


def said_none(count: int) -> None:
    """Say nothing: what is safe is said after the flush."""


def main(folder: Path, rounds: int) -> None:
    said: dict[str, object] = {"safe": [], "gone": [], "gaps": 0, "exports": 0, "backups": 0}
    (folder / "out").mkdir()
    promised = (folder / "promised").open("ab", buffering=0)

    def promise(**more: object) -> None:
        said.update(more)
        promised.write(json.dumps(said).encode() + b"\n")

    done: list[int] = []
    gone: list[int] = []
    for number in range(rounds):
        with LocalStore(folder / "store", segment_bytes=4000) as store:
            for start in range(number * 20, number * 20 + 20, 5):
                keys = [key for key in range(start, start + 5) if key not in gone]
                entries: list[Entry] = [
                    Failing(key, "E", "m") if key % 9 == 4 else Landing(key, body(key))
                    for key in keys
                ]
                store.settle([*entries, Mark("last", str(keys[-1]))], said_none)
                store.flush()
                done += keys
                promise(safe=done)
            gone += [number * 20 + 2, number * 20 + 25]
            again = number * 20 + 4
            done = [key for key in done if key not in gone and key != again]
            promise(safe=done)  # the others are on their way
            store.settle(
                [Deletion(gone[-2]), Deletion(gone[-1]), LandedGap("1", "2", "limit")], said_none
            )
            store.flush()
            promise(gone=list(gone), gaps=number + 1)
            store.retry_failed([again])
        with open_readonly(folder / "store") as reader:
            export(reader, "csv", folder / "out" / "x.csv", force=True)
        promise(exports=number + 1)
        backup_store(folder / "store", folder / "backup")
        promise(backups=number + 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
