"""Sessions through the proxy: transactions by hand are recorded, callbacks get this session."""

from __future__ import annotations

from functools import partial
from typing import Any, final

from penstock.mongo.effects import Invocation, Steps, done, done_async
from penstock.mongo.proxy import BOUND, Proxy
from penstock.mongo.settings import Core
from penstock.mongo.transaction_replay import TransactionRecord, commit

__all__ = ["SessionAsync", "ThreadSession", "recorded"]


class Sitting(Proxy):
    """What both kinds share."""

    __slots__ = ("_client", "_record")

    _client: Any
    _record: TransactionRecord | None

    def __init__(self, real: object, core: Core) -> None:
        super().__init__(real, core)
        self._record = None

    def _start(self, *args: Any, **kwargs: Any) -> Steps[Any]:
        """Begin a transaction whose statements are recorded."""
        begin = partial(self._real.start_transaction, *args, **kwargs)
        yield Invocation(begin)
        self._record = TransactionRecord(self._core, self._real, begin)
        return Transaction(self, self._core)

    def _commit(self) -> Steps[None]:
        """Commit it; what was lost on the way is done again."""
        record = self._record
        if record is None or not self._real.in_transaction:
            yield Invocation(self._real.commit_transaction)
            return
        yield from commit(record)
        self._record = None

    def _abort(self) -> Steps[None]:
        """Drop it."""
        record, is_open = self._record, self._real.in_transaction
        self._record = None
        if record is None or not record.spoiled or is_open:  # else it was dropped already
            yield Invocation(self._real.abort_transaction)

    def _end(self) -> Steps[None]:
        """End the session; an open transaction is dropped."""
        self._record = None
        yield Invocation(self._real.end_session)

    def _with(self, callback: Any, *args: Any, **kwargs: Any) -> Steps[Any]:
        """Call ``callback(session)`` in a transaction, again where PyMongo says so."""
        whole = self._real.with_transaction
        return (yield Invocation(partial(whole, lambda _: callback(self), *args, **kwargs)))

    def bind(self, *args: Any, **kwargs: Any) -> Any:
        """Give this session to operations that name none."""
        return Binding(self, self._real.bind(*args, **kwargs))


def recorded(session: object) -> TransactionRecord | None:
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

    __slots__ = ("_core", "_session")

    def __init__(self, session: Any, core: Core) -> None:
        self._session, self._core = session, core

    def _left(self, kind: object, *_: object) -> Steps[None]:
        session = self._session
        if session.in_transaction:
            yield Invocation(
                session.commit_transaction if kind is None else session.abort_transaction
            )

    def __enter__(self) -> Transaction:
        return self

    async def __aenter__(self) -> Transaction:
        return self

    __exit__ = done(_left)
    __aexit__ = done_async(_left)


@final
class Binding:
    """What ``bind`` returns: a block whose operations use the session."""

    __slots__ = ("_inner", "_session", "_token")

    def __init__(self, session: Proxy, inner: Any) -> None:
        self._session, self._inner = session, inner

    def _bound(self) -> Proxy:
        self._token = BOUND.set(self._session)
        return self._session

    def __enter__(self) -> Proxy:
        self._inner.__enter__()
        return self._bound()

    def __exit__(self, *error: object) -> None:
        BOUND.reset(self._token)
        self._inner.__exit__(*error)

    async def __aenter__(self) -> Proxy:
        await self._inner.__aenter__()
        return self._bound()

    async def __aexit__(self, *error: object) -> None:
        BOUND.reset(self._token)
        await self._inner.__aexit__(*error)
