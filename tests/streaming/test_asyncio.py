"""A stream in an event loop: the same stream, its thread and connection gone when the task is."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing
from itertools import islice

import pytest

from penstock.pipeline import asynchronous
from penstock.simulator import Simulator
from penstock.streaming import Stream


def stream(server: Simulator) -> Stream[object]:
    return Stream(f"{server.url}/stream/sse;messages=50;ends=hold", preset="sse")


def test_async_for_yields_what_a_plain_loop_does() -> None:
    async def bodies(made: Stream[object]) -> list[bytes]:
        found: list[bytes] = []
        async with aclosing(asynchronous(made.messages())) as messages:
            async for message in messages:
                found.append(message.body)
                if len(found) == 50:
                    return found
        return found

    with Simulator() as server:
        plain = [one.body for one in islice(stream(server).messages(), 50)]
        assert asyncio.run(bodies(stream(server))) == plain


def test_a_cancelled_task_closes_its_stream() -> None:
    async def cancelled(made: Stream[object]) -> None:
        began = asyncio.Event()

        async def read() -> None:
            async for _ in made:
                began.set()

        task = asyncio.create_task(read())
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with Simulator() as server:
        asyncio.run(cancelled(stream(server)))
        for one in threading.enumerate():
            if one.name.startswith(("penstock-async", "penstock-stream")):
                one.join(20)
                assert not one.is_alive()
