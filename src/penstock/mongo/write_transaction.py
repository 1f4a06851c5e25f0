"""Doing what no transaction number covers in a transaction: wholly or not at all, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from pymongo import ReadPreference, WriteConcern
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from penstock.mongo.effects import Invocation, Steps
from penstock.mongo.error_kinds import fault_of
from penstock.mongo.errors import NotRetryable
from penstock.mongo.proxy import BOUND
from penstock.mongo.retry import RetriedTask, again, attempt, marked

__all__ = ["Unfit", "Whole", "transacted"]

# 20 IllegalOperation: a standalone server has no transactions. 263: not on this collection
# (capped, system) or not this command.
_NO_TRANSACTIONS = frozenset({20, 263})
# 290 longer than the server's limit, 225 gone with it, 257 and 313 too large, 388 out of cache.
_TOO_MUCH = frozenset({257, 290, 313, 388, 10334})


@final
class Unfit(Exception):
    """What came back means something else outside a transaction: do it there."""


@final
@dataclass(frozen=True, slots=True)
class Whole:
    """The transaction that an operation is done in.

    Attributes:
        client: PyMongo's client.
        session: The caller's session, or None.
        concern: The write concern of the operation: the commit's.
    """

    client: Any
    session: Any
    concern: WriteConcern


def transacted(task: RetriedTask, whole: Whole, call: Callable[..., Any]) -> Steps[Any]:
    """Do ``call(session=...)`` in a transaction of its own, until the task's deadline.

    Where there are no transactions it is done plainly, once, by ``task.call``.
    """
    own = whole.session is None
    if own and BOUND.get() is not None:
        return (yield from attempt(task))  # another client bound it: PyMongo refuses that
    active = whole.client.start_session(causal_consistency=False) if own else whole.session
    try:
        return (yield from _in(task, active, whole.concern, call))
    except Unfit:
        return (yield from attempt(task))
    finally:
        if own:
            yield Invocation(active.end_session)


def _in(
    task: RetriedTask, session: Any, concern: WriteConcern, call: Callable[..., Any]
) -> Steps[Any]:
    calls = 0

    def counted(active: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 1:
            task.core.retrying(task.name, task.place, calls - 1, 0.0, "its transaction was cut off")
        return call(session=active)

    def all_of_it() -> Any:
        # A write outside a transaction has no read concern and goes to the primary.
        return session.with_transaction(
            counted, ReadConcern("local"), concern, ReadPreference.PRIMARY
        )

    try:
        return (yield Invocation(all_of_it, task.limit()))
    except BulkWriteError as error:
        raise Unfit from error
    except PyMongoError as error:
        yield from _after(task, error)
        raise


def _after(task: RetriedTask, error: PyMongoError) -> Steps[None]:
    """Go another way, raise what is clearer than ``error``, or return for it to be raised."""
    code = error.code if isinstance(error, OperationFailure) else None
    if code in _NO_TRANSACTIONS:
        raise Unfit from error
    if code in _TOO_MUCH:
        task.core.count("gave_up")
        raise NotRetryable(
            f"{task.place} {task.name}: too much for one transaction, nothing was applied. "
            "Write fewer documents at once (ranges of _id), or say idempotent=True",
            maybe_applied=False,
        ) from error
    unknown = error.has_error_label("UnknownTransactionCommitResult")
    fault = fault_of(error)
    if fault.transient or error.timeout:
        # Only the deadline ends a transaction that may still succeed: the judge words it.
        yield from again(task, marked(error, unknown))
