"""Every kind of fault over real sockets, and what the policy makes of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest
from tests.http.wire import Peer, answer, answering, wire

from penstock.errors import GaveUp, InputError, PermanentError, RetryableError
from penstock.events import Called, Event, Events, Retry
from penstock.http import Api, Get, Post, Profile
from penstock.http.io_thread import engine
from penstock.pipeline import fetch
from penstock.resilience import BreakerPolicy, RetryPolicy
from penstock.simulator import Simulator, user_json

Make = Callable[..., Api]
Simulate = Callable[..., Simulator]


def get_user(key: int | str) -> Get:
    return Get(f"/users/{key}.json")


def says_error(body: object) -> bool:
    return isinstance(body, dict) and "error" in body


@pytest.mark.parametrize(
    "kind",
    ["420", "429", "500", "503", "520", "error", "reset-before", "reset-after", "truncate", "drip"],
)
def test_every_fault_is_got_over(simulate: Simulate, quick: Make, kind: str) -> None:
    slow = kind in {"420", "429", "503"}  # these say: come back in a second, or in a while
    settings = {"users": 6 if slow else 40, "faults": 0.3 if slow else 0.5, "seed": 5}
    simulator = simulate(mix=((kind, 1.0),), drip=0.02, limit=10**6, **settings)
    events, seen = Events(), list[Event]()
    events.subscribe(seen.append, calls=True)
    retry = RetryPolicy(attempts=40, base=0.001, cap=0.002, failed=says_error)
    api = quick(simulator.url, retry=retry, events=events)
    results = list(fetch(range(simulator.settings.users), api, get_user, concurrency=5))
    assert all(result.ok for result in results), [r.error for r in results if not r.ok]
    for result in results:
        assert isinstance(result.key, int)
        assert result.unwrap().body == user_json(simulator.settings.seed, result.key)
    truth = simulator.truth(ids=True)
    assert truth["faults"][kind] > 0
    assert truth["requests"] == sum(isinstance(event, Called) for event in seen)
    retries = [event for event in seen if isinstance(event, Retry)]
    assert len(retries) == sum(result.attempts for result in results) - len(results)
    if kind != "drip":
        assert retries
        expected = {"420": 420, "429": 429, "500": 500, "503": 503, "520": 520, "error": 200}
        assert {event.status for event in retries} == {expected.get(kind)}


def test_a_stall_ends_by_the_stall_timeout_and_is_tried_again(
    simulate: Simulate, quick: Make
) -> None:
    simulator = simulate(users=8, faults=0.5, mix=(("stall", 1.0),), stall=60.0, seed=3)
    api = quick(simulator.url, profile=Profile(stall=0.1))
    results = list(fetch(range(8), api, get_user, concurrency=8))
    assert all(result.ok for result in results)
    assert simulator.truth()["faults"]["stall"] > 0


def test_attempts_are_counted_and_the_last_reason_is_kept(simulate: Simulate, quick: Make) -> None:
    simulator = simulate(users=1, faults=1.0, mix=(("500", 1.0),))
    api = quick(simulator.url, retry=RetryPolicy(attempts=3, base=0))
    with pytest.raises(GaveUp, match=r"500 Internal Server Error \(after 3 calls\)") as caught:
        api.get("/users/0.json")
    assert (caught.value.attempts, caught.value.status) == (3, 500)
    assert "internal error" in caught.value.excerpt
    assert isinstance(caught.value.__cause__, PermanentError)
    assert simulator.truth()["requests"] == 3


def test_what_is_not_there_is_asked_for_once(simulate: Simulate, quick: Make) -> None:
    simulator = simulate(users=1)
    with pytest.raises(PermanentError, match="404 Not Found") as caught:
        quick(simulator.url).get("/users/7.json")
    assert caught.value.status == 404
    assert "no such user" in caught.value.excerpt
    assert simulator.truth()["requests"] == 1


def test_a_wrong_password_ends_the_run_at_once(simulate: Simulate, quick: Make) -> None:
    simulator = simulate(users=500, auth="basic")
    with pytest.raises(InputError, match="refuses our credentials") as caught:
        list(fetch(range(500), quick(simulator.url), get_user, concurrency=5))
    assert caught.value.status == 401
    assert simulator.truth()["requests"] <= 10


def test_an_answer_that_is_no_json_fails_at_once_unless_bytes_are_wanted(quick: Make) -> None:
    """A body that was wholly there was asked for again and again, as if that could change it."""
    page = answering(lambda _: answer(b"<html>oops</html>"))
    with wire(page) as server:
        with pytest.raises(PermanentError, match="body is not JSON"):
            quick(server.url).get("/")
        assert len(server.asked) == 1
        assert quick(server.url, decode="bytes").call(Get("/")).body == b"<html>oops</html>"


# Told apart: never sent, and outcome unknown


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_what_was_never_sent_is_repeated_even_for_a_post(quick: Make) -> None:
    api = quick(f"http://127.0.0.1:{unused_port()}", retry=RetryPolicy(attempts=3, base=0))
    with pytest.raises(GaveUp, match="cannot connect") as caught:
        api.post("/items", {"id": 1})
    assert caught.value.attempts == 3
    assert isinstance(caught.value.__cause__, RetryableError)
    assert caught.value.__cause__.sent is False


def test_an_unknown_host_was_never_asked(quick: Make) -> None:
    api = quick("http://nowhere.invalid", retry=RetryPolicy(attempts=1))
    with pytest.raises(RetryableError, match="no such host") as caught:
        api.get("/")
    assert caught.value.sent is False


def test_an_unknown_outcome_is_repeated_for_a_get_only(quick: Make) -> None:
    def read_and_reset(peer: Peer) -> None:
        peer.request()
        peer.reset()

    with wire(read_and_reset) as server:
        api = quick(server.url, retry=RetryPolicy(attempts=3, base=0))
        with pytest.raises(RetryableError) as caught:
            api.post("/items", {"id": 1})
        assert caught.value.sent is True
        assert len(server.asked) == 1
        with pytest.raises(GaveUp):
            api.get("/items")
        assert len(server.asked) == 4
        keyed = Post("/items", json={}, headers={"Idempotency-Key": "7"})
        with pytest.raises(GaveUp):
            api.call(keyed)
        assert len(server.asked) == 7


@pytest.mark.parametrize("concurrency", [1, 6])
def test_a_post_is_never_applied_twice_under_resets(
    simulate: Simulate, quick: Make, concurrency: int
) -> None:
    simulator = simulate(faults=0.4, mix=(("reset-after", 1.0),), seed=11)
    api = quick(simulator.url)

    def post(key: int | str) -> Post:
        return Post("/items", json={"id": key})

    results = list(fetch(range(120), api, post, concurrency=concurrency))
    truth = simulator.truth()
    assert truth["faults"]["reset-after"] > 20
    assert set(truth["posted"].values()) == {1}
    assert truth["requests"] == 120 == sum(result.attempts for result in results)
    assert sum(result.ok for result in results) == 120 - truth["faults"]["reset-after"]


def test_libcurl_s_own_repeat_does_not_spend_quota_unseen(simulate: Simulate, quick: Make) -> None:
    simulator = simulate(users=100, faults=0.4, mix=(("reset-after", 1.0),), limit=10**6, seed=2)
    events, seen = Events(), list[Event]()
    events.subscribe(seen.append, calls=True)
    api = quick(simulator.url, events=events)
    results = list(fetch(range(100), api, get_user, concurrency=1))
    truth = simulator.truth()
    assert truth["faults"]["reset-after"] > 20
    assert truth["accepted"] == truth["requests"]
    assert truth["requests"] == sum(isinstance(event, Called) for event in seen)
    assert all(result.ok for result in results)


def test_a_refused_reconnect_after_a_lost_answer_is_an_unknown_outcome(quick: Make) -> None:
    """libcurl reconnects by itself when a kept-alive connection breaks; that this second
    connection was refused does not mean that the first request was not applied."""

    def once_then_lost(peer: Peer) -> None:
        peer.request()
        peer.send(answer())
        peer.request()
        server.stop_listening()
        peer.reset()

    with wire(once_then_lost) as server:
        api = quick(server.url, retry=RetryPolicy(attempts=3, base=0))
        api.get("/")
        with pytest.raises(RetryableError) as caught:
            api.post("/items", {"id": 1})
        assert caught.value.sent is True
        assert [asked.method for asked in server.asked] == ["GET", "POST"]


# One item's trouble is its own


def bad_requests() -> list[Get | Post]:
    return [
        Get("http://127.0.0.1:99999/"),
        Get("http://[half/"),
        Get("/a", headers={"X": "1\r\nEvil: 1"}),
        Get("/a", headers={"X\r\nEvil": "1"}),
        Get("/a", headers={"X": "\N{SNOWMAN}"}),
        Get("/a", headers={"X": "a\0b"}),
        Post("/a", json={}, form={}),
        Post("/a", json=object()),
    ]


@pytest.mark.parametrize("place", range(8))
def test_a_request_that_cannot_be_sent_fails_alone(quick: Make, place: int) -> None:
    """It ended the whole run, and its ticket was never given back."""
    with wire(answering(lambda _: answer())) as server:
        api = quick(server.url)
        results = {
            result.key: result
            for result in fetch(
                range(4),
                api,
                lambda key: bad_requests()[place] if key == 1 else Get(f"/{key}"),
                concurrency=1,
            )
        }
        assert [results[key].ok for key in range(4)] == [True, False, True, True]
        assert isinstance(results[1].error, InputError)
        assert [asked.target for asked in server.asked] == ["/0", "/2", "/3"]


@pytest.mark.parametrize("text", ["1\r\nEvil: 1", "a\nb", "a\rb"])
def test_header_injection_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="line breaks"):
        Api("http://127.0.0.1", headers={"X": text})


def test_a_path_cannot_smuggle_a_second_request(quick: Make) -> None:
    with wire(answering(lambda _: answer())) as server:
        quick(server.url).get("/a HTTP/1.1\r\nHost: evil\r\n\r\nGET /b")
        assert len(server.asked) == 1
        assert server.asked[0].target.startswith("/a%20HTTP/1.1%0D%0A")


# The breaker and the end of patience


def test_a_server_that_is_down_for_too_long_ends_the_run(simulate: Simulate) -> None:
    simulator = simulate(users=100, faults=1.0, mix=(("500", 1.0),))
    api = Api(
        simulator.url,
        retry=RetryPolicy(attempts=5, base=0.001, cap=0.002),
        breaker=BreakerPolicy(failures=3, pause=0.01, cap=0.02, outage=0.1),
    )
    with pytest.raises(GaveUp, match="failed for too long"):
        list(fetch(range(100), api, get_user, concurrency=2))


def test_closing_while_one_call_tries_does_not_block_the_next_session() -> None:
    def silent_at_first(peer: Peer) -> None:
        while peer.request() is not None:
            if len(server.asked) == 1:
                peer.gone()
            else:
                peer.send(answer())

    with wire(silent_at_first) as server:
        api = Api(server.url, breaker=BreakerPolicy(failures=1, pause=0.001, cap=0.001))
        api.breaker.failed(api.clock.monotonic())
        with api.session() as calls:
            calls.submit(1, Get("/"))
            while not server.asked:
                calls.send()
        assert api.get("/") == {}


def test_the_body_of_a_refusal_is_obeyed(quick: Make) -> None:
    told = iter([answer(b'{"retry_after_ms": 1}', 429, "Retry-After: 3600"), answer()])
    with wire(answering(lambda _: next(told))) as server:
        assert quick(server.url).get("/") == {}
        assert len(server.asked) == 2


@pytest.mark.parametrize("status", [500, 429])
def test_a_retry_waits_for_nobody_else_s_answer(quick: Make, status: int) -> None:
    """The wait was the one from before the failure: a retry went out with the next answer only."""
    again = threading.Event()

    def script(peer: Peer) -> None:
        while (asked := peer.request()) is not None:
            if asked.target == "/slow":
                assert again.wait(30)
            elif asked.target == "/fast":
                if sum(one.target == "/fast" for one in server.asked) == 1:
                    peer.send(answer(b"{}", status, "Retry-After: 0"))
                    continue
                again.set()
            peer.send(answer(b"{}", 200, 'RateLimit: "all"; r=1000000; t=60'))

    with wire(script) as server:
        keys = ["first", "slow", "fast"]
        results = list(fetch(keys, quick(server.url), lambda key: Get(f"/{key}"), concurrency=2))
        assert all(result.ok for result in results)


def test_a_closed_engine_is_replaced_by_a_new_one(quick: Make) -> None:
    """Calls were handed to a thread that had ended, and waited for ever."""
    with wire(answering(lambda _: answer())) as server:
        assert quick(server.url).get("/") == {}
        engine().close()
        assert quick(server.url).get("/") == {}
