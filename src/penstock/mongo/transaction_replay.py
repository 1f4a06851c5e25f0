"""Transactions by hand: what they did is recorded, and done again when they are cut off.

A server that loses its place forgets an open transaction. Done again from the first statement it
reads and writes the same, unless somebody changed the data meanwhile; so each answer is compared
with the one the caller has seen, and a difference ends it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Any, final

from bson import encode
from bson.errors import BSONError
from pymongo.errors import PyMongoError

from penstock.mongo.effects import Invocation, Steps, Wait
from penstock.mongo.error_kinds import labels_of, reason_of
from penstock.mongo.errors import MongoGaveUp, NotRetryable
from penstock.mongo.retry import marked
from penstock.mongo.settings import Core

__all__ = ["TransactionRecord", "commit", "frozen_call", "seen_of", "statement"]

_TRANSIENT = "TransientTransactionError"
_UNKNOWN = "UnknownTransactionCommitResult"
# What differs from one run to the next and says nothing about data.
_VOLATILE = frozenset(
    {"$clusterTime", "operationTime", "opTime", "electionId", "recoveryToken", "ok", "lsid"}
)


@final
@dataclass(slots=True)
class TransactionRecord:
    """One open transaction.

    Attributes:
        core: Settings and counters.
        session: PyMongo's session.
        begin: Starts it (again) with its options.
        statements: What was called, and what of its answer must not change.
        spoiled: A statement was refused, so the server has ended the transaction for good.
    """

    core: Core
    session: Any
    begin: Callable[[], Any]
    statements: list[tuple[Callable[[], Any], object]] = field(default_factory=list)
    spoiled: bool = False


def statement(
    record: TransactionRecord,
    call: Callable[[], Any],
    freeze: Callable[[], Callable[[], Any]],
    redo: Callable[[], Any] | None = None,
) -> Steps[Any]:
    """Do one statement of the transaction.

    Args:
        record: The transaction.
        call: Does it.
        freeze: Given that it was done, returns what does the same when all is done again.
        redo: Does it after ``call`` has failed; None is ``call`` itself.

    Raises:
        NotRetryable: It was done again and answered differently, so nothing was done.
        MongoGaveUp: It was cut off again and again until the deadline.
    """
    started, tries, do = record.core.now(), 1, call
    while True:
        try:
            answer = yield Invocation(do)
        except PyMongoError as error:
            if record.spoiled or not error.has_error_label(_TRANSIENT):
                record.spoiled = True
                raise
            yield from _replay(record, error, started, tries)
            tries, do = tries + 1, redo or call
            continue
        record.statements.append((freeze(), seen_of(answer)))
        return answer


def commit(record: TransactionRecord) -> Steps[None]:
    """Commit, and ask for a lost commit again; a lost transaction is done again before.

    Raises:
        MongoGaveUp: The deadline has come; ``maybe_applied`` says whether it may be committed.
    """
    started, tries, unknown = record.core.now(), 1, False
    while True:
        try:
            yield Invocation(record.session.commit_transaction)
        except PyMongoError as error:
            if error.has_error_label(_UNKNOWN):
                unknown = True
                yield from _pause(record, error, started, tries, unknown=True)
            elif error.has_error_label(_TRANSIENT) and not record.spoiled:
                # The server says that nothing of it was committed.
                unknown = False
                yield from _replay(record, error, started, tries)
            else:
                raise marked(error, unknown) from None
            tries += 1
            continue
        return


def _pause(
    record: TransactionRecord, error: PyMongoError, started: float, tries: int, *, unknown: bool
) -> Steps[None]:
    deadline = record.core.deadline
    left = deadline - (record.core.now() - started)
    if left <= 0:
        record.core.count("gave_up")
        if not unknown:
            # What is left of it must not be committed by a caller who passes over the error.
            record.spoiled = True
            yield from _dropped(record)
        outcome = "it may be committed" if unknown else "nothing of it was applied"
        raise MongoGaveUp(
            f"transaction: not done within {deadline:g} s, {tries} tries; {outcome}. "
            f"The last failure: {reason_of(error)}",
            attempts=tries,
            maybe_applied=unknown,
            labels=labels_of(error),
        ) from error
    wait = min(record.core.settings.pause(tries), left)
    record.core.retrying("transaction", "", tries, wait, reason_of(error))
    yield Wait(wait)


def _replay(
    record: TransactionRecord, error: PyMongoError, started: float, tries: int
) -> Steps[None]:
    """Bring the transaction, begun anew, to where it was cut off."""
    while True:
        yield from _pause(record, error, started, tries, unknown=False)
        tries += 1
        try:
            yield from _dropped(record)
            yield Invocation(record.begin)
            for number, (call, seen) in enumerate(record.statements, 1):
                if seen_of((yield Invocation(call))) != seen:
                    yield from _dropped(record)
                    raise NotRetryable(
                        f"transaction: it was cut off ({reason_of(error)}) and done again, and its "
                        f"statement {number} answered differently, since the data changed "
                        "meanwhile; nothing of it was applied: begin it again",
                        maybe_applied=False,
                        labels=labels_of(error),
                    ) from error
        except PyMongoError as latest:
            if isinstance(latest, NotRetryable) or not latest.has_error_label(_TRANSIENT):
                record.spoiled = True
                raise
            error = latest
            continue
        record.core.count("replayed")
        return


def _dropped(record: TransactionRecord) -> Steps[None]:
    if record.session.in_transaction:
        try:
            yield Invocation(record.session.abort_transaction)
        except PyMongoError:
            return  # the server has dropped it already


def frozen_call(method: Callable[..., Any], given: Mapping[str, Any]) -> Callable[[], Any]:
    """Return the call as it is now: its documents may be changed by their owner later."""
    named = {k: v if k == "session" else copy.deepcopy(v) for k, v in given.items()}
    return partial(method, **named)


def seen_of(answer: object) -> object:
    """Return what must be the same when a statement is done again.

    >>> seen_of({"n": 1, "operationTime": 7}) == seen_of({"n": 1, "operationTime": 8})
    True
    """
    for name in ("raw_result", "bulk_api_result", "inserted_ids", "inserted_id"):
        if hasattr(type(answer), name):
            answer = getattr(answer, name)
            break
    if isinstance(answer, Mapping):
        answer = {name: value for name, value in answer.items() if name not in _VOLATILE}
    try:
        return blake2b(encode({"": answer}), digest_size=16).digest()
    except (BSONError, TypeError, ValueError):
        return type(answer).__name__
