"""How to go on where we left off: what a cursor is, and what a request carries for it.

Each way is a value with two questions: which request goes on after a cursor, and what is known
to be missing then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeVar, final

import msgspec

from penstock.errors import InputError
from penstock.http import Request, dig
from penstock.streaming.values import Gap

__all__ = ["Backfill", "BodyRevision", "LastEventId", "NoResume", "QueryCursor", "Resume"]

N = TypeVar("N", int, float)
_EPOCH = "time in seconds since 1970"


class Resume(Protocol):
    """How a source lets us go on.

    Attributes:
        path: Dotted path of the cursor within a message; None where it is elsewhere.
        overlaps: Whether messages from before the cursor come again, to be told by their ids.
    """

    @property
    def path(self) -> str | None:
        """Dotted path of the cursor within a message; None where it is elsewhere."""
        ...

    @property
    def overlaps(self) -> bool:
        """Whether messages from before the cursor come again, to be told by their ids."""
        ...

    def request(self, request: Request, cursor: str, now: float) -> Request:
        """Return the request that goes on after ``cursor``; ``now`` is seconds since 1970."""
        ...

    def gap(self, cursor: str | None, heard: float, now: float) -> Gap | None:
        """Return what is missing even so, since we ``heard`` something last, until ``now``."""
        ...


@final
@dataclass(frozen=True, slots=True)
class NoResume:
    """The source cannot go back: whatever it sent while we were away is a gap."""

    path = None
    overlaps = False

    def request(self, request: Request, cursor: str, now: float) -> Request:
        """Return ``request``: it can carry nothing."""
        return request

    def gap(self, cursor: str | None, heard: float, now: float) -> Gap | None:
        """Return the time away."""
        return Gap(moment(heard), moment(now), "no-resume")


class _Whole:
    """The part that ways without a remaining gap share."""

    __slots__ = ()

    def gap(self, cursor: str | None, heard: float, now: float) -> Gap | None:
        """Return None where there is a cursor to go on from."""
        return Gap(moment(heard), moment(now), "no-resume") if cursor is None else None


@final
@dataclass(frozen=True, slots=True)
class LastEventId(_Whole):
    """The id of a server-sent event, sent back as ``Last-Event-ID``.

    Attributes:
        overlaps: Whether messages from before the cursor come again, to be told by their ids.
    """

    overlaps: bool = False
    path = None

    def request(self, request: Request, cursor: str, now: float) -> Request:
        """Return ``request``: the cursor goes beside it, as a header in UTF-8."""
        return request


@final
@dataclass(frozen=True, slots=True)
class QueryCursor(_Whole):
    """A member of each message, sent back as a parameter of the URL.

    Attributes:
        param: The parameter's name.
        path: Dotted path of the member.
        rewind: What to take off a numeric cursor, so that nothing falls between.
    """

    param: str
    path: str
    rewind: int = 0

    @property
    def overlaps(self) -> bool:
        """Whether it goes back further than it has to."""
        return self.rewind > 0

    numeric = overlaps  # it is reckoned with

    def request(self, request: Request, cursor: str, now: float) -> Request:
        """Return ``request`` with the parameter."""
        value = cursor
        if self.rewind:
            value = str(max(0, _number(int, cursor, "whole number") - self.rewind))
        query = {**(request.query or {}), self.param: value}
        return msgspec.structs.replace(request, query=query)


@final
@dataclass(frozen=True, slots=True)
class BodyRevision(_Whole):
    """A revision in each message; the next one is asked for in the request's JSON body (etcd).

    Attributes:
        path: Dotted path of the revision in a message.
        into: Dotted path in the request's body.
    """

    path: str
    into: str
    overlaps = False
    numeric = True

    def request(self, request: Request, cursor: str, now: float) -> Request:
        """Return ``request`` with a body that asks for the revision after ``cursor``."""
        *above, last = self.into.split(".")
        body = _copied(request.json, above)
        place = dig(body, ".".join(above))
        if not isinstance(place, dict):
            raise InputError(f"the request's JSON body has no object {'.'.join(above)!r}")
        place[last] = _number(int, cursor, "whole number") + 1
        return msgspec.structs.replace(request, json=body)


@final
@dataclass(frozen=True, slots=True)
class Backfill(_Whole):
    """The server sends the last minutes again, old and new mixed (X).

    A cursor is the time the last message arrived, in seconds since 1970.

    Attributes:
        param: Parameter of the URL that takes the minutes.
        most: Minutes that can be had.
    """

    param: str = "backfill_minutes"
    most: int = 5
    path = None
    overlaps = True

    def request(self, request: Request, cursor: str, now: float) -> Request:
        """Return ``request`` with the minutes since ``cursor``, rounded up."""
        minutes = math.ceil((now - _number(float, cursor, _EPOCH)) / 60)
        query = {**(request.query or {}), self.param: min(max(1, minutes), self.most)}
        return msgspec.structs.replace(request, query=query)

    def gap(self, cursor: str | None, heard: float, now: float) -> Gap | None:
        """Return what is from before the minutes that can be filled in."""
        if cursor is None:
            return _Whole.gap(self, cursor, heard, now)
        since, until = _number(float, cursor, _EPOCH), now - self.most * 60
        return Gap(moment(since), moment(until), "backfill") if since < until else None


def _copied(body: object, above: list[str]) -> object:
    """Return ``body`` with the objects on the way down copied, and made where they are missing."""
    if body is msgspec.UNSET:
        body = {}
    if not isinstance(body, Mapping):
        return body
    copy = dict(body)
    if above:
        copy[above[0]] = _copied(copy.get(above[0], {}), above[1:])
    return copy


def _number(kind: Callable[[str], N], cursor: str, what: str) -> N:
    try:
        return kind(cursor)
    except ValueError as error:
        raise InputError(f"cursor {cursor!r} is not a {what}, as the service's are") from error


def moment(epoch: float) -> str:
    """Return a time for people and gap records.

    >>> moment(1_800_000_000)
    '2027-01-15T08:00:00.000Z'
    """
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
