"""A process that lands keys until it is stopped; the crash and disk-full tests start it.

STORE is a directory or an address of MongoDB.
python worker.py STORE COUNT GROUP: claims 0..COUNT-1, prints a line with the number of entries
known to be safe each time it grows, and ends like the command line does.
"""

import signal
import sys

from penstock.errors import PenstockError
from penstock.pipeline.result import Entry, Failing, Landing, Mark
from penstock.store import LocalStore, WritableStore, open_store


def body(key: int) -> bytes:
    """Return the record of a key: of a length that is its own."""
    return b'{"id":%d,"text":"%b"}' % (key, b"x" * (key * 7919 % 1500))


def entry(key: int) -> Entry:
    return Failing(key, "PermanentError", "404") if key % 10 == 3 else Landing(key, body(key))


def open_it(path: str) -> WritableStore:
    return open_store(path) if "://" in path else LocalStore(path, segment_bytes=20_000)


def main(path: str, count: int, group: int) -> None:
    safe = 0

    def durable(number: int) -> None:
        nonlocal safe
        safe += number
        sys.stdout.write(f"{safe}\n")
        sys.stdout.flush()

    with open_it(path) as store:
        sys.stdout.write("open\n")
        sys.stdout.flush()
        for key in store.claim(range(count)):
            store.settle([entry(int(key)), Mark("last", str(key))], durable, group=group)


if __name__ == "__main__":
    # The limit on a file's size then is an error, EFBIG, as a full disk is.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    except PenstockError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
