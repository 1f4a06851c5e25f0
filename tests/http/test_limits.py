"""What servers say of their limits, obeyed over real sockets; and gates of somebody else's."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from tests.http.wire import Asked, Peer, answer, answering, wire

from penstock.clock import FakeClock
from penstock.errors import GaveUp, InputError, PenstockError, PermanentError
from penstock.events import Event, Events, Retry
from penstock.http import Api, Get, StatusCall
from penstock.pipeline import fetch
from penstock.resilience import (
    BreakerPolicy,
    Budget,
    BudgetView,
    Dialect,
    Hints,
    Quota,
    Reset,
    RetryPolicy,
    Ticket,
)
from penstock.simulator import Simulator

Make = Callable[..., Api]
Simulate = Callable[..., Simulator]


def get_user(key: int | str) -> Get:
    return Get(f"/users/{key}.json")


class Counting:
    """A gate of somebody else's: it lets everything pass, and counts."""

    def __init__(self) -> None:
        self.taken = 0
        self.out = 0

    def take(
        self, now: float, cost: Mapping[str, float] | None = None, path: str = ""
    ) -> Ticket | float:
        self.taken += 1
        self.out += 1
        return Ticket(self.taken, now, cost or {}, path)

    def settle(
        self, ticket: Ticket, now: float, hints: Hints | None = None, status: int = 200
    ) -> None:
        del ticket, now, hints, status
        self.out -= 1

    def abandon(self, ticket: Ticket) -> None:
        del ticket
        self.out -= 1

    def available(self) -> int:
        return 100

    def renewed_in(self) -> float:
        return 0.0

    def view(self, now: float) -> BudgetView:
        del now
        return BudgetView(limit=None, remaining=None, reset=None, rate=None)


def test_any_gate_will_do_and_gets_every_ticket_back(simulate: Simulate, quick: Make) -> None:
    gate = Counting()
    api = quick(simulate(users=50).url, budget=gate)
    assert all(result.ok for result in fetch(range(50), api, get_user, concurrency=7))
    assert (gate.taken, gate.out) == (50, 0)
    with pytest.raises(InputError, match="Counting takes no status call"):
        quick("http://127.0.0.1:1", budget=Counting(), status=StatusCall(path="/status"))


def closing_unannounced(count: int) -> Callable[[Peer], None]:
    """Answer, wait until the next request is on its way, and close without a word."""

    def script(peer: Peer) -> None:
        for _ in range(count):
            if peer.request() is None:
                return
            peer.send(answer())

    return script


def test_a_kept_connection_that_the_server_closed_is_not_an_attempt() -> None:
    """Of 400 keys up to 23 became dead letters: each time the last attempt had been used up."""
    with wire(closing_unannounced(1)) as server:
        events, seen = Events(), list[Event]()
        events.subscribe(seen.append)
        api = Api(
            server.url,
            retry=RetryPolicy(attempts=1),
            breaker=BreakerPolicy(failures=1),
            events=events,
        )
        results = list(fetch(range(300), api, get_user, concurrency=5))
    assert [result.error for result in results if not result.ok] == []
    assert {result.attempts for result in results} == {1}
    assert [event for event in seen if isinstance(event, Retry)] == []


def test_a_server_that_never_answers_on_a_new_connection_is_not_asked_endlessly() -> None:
    """The repeat that is not counted happens once; what breaks a new connection is a failure."""

    def script(peer: Peer) -> None:
        peer.request()
        if len(server.asked) == 1:
            peer.send(answer())
            peer.request()

    with wire(script) as server:
        api = Api(server.url, retry=RetryPolicy(attempts=3, base=0))
        api.get("/")
        with pytest.raises(GaveUp) as caught:
            api.get("/")
        assert caught.value.attempts == 3
        assert len(server.asked) <= 1 + 3 + 3


def too_fast_at_first(*lines: str, body: bytes = b"{}") -> Callable[[Peer], None]:
    """A secondary limit: one answer of 403, and those who come back before have it again."""
    refused: list[int] = []

    def reply(_asked: Asked) -> bytes:
        if len(refused) < 1:
            refused.append(1)
            return answer(body, 403, *lines)
        return answer()

    return answering(reply)


@pytest.mark.parametrize(
    ("lines", "body", "seconds"),
    [
        (["Retry-After: 30"], b"{}", 30.0),
        (["X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 40"], b"{}", 40.0),
        ([], b'{"message": "You have exceeded a secondary rate limit."}', 60.0),
        ([], b'{"message": "You have triggered an abuse detection mechanism."}', 60.0),
    ],
)
def test_a_403_that_means_too_fast_holds_everybody_and_is_no_attempt(
    lines: list[str], body: bytes, seconds: float
) -> None:
    """35 of 40 keys were sent into the ban, and became dead letters."""
    clock = FakeClock()
    with wire(too_fast_at_first(*lines, body=body)) as server:
        retry = RetryPolicy(attempts=1)
        api = Api(server.url, retry=retry, budget=Budget(clock=clock), clock=clock)
        results = list(fetch(range(40), api, get_user, concurrency=1))
    assert all(result.ok for result in results)
    assert {result.attempts for result in results[:-1]} | {results[0].attempts} <= {1, 2}
    assert len(server.asked) == 41
    assert clock.monotonic() == pytest.approx(seconds, abs=1.1)


@pytest.mark.parametrize("lines", [[], ["X-RateLimit-Remaining: 17"]])
def test_a_403_that_means_no_is_the_end_of_its_key(lines: list[str]) -> None:
    with wire(answering(lambda _: answer(b"{}", 403, *lines))) as server:
        with pytest.raises(PermanentError, match="403"):
            Api(server.url).get("/")
        assert len(server.asked) == 1


def test_a_403_that_always_says_nothing_is_left_ends_too() -> None:
    """A forbidden page under a limit of one a second: that nothing is left is not the reason."""
    clock = FakeClock()
    head = ["X-RateLimit-Limit: 1", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1"]
    with wire(answering(lambda _: answer(b"{}", 403, *head))) as server:
        api = Api(server.url, clock=clock, budget=Budget(clock=clock))
        with pytest.raises(PermanentError, match="403"):
            api.get("/")
        assert len(server.asked) == 6


def test_retry_after_of_a_503_holds_everybody() -> None:
    clock = FakeClock()
    told = iter([answer(b"{}", 503, "Retry-After: 60")])
    with wire(answering(lambda _: next(told, answer()))) as server:
        api = Api(server.url, clock=clock, budget=Budget(clock=clock))
        assert all(result.ok for result in fetch(range(5), api, get_user, concurrency=1))
    assert clock.monotonic() >= 60


@pytest.mark.parametrize("status", [200, 201, 202, 206, 299, 404, 302])
@pytest.mark.parametrize("table", ["always", "never", "fatal"])
def test_the_policy_s_tables_hold_for_any_status(status: int, table: str) -> None:
    """A success was taken as it was, whatever the tables said."""
    with wire(answering(lambda _: answer(b"{}", status))) as server:
        tables = {table: {status}}
        retry = RetryPolicy(attempts=2, base=0, **tables)  # type: ignore[arg-type] # by name
        api = Api(server.url, retry=retry)
        with pytest.raises(PenstockError, match=str(status)):
            api.get("/")
        assert len(server.asked) == (2 if table == "always" else 1)


def test_202_is_not_yet_where_something_is_asked_for_and_done_where_something_is_sent() -> None:
    told = iter([answer(b"{}", 202), answer(b'{"ready": true}')])
    with wire(answering(lambda _: next(told, answer(b"{}", 202)))) as server:
        api = Api(server.url, retry=RetryPolicy(base=0))
        assert api.get("/stats") == {"ready": True}
        assert api.post("/jobs", {}) == {}
        assert len(server.asked) == 3


def test_the_status_call_goes_with_the_headers_of_its_api() -> None:
    status = b'{"remaining_hits": 5, "hourly_limit": 10, "reset_time_in_seconds": 60}'
    with wire(answering(lambda _: answer(status))) as server:
        headers = {"X-Tenant": "acme", "User-Agent": "acme/1"}
        Api(server.url, headers=headers, status=StatusCall(path="/status")).get("/x")
        assert [asked.target for asked in server.asked] == ["/status", "/x"]
        for asked in server.asked:
            assert (asked.headers["x-tenant"], asked.headers["user-agent"]) == ("acme", "acme/1")


def test_a_used_up_search_does_not_hold_back_core() -> None:
    """All quotas were one: 4,000 calls left of "core" waited for "search"."""
    clock = FakeClock()

    def reply(asked: Asked) -> bytes:
        resource, left = ("search", 0) if asked.target.startswith("/search") else ("core", 4000)
        return answer(
            b"{}",
            200,
            f"X-RateLimit-Resource: {resource}",
            f"X-RateLimit-Remaining: {left}",
            "X-RateLimit-Limit: 5000",
            "X-RateLimit-Reset: 3000",
        )

    with wire(answering(reply)) as server:
        api = Api(server.url, clock=clock, budget=Budget(clock=clock))
        for path in ("/search/a", "/users/1", "/users/2", "/repos/3"):
            api.get(path)
        assert clock.monotonic() < 1
        api.get("/search/b")
        assert 2999 <= clock.monotonic() <= 3001
        assert len(server.asked) == 5


def test_calls_of_core_pass_those_that_wait_for_search() -> None:
    """The call at the head of the queue held all behind it back."""
    order = []

    def reply(asked: Asked) -> bytes:
        order.append(asked.target)
        name, left = ("search", 0) if asked.target.startswith("/search") else ("core", 4000)
        head = (f"X-RateLimit-Resource: {name}", f"X-RateLimit-Remaining: {left}")
        return answer(b"{}", 200, *head, "X-RateLimit-Limit: 5000", "X-RateLimit-Reset: 1")

    with wire(answering(reply)) as server:
        api = Api(server.url)
        keys = ["search/1", "users/1", "search/2", "search/3", *(f"users/{n}" for n in range(2, 9))]
        results = list(fetch(keys, api, lambda key: Get(f"/{key}"), concurrency=4))
    assert len(results) == 11
    assert order.index("/users/8") < order.index("/search/3")


def test_a_dialect_of_one_s_own_is_a_row() -> None:
    clock = FakeClock()
    read = lambda fields: [Quota("acme", remaining=float(fields["x-acme-left"]), reset=Reset(90))]  # noqa: E731 - a row
    with wire(answering(lambda _: answer(b"{}", 200, "X-Acme-Left: 0"))) as server:
        api = Api(
            server.url,
            clock=clock,
            budget=Budget(clock=clock),
            hints=[Dialect("acme", "x-acme-left", read)],
        )
        api.get("/")
        api.get("/")
    assert 89 <= clock.monotonic() <= 91
