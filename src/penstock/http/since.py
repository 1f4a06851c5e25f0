"""Only what is new: the greatest value that has landed is what the next walk asks from."""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import TypeAlias, final

import msgspec

from penstock.errors import InputError
from penstock.http.body import value_at
from penstock.http.response import Response
from penstock.http.styles import R, at, with_parameters
from penstock.pipeline import Checkpoint, Key

Value: TypeAlias = str | int | float

SINCE = "since"  # the checkpoint of how far a source came

Rank: TypeAlias = datetime | float
"""What values are compared by: a moment or a number."""

_OLDEST, _LATEST = 1e9, 2.6e11  # what may be a time since 1970: from 2001 to the year 10,000
_SKEW = timedelta(days=1)  # by how much a server's clock may be ahead of ours
_FRACTION = re.compile(r"\.(\d+)")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """How to ask an endpoint for what is new.

    Attributes:
        param: The parameter that takes the value.
        field: Path of the value within a row: a time in ISO form, or a number.
        cursor: Path of a cursor within a page, in place of ``field``: the last one counts.
        start: What the first walk asks for, or None to leave the parameter out.
        overlap: How far to go back behind the greatest value: seconds of times, else units.

    >>> Since(param="since", field="at", cursor="next")
    Traceback (most recent call last):
    ...
    penstock.errors.InputError: since: give field (of a row) or cursor (of a page), one of them
    """

    param: str
    field: str | None = None
    cursor: str | None = None
    start: Value | None = None
    overlap: float = 0.0

    def __post_init__(self) -> None:
        if (self.field is None) == (self.cursor is None):
            raise InputError("since: give field (of a row) or cursor (of a page), one of them")
        if self.overlap < 0 or (self.overlap and self.cursor is not None):
            raise InputError("since: an overlap is 0 or more, and a cursor has none")
        if self.overlap and self.start is not None and _rank(self.start) is None:
            raise InputError(
                f"since: an overlap needs a time or number, and start is {self.start!r}"
            )


@final
class _SinceState(msgspec.Struct):
    source: str
    floor: Value | None = None
    high: Value | None = None
    first: int | None = None  # where the pages turned out to begin
    ahead: Value | None = None  # the greatest number that would be a time in the future
    begun: str = ""  # of the values of many parents: which beginning they belong to


@final
class Unread:
    """Rows whose value could not be compared, of all that were seen.

    Args:
        field: Path of the value.
    """

    def __init__(self, field: str) -> None:
        self._field = field
        self.rows = self.count = self.ahead = 0

    @property
    def note(self) -> str:
        """What else to tell people; ``""`` where no row is dated in the future."""
        if not self.ahead:
            return ""
        return (
            f"{self.ahead:,} of {self.rows:,} rows are dated in the future at {self._field!r} "
            "(since.field): the next run asks for what is newer than the greatest value before"
        )

    @property
    def doubt(self) -> str:
        """What to tell people; ``""`` where all could be compared."""
        if not self.count:
            return ""
        return (
            f"{self.count:,} of {self.rows:,} rows have no time or number at {self._field!r} "
            "(since.field) that can be compared: what changes in them may be missed"
        )


@final
class Watermark:
    """What one walk asks from, and the greatest value it has seen.

    What is asked stays the same until a walk has ended, so that rows may come in any order; it is
    kept in the transaction of the rows it stands for. A time in the future is not taken for it.

    Args:
        since: How to ask.
        source: What the values belong to.
        kept: What the store kept of the walk before, or None.
        name: The name of its checkpoint.
        unread: Where rows without a value are counted; unset: its own.

    Raises:
        InputError: What was kept belongs to another source.
    """

    def __init__(
        self,
        since: Since,
        source: str,
        kept: str | None,
        *,
        name: str = SINCE,
        unread: Unread | None = None,
    ) -> None:
        self._since = since
        self._name = name
        self.unread = Unread(since.field or "") if unread is None else unread
        self._latest = datetime.now(UTC) + _SKEW
        self._ahead = 0
        self._state = _state(kept, source) or _SinceState(source, since.start)

    @property
    def first(self) -> int | None:
        """Where the pages turned out to begin, once that is known: kept with the value."""
        return self._state.first

    @first.setter
    def first(self, position: int | None) -> None:
        self._state.first = position

    def asked(self, request: R) -> R:
        """Return the request that asks for what is new."""
        floor = self._state.floor
        if floor is None:
            return request
        return with_parameters(request, {self._since.param: _earlier(floor, self._since.overlap)})

    def saw(self, page: Response, rows: Iterable[bytes], *, last: bool) -> Checkpoint:
        """Return what to keep together with a page; after the ``last`` the next walk goes on."""
        state = self._state
        if self._since.field is not None:
            for row in rows:
                self._see(row, self._since.field)
        elif self._since.cursor is not None:
            found = at(page, self._since.cursor)
            if isinstance(found, str | int | float) and found != "":
                state.high = found
        if last:
            self._settle()
        return _noted(self._name, state)

    def _known(self) -> Value | None:
        return self._state.floor if self._state.high is None else self._state.high

    def _settle(self) -> None:
        """Take the greatest value; numbers were times in the future only where others are times."""
        state, known = self._state, _rank_or_none(self._known())
        ahead, state.ahead = state.ahead, None
        now = self._latest.timestamp()
        if not isinstance(known, datetime) and _scaled(known, _OLDEST, now):
            self.unread.ahead += self._ahead
        elif ahead is not None and (known is None or is_newer(_rank_or_none(ahead), known)):
            state.high = ahead
        if state.high is not None:
            state.floor, state.high = state.high, None

    def _see(self, row: bytes, field: str) -> None:
        self.unread.rows += 1
        value = _value(row, field)
        rank = _rank_or_none(value)
        known = _rank_or_none(self._known())
        if rank is None or isinstance(known or rank, datetime) != isinstance(rank, datetime):
            self.unread.count += 1
        # Else all that is written until then would never be asked for.
        elif isinstance(rank, datetime) and rank > self._latest:
            self.unread.ahead += 1
        elif not isinstance(rank, datetime) and _scaled(rank, self._latest.timestamp(), _LATEST):
            self._ahead += 1
            if is_newer(rank, _rank_or_none(self._state.ahead)):
                self._state.ahead = value
        elif is_newer(rank, known):
            self._state.high = value


@final
class Watermarks:
    """A watermark for each parent: of one that is new, all that belongs to it is asked for.

    They count from one beginning: ``run --restart`` forgets it, and with it all of them.

    Args:
        since: How to ask.
        source: What the values belong to.
        recall: The store's ``mark``.

    Attributes:
        begun: What lands before all else, where nothing was kept yet: their beginning.
        unread: Rows without a value, of all parents.

    Raises:
        InputError: What was kept belongs to another source.
    """

    def __init__(self, since: Since, source: str, recall: Callable[[str], str | None]) -> None:
        self._since, self._source, self._recall = since, source, recall
        kept = _state(recall(SINCE), source)
        state = kept or _SinceState(source, begun=secrets.token_hex(4))
        self._begun = state.begun
        self.begun = () if kept else (_noted(SINCE, state),)
        self.unread = Unread(since.field or "")

    def of(self, parent: Key) -> Watermark:
        """Return that of a parent."""
        name = f"{SINCE} {self._begun} {msgspec.json.encode(parent).decode()}"
        kept = self._recall(name)
        return Watermark(self._since, self._source, kept, name=name, unread=self.unread)


def _state(kept: str | None, source: str) -> _SinceState | None:
    state = msgspec.json.decode(kept, type=_SinceState) if kept else None
    if state is not None and state.source != source:
        raise InputError(
            f"what is new ({SINCE!r} in the store) belongs to {state.source}, not to "
            f"{source}: land in a store of its own, or begin again with penstock run --restart"
        )
    return state


def _noted(name: str, state: _SinceState) -> Checkpoint:
    return Checkpoint(name, msgspec.json.encode(state).decode())


def _value(row: bytes, field: str) -> Value | None:
    try:
        value = value_at(row, field)
    except msgspec.DecodeError:
        return None
    return value if isinstance(value, str | int | float) else None


def rank_of(row: bytes, field: str) -> Rank | None:
    """Return what the value of a row is compared by, or None where it cannot be."""
    return _rank_or_none(_value(row, field))


def is_newer(rank: Rank | None, known: Rank | None) -> bool:
    """Whether a value is greater than one of its type that is known, or the first."""
    if rank is None or known is None:
        return rank is not None
    if isinstance(rank, datetime) or isinstance(known, datetime):
        return isinstance(rank, datetime) and isinstance(known, datetime) and rank > known
    return rank > known


def _scaled(number: float | None, least: float, most: float) -> bool:
    """Whether a number may be a time between two: seconds since 1970, or parts of them."""
    return number is not None and any(least * n < number <= most * n for n in (1, 10**3, 10**6))


def _rank_or_none(value: Value | None) -> Rank | None:
    return None if value is None else _rank(value)


def _rank(value: Value) -> Rank | None:
    """Return what values are compared by: a moment or a number."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value) if not isinstance(value, int) else value
        return number if math.isfinite(number) else None
    except (ValueError, OverflowError):
        pass
    moment = _moment(str(value))
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def _moment(text: str) -> datetime | None:
    """Return a time as ISO 8601 or RFC 9110 write it, without an offset where it has none."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return read(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def _earlier(value: Value, overlap: float) -> Value:
    """Return a value so much earlier, in the form it has.

    >>> _earlier("2026-01-01T00:00:00Z", 60), _earlier("2026-01-01", 60), _earlier(7, 2)
    ('2025-12-31T23:59:00Z', '2025-12-31', 5)
    >>> _earlier("20260101", 60), _earlier("Thu, 01 Jan 2026 00:00:00 GMT", 60)
    ('20251231', 'Wed, 31 Dec 2025 23:59:00 GMT')
    """
    if not overlap:
        return value
    text = str(value)
    is_date = text.isdecimal() and len(text) == len("20260101") and _moment(text) is not None
    try:
        number = math.nan if is_date else float(value)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        return _moment_before(text, timedelta(seconds=overlap))
    less = (int(value) if number == int(number) else number) - (
        int(overlap) if overlap == int(overlap) else overlap
    )
    return str(less) if isinstance(value, str) else less


def _moment_before(text: str, overlap: timedelta) -> str:
    moment = _moment(text)
    assert moment is not None  # Since and Watermark took it for one
    before = moment - overlap
    if "," in text:
        return format_datetime(before, usegmt=text.endswith("GMT"))
    if "-" not in text[:8]:
        shown = before.strftime("%Y%m%d" if len(text) == len("20260101") else "%Y%m%dT%H%M%S%z")
        return shown.replace("+0000", "Z") if text.endswith("Z") else shown
    if len(text) == len("2026-01-01"):
        return date.isoformat(before.date())
    digits = _FRACTION.search(text)
    shown = before.isoformat(sep=text[10], timespec="microseconds" if digits else "seconds")
    if digits and len(digits[1]) < len("123456"):
        shown = _FRACTION.sub(lambda found: found[0][: len(digits[1]) + 1], shown, 1)
    return shown.replace("+00:00", "Z") if text.endswith("Z") else shown
