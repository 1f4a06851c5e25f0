"""From a method's call to the steps that carry it out, by its class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from pymongo.errors import CollectionInvalid, OperationFailure, PyMongoError, WriteConcernError

from penstock.mongo.command_cursor import Opened, opened
from penstock.mongo.commands import command_document, command_kind
from penstock.mongo.effects import Call, Steps
from penstock.mongo.operations import Kind, aggregate_kind, bulk_kind, operation
from penstock.mongo.pipelines import once_only
from penstock.mongo.proxy import BOUND, Proxy, place_of, unwrapped, wrapped
from penstock.mongo.retry import Task, always, attempt, marked, only_refused
from penstock.mongo.sessions import recorded
from penstock.mongo.transaction_replay import frozen_call, statement
from penstock.mongo.write_transaction import Unfit, transacted

__all__ = ["client_of", "numbered", "perform", "repeated", "task_of"]

_AT_ONCE = 10_000
"""Documents of one list for which one deadline is enough."""

_TWICE = "Where a second time does no harm, say so: resilient(it, idempotent=True)."
_NO_NUMBERS = (
    "The server keeps no transaction numbers for it: retryWrites is off, the write is not "
    "acknowledged (w=0), or the server is no member of a replica set."
)


def client_of(real: Any) -> Any:
    """Return the client that ``real`` belongs to."""
    kind = type(real)
    if hasattr(kind, "database"):
        return real.database.client
    return real.client if hasattr(kind, "client") else real


def task_of(thing: Proxy, name: str, call: Callable[[], Any], started: float | None = None) -> Task:
    """Return the task of ``call``; it is repeated only where nothing was done."""
    core = thing._core
    rule = always if core.settings.idempotent else only_refused
    begun = core.now() if started is None else started
    return Task(core, name, place_of(thing._real), call, begun, rule, _TWICE)


def repeated(thing: Proxy, name: str, args: Any, kwargs: Any, started: float | None = None) -> Task:
    """Return the task of a method that may be called any number of times."""
    call = partial(getattr(thing._real, name), *args, **kwargs)
    return replace(task_of(thing, name, call, started), repeats=always)


def numbered(thing: Proxy, name: str, args: Any, kwargs: Any, started: float | None = None) -> Task:
    """Return the task of a write that PyMongo repeats under one transaction number."""
    call = partial(getattr(thing._real, name), *args, **kwargs)
    return replace(task_of(thing, name, call, started), remedy=_NO_NUMBERS, numbered=True)


def perform(
    level: str, thing: Proxy, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Steps[Any]:
    """Carry out ``thing.name(*args, **kwargs)`` by the rule of its class."""
    session = kwargs.get("session") or BOUND.get()
    args = tuple(map(unwrapped, args))
    kwargs = {key: unwrapped(value) for key, value in kwargs.items()}
    if session is not None and unwrapped(session).in_transaction:
        # A bound session is named too: PyMongo looks at a named one for the write concern.
        kwargs["session"] = unwrapped(session)
        answer = yield from _in_transaction(thing, name, args, kwargs, session)
    else:
        answer = yield from _outside(level, thing, name, args, kwargs)
    if isinstance(answer, Opened):
        return answer.proxy(thing._core, session)
    return wrapped(answer, thing._core)


def _in_transaction(thing: Proxy, name: str, args: Any, kwargs: Any, session: Any) -> Steps[Any]:
    """Do one statement of an open transaction: one by hand is recorded, another is PyMongo's."""
    method = getattr(thing._real, name)
    call, record = partial(method, *args, **kwargs), recorded(session)
    if record is None:
        return (yield Call(call))
    answer = yield from statement(record, call, partial(frozen_call, method, args, kwargs))
    return opened(thing, name, args, kwargs, answer)


def _outside(level: str, thing: Proxy, name: str, args: Any, kwargs: Any) -> Steps[Any]:
    kind = operation(level, name).kind
    if name in {"bulk_write", "insert_many"}:
        # Given as a generator it could be read only once.
        key = next((k for k in ("requests", "documents", "models") if k in kwargs), "")
        items = list(kwargs.pop(key) if key else args[0])
        args = (items, *(args if key else args[1:]))
        kind = bulk_kind(items)
    if name == "aggregate" and aggregate_kind(kwargs.get("pipeline") or args[0]) is Kind.OUTPUT:
        kind = Kind.OUTPUT
    return (yield from _STEPS[kind](thing, level, name, args, kwargs))


def _cursor(thing: Proxy, _: str, name: str, args: Any, kwargs: Any) -> Steps[Any]:
    task = replace(repeated(thing, name, args, kwargs), harmless=True)
    real = yield from attempt(task)
    return opened(thing, name, args, kwargs, real)


def _output(thing: Proxy, _: str, name: str, args: Any, kwargs: Any) -> Steps[Any]:
    task = repeated(thing, name, args, kwargs)
    why_not = once_only(kwargs.get("pipeline") or args[0], thing._real.name)
    if why_not and not thing._core.settings.idempotent:
        task = replace(task, repeats=only_refused, remedy=f"{why_not}. {_TWICE}")
    return (yield from attempt(task))


def _safe(thing: Proxy, _: str, name: str, args: Any, kwargs: Any) -> Steps[Any]:
    task = repeated(thing, name, args, kwargs)
    return (yield from attempt(replace(task, harmless=True)))


def _single(thing: Proxy, _: str, name: str, args: Any, kwargs: Any) -> Steps[Any]:
    task = numbered(thing, name, args, kwargs)
    more = len(args[0]) // _AT_ONCE if name in {"bulk_write", "insert_many"} else 0
    if more:
        # A long list takes long without anything being wrong.
        settings = task.core.settings
        longer = replace(settings, deadline=settings.deadline * (1 + more))
        task = replace(task, core=task.core.with_settings(longer))
    return (yield from attempt(task))


def _once(thing: Proxy, _: str, name: str, args: Any, kwargs: Any) -> Steps[Any]:
    call = partial(getattr(thing._real, name), *args, **kwargs)
    return (yield from attempt(task_of(thing, name, call)))


def _multi(thing: Proxy, _: str, name: str, args: Any, kwargs: Any) -> Steps[Any]:
    method = getattr(thing._real, name)
    task = task_of(thing, name, partial(method, *args, **kwargs))
    if task.repeats is always or not thing._real.write_concern.acknowledged:
        return (yield from attempt(task))
    inner = {key: value for key, value in kwargs.items() if key != "session"}

    def inside(active: object) -> object:
        return method(*args, session=active, **inner)

    client = client_of(thing._real)
    return (yield from transacted(task, client, kwargs.get("session"), inside))


def _definition(thing: Proxy, level: str, name: str, args: Any, kwargs: Any) -> Steps[Any]:
    done = partial(_is_done, operation(level, name).done)
    task = replace(repeated(thing, name, args, kwargs), done=done)
    answer = yield from attempt(task)
    if answer is None and name == "create_collection":
        return thing._real.get_collection(kwargs.get("name") or args[0])
    return answer


def _is_done(codes: frozenset[int], error: PyMongoError) -> bool:
    if isinstance(error, CollectionInvalid):
        return 48 in codes
    return isinstance(error, OperationFailure) and error.code in codes


def _command(thing: Proxy, _: str, name: str, args: Any, kwargs: Any) -> Steps[Any]:
    """Carry out ``Database.command`` by the command's name."""
    del name
    document, session, how = _command_given(args, kwargs)
    kind, done = command_kind(document)

    def send(active: object = session, what: Mapping[str, Any] = document) -> Any:
        return thing._real.command(what, session=active, **how)

    task = task_of(thing, f"command {next(iter(document), '')}", send)
    if kind is Kind.MULTI and task.repeats is not always and _acknowledged(document):
        # A transaction has concerns of its own.
        inner = {k: v for k, v in document.items() if k not in {"writeConcern", "readConcern"}}
        call = partial(_statement, send, inner)
        answer = yield from transacted(task, client_of(thing._real), session, call)
    elif kind in {Kind.SAFE, Kind.DEFINITION}:
        task = replace(task, repeats=always, harmless=kind is Kind.SAFE)
        answer = yield from attempt(replace(task, done=partial(_is_done, done)))
    else:
        answer = yield from attempt(task)
    answer = {"ok": 1.0} if answer is None else answer
    _raise_write_concern_error(answer)
    return answer


_STEPS: Mapping[Kind, Callable[..., Steps[Any]]] = {
    Kind.SAFE: _safe,
    Kind.SINGLE: _single,
    Kind.MULTI: _multi,
    Kind.DEFINITION: _definition,
    Kind.COMMAND: _command,
    Kind.ONCE: _once,
    Kind.CURSOR: _cursor,
    Kind.OUTPUT: _output,
}

_COMMAND_PLACES = ("check", "allowable_errors", "read_preference", "codec_options", "session")


def _command_given(args: Any, kwargs: Any) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """Return the command's document, its session, and how it is to be sent."""
    options = dict(kwargs)
    command = args[0] if args else options.pop("command")
    value = args[1] if len(args) > 1 else options.pop("value", 1)
    how = dict(zip(_COMMAND_PLACES, args[2:], strict=False))
    how |= {n: options.pop(n) for n in (*_COMMAND_PLACES, "comment") if n in options}
    session = how.pop("session", None)
    return command_document(command, value, options), session, how


def _acknowledged(document: Mapping[str, Any]) -> bool:
    concern = document.get("writeConcern")
    return not (isinstance(concern, Mapping) and concern.get("w") == 0)


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
