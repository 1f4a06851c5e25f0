"""The same engine in asyncio: one call, many, pages and streams; cancelled, nothing is left."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import aclosing

import pytest
from tests.http.wire import Asked, Peer, answer, answering, wire

from penstock.clock import Interrupt, SystemClock
from penstock.errors import GaveUp, InputError, PermanentError
from penstock.http import Api, Get, LinkHeader, OAuth2, pages, rows
from penstock.pipeline import asynchronous, fetch
from penstock.resilience import Budget, Limit, RetryPolicy
from penstock.simulator import Simulator

Make = Callable[..., Api]
Simulate = Callable[..., Simulator]


def threads() -> set[str]:
    return {one.name for one in threading.enumerate() if "penstock-async" in one.name}


def test_two_hundred_calls_at_once_are_tried_again_as_any(simulate: Simulate, quick: Make) -> None:
    server = simulate(users=200, faults=0.1, mix=(("reset-before", 1),))

    async def all_of_them(api: Api) -> list[object]:
        return await asyncio.gather(*(api.aget(f"/users/{n}.json") for n in range(200)))

    found = asyncio.run(all_of_them(quick(server.url)))
    assert [one.id for one in found] == list(range(200))  # type: ignore[attr-defined] # records
    assert not threads()


def test_errors_are_those_of_a_plain_call(quick: Make) -> None:
    def reply(asked: Asked) -> bytes:
        return answer(b"{}", int(asked.target[1:]))

    with wire(answering(reply)) as server:
        api = quick(server.url, retry=RetryPolicy(attempts=2, base=0))
        for status, error in ((404, PermanentError), (503, GaveUp), (401, InputError)):
            with pytest.raises(error) as caught:
                asyncio.run(api.aget(f"/{status}"))
            assert caught.value.status == status


def test_a_token_is_fetched_without_holding_the_loop(quick: Make) -> None:
    asked_for = threading.Event()
    go_on = threading.Event()

    def reply(asked: Asked) -> bytes:
        if asked.target == "/token":
            asked_for.set()
            go_on.wait(20)
            return answer(b'{"access_token": "abc"}')
        return answer(b'"%s"' % asked.headers["authorization"].encode())

    async def both(api: Api) -> object:
        call = asyncio.create_task(api.aget("/who"))
        await asyncio.to_thread(asked_for.wait, 20)
        await asyncio.sleep(0)  # the loop is free, or this would never come
        go_on.set()
        return await call

    with wire(answering(reply)) as server:
        auth = OAuth2(f"{server.url}/token", "me", "pw")
        assert asyncio.run(both(quick(server.url, auth=auth))) == "Bearer abc"


LINKED = answer(b'[{"id": 1}]', 200, 'Link: </?page=2>; rel="next"')


async def call_twice(api: Api, began: asyncio.Event) -> None:
    await api.aget("/")
    began.set()
    await api.aget("/")


async def walk(made: Iterator[object], began: asyncio.Event) -> None:
    async with aclosing(asynchronous(made)) as found:
        async for _ in found:
            began.set()


def fetched(api: Api) -> Iterator[object]:
    return fetch([0, 1, 2], api, lambda n: Get(f"/{n}"), concurrency=1)


HOWS: dict[str, Callable[[Api, asyncio.Event], Coroutine[object, object, None]]] = {
    "call": call_twice,
    "fetch": lambda api, began: walk(fetched(api), began),
    "pages": lambda api, began: walk(pages(api, "/", LinkHeader()), began),
    "quota": lambda api, began: walk(fetched(api), began),
}


async def cancelled(how: str, api: Api, waiting: threading.Event) -> None:
    began = asyncio.Event()
    task = asyncio.create_task(HOWS[how](api, began))
    await began.wait()
    if how != "quota":
        await asyncio.to_thread(waiting.wait, 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("how", HOWS)
def test_a_cancelled_task_leaves_neither_call_nor_thread_behind(quick: Make, how: str) -> None:
    waiting, dropped = threading.Event(), threading.Event()

    def hanging(peer: Peer) -> None:
        """Answer the first request of a connection and let the next one wait."""
        peer.request()
        peer.send(LINKED)
        if peer.request() is not None:
            waiting.set()
        peer.gone()
        dropped.set()

    limits = [Limit(1, 3600.0)] if how == "quota" else []
    with wire(hanging) as server:
        asyncio.run(cancelled(how, quick(server.url, budget=Budget(limits=limits)), waiting))
        assert how == "quota" or dropped.wait(20)
    for one in threading.enumerate():
        if "penstock-async" in one.name:
            one.join(20)
    assert not threads()


def test_pages_and_results_come_as_they_do_in_a_plain_loop(simulate: Simulate, quick: Make) -> None:
    api = quick(simulate(users=50).url)

    async def all_rows() -> list[bytes]:
        found = pages(api, "/pages/link-header", LinkHeader(), query={"per_page": 20})
        return [row async for page in asynchronous(found) for row in rows(page)]

    async def all_keys() -> set[object]:
        results = fetch(range(50), api, lambda n: Get(f"/users/{n}.json"))
        return {result.key async for result in asynchronous(results) if result.error is None}

    assert len(asyncio.run(all_rows())) == 50
    assert asyncio.run(all_keys()) == set(range(50))


def test_what_a_generator_raises_is_raised_by_the_loop() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise InputError("broken")

    async def items() -> list[int]:
        return [item async for item in asynchronous(broken())]

    with pytest.raises(InputError, match="broken"):
        asyncio.run(items())


def test_an_interrupt_that_comes_first_ends_the_wait_that_comes_later() -> None:
    interrupt = Interrupt()
    interrupt.set()
    ended: list[BaseException] = []

    def wait() -> None:
        interrupt.adopt()
        condition = threading.Condition()
        try:
            with condition:
                SystemClock().wait(condition, None)
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join(20)
    assert [type(error).__name__ for error in ended] == ["Interrupted"]
