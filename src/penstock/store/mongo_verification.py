"""Whether a store in MongoDB is as it was written: every document against its checksum."""

from __future__ import annotations

from penstock.errors import StorageError
from penstock.store.mongo_documents import landing_of
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
        for document in store.documents():
            try:
                landing_of(document)
                lines += 1
            except StorageError as error:
                damages.append(Damage(store.path, str(error), document["_id"]))
            if progress is not None and lines % _EVERY == 0:
                progress(lines, status.landed)
    return Verified(lines, status.bytes, tuple(damages))
