"""``[[destination]]``: a table elsewhere, kept up to date while a run lands."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import final

from penstock.address import hide, is_address, is_reference, look_up, scheme_of
from penstock.assembly.sections import DestinationSection
from penstock.destinations import DESTINATIONS, Keeper, open_destination, wants_structs
from penstock.errors import InputError, StorageError
from penstock.events import Events, Notice
from penstock.pipeline import Used
from penstock.registry import beside, did_you_mean
from penstock.store import StoreReader, read_given

_FILES = ("csv", "jsonl", "sqlite", "duckdb", "parquet")


@final
class KeptTable:
    """Follows a store into a table. While it cannot be reached the run goes on without it.

    Args:
        section: Which table, and where.
        folder: Where relative paths start.
        events: Told what does not fit a column, and that the destination does not answer.
        versions: Whether the store keeps all versions: so does a table, where it can.
    """

    def __init__(
        self, section: DestinationSection, folder: Path, events: Events, *, versions: bool = False
    ) -> None:
        self._section = section
        self._versions = versions
        self._folder = folder
        self._events = events
        self._taken = 0
        self._silent = False
        self._given = read_given(",".join(f"{k}: {kind}" for k, kind in section.schema.items()))
        if is_reference(section.to):
            self._shown = section.to
            return
        self._shown = hide(section.to)
        if not is_address(section.to) or scheme_of(section.to) not in DESTINATIONS:
            hint = did_you_mean(scheme_of(section.to), DESTINATIONS, otherwise="schemes: ")
            raise InputError(f"destination.to = {self._shown!r}: write SCHEME://..., {hint}")

    @property
    def describes(self) -> str:
        """What is kept, and where."""
        return f"destination: {self._section.table} of {self._shown}"

    def catch_up(self, store: StoreReader) -> None:
        """Take over what has landed; a destination that does not answer is tried again later."""
        try:
            self._take(store)
        except StorageError as error:
            if not self._silent:
                self._events.emit(Notice(reason=f"{self.describes}: {error}", doubtful=False))
            self._silent = True

    def finish(self, store: StoreReader) -> Used:
        """Take over the rest."""
        self._take(store)
        text = f"{self._taken:,} more rows in {self._section.table} of {self._shown}"
        return Used("destination", text, self._taken)

    def _take(self, store: StoreReader) -> None:
        section, children = self._section, self._section.nested == "tables"
        address = look_up(section.to) if is_reference(section.to) else section.to
        scheme, _, place = address.partition("://")
        if scheme_of(address) in _FILES:
            address = f"{scheme}://{self._folder / Path(place).expanduser()}"
        # Opened each time: a file of DuckDB that is open can be read by nobody else.
        with beside(self._folder), closing(open_destination(address)) as destination:
            self._taken += Keeper(
                destination,
                section.table,
                flatten=section.flatten,
                versions=(
                    self._versions and destination.holds_versions and section.nested != "tables"
                )
                if section.versions is None
                else section.versions,
                children=children,
                structs=wants_structs(section.nested),
                given=self._given,
                said=lambda words: self._events.emit(Notice(reason=words, doubtful=False)),
            ).catch_up(store)
        self._silent = False
