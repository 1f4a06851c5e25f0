"""Whether a store in MongoDB is as it was written: every document against its checksum."""

from __future__ import annotations

from penstock.store.mongo_reading import open_mongo
from penstock.store.verification import Damage, Progress, Verified

__all__ = ["verify_mongo"]

_EVERY = 1000


def verify_mongo(address: str, progress: Progress | None = None) -> Verified:
    """Read every record of the store at ``address`` and compare it with its checksum.

    Raises:
        InputError: There is no store.
        StorageError: Nobody answers, or the records of the store are gone.
    """
    damages: list[Damage] = []
    lines = 0
    with open_mongo(address) as store:
        status = store.status()
        for _ in store.whole_records(damages.append):
            lines += 1
            if progress is not None and lines % _EVERY == 0:
                progress(lines, status.landed)
    return Verified(lines, status.bytes, tuple(damages))
