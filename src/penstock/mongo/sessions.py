"""Sessions through the proxy: transactions by hand are recorded, callbacks get this session."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Token
from functools import partial, update_wrapper
from types import TracebackType
from typing import Any, final

from penstock.mongo.effects import Call, Steps, run, run_async
from penstock.mongo.proxy import BOUND, Proxy
from penstock.mongo.settings import Core
from penstock.mongo.transaction_replay import Record, commit

__all__ = ["SessionAsync", "ThreadSession", "recorded"]


def done(steps: Callable[..., Steps[Any]]) -> Callable[..., Any]:
    """Return a method that performs ``steps`` in its thread."""

    def method(self: Proxy, *args: Any, **kwargs: Any) -> Any:
        return run(steps(self, *args, **kwargs), self._core.settings.clock)

    return update_wrapper(method, steps, ("__doc__",))


def done_async(steps: Callable[..., Steps[Any]]) -> Callable[..., Any]:
    """Return a method that performs ``steps`` on the running event loop."""

    async def method(self: Proxy, *args: Any, **kwargs: Any) -> Any:
        return await run_async(steps(self, *args, **kwargs), self._core.settings.clock)

    return update_wrapper(method, steps, ("__doc__",))


class Sitting(Proxy):
    """What both kinds share."""

    __slots__ = ("_client", "_record")

    _client: Any
    _record: Record | None

    def __init__(self, real: object, core: Core) -> None:
        super().__init__(real, core)
        object.__setattr__(self, "_record", None)

    def _start(self, *args: Any, **kwargs: Any) -> Steps[Any]:
        """Begin a transaction whose statements are recorded."""
        begin = partial(self._real.start_transaction, *args, **kwargs)
        yield Call(begin)
        object.__setattr__(self, "_record", Record(self._core, self._real, begin))
        return Transaction(self)

    def _commit(self) -> Steps[None]:
        """Commit it; what was lost on the way is done again."""
        record = self._record
        if record is None or not self._real.in_transaction:
            yield Call(self._real.commit_transaction)
            return
        yield from commit(record)
        self._forget()

    def _abort(self) -> Steps[None]:
        """Drop it."""
        record, is_open = self._record, self._real.in_transaction
        self._forget()
        if record is None or not record.spoiled or is_open:  # else it was dropped already
            yield Call(self._real.abort_transaction)

    def _end(self) -> Steps[None]:
        """End the session; an open transaction is dropped."""
        self._forget()
        yield Call(self._real.end_session)

    def _with(self, callback: Any, *args: Any, **kwargs: Any) -> Steps[Any]:
        """Call ``callback(session)`` in a transaction, again where PyMongo says so."""
        whole = self._real.with_transaction
        return (yield Call(partial(whole, lambda _: callback(self), *args, **kwargs)))

    def _forget(self) -> None:
        object.__setattr__(self, "_record", None)

    def bind(self, *args: Any, **kwargs: Any) -> Any:
        """Give this session to operations that name none."""
        return Binding(self, self._real.bind(*args, **kwargs))


def recorded(session: object) -> Record | None:
    """Return the open record of ``session``, or None."""
    return session._record if issubclass(type(session), Sitting) else None  # type: ignore[attr-defined]


class ThreadSession(Sitting):
    """A session for threads."""

    __slots__ = ()

    start_transaction = done(Sitting._start)
    commit_transaction = done(Sitting._commit)
    abort_transaction = done(Sitting._abort)
    end_session = done(Sitting._end)
    with_transaction = done(Sitting._with)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.end_session()


class SessionAsync(Sitting):
    """A session for asyncio."""

    __slots__ = ()

    start_transaction = done_async(Sitting._start)
    commit_transaction = done_async(Sitting._commit)
    abort_transaction = done_async(Sitting._abort)
    end_session = done_async(Sitting._end)
    with_transaction = done_async(Sitting._with)

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end_session()


@final
class Transaction:
    """What ``start_transaction`` returns: a block that commits, or drops it after an error."""

    __slots__ = ("_session",)

    def __init__(self, session: Any) -> None:
        self._session = session

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._session.in_transaction:
            if kind is None:
                self._session.commit_transaction()
            else:
                self._session.abort_transaction()

    async def __aenter__(self) -> Transaction:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._session.in_transaction:
            if kind is None:
                await self._session.commit_transaction()
            else:
                await self._session.abort_transaction()


@final
class Binding:
    """What ``bind`` returns: a block whose operations use the session."""

    __slots__ = ("_inner", "_session", "_token")

    def __init__(self, session: Proxy, inner: Any) -> None:
        self._session, self._inner = session, inner
        self._token: Token[Proxy | None] | None = None

    def _bound(self) -> Proxy:
        self._token = BOUND.set(self._session)
        return self._session

    def _released(self) -> None:
        if self._token is not None:
            BOUND.reset(self._token)
            self._token = None

    def __enter__(self) -> Proxy:
        self._inner.__enter__()
        return self._bound()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._released()
        self._inner.__exit__(kind, error, trace)

    async def __aenter__(self) -> Proxy:
        await self._inner.__aenter__()
        return self._bound()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._released()
        await self._inner.__aexit__(kind, error, trace)
