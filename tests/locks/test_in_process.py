"""Threads of one process that hand a lock to each other; and tasks that await one."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest
from tests.waiting import until

from penstock.errors import InputError
from penstock.locks import Held, LockerRoom, LockTimeout

from .conftest import Start

TURNS = 8


def waits_or_passed(room: LockerRoom, passed: list[int]) -> bool:
    return bool("elsewhere" in owners_waiting(room) or passed)


def test_threads_hand_it_on_with_growing_tokens_and_never_hold_together(store: str) -> None:
    with LockerRoom(store, in_process=TURNS) as room:
        inside, tokens, worst = [0], list[int](), [0]

        def work() -> None:
            for _ in range(20):
                with room.lock_and_release("x") as held:
                    inside[0] += 1
                    worst[0] = max(worst[0], inside[0])
                    tokens.append(held.token)
                    held.check()
                    inside[0] -= 1

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert worst == [1]
        assert len(tokens) == 120
        assert tokens == sorted(set(tokens))
        assert not room.status("x").locked


def owners_waiting(room: LockerRoom) -> list[str]:
    return [waiter.owner for waiter in room.status("x").waiters]


def test_others_get_their_turn_after_so_many(store: str, room: LockerRoom) -> None:
    """While its threads never stop asking, another process waits for one round at most."""
    with LockerRoom(store, in_process=TURNS) as ours:
        ended = threading.Event()
        turns: list[int] = []

        def work() -> None:
            while not ended.is_set():
                with ours.lock_and_release("x") as held:
                    turns.append(held.token)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        until(lambda: len(turns) > 2 * TURNS)
        for _ in range(3):
            passed: list[int] = []

            def wait(passed: list[int] = passed) -> None:
                with room.lock_and_release("x", owner="elsewhere"):
                    passed.append(len(turns))

            waiter = threading.Thread(target=wait)
            waiter.start()
            until(partial(waits_or_passed, room, passed))
            queued = len(turns)
            waiter.join()
            assert passed[0] - queued <= TURNS
        ended.set()
        for thread in threads:
            thread.join()


def test_a_thread_that_gives_up_leaves_the_others_in_order(store: str) -> None:
    with LockerRoom(store, in_process=TURNS) as room:
        held = room.lock("x", owner="first")
        got: list[Held] = []
        patient = threading.Thread(target=lambda: got.append(room.lock("x", owner="patient")))
        patient.start()
        cohort = room._cohorts["x"]
        until(lambda: len(cohort._seats) == 1)
        with pytest.raises(LockTimeout, match="held by 'first'"):
            room.lock("x", owner="impatient", timeout=0.05)
        with pytest.raises(LockTimeout):
            room.lock("x", owner="impatient", timeout=0)
        held.release()
        patient.join()
        assert got[0].token == held.token + 1
        got[0].release()
        assert not room.status("x").locked


def test_a_lost_lock_is_not_handed_on(store: str) -> None:
    with LockerRoom(store, in_process=TURNS) as room, LockerRoom(store) as other:
        room._renewals.latest = 0.3
        held = room.lock("x", owner="first")
        got: list[Held] = []
        waiter = threading.Thread(target=lambda: got.append(room.lock("x", owner="second")))
        waiter.start()
        until(lambda: len(room._cohorts["x"]._seats) == 1)
        other.force("x")
        until(lambda: held.lost)
        between = other.lock("x", owner="between", timeout=20)
        held.release()
        between.release()
        waiter.join()
        assert got[0].token > between.token > held.token
        got[0].release()


def test_how_many_turns_is_a_number(folder: str) -> None:
    for turns in (0, -1, 10_001):
        with pytest.raises(InputError, match="in_process="):
            LockerRoom(folder, in_process=turns)


def test_tasks_wait_without_stopping_the_loop(room: LockerRoom) -> None:
    order: list[str] = []

    async def work(name: str) -> None:
        async with room.lock_and_release("x", owner=name) as held:
            order.append(name)
            await asyncio.sleep(0)
            held.check()

    @room.lock_and_release("y", timeout=20)
    async def decorated(value: int) -> int:
        await asyncio.sleep(0)
        return value

    async def main() -> None:
        await asyncio.gather(*(work(str(n)) for n in range(12)))
        assert list(await asyncio.gather(decorated(1), decorated(2))) == [1, 2]

    asyncio.run(main())
    assert sorted(order) == sorted(map(str, range(12)))
    assert not room.status("x").locked


def test_a_cancelled_task_leaves_the_queue(room: LockerRoom) -> None:
    async def main() -> None:
        async with room.lock_and_release("x", owner="first"):

            async def wait() -> None:
                async with room.lock_and_release("x", owner="cancelled"):
                    raise AssertionError

            waiting = asyncio.create_task(wait())
            while not room.status("x").waiters:
                await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            while room.status("x").waiters:
                await asyncio.sleep(0.01)

    asyncio.run(main())
    assert not room.status("x").locked
    assert room.status("x").waiters == ()


def test_an_exception_in_a_task_releases(room: LockerRoom) -> None:
    async def main() -> None:
        async with room.lock_and_release("x"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(main())
    assert not room.status("x").locked


def test_a_waiting_process_and_waiting_tasks_are_one_queue(
    room: LockerRoom, process: Start
) -> None:
    async def main() -> list[object]:
        async with room.lock_and_release("x"):
            other = process()
            other.say("lock", "x")
            while not room.status("x").waiters:
                await asyncio.sleep(0.01)

            async def after() -> int:
                async with room.lock_and_release("x", owner="task") as held:
                    return held.token

            task = asyncio.create_task(after())
            while len(room.status("x").waiters) < 2:
                await asyncio.sleep(0.01)
        said = other.heard()
        other.say("release", "x")
        return [said["token"], await task]

    first, second = asyncio.run(main())
    assert int(str(second)) > int(str(first))
