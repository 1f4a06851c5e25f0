"""Repeating one call by the rules: steps that :mod:`penstock.mongo.effects` performs.

Nothing here sends or sleeps by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

from pymongo.errors import PyMongoError

from penstock.mongo.effects import Invocation, Steps, Wait
from penstock.mongo.error_kinds import FailedCall, fault_of, labels_of, reason_of
from penstock.mongo.errors import MongoGaveUp, NotRetryable
from penstock.mongo.settings import Core

__all__ = ["RetriedTask", "again", "always", "attempt", "marked", "only_refused"]

# A timeout that ended a call at once was set around us, by the caller: it is obeyed.
_AT_ONCE = 0.005


@final
@dataclass(frozen=True, slots=True)
class RetriedTask:
    """One operation and how it may be repeated.

    Attributes:
        core: Settings and counters.
        name: The operation, ``insert_one``.
        place: Where it works, ``shop.orders``.
        call: Does it once.
        started: When its first try began, on the core's clock.
        repeats: Whether it may be called again after such a fault.
        remedy: How to make it retryable, for the error.
        numbered: PyMongo repeats it by itself under one transaction number, while it has time.
        harmless: It changes nothing.
        limited: PyMongo may be given a limit of time (with it, it leaves a ``wtimeout`` out).
        whole: Whether it is done at once or not at all: asked when it has failed.
        parts: How to make it so, where it is not.
        reads: It goes on with a cursor: a place lost on the server may be found again, and no
            time limit is sent along, since the server would hold it against the whole cursor.
        done: Whether an error means that an earlier try did it.
    """

    core: Core
    name: str
    place: str
    call: Callable[[], Any]
    started: float
    repeats: Callable[[FailedCall], bool]
    remedy: str = ""
    numbered: bool = False
    harmless: bool = False
    reads: bool = False
    done: Callable[[PyMongoError], bool] = lambda _: False
    limited: bool = True
    whole: Callable[[], bool] = lambda: True
    parts: str = ""

    @property
    def elapsed(self) -> float:
        """Seconds since the first try began."""
        return self.core.settings.clock.monotonic() - self.started

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.core.deadline - self.elapsed

    def limit(self, *, first: bool = False) -> float | None:
        """Return the seconds that PyMongo is given for a try, or None for its own."""
        if self.reads or not self.limited or (first and not self.numbered):
            return None
        return max(0.001, self.left)


def always(fault: FailedCall) -> bool:
    """Repeat after any fault that may pass."""
    return True


def only_refused(fault: FailedCall) -> bool:
    """Repeat only where the server certainly did nothing."""
    return not fault.applied


def attempt(task: RetriedTask) -> Steps[Any]:
    """Do ``task``, again and again until its deadline where its rule allows it."""
    try:
        return (yield Invocation(task.call, task.limit(first=True)))
    except PyMongoError as error:
        return (yield from again(task, error))


def again(task: RetriedTask, error: PyMongoError) -> Steps[Any]:
    """Go on with ``task`` after its first try ended in ``error``.

    Raises:
        MongoGaveUp: The deadline has come.
        NotRetryable: Its rule does not allow another try.
        PyMongoError: The server's answer is no: PyMongo's own error, as it is.
    """
    tries, unknown, took = 1, False, float("inf")
    while True:
        if unknown and task.done(error):
            return None
        fault = fault_of(error)
        if fault.transient and not fault.applied and not task.whole():
            fault, task = replace(fault, applied=True), replace(task, remedy=task.parts)
        if task.reads:
            fault = FailedCall(transient=fault.transient or fault.cursor_lost, applied=False)
        unknown |= fault.applied and not task.harmless
        _refuse(task, error, fault, tries=tries, unknown=unknown, took=took)
        wait = min(task.core.settings.pause(tries), max(0.0, task.left))
        task.core.retrying(task.name, task.place, tries, wait, reason_of(error))
        yield Wait(wait)
        begun = task.elapsed
        try:
            return (yield Invocation(task.call, task.limit()))
        except PyMongoError as latest:
            error = latest
        tries, took = tries + 1, task.elapsed - begun


def _refuse(
    task: RetriedTask,
    error: PyMongoError,
    fault: FailedCall,
    *,
    tries: int,
    unknown: bool,
    took: float,
) -> None:
    """Raise what ends ``task`` after ``error``, if that ends it."""
    late = task.left <= 0 or (task.left < 0.05 and error.timeout)
    if late and (fault.transient or error.timeout):
        task.core.count("gave_up")
        raise MongoGaveUp(
            f"{task.place} {task.name}: not done within {task.core.deadline:g} s, "
            f"{tries} tries; {_outcome(unknown)}. The last failure: {reason_of(error)}",
            attempts=tries,
            maybe_applied=unknown,
            labels=labels_of(error),
        ) from error
    if not fault.transient or (error.timeout and took < _AT_ONCE):
        raise marked(error, unknown)
    if not task.repeats(fault):
        if error.timeout:
            raise marked(error, unknown)
        task.core.count("gave_up")
        raise NotRetryable(
            f"{task.place} {task.name}: {reason_of(error)}; {_outcome(unknown)}, so it is not "
            f"repeated. {task.remedy}".rstrip(),
            maybe_applied=unknown,
            labels=labels_of(error),
        ) from error


def marked(error: PyMongoError, applied: bool) -> PyMongoError:  # noqa: FBT001 - a fact, no switch
    """Return PyMongo's own error with ``maybe_applied`` set."""
    error.maybe_applied = applied  # type: ignore[attr-defined]
    return error


def _outcome(unknown: bool) -> str:  # noqa: FBT001 - a fact, not a switch
    return "it may have been applied" if unknown else "nothing was applied"
