"""Where a use of what landed goes on: a small file beside what it writes."""

from __future__ import annotations

from pathlib import Path
from typing import final

import msgspec

from penstock.errors import InputError
from penstock.store import StoreReader
from penstock.whole import whole_file


@final
class Bookmark:
    """A value that survives, whole or as it was before, and knows the store it was made for.

    Args:
        path: The file.
        store: The store that is followed.
    """

    def __init__(self, path: Path, store: StoreReader) -> None:
        self.path = path
        self._started = store.status().started

    def read(self) -> dict[str, object]:
        """Return what was kept, nothing where nothing was.

        Raises:
            InputError: The file is something else, or was made for another store.
        """
        try:
            kept = msgspec.json.decode(self.path.read_bytes(), type=dict[str, object])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            raise InputError(f"{self.path} cannot be read: {error}; {_ANEW}") from error
        if kept.get("store") != self._started:
            raise InputError(f"{self.path} belongs to another store; {_ANEW}")
        return kept

    def keep(self, **facts: object) -> None:
        """Make ``facts`` safe in the place of what was kept.

        Raises:
            StorageError: The disk does not take them.
        """
        with whole_file(self.path) as file:
            file.write(msgspec.json.encode({"store": self._started, **facts}))


_ANEW = "remove it, and what stands beside it, to begin again"
