"""The use ``risk``: a portfolio's risk after each record of prices, followed from a bookmark."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast, final

import msgspec

from penstock.assembly.bookmark import Bookmark
from penstock.assembly.room_sections import RiskUse
from penstock.errors import InputError, StorageError
from penstock.events import Crossed, Events, LeftOut
from penstock.http import dig
from penstock.pipeline import Key, LandedRecord, Used
from penstock.store import StoreReader
from penstock.tables import read_dates
from penstock.whole import check_target

if TYPE_CHECKING:
    from penstock.portfolio import OnlineRisk, Reading, RowsAYear

_AT_ONCE = 1000  # lines that are made safe together


@final
class RiskWatch:
    """Follows the price records that land in a store and writes a line of risk after each.

    Lines are made safe first, then the bookmark that says how many bytes of them count: what a
    crash left behind it is cut off on the next start, so that each record has one line.

    Args:
        section: What to measure, and where to.
        folder: Where relative paths start.
        events: Told when the limit is crossed, and what is left out.

    Raises:
        InputError: Weights or choices that cannot be.
        MissingExtra: NumPy is not installed.
    """

    def __init__(self, section: RiskUse, folder: Path, events: Events) -> None:
        self._section = section
        self._events = events
        self._path = folder / Path(section.path).expanduser()
        check_target(self._path)
        self._online = _online(section)
        self._year = _year(section)
        self._bookmark: Bookmark | None = None
        self._place = _Place()
        self._lines: list[bytes] = []
        self._written = 0
        self._left_out = 0
        self._annual: float | None = None

    @property
    def describes(self) -> str:
        """What is done, in words."""
        names = ", ".join(self._section.weights)
        limit = "" if self._section.limit is None else f", limit {self._section.limit:g} a year"
        return f"risk: of {names} as records land, into {self._section.path}{limit}"

    def catch_up(self, store: StoreReader) -> None:
        """Take what has landed since the last time.

        Raises:
            InputError: The bookmark belongs to something else.
            StorageError: The disk does not take the lines.
        """
        if self._bookmark is None:
            self._bookmark = Bookmark(self._path.with_name(f"{self._path.name}.place"), store)
            self._resume(self._bookmark)
        fresh = False
        for landed, position in store.follow(self._place.position):
            self._take(landed)
            self._place.position = position
            fresh = True
            if len(self._lines) >= _AT_ONCE:
                self._save(self._bookmark)
        if fresh:
            self._save(self._bookmark)

    def finish(self, store: StoreReader) -> Used:
        """Take the rest, and say what was done."""
        self.catch_up(store)
        text = f"{self._written:,} lines more in {self._path}"
        if self._annual is not None:
            text += f"; {self._annual:.2%} a year, {self._year.words}"
            if self._place.above:
                text += f", over the limit of {self._section.limit:.2%}"
        return Used("risk", text, self._written, self._left_out)

    def _take(self, landed: LandedRecord) -> None:
        from penstock.portfolio import watch

        try:
            record = msgspec.json.decode(landed.body)
            moment = self._moment(landed.key, record)
            pairs = [(landed.key, self._row(record))]
            self._online.periods = self._year.take(_date(moment))
            reading = next(watch(pairs, self._online, limit=self._section.limit), None)
        except (InputError, msgspec.DecodeError) as error:
            self._left_out += 1
            self._events.emit(LeftOut(use="risk", key=landed.key, reason=str(error)))
            return
        self._place.moment = moment
        if reading is not None:
            self._note(reading)

    def _row(self, record: object) -> Mapping[str, float]:
        row = dig(record, self._section.at)
        if not isinstance(row, Mapping):
            raise InputError(f"no object with one number an asset at {self._section.at!r}")
        return row

    def _moment(self, key: Key, record: object) -> str | float:
        """Return when the record is of; it has to be later than the one before."""
        moment = dig(record, self._section.moment) if self._section.moment else key
        if isinstance(moment, bool) or not isinstance(moment, str | int | float):
            raise InputError(f"no number or date at {self._section.moment!r}")
        before = self._place.moment
        if before is not None and not _ordered(moment) > _ordered(before):
            raise InputError(f"{moment!r} comes after {before!r}: only later records are taken")
        return moment

    def _note(self, reading: Reading) -> None:
        self._annual = reading.volatility_annual
        line = {
            "key": reading.key,
            "volatility": reading.volatility,
            "volatility_annual": reading.volatility_annual,
            "over": reading.over,
        }
        self._lines.append(msgspec.json.encode(line) + b"\n")
        limit = self._section.limit
        if limit is not None and reading.over != self._place.above:
            self._place.above = reading.over
            self._events.emit(
                Crossed(
                    key=reading.key,
                    value=reading.volatility_annual,
                    limit=limit,
                    above=reading.over,
                )
            )

    def _resume(self, bookmark: Bookmark) -> None:
        kept = bookmark.read()
        if not kept:
            if self._path.exists():
                raise InputError(f"{self._path} exists and is not ours: name another file")
            self._keep(bookmark)  # before the file: from now on it is ours
            return
        try:
            self._place = msgspec.convert(kept["place"], _Place)
            online = self._online.load(cast("dict[str, object]", kept["online"]))
        except (KeyError, msgspec.ValidationError) as error:
            raise InputError(f"{bookmark.path} is damaged: {error!r}") from error
        if not _same(online, self._online):
            raise InputError(
                f"{bookmark.path} was begun with other weights or choices: set path to another "
                f"file, or remove it and {self._path.name} to begin again"
            )
        self._online = online
        self._year = _year(self._section, self._place.dates)
        self._cut_back()

    def _cut_back(self) -> None:
        try:
            size = self._path.stat().st_size if self._path.exists() else 0
            if size < self._place.length:
                raise InputError(
                    f"{self._path} has lost lines: remove {self._path.name}.place to begin again"
                )
            if size > self._place.length:
                os.truncate(self._path, self._place.length)
        except OSError as error:
            raise StorageError(f"{self._path}: {error.strerror}") from error

    def _save(self, bookmark: Bookmark) -> None:
        data = b"".join(self._lines)
        if data:
            try:
                with self._path.open("ab") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise StorageError(f"{self._path}: {error.strerror}") from error
        self._place.length += len(data)
        self._written += len(self._lines)
        self._lines.clear()
        self._keep(bookmark)

    def _keep(self, bookmark: Bookmark) -> None:
        self._place.dates = self._year.seen
        bookmark.keep(place=msgspec.to_builtins(self._place), online=self._online.state())


class _Place(msgspec.Struct):
    """How far it is: in the store, in time, in the file of lines."""

    position: str = ""
    moment: str | float | None = None
    length: int = 0
    above: bool = False
    dates: list[str] = []


_CHOICES = ("decay", "window", "scheme", "ddof", "cash")


def _online(section: RiskUse) -> OnlineRisk:
    from penstock.portfolio import OnlineRisk

    try:
        choices = {name: getattr(section, name) for name in _CHOICES}
        year = section.periods or 252.0
        return OnlineRisk(section.weights, kind=section.values, periods=year, **choices)
    except InputError as error:
        raise InputError(f"use risk: {error}") from error


def _year(section: RiskUse, seen: Sequence[str] = ()) -> RowsAYear:
    from penstock.portfolio import RowsAYear

    return RowsAYear(section.periods, seen)


def _date(moment: str | float) -> datetime | None:
    """Return the wall clock's moment, or None where the number counts something else."""
    try:
        return read_dates([str(moment)])[0][0]
    except InputError:
        return None


def _same(one: OnlineRisk, other: OnlineRisk) -> bool:
    parts = ("names", "weights", "choices")
    kept, wanted = one.state(), other.state()
    return all(kept[part] == wanted[part] for part in parts)


def _ordered(moment: str | float) -> tuple[bool, float]:
    """Return what moments are compared by: numbers as they are, dates as seconds."""
    if not isinstance(moment, str):
        return False, float(moment)
    try:
        when = datetime.fromisoformat(moment)
    except ValueError as error:
        raise InputError(f"{moment!r} is not an ISO date such as 2026-01-30") from error
    return True, (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
