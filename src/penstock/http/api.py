"""An API as one value to call: base URL, credentials, policy and budget belong together."""

from __future__ import annotations

import dataclasses
import itertools
import os
import random
import re
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar, final

import msgspec

from penstock.clock import Clock, SystemClock
from penstock.distribution import __version__
from penstock.errors import InputError, PermanentError
from penstock.http.body import decode_or_none, dig, number_at
from penstock.http.reach import Reach, address_of, check_literal, proxied
from penstock.http.request import Get, Post, Request, Signed
from penstock.http.transfer import Profile, Transfer
from penstock.http.url import Query, add_query, check_base, origin, resolve, shown
from penstock.pipeline import is_json
from penstock.resilience import (
    Breaker,
    BreakerPolicy,
    Budget,
    Dialect,
    Gate,
    Informed,
    Quota,
    RetryBudget,
    RetryPolicy,
    parse_reset,
)

if TYPE_CHECKING:
    from penstock.events import Events
    from penstock.http.auth import Auth
    from penstock.http.calls import Calls
    from penstock.http.record import Record
    from penstock.http.response import Response

T = TypeVar("T", bound=Request)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StatusCall:
    """Where a server tells what is left of the quota (the seed's ``get_rate_status``).

    Attributes:
        path: What to get; such a call is taken to be free of charge.
        remaining: Dotted path of the number of calls left in the JSON answer.
        limit: Dotted path of the limit, or None.
        reset: Dotted path of when it is renewed, in any usual form, or None.
    """

    path: str
    remaining: str = "remaining_hits"
    limit: str | None = "hourly_limit"
    reset: str | None = "reset_time_in_seconds"


@final
class Api:
    """A service to call.

    It can be pickled: its settings go to another process, and open one ``Api`` there for as many
    copies as come. Connections and ``events`` stay here. In each process a :class:`Budget` learns
    for itself; processes that share a limit share a :meth:`Budget.shared`.

    Args:
        base: URL that paths are below, such as ``https://api.example.com/v1``.
        auth: Who we are, or None.
        retry: When to try again.
        budget: What the server allows; learned as we go. Share one between ``Api`` objects
            that use the same key. Any :class:`~penstock.resilience.Gate` will do.
        hints: Rows for rate-limit headers of one's own, asked before those that are known.
        status: Where to ask for what is left, where the server has such a call.
        breaker: When to stop calling a server that only fails.
        headers: Headers of every request below ``base``. Another origin, where a redirect or a
            link may lead, gets none of them but User-Agent, Accept and Accept-Language.
        profile: Timeouts, proxy, certificates.
        decode: ``"json"`` treats an answer that is not JSON as failed; ``"text"`` makes it a
            JSON text, ``"csv"`` and ``"jsonl"`` a JSON list of its rows, ``"xml"`` an object,
            ``"file"`` an object with its bytes in base64; ``"bytes"`` takes any.
        max_redirects: Redirects followed for one call.
        reach: Where the server's words may lead; by default anywhere public, without a body, and
            never from https to http.
        cookies: Whether to keep cookies and send them back: to the service, and to the hosts that
            ``reach`` names.
        events: Where to tell what happens.
        clock: Source of time.
        seed: Seed of the jitter, for tests; None is random.
    """

    def __init__(  # noqa: PLR0913 - one place to say all that an API is
        self,
        base: str,
        *,
        auth: Auth | None = None,
        retry: RetryPolicy | None = None,
        budget: Gate | None = None,
        hints: Sequence[Dialect] = (),
        status: StatusCall | None = None,
        breaker: BreakerPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        profile: Profile | None = None,
        decode: Literal["json", "text", "csv", "jsonl", "xml", "file", "bytes"] = "json",
        max_redirects: int = 10,
        reach: Reach | None = None,
        cookies: bool = False,
        events: Events | None = None,
        clock: Clock | None = None,
        seed: int | None = None,
    ) -> None:
        self.base = check_base(base)
        self.auth = auth
        self.retry = retry or RetryPolicy()
        self.budget: Gate = budget or Budget()
        self.status = status
        self.profile = _own(profile or Profile(), auth, cookies=cookies)
        self.decode = decode
        self.max_redirects = max_redirects
        self.reach = reach or Reach()
        self.events = events
        self.clock: Clock = clock or SystemClock()
        self.rng = random.Random(seed)
        self.breaker = Breaker(breaker or BreakerPolicy())
        self.retries = RetryBudget()
        self.dialects = tuple(hints)
        self._breaker = breaker
        self._name = ""  # in other processes, once it was sent there
        self._headers = dict(headers or {})
        self._origin = origin(self.base)
        self._common = _lines(_USUAL | self._headers)
        # All that another origin gets to see: the rest may be credentials.
        self._harmless = [line for line in self._common if line.startswith(_HARMLESS)]
        self._constant: list[str] | None = None
        if status is not None:
            self._informed().refresh = self.ask_status

    def __repr__(self) -> str:
        return f"Api({self.base!r})"

    def __copy__(self) -> Api:
        """Another one of the same parts: what is set on it is not set on this one."""
        made = Api.__new__(Api)
        vars(made).update(vars(self), _name="")
        return made

    def __reduce__(self) -> tuple[Callable[..., Api], tuple[object, ...]]:
        import pickle

        if not self._name:
            self._name = os.urandom(16).hex()
            _HERE[self._name] = self
        settings: dict[str, object] = {
            "auth": self.auth,
            "retry": self.retry,
            "budget": self.budget,
            "hints": self.dialects,
            "status": self.status,
            "breaker": self._breaker,
            "headers": self._headers,
            "profile": dataclasses.replace(self.profile, cookies=0),
            "decode": self.decode,
            "max_redirects": self.max_redirects,
            "reach": self.reach,
            "cookies": self.profile.cookies > 0,
            "clock": self.clock,
        }
        return _opened, (self._name, self.base, pickle.dumps(settings))

    # Calls, one and many

    def call(self, request: Request, *, guarded: bool = False) -> Response:
        """Make one call now, under the policy and budget, and return its answer.

        Where it is ``guarded``, it goes to a public address or nowhere.

        Raises:
            PermanentError: The server says no, and will again.
            GaveUp: Everything the policy allows was tried.
            InputError: The credentials are refused, or the request cannot be sent.
        """
        with self.session() as calls:
            calls.submit(0, request, guarded=guarded)
            while calls.pending:
                for result in calls.collect():
                    return result.unwrap()
        raise AssertionError("a submitted call always ends in a result")

    async def acall(self, request: Request) -> Response:
        """Do as :meth:`call` does, in asyncio; a task that is cancelled drops its call.

        Raises:
            PenstockError: As :meth:`call` does.
        """
        with self.session() as calls:
            calls.submit(0, request)
            while calls.pending:
                for result in await calls.acollect():
                    return result.unwrap()
        raise AssertionError("a submitted call always ends in a result")

    async def aget(self, path: str, query: Query | None = None) -> Record | list[object] | object:
        """Do as :meth:`get` does, in asyncio.

        Raises:
            PenstockError: As :meth:`call` does.
        """
        return (await self.acall(Get(path, query=query))).record()

    def get(self, path: str, query: Query | None = None) -> Record | list[object] | object:
        """Get ``path`` and return its JSON: nested objects as attributes.

        Raises:
            PenstockError: As :meth:`call` does.
        """
        return self.call(Get(path, query=query)).record()

    def post(self, path: str, json: object) -> Record | list[object] | object:
        """Post ``json`` to ``path`` and return the JSON answer.

        Raises:
            PenstockError: As :meth:`call` does.
        """
        return self.call(Post(path, json=json)).record()

    def calls(self, concurrency: int = 1) -> Calls:
        """Return a session for many calls; ``concurrency`` sockets may be needed at once."""
        # The I/O thread and libcurl are loaded with the first call.
        from penstock.http.calls import Calls
        from penstock.http.io_thread import raise_descriptor_limit

        raise_descriptor_limit(concurrency)
        return Calls(self)

    @contextmanager
    def session(self, concurrency: int = 1) -> Iterator[Calls]:
        """A session that is closed at the end of the ``with`` block."""
        calls = self.calls(concurrency)
        try:
            yield calls
        finally:
            calls.close()

    # What a session asks

    def transfer(self, request: Request) -> Transfer:
        """Return what the I/O thread is to send for ``request``."""
        url = resolve(self.base, request.path)
        if request.query:
            url = add_query(url, request.query)
        constant = self._constant
        if constant is not None and request.method == "GET" and request.headers is None:
            below = request.path.startswith("/") or origin(url) == self._origin
            if below and request.content is None:
                return Transfer("GET", url, constant, None, self.profile)
        return self._signed_transfer(request, url)

    def _signed_transfer(self, request: Request, url: str) -> Transfer:
        content, content_type = request.body()
        same = origin(url) == self._origin
        profile = self.profile
        if not same:
            self.reach.check(url)
            jar = profile.cookies if self.reach.names(url) else 0
            if profile.cert or profile.digest or profile.cookies != jar:  # they say who we are
                profile = dataclasses.replace(
                    profile, cert=None, key=None, digest=None, cookies=jar
                )
        headers = self._common if same else self._harmless
        if request.headers or content_type:
            own = dict(request.headers or {})
            if content_type:
                own.setdefault("Content-Type", content_type)
            headers = _merged(headers, own)
        if content is not None or request.method in ("POST", "PUT", "PATCH"):
            headers = [*headers, *_unsaid(headers)]
        signed = Signed(url, ())
        if self.auth is not None and same and not _has(request.headers, "authorization"):
            whole = request.form is not None or getattr(self.auth, "signs_body", False)
            form = content if whole else None
            signed = self.auth.sign(request.method, url, form)
        lines = [*headers, *signed.headers] if signed.headers else headers
        plain = request.method == "GET" and request.headers is None and content is None and same
        if plain and (self.auth is None or self.auth.constant):
            self._constant = lines  # the same object each time: curl is given it once
        return Transfer(request.method, signed.url, lines, content, profile)

    def tell(self, reason: str, *, doubtful: bool = False) -> None:
        """Emit a note of ``reason``; one that is ``doubtful`` says that rows may be missing."""
        if self.events is not None:
            from penstock.events import Notice  # with who listens it is there already

            self.events.emit(Notice(reason=reason, doubtful=doubtful))

    def is_failure(self, response: Response, method: str = "GET") -> bool:
        """Whether a 2xx answer to a request of that method is an error in disguise.

        Raises:
            PermanentError: It should be JSON and is not.
        """
        text = self.retry.failed_text
        if text is not None and text.search(response.body.decode("utf-8", "replace")):
            return True
        if self.decode not in ("json", "bytes"):
            response.become_json(self.decode)
        elif self.decode == "json":
            response.become_utf8()
            if not response.body and response.status == 200 and method == "GET":
                raise PermanentError(f"{shown(response.url)}: the answer is empty, not JSON")
            if response.body and not response.is_json and not is_json(response.body):
                response.json()  # says why not
            response.note_json()
        if self.retry.failed is None or not response.body:
            return False
        return self.retry.failed(decode_or_none(response.body))

    def renews(self, headers: list[str]) -> bool:
        """After a 401: whether a fresh token may help."""
        renewed = self.auth is not None and self.auth.refused(headers)
        if renewed:
            self._constant = None
        return renewed

    def redirected(self, request: Request, target: str) -> Request:
        """Return the request that follows a redirect to ``target``."""
        return msgspec.structs.replace(request, path=target, query=None)

    def led_to(self, request: T, url: str) -> T:
        """Return ``request``, that a server's words made, as it may be sent: found at ``url``.

        On another origin it goes without headers of its own: they may be credentials.

        Raises:
            PermanentError: It would leave https, or take a body to another origin.
        """
        target = resolve(self.base, request.path)
        if target == url:
            return request
        self.reach.check_lead(url, target, body=request.body()[0] is not None)
        if request.headers and origin(target) != origin(url):
            return msgspec.structs.replace(request, headers=None)
        return request

    def guards(self, peer: str) -> bool:
        """Whether what the server at the address ``peer`` says leads to public addresses only."""
        if proxied(self.base, self.profile.proxy):
            peer = ""  # it would be the proxy's
        elif not peer:  # nobody answered yet: a run goes on at a link that was kept
            peer = address_of(self.base)
        return self.reach.guards(peer)

    def guard(self, transfer: Transfer) -> None:
        """Keep a transfer to public addresses, unless its host is named.

        Raises:
            PermanentError: Its host is an address, and not a public one.
        """
        if not self.reach.names(transfer.url):
            # A proxy looks names up by itself; what is not a name can be seen from here.
            transfer.guarded = not proxied(transfer.url, transfer.profile.proxy)
            check_literal(transfer.url)

    @property
    def prepares(self) -> bool:
        """Whether something may have to be asked for before a call."""
        return self.status is not None or not (self.auth is None or self.auth.constant)

    def prepare_to_call(self, now: float) -> None:
        """Get a token or the server's status first, where that is due."""
        if self.auth is not None and not self.auth.constant:
            self._prepare_token(self.auth, now)
        if self.status is not None and self._informed().unknown():
            self.ask_status()

    def _prepare_token(self, auth: Auth, now: float) -> None:
        if auth.token_request(now) is None:
            return
        with auth.fetching:  # one at a time: a refresh token is good for one use only
            request = auth.token_request(now)
            while request is not None:
                request = self._fetch_token(auth, request, now)

    def _fetch_token(self, auth: Auth, request: Request, now: float) -> Request | None:
        """Make ``request``; return what to ask instead where it was refused."""
        # No redirects: what is sent is a refresh token, what comes back is a password.
        bare = Api(
            self.base, retry=self.retry, profile=self.profile, clock=self.clock, max_redirects=0
        )
        try:
            response = bare.call(request)
        except (PermanentError, InputError) as error:
            if error.status is None or not 400 <= error.status < 500:
                raise
            if (other := auth.token_refused(now)) is not None:
                return other
            raise InputError(f"no token: {error}: {error.excerpt[:200]}") from error
        auth.accept_token(response.body, now)
        return None

    def _informed(self) -> Informed:
        if isinstance(self.budget, Informed):
            return self.budget
        name = type(self.budget).__name__
        raise InputError(f"Api(status=...): {name} takes no status call: use a Budget, or drop it")

    def ask_status(self) -> None:
        """Ask the server what is left, and tell the budget.

        Raises:
            PermanentError: The answer has no such number.
        """
        if self.status is None:
            return
        bare = Api(
            self.base,
            auth=self.auth,
            headers=self._headers,
            retry=self.retry,
            profile=self.profile,
            reach=self.reach,
            clock=self.clock,
        )
        asked = self.clock.monotonic()
        response = bare.call(Get(self.status.path))
        body = response.json()
        remaining = number_at(body, self.status.remaining)
        if remaining is None:
            raise PermanentError(
                f"GET {self.status.path}: no number at {self.status.remaining!r} in the answer"
            )
        reset = dig(body, self.status.reset) if self.status.reset else None
        quota = Quota(
            name="status",
            limit=number_at(body, self.status.limit) if self.status.limit else None,
            remaining=remaining,
            reset=parse_reset(str(reset)) if reset is not None else None,
        )
        self._informed().status(quota, self.clock.monotonic(), asked)


# Those that were sent to other processes, and those that came from one: a function that has an
# Api comes once a key, and all that is known of the server is to be kept.
_HERE: weakref.WeakValueDictionary[str, Api] = weakref.WeakValueDictionary()
_CAME: deque[Api] = deque(maxlen=16)
_OPENING = threading.Lock()


def _opened(name: str, base: str, settings: bytes) -> Api:
    """Return the ``Api`` of that name in this process, opened where there is none yet."""
    import pickle

    with _OPENING:
        if (there := _HERE.get(name)) is not None:
            return there
        made = Api(base, **pickle.loads(settings))  # noqa: S301 - within what is unpickled already
        made._name = name  # noqa: SLF001 - of our own kind
        _HERE[name] = made
        _CAME.append(made)
        return made


def _forget_after_fork() -> None:
    """In a forked process there are no connections, and locks may be held by nobody."""
    global _OPENING  # noqa: PLW0603 - one a process
    _OPENING = threading.Lock()
    _HERE.clear()
    _CAME.clear()


os.register_at_fork(after_in_child=_forget_after_fork)

_JARS = itertools.count(1)
_USUAL = {"User-Agent": f"penstock/{__version__}", "Accept": "application/json"}
_HARMLESS = ("User-Agent:", "Accept:", "Accept-Language:")
# RFC 9110 section 5.5: anything else could end the line and begin another.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")


def _own(profile: Profile, auth: Auth | None, *, cookies: bool) -> Profile:
    """Return the profile with its own jar, and what libcurl itself answers a challenge with."""
    if cookies:
        profile = dataclasses.replace(profile, cookies=next(_JARS))
    if auth is None:
        return profile
    from penstock.http.auth import Digest  # with a credential it is there already
    from penstock.http.secrets import reveal

    if not isinstance(auth, Digest):
        return profile
    return dataclasses.replace(profile, digest=(auth.user, reveal(auth.password)))


def _lines(headers: Mapping[str, str]) -> list[str]:
    for name, value in headers.items():
        if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            raise InputError(f"header {name!r}: names and values are plain ASCII, no line breaks")
    # curl sends "Name;" as an empty header and drops "Name:".
    return [f"{name}: {value}" if value else f"{name};" for name, value in headers.items()]


def _merged(common: list[str], own: Mapping[str, str]) -> list[str]:
    mine = {name.lower() for name in own}
    kept = [line for line in common if line.partition(":")[0].lower() not in mine]
    return kept + _lines(own)


def _unsaid(headers: list[str]) -> list[str]:
    # "Name:" keeps curl from adding its own: it would call any body a form, and wait a second for
    # a "100 Continue" that few servers send.
    typed = any(line.lower().startswith("content-type:") for line in headers)
    return ["Expect:"] if typed else ["Expect:", "Content-Type:"]


def _has(headers: Mapping[str, str] | None, name: str) -> bool:
    return headers is not None and any(key.lower() == name for key in headers)
