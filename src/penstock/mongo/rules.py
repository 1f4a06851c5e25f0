"""From a method's call to the steps that carry it out, by its class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

from bson import encode
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo.errors import (
    CollectionInvalid,
    ConfigurationError,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
)
from pymongo.write_concern import DEFAULT_WRITE_CONCERN as DEFAULT
from pymongo.write_concern import WriteConcern

from penstock.mongo.command_cursor import opened
from penstock.mongo.commands import command_document, command_kind
from penstock.mongo.effects import Invocation, Steps
from penstock.mongo.namespace import unfit
from penstock.mongo.operations import (
    LISTS,
    OpKind,
    aggregate_kind,
    bulk_kind,
    is_one_command,
    operation,
)
from penstock.mongo.pipelines import by_identity, once_only
from penstock.mongo.proxy import BOUND, Proxy, place_of, unwrapped, wrapped
from penstock.mongo.retry import RetriedTask, always, attempt, marked, only_refused
from penstock.mongo.sessions import recorded
from penstock.mongo.transaction_replay import frozen_call, statement
from penstock.mongo.write_transaction import Unfit, Whole, transacted

__all__ = ["bound_to", "client_of", "limits", "perform", "task_of"]

_AT_ONCE = 10_000
"""Documents of one list for which one deadline is enough."""

_TWICE = "Where a second time does no harm, say so: resilient(it, idempotent=True)."
_NO_NUMBERS = (
    "The server keeps no transaction numbers for it: retryWrites is off, the write is not "
    "acknowledged (w=0), it has a wtimeout, or the server is not a member of a replica set."
)
_SEVERAL = (
    "It is several commands, and those before may be done: write lists of one kind of operation "
    "and under 40 MB, or say resilient(it, idempotent=True)."
)


def client_of(real: Any) -> Any:
    """Return the client that ``real`` belongs to."""
    kind = type(real)
    if hasattr(kind, "database"):
        return real.database.client
    return real.client if hasattr(kind, "client") else real


def bound_to(real: Any) -> dict[str, Proxy]:
    """Return the session that operations of ``real`` get where they name none, by name.

    PyMongo refuses one of another client by itself.
    """
    bound = BOUND.get()
    mine = bound is not None and unwrapped(unwrapped(bound).client) is unwrapped(client_of(real))
    return {"session": bound} if bound is not None and mine else {}


def limits(concern: Any, given: Mapping[str, Any]) -> bool:
    """Whether PyMongo's limit of time may be set: it would take the place of the caller's own."""
    return "maxTimeMS" not in given and not concern.document.get("wtimeout")


def task_of(
    thing: Proxy, name: str, call: partial[Any], kind: OpKind, started: float = -1.0
) -> RetriedTask:
    """Return the task of ``call``: one of ``kind`` that is repeated by the rule of its class."""
    core = thing._core
    may_repeat = core.settings.idempotent or kind in {OpKind.SAFE, OpKind.CURSOR, OpKind.DEFINITION}
    return RetriedTask(
        core,
        name,
        place_of(thing._real),
        call,
        core.now() if started < 0 else started,
        always if may_repeat else only_refused,
        remedy=_NO_NUMBERS if kind is OpKind.SINGLE else _TWICE,
        numbered=kind is OpKind.SINGLE,
        harmless=kind in {OpKind.SAFE, OpKind.CURSOR},
        limited=limits(getattr(thing._real, "write_concern", DEFAULT), call.keywords),
    )


def perform(level: str, thing: Proxy, name: str, given: dict[str, Any]) -> Steps[Any]:
    """Carry out the method ``name`` of ``thing`` by the rule of its class.

    Args:
        level: Which object it belongs to.
        thing: The object.
        name: The method.
        given: All that the caller gave, by name: every rule hands on what it does not know.
    """
    session = given.get("session")
    given = {key: unwrapped(value) for key, value in given.items()}
    if name in LISTS:
        _make_lists(given)
    kind = _kind(level, thing, name, given)
    if session is not None and unwrapped(session).in_transaction:
        # A bound session is named too: PyMongo looks at a named one for the write concern.
        given["session"] = unwrapped(session)
        answer = yield from _in_transaction(thing, name, given, session)
    else:
        answer = yield from _STEPS[kind](thing, level, name, given)
    if kind is OpKind.CURSOR:
        return opened(thing, name, given, answer, session)
    return wrapped(answer, thing._core)


def _make_lists(given: dict[str, Any]) -> None:
    """Put a list where a generator was given: it could be read only once."""
    for key in ("requests", "documents", "models"):
        value = given.get(key)
        if isinstance(value, Iterable) and not isinstance(value, Mapping | str | RawBSONDocument):
            given[key] = list(value)


def _listed(given: Mapping[str, Any]) -> list[Any]:
    """Return the writes that were given as a list; nothing where they are something else."""
    found = next((given[key] for key in ("requests", "documents", "models") if key in given), None)
    return found if isinstance(found, list) else []


def _kind(level: str, thing: Proxy, name: str, given: Mapping[str, Any]) -> OpKind:
    """Return the class of a call: that of its method, but where the arguments say another."""
    kind = operation(level, name).kind
    if name in LISTS and kind is OpKind.SINGLE:
        items = _listed(given)
        numbers = client_of(thing._real).options.retry_writes
        return bulk_kind(items) if numbers or is_one_command(items, _size) else OpKind.MULTI
    if name.startswith("aggregate") and aggregate_kind(given.get("pipeline")) is OpKind.OUTPUT:
        return OpKind.OUTPUT
    return kind


def _size(request: Any) -> int:
    """Return about how many bytes a write is; very many where that cannot be said."""
    slots = getattr(type(request), "__slots__", ())
    parts = [request] if isinstance(request, Mapping) else [getattr(request, s) for s in slots]
    try:
        return sum(len(encode({"": part})) for part in parts if isinstance(part, Mapping | list))
    except (BSONError, TypeError, ValueError):
        return 1 << 40


def _in_transaction(thing: Proxy, name: str, given: Any, session: Any) -> Steps[Any]:
    """Do one statement of an open transaction: one by hand is recorded, another is PyMongo's."""
    method = getattr(thing._real, name)
    call, record = partial(method, **given), recorded(session)
    if record is None:
        return (yield Invocation(call))
    return (yield from statement(record, call, partial(frozen_call, method, given)))


def _plain(kind: OpKind, thing: Proxy, name: str, given: Any) -> RetriedTask:
    return task_of(thing, name, partial(getattr(thing._real, name), **given), kind)


def _plainly(kind: OpKind, thing: Proxy, _: str, name: str, given: Any) -> Steps[Any]:
    return (yield from attempt(_plain(kind, thing, name, given)))


def _output(thing: Proxy, _: str, name: str, given: Any) -> Steps[Any]:
    task, pipeline = _plain(OpKind.OUTPUT, thing, name, given), given["pipeline"]
    if task.repeats is not always:
        why_not = once_only(pipeline, thing._real.name)
        if why_not is None and by_identity(pipeline) and "." in task.place:
            why_not = yield from unfit(thing._core, thing._real)
        if why_not:
            task = replace(task, remedy=f"{why_not}. {_TWICE}")
        else:
            task = replace(task, repeats=always)
    return (yield from attempt(task))


def _single(thing: Proxy, _: str, name: str, given: Any) -> Steps[Any]:
    task, items = _plain(OpKind.SINGLE, thing, name, given), _listed(given)
    if more := len(items) // _AT_ONCE:
        # A long list takes long without anything being wrong.
        settings = task.core.settings
        longer = replace(settings, deadline=settings.deadline * (1 + more))
        task = replace(task, core=task.core.with_settings(longer))
    return (yield from attempt(_in_parts(task, items)))


def _in_parts(task: RetriedTask, items: list[Any]) -> RetriedTask:
    """Return the task of a list: what is several commands may be done in part at any failure."""
    if not items or task.repeats is always:
        return task
    return replace(task, whole=lambda: is_one_command(items, _size), parts=_SEVERAL)


def _multi(thing: Proxy, _: str, name: str, given: Any) -> Steps[Any]:
    concern = given.get("write_concern") or thing._real.write_concern
    task = _in_parts(_plain(OpKind.MULTI, thing, name, given), _listed(given))
    task = replace(task, limited=limits(concern, given))
    if task.repeats is always or not concern.acknowledged:
        return (yield from attempt(task))
    method = getattr(thing._real, name)
    # In a transaction the concern is the transaction's.
    inner = {k: v for k, v in given.items() if k not in {"session", "write_concern"}}
    whole, tries = Whole(client_of(thing._real), given.get("session"), concern), count()

    def inside(session: Any) -> Any:
        # A refused write ends its transaction, and those behind it are told only that: in order,
        # the next try says which it was.
        in_order = {"ordered": True} if next(tries) and "ordered" in inner else {}
        return method(**{**inner, **in_order, "session": session})

    return (yield from transacted(task, whole, inside))


def _definition(thing: Proxy, level: str, name: str, given: Any) -> Steps[Any]:
    done = partial(_is_done, operation(level, name).done)
    task = replace(_plain(OpKind.DEFINITION, thing, name, given), done=done)
    answer = yield from attempt(task)
    if answer is None and name == "create_collection":
        named = ("name", "codec_options", "read_preference", "write_concern", "read_concern")
        return thing._real.get_collection(**{k: v for k, v in given.items() if k in named})
    return answer


def _is_done(codes: frozenset[int], error: PyMongoError) -> bool:
    if isinstance(error, CollectionInvalid):
        return 48 in codes
    return isinstance(error, OperationFailure) and error.code in codes


def _command(thing: Proxy, _: str, __: str, given: dict[str, Any]) -> Steps[Any]:
    """Carry out ``Database.command`` by the command's name."""
    how = {name: given[name] for name in _COMMAND_HOW if name in given}
    options = {name: value for name, value in given.items() if name not in _COMMAND_OWN}
    document = command_document(given["command"], given.get("value", 1), options)
    session, (kind, done) = given.get("session"), command_kind(document)

    def send(session: object = session, what: Mapping[str, Any] = document) -> Any:
        return thing._real.command(what, session=session, **how)

    task = task_of(thing, f"command {next(iter(document), '')}", partial(send), kind)
    concern = _concern(document) or thing._real.write_concern
    task = replace(task, limited=limits(concern, document))
    if kind is OpKind.MULTI and task.repeats is not always and _may_move(document, concern):
        # In a transaction the concern is the transaction's.
        inner = {k: v for k, v in document.items() if k != "writeConcern"}
        whole = Whole(client_of(thing._real), session, concern)
        answer = yield from transacted(task, whole, partial(_statement, send, inner))
    else:
        answer = yield from attempt(replace(task, done=partial(_is_done, done)))
    answer = {"ok": 1.0} if answer is None else answer
    _raise_write_concern_error(answer)
    return answer


_STEPS: Mapping[OpKind, Callable[..., Steps[Any]]] = {
    OpKind.SAFE: partial(_plainly, OpKind.SAFE),
    OpKind.SINGLE: _single,
    OpKind.MULTI: _multi,
    OpKind.DEFINITION: _definition,
    OpKind.COMMAND: _command,
    OpKind.ONCE: partial(_plainly, OpKind.ONCE),
    OpKind.CURSOR: partial(_plainly, OpKind.CURSOR),
    OpKind.OUTPUT: _output,
}

_COMMAND_HOW = ("check", "allowable_errors", "read_preference", "codec_options", "comment")
_COMMAND_OWN = frozenset({"command", "value", "session", *_COMMAND_HOW})


def _concern(document: Mapping[str, Any]) -> WriteConcern | None:
    """Return the command's own write concern; None where it has none, or one of no known kind."""
    said = document.get("writeConcern")
    try:
        return WriteConcern(**said) if isinstance(said, Mapping) else None
    except (TypeError, ConfigurationError):
        return None


def _may_move(document: Mapping[str, Any], concern: WriteConcern) -> bool:
    """Whether a write may be done in a transaction without changing what it says."""
    odd = "writeConcern" in document and _concern(document) is None
    return concern.acknowledged and "readConcern" not in document and not odd


def _statement(send: Callable[..., Any], document: Mapping[str, Any], session: object) -> Any:
    answer = send(session, document)
    return _checked_later(answer) if hasattr(answer, "__await__") else _checked(answer)


async def _checked_later(answer: Any) -> Any:
    return _checked(await answer)


def _checked(answer: Any) -> Any:
    # A refused statement ends its transaction; outside, those before it stay done.
    if answer.get("writeErrors"):
        raise Unfit
    return answer


def _raise_write_concern_error(answer: Any) -> None:
    """Raise what PyMongo's ``command()`` leaves in the answer: applied, but not safely."""
    found = answer.get("writeConcernError") if isinstance(answer, Mapping) else None
    if found:
        error = WriteConcernError(str(found.get("errmsg")), found.get("code"), found)
        raise marked(error, True)  # noqa: FBT003 - a fact, no switch
