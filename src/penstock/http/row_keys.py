"""Rows as results: each with its key, or with the reason why it has none that can be used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TypeAlias, final

import msgspec

from penstock.errors import PermanentError
from penstock.http.api import Api
from penstock.http.body import MISSING, find
from penstock.http.since import Rank, Unread, is_newer, rank_of
from penstock.pipeline import Key, LandedRecord, Result, load

KeyPath: TypeAlias = str | Sequence[str]
"""Path of what identifies a row, or several: together they are its key."""

_EXCERPT = 100_000  # characters of a row that a dead letter keeps
_ROOM = 500_000  # rows whose bodies are compared with those of the same key


def row_result(row: bytes, key: KeyPath) -> Result[Key, LandedRecord]:
    """Return a row with its key, or as a dead letter that keeps it and says what is wrong.

    A row that is a text or a number is its own key. A key of several members is their JSON list.

    >>> row_result(b'{"id": 7}', "id").key, row_result(b'{"a": 1, "b": "x"}', ["a", "b"]).key
    (7, '[1,"x"]')
    >>> row_result(b'{"id": 1.0}', "id").error
    PermanentError("'id' is 1.0: a key is a text or a whole number of 64 bits; set source.key")
    """
    found: object = None
    try:
        value = load(row)
        found = value if isinstance(value, str | int) else _key(value, key)
        problem = _problem(found, key, row)
    except msgspec.DecodeError as error:
        problem = f"the row is not JSON: {error}"
    if problem:
        return _dead_letter(row, problem)
    assert isinstance(found, str | int)
    return Result(found, LandedRecord(found, row))


def _key(row: object, key: KeyPath) -> object:
    if isinstance(key, str):
        return find(row, key)
    parts = [find(row, path) for path in key]
    if all(isinstance(part, str | int) and not isinstance(part, bool) for part in parts):
        return msgspec.json.encode(parts).decode()
    return next(p for p in parts if not isinstance(p, str | int) or isinstance(p, bool))


def _problem(found: object, key: KeyPath, row: bytes) -> str:
    if isinstance(found, str) and "\ufffd" not in found:
        return ""  # as nearly all are
    where = repr(key if isinstance(key, str) else list(key))
    usable = "a key is a text or a whole number of 64 bits; set source.key"
    if found is MISSING:
        return f"the row has nothing at {where}: {usable}"
    if isinstance(found, bool) or not isinstance(found, str | int):
        return f"{where} is {msgspec.json.encode(found)[:80].decode('utf-8', 'replace')}: {usable}"
    if isinstance(found, int) and not -(2**63) <= found < 2**63:
        return f"{where} is {found}: {usable}"
    if isinstance(found, str) and "\ufffd" in found and b"\\u" in row:
        return f"{where} holds half a surrogate pair, so it is not a text"
    return ""


def _dead_letter(row: bytes, problem: str) -> Result[Key, LandedRecord]:
    error = PermanentError(problem)
    error.excerpt = row[:_EXCERPT].decode("utf-8", "replace")
    # A name that is the same on every run, so that a row is kept once.
    return Result(f"row {hashlib.sha256(row).hexdigest()[:16]}", None, error)


@final
class Rows:
    """Gives the rows of page after page their keys; of those with one key the first counts.

    Args:
        key: What identifies a row.
        every: Whether rows that have the same key all count: what the store does with them, as
            its ``on_same`` says it.
        newest: Path of a time or number: a row is left out behind a newer one of its key.

    Attributes:
        differing: Rows that were left out though they have another body than the one kept.
        every: As it was given.
        older: Rows that were left out behind a newer one.

    >>> rows = Rows("id")
    >>> [result.key for result in rows.results([b'{"id": 1, "v": 1}', b'{"id": 1, "v": 2}'])]
    [1]
    >>> rows.differing
    1
    """

    def __init__(
        self, key: KeyPath, *, every: bool | str = False, newest: str | None = None
    ) -> None:
        self._key = key
        self.every = every
        self._bodies: dict[Key, int] = {}
        self._newest = newest
        self._ranks: dict[Key, Rank] = {}
        self.differing = self.older = 0

    def results(self, rows: Iterable[bytes]) -> list[Result[Key, LandedRecord]]:
        """Return the rows of one page, each key once where only the first counts."""
        if self.every:
            return self._in_order(rows)
        found: dict[Key, Result[Key, LandedRecord]] = {}
        for row in rows:
            result = row_result(row, self._key)
            body = hash(row)
            known = self._bodies.setdefault(result.key, body)
            self.differing += known != body
            found.setdefault(result.key, result)
        while len(self._bodies) > _ROOM:
            del self._bodies[next(iter(self._bodies))]
        return list(found.values())

    def _in_order(self, rows: Iterable[bytes]) -> list[Result[Key, LandedRecord]]:
        """Return the rows of one page; of one key the newest comes last, over pages too."""
        field = self._newest
        if field is None:
            return [row_result(row, self._key) for row in rows]
        ranked = [(row_result(row, self._key), rank_of(row, field)) for row in rows]
        if len({result.key for result, _ in ranked}) < len(ranked):
            ranked.sort(key=lambda one: (str(type(one[1])), one[1] or 0))
        found: list[Result[Key, LandedRecord]] = []
        for result, rank in ranked:
            known = self._ranks.pop(result.key, None)
            older = known is not None and rank is not None and is_newer(known, rank)
            if older:
                self.older += 1
            else:
                found.append(result)
            if (newest := known if older else rank) is not None:
                self._ranks[result.key] = newest
        while len(self._ranks) > _ROOM // 5:
            del self._ranks[next(iter(self._ranks))]
        return found

    @property
    def doubt(self) -> str:
        """What to tell people of rows that were left out; ``""`` where there is nothing."""
        if not self.differing:
            return ""
        return (
            f"{self.differing:,} rows had the key of another row and another body: the first of "
            'each key was kept. Name what tells them apart, such as key = ["a", "b"]'
        )


def tell(api: Api, rows: Rows, unread: Unread | None) -> None:
    """Tell people what is to be said of the rows of a feed, at its end."""
    for doubt in (rows.doubt, "" if unread is None else unread.doubt):
        if doubt:
            api.tell(doubt, doubtful=True)
    if rows.older:
        what = f"{rows.older:,} rows came behind a newer one of the same key, and were left out"
        api.tell(what, doubtful=rows.every == "history")
    if unread is not None and unread.note:
        api.tell(unread.note)
