"""What every store of locks promises."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from penstock.locks import Held, LockerRoom, LockLost, LockTimeout, NotHeld
from penstock.testing.refused import refused

__all__ = ["LockContract", "until", "waiting"]


def until(condition: Callable[[], object]) -> None:
    """Wait for what must become true; a test that hangs here fails by its time limit."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.005)


def waiting(room: LockerRoom, whom: str | int) -> Callable[[], bool]:
    """Return whether somebody, or how many, wait for the lock ``x``."""

    def there() -> bool:
        owners = [waiter.owner for waiter in room.status("x").waiters]
        return whom in owners if isinstance(whom, str) else len(owners) == whom

    return there


class LockContract:
    """Tests of a :class:`~penstock.locks.Backend`.

    They need the fixture ``room``: a :class:`~penstock.locks.LockerRoom` over an empty one.
    """

    def test_tokens_only_grow(self, room: LockerRoom) -> None:
        tokens = []
        for _ in range(5):
            with room.lock_and_release("x") as held:
                tokens.append(held.token)
        assert tokens == sorted(set(tokens))
        assert room.status("x").token == tokens[-1]

    def test_an_exception_releases_and_is_told(self, room: LockerRoom) -> None:
        with refused(ZeroDivisionError), room.lock_and_release("x"):
            _ = 1 / 0
        assert not room.status("x").locked

    def test_nobody_gets_what_another_holds(self, room: LockerRoom) -> None:
        with room.lock_and_release("x", owner="ada"):
            with refused(LockTimeout, "held by 'ada' since"):
                room.lock("x", owner="bob", timeout=0)
            with refused(LockTimeout, "held by 'ada'"):
                room.lock("x", owner="bob", timeout=0.05)
            assert room.try_lock("x", owner="bob") is None
            assert room.status("x").waiters == ()
        got = room.try_lock("x", owner="bob")
        assert got is not None
        assert room.status("x").owner == "bob"
        got.release()

    def test_a_moment_is_a_deadline(self, room: LockerRoom) -> None:
        with room.lock_and_release("x", owner="ada"), refused(LockTimeout):
            room.lock("x", owner="bob", timeout=datetime.now(UTC) + timedelta(seconds=0.05))

    def test_only_the_holder_releases(self, room: LockerRoom) -> None:
        with refused(NotHeld, "it is free"):
            room.release("x")
        held = room.lock("x", owner="ada")
        with refused(NotHeld, "held by 'ada'"):
            room.release("x", owner="bob")
        room.release("x", owner="ada")
        with refused(NotHeld, "before"):
            held.release()
        with refused(LockLost, "released"):
            held.check()

    def test_waiters_are_served_in_the_order_they_came(self, room: LockerRoom) -> None:
        held = room.lock("x", owner="first")
        order: list[str] = []

        def wait(owner: str) -> None:
            with room.lock_and_release("x", owner=owner):
                order.append(owner)

        threads = []
        for owner in ("a", "b", "c", "d"):
            threads.append(threading.Thread(target=wait, args=(owner,)))
            threads[-1].start()
            until(waiting(room, owner))
        held.release()
        for thread in threads:
            thread.join()
        assert order == ["a", "b", "c", "d"]

    def test_forced_with_somebody_waiting_it_is_theirs(self, room: LockerRoom) -> None:
        held = room.lock("x", owner="ada")
        got: list[Held] = []
        waiter = threading.Thread(target=lambda: got.append(room.lock("x", owner="bob")))
        waiter.start()
        until(lambda: len(room.status("x").waiters) == 1)
        assert room.force("x").owner == "bob"
        waiter.join()
        held.release()
        assert room.status("x").owner == "bob"
        got[0].release()

    def test_reentrant_takes_as_many_releases(self, room: LockerRoom) -> None:
        with room.lock_and_release("x", reentrant=True) as outer:
            with room.lock_and_release("x", reentrant=True) as inner:
                assert inner.token == outer.token
            assert room.status("x").locked
        assert not room.status("x").locked

    def test_readers_share_and_writers_do_not(self, room: LockerRoom) -> None:
        with room.reading("doc", owner="a") as first, room.reading("doc", owner="b") as second:
            assert first.token < second.token
            assert [h.owner for h in room.status("doc").holders] == ["a", "b"]
            with refused(LockTimeout), room.writing("doc", timeout=0):
                pass
        with room.writing("doc", owner="w"):
            with refused(LockTimeout), room.reading("doc", timeout=0):
                pass
            with refused(LockTimeout), room.writing("doc", owner="v", timeout=0):
                pass

    def test_a_waiting_writer_is_not_overtaken_by_readers(self, room: LockerRoom) -> None:
        order: list[str] = []

        def write() -> None:
            with room.writing("doc", owner="writer"):
                order.append("writer")

        def read() -> None:
            with room.reading("doc", owner="late reader"):
                order.append("late reader")

        with room.reading("doc", owner="early reader"):
            writer = threading.Thread(target=write)
            writer.start()
            until(lambda: len(room.status("doc").waiters) == 1)
            reader = threading.Thread(target=read)
            reader.start()
            until(lambda: len(room.status("doc").waiters) == 2)
        writer.join()
        reader.join()
        assert order == ["writer", "late reader"]

    def test_a_semaphore_lets_so_many_in(self, room: LockerRoom) -> None:
        inside, most = set[int](), []
        mutex = threading.Lock()
        barrier = threading.Barrier(3)

        def work(number: int) -> None:
            with room.semaphore("pool", 3, owner=str(number)):
                with mutex:
                    inside.add(number)
                    most.append(len(inside))
                barrier.wait()  # three of them are in at once, or this never ends
                with mutex:
                    inside.remove(number)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert max(most) == 3

    def test_several_or_none(self, room: LockerRoom) -> None:
        with room.lock_and_release("b", owner="other"):
            with refused(LockTimeout), room.several(["a", "b"], timeout=0):
                pass
            assert not room.status("a").locked

    def test_all_locks_are_listed_by_name(self, room: LockerRoom) -> None:
        for name in ("b", "a", "ä"):
            room.lock(name, owner=f"owner of {name}")
        told = [(status.name, status.owner) for status in room.locks()]
        assert told == [("a", "owner of a"), ("b", "owner of b"), ("ä", "owner of ä")]
