"""The dashboard's server: one page, its events, and two buttons behind a token."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import math
import secrets
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast, final

from penstock.address import hide
from penstock.dashboard.watch import UNREADABLE, Watch
from penstock.errors import InputError, MissingExtra, PenstockError

try:
    import uvicorn
    from anyio import to_thread
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.datastructures import Headers
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
    from starlette.routing import Mount, Route
    from starlette.staticfiles import StaticFiles
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
except ImportError as missing:
    raise MissingExtra("the dashboard", "starlette and uvicorn", "dashboard") from missing

__all__ = ["Dashboard"]

_STATIC = Path(__file__).parent / "static"
_EVERY = 1.0  # seconds between two events
_PATIENCE = 10.0  # seconds for a store to answer
_SETTLED = {
    "/put-back": "{:,} keys are to do again: run their pipeline",
    "/acknowledge": "{:,} failed keys are acknowledged",
}
_HEADERS = {
    b"content-security-policy": b"default-src 'self'; img-src data:; base-uri 'none'; "
    b"form-action 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
}


@final
class Dashboard:
    """Serves a page over some stores while the ``with`` block runs.

    Whoever looks needs the token that the URL holds: a machine has other users. Changes need the
    page's own origin, too. No cookie is set, which a browser would send to other ports as well.

    Args:
        watches: The stores.
        host: Address to listen at.
        port: Port; 0 takes a free one.

    Attributes:
        url: Where the page is, with its token.

    Raises:
        InputError: The address is in use, or is none of this machine.
    """

    def __init__(self, watches: Sequence[Watch], host: str = "127.0.0.1", port: int = 8765) -> None:
        self._token = secrets.token_urlsafe(24)
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._socket = socket.create_server((host, port), family=family)
        except (OSError, TypeError, UnicodeError) as error:
            raise InputError(
                f"dashboard at {host}:{port}: {getattr(error, 'strerror', None) or error}"
            ) from error
        port = self._socket.getsockname()[1]
        is_local = ipaddress.ip_address(self._socket.getsockname()[0]).is_loopback
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{port}/?token={self._token}"
        names = ("127.0.0.1", "localhost", "[::1]", shown.lower())
        hosts = {
            f"{name}{end}"
            for name in names
            for end in (f":{port}", "" if port == 80 else f":{port}")
        }
        guard = _Guard(self._app(), self._token, hosts if is_local else None)
        settings = uvicorn.Config(
            guard, http="h11", ws="none", loop="asyncio", log_level="critical",
            timeout_graceful_shutdown=5, server_header=False,
        )  # fmt: skip
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )
        self._runs = [_RunView(watch) for watch in watches]
        self._number, self._told = 1, dict[int, str]()

    def __enter__(self) -> Dashboard:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
        for run in self._runs:
            run.close()

    def join(self) -> None:
        """Wait until it ends, which it does not by itself."""
        self._thread.join()

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self._page),
                Route("/events", self._events),
                Route("/examples", self._examples),
                *(Route(path, self._settle, methods=["POST"]) for path in _SETTLED),
                Mount("/static", StaticFiles(directory=_STATIC)),
            ],
            lifespan=self._life,
        )

    @asynccontextmanager
    async def _life(self, app: Starlette) -> AsyncIterator[None]:
        self._changed = asyncio.Condition()
        acts = [self._tick(), *(self._look(run) for run in self._runs)]
        tasks = [asyncio.create_task(act) for act in acts]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, run: _RunView) -> None:
        """Look at a store once a second, for all pages; a slow one keeps no other waiting."""
        while True:
            run.saw(await to_thread.run_sync(run.look, abandon_on_cancel=True), self._number)
            await asyncio.sleep(_EVERY)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            self._number += 1
            self._told.clear()
            for run in self._runs:
                run.wait_for(self._number)
            async with self._changed:
                self._changed.notify_all()

    def _news(self, since: int) -> str:
        """Return what a page has to hear that heard all up to ``since``: 0 for nothing yet."""
        if since not in self._told or not since:
            pieces = [run.news(since) for run in self._runs]
            runs = {str(index): piece for index, piece in enumerate(pieces) if piece is not None}
            said = {"now": time.time(), "count": len(pieces), "runs": runs}
            self._told[since] = f"data: {_written(said)}\n\n"
        return self._told[since]

    async def _page(self, request: Request) -> Response:
        text = (_STATIC / "index.html").read_text(encoding="utf-8")
        return HTMLResponse(text.replace("TOKEN", self._token))

    async def _events(self, request: Request) -> Response:
        async def told() -> AsyncIterator[str]:
            yield f"retry: {1000 * _EVERY:.0f}\n\n"
            seen = 0
            while not self._server.should_exit:
                news, number = self._news(seen), self._number
                yield news
                seen = number
                async with self._changed:
                    while self._number == seen:
                        await self._changed.wait()

        headers = {"X-Accel-Buffering": "no"}  # a proxy (nginx) would hold events back
        return StreamingResponse(told(), media_type="text/event-stream", headers=headers)

    async def _examples(self, request: Request) -> Response:
        asked = request.query_params
        status = int(asked["status"]) if asked.get("status", "").isdecimal() else None

        def examples() -> list[dict[str, object]]:
            return self._watch(asked.get("store")).examples(asked.get("error", ""), status)

        def shown(found: object) -> Response:
            return Response(_written(found), media_type="application/json")

        return await _answered(examples, shown)

    async def _settle(self, request: Request) -> Response:
        path = request.url.path
        try:
            asked = json.loads(await request.body())
            store, error, status = asked["store"], asked["error"], asked["status"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return JSONResponse({"text": "that is not a request of this page"}, 400)
        return await _answered(
            lambda: self._watch(store).settle(str(error), status, again=path == "/put-back"),
            lambda count: JSONResponse({"text": _SETTLED[path].format(count)}),
        )

    def _watch(self, number: object) -> Watch:
        for index, run in enumerate(self._runs):
            if str(index) == str(number):
                return run.watch
        raise InputError(f"there is no store {number!r}")


def _written(value: object) -> str:
    """Return it as JSON, whatever a stranger's store holds; what is not a number is null."""
    try:
        return json.dumps(value, default=repr, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), default=repr)


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@final
class _RunView:
    """What is known of a store, and since which event.

    Args:
        watch: The store.
    """

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self._facts: dict[str, object] = {}
        self._points: list[object] = []
        self._since, self._begun = 0, math.inf
        self._looking = threading.Lock()

    def look(self) -> dict[str, object]:
        """Look, whatever happens: a page that stood still would show old figures as new ones."""
        with self._looking:
            self._begun = time.monotonic()
            try:
                return self.watch.look()
            except Exception as error:  # noqa: BLE001 - said on the page, and looked at again
                words = f"{type(error).__name__}: {error}"
                return {**UNREADABLE, "name": hide(str(self.watch.place)), "problem": words}

    def saw(self, facts: dict[str, object], number: int) -> None:
        """Keep what was seen; ``number`` is that of the last event."""
        self._points = cast("list[object]", facts.pop("points", []))
        self._begun = math.inf
        facts["point"] = self._points[-1] if self._points else None
        if facts != self._facts:
            self._facts, self._since = facts, number + 1

    def wait_for(self, number: int) -> None:
        """Say that a look takes too long: what was seen before is old by now."""
        if time.monotonic() - self._begun > _PATIENCE:
            words = f"it has not answered for {_PATIENCE:.0f} s"
            self._facts = {**UNREADABLE, "name": hide(str(self.watch.place)), "problem": words}
            self._since, self._begun = number, math.inf

    def news(self, since: int) -> dict[str, object] | None:
        """Return it for a page that heard all up to an event: 0 for nothing yet."""
        if not self._facts or since >= self._since:
            return None
        return self._facts if since else {**self._facts, "points": self._points}

    def close(self) -> None:
        """Let go of the store, unless a look at it still waits for its server."""
        if self._looking.acquire(blocking=False):
            self.watch.close()


async def _answered(act: Callable[[], object], shown: Callable[..., Response]) -> Response:
    """Do what takes time in a thread; an error is its one line."""
    try:
        return shown(await run_in_threadpool(act))
    except PenstockError as error:
        return JSONResponse({"text": str(error)}, 400 if isinstance(error, InputError) else 409)


@final
class _Guard:
    """Lets in whoever may look, and changes only from the page itself.

    Args:
        app: What is guarded.
        token: What everything needs.
        hosts: The names this machine has for itself; another one is another site's (DNS rebinding).
            None where it is reached from elsewhere.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: set[str] | None) -> None:
        self._app, self._token, self._hosts = app, token, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS.items()]
            await send(message)

        answer: Callable[[Scope, Receive, Send], Awaitable[None]] = self._app
        if refusal := self._refusal(Request(scope)):
            answer = Response(refusal + "\n", 403, media_type="text/plain")
        await answer(scope, receive, guarded)

    def _refusal(self, request: Request) -> str:
        headers = request.headers
        if self._hosts is not None and headers.get("host", "").lower() not in self._hosts:
            return "this page is at its own address only"
        if not self._knows(request.query_params.get("token"), headers.get("x-penstock-token")):
            return "the token is missing: open the address that penstock dashboard printed"
        if request.method in ("GET", "HEAD"):
            return ""
        if not self._knows(headers.get("x-penstock-token")) or not _same_origin(headers):
            return "changes need the page's token and its own origin"
        return ""

    def _knows(self, *given: str | None) -> bool:
        mine = self._token.encode()
        return any(one and secrets.compare_digest(one.encode(), mine) for one in given)


def _same_origin(headers: Headers) -> bool:
    """Return what the browser says of it: behind a proxy only that knows the page's own address."""
    origin = headers.get("origin")
    if site := headers.get("sec-fetch-site"):
        return site == "same-origin"
    return origin in (None, f"http://{headers.get('host', '')}")
