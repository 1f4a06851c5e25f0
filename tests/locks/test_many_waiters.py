"""Hundreds that wait for one lock: what each turn costs does not grow with them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from pymongo import MongoClient
from pymongo.monitoring import CommandListener, CommandStartedEvent
from tests.real.mongod import Mongo
from tests.waiting import until

from penstock.locks import LockerRoom
from penstock.locks.backend import Reply
from penstock.locks.database import Database
from penstock.locks.fifo_notify import tell
from penstock.locks.mongo_backend import MongoLocks
from penstock.locks.rules import step
from penstock.locks.sqlite_backend import Embedded
from penstock.locks.state import Kind, LockRequest, LockState, QueuePlace

WAITERS = 500


class Commands(CommandListener):
    def __init__(self) -> None:
        self.changes = 0

    def started(self, event: CommandStartedEvent) -> None:
        self.changes += event.command_name == "findAndModify"

    def succeeded(self, event: object) -> None:
        pass

    def failed(self, event: object) -> None:
        pass


def place(number: int, lease: float = 3600.0, weight: int = 1, address: str = "") -> QueuePlace:
    return QueuePlace(id=f"p{number}", owner="o", lease=lease, weight=weight, address=address)


def served(room: LockerRoom, waiters: int, when_all_wait: Callable[[], None] | None) -> list[int]:
    """Return the tokens of so many threads that each hold once."""
    tokens: list[int] = []

    def work() -> None:
        with room.lock_and_release("x", timeout=120) as held:
            held.check()
            tokens.append(held.token)

    threads = [threading.Thread(target=work) for _ in range(waiters)]
    for thread in threads:
        thread.start()
    if when_all_wait is not None:
        until(lambda: len(room.status("x").waiters) == waiters)
        when_all_wait()
    for thread in threads:
        thread.join()
    return tokens


def test_all_are_served_in_order_and_each_is_told(store: str) -> None:
    waiters = 60 if store.startswith("mongodb") else WAITERS
    with LockerRoom(store) as room:
        tokens = served(room, waiters, room.lock("x").release)
        assert tokens == sorted(set(tokens))
        assert len(tokens) == waiters
        assert not room.status("x").locked


def test_a_turn_costs_as_many_commands_however_many_wait(mongo: Mongo) -> None:
    """One to join and one to release: who stands behind the next neither asks nor is woken."""
    counts = []
    for waiters in (8, 80):
        commands = Commands()
        with (
            MongoClient[dict[str, object]](mongo.uri, event_listeners=[commands]) as client,
            LockerRoom(client=client, database=mongo.database) as room,
        ):
            served(room, waiters, room.lock("x").release)
            assert room.tally.told == waiters
        counts.append(commands.changes)
    # Two each, and one more where a word came late.
    assert counts[1] - counts[0] <= 2.25 * (80 - 8), counts


def test_a_turn_reads_the_head_of_the_queue_and_not_all_of_it(tmp_path: Path) -> None:
    backend = Embedded(tmp_path)
    replies = [
        backend.apply("x", LockRequest(kind="acquire", place=place(n))) for n in range(WAITERS)
    ]
    assert max(len(reply.state.waiters) for reply in replies) < 20
    assert len(backend.read("x").state.waiters) == WAITERS - 1
    released = backend.apply("x", LockRequest(kind="release", place=place(0))).state
    assert released.holders[0].id == "p1"
    assert len(released.waiters) < 20
    asked = backend.apply("x", LockRequest(kind="acquire", place=place(300))).state
    assert [p.id for p in asked.waiters[-3:]] == ["p299", "p300", f"p{WAITERS - 1}"]
    backend.close()


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([1, 2, 40, 10_000]),
    st.lists(st.tuples(st.sampled_from(get_args(Kind)), st.integers(0, 30)), max_size=60),
)
def test_a_part_of_the_queue_comes_to_the_same_as_all_of_it(
    tmp_path_factory: object, capacity: int, events: list[tuple[Kind, int]]
) -> None:
    folder: Path = tmp_path_factory.mktemp("locks")  # type: ignore[attr-defined] # pytest's
    Embedded(folder).close()
    database, model = Database(folder), LockState()
    joins: list[tuple[Kind, int]] = [("acquire", number) for number in range(40)]
    for moment, (kind, number) in enumerate([*joins, *events]):
        weight = min(capacity, 20) if number % 7 == 3 else 1
        request = LockRequest(kind=kind, place=place(number, weight=weight), capacity=capacity)
        near = request.place.id if kind in ("acquire", "try", "renew", "release") else None
        # Moments far beyond this machine's clock: nobody is late.
        now = 1e9 + moment * 1e-3
        model = step(model, request, now)
        database.change("x", lambda state, r=request, t=now: step(state, r, t), near)  # type: ignore[misc] # bound now
        assert database.read("x") == model
    database.close()


def test_a_word_that_comes_too_late_is_not_believed(tmp_path: Path) -> None:
    """It was written when the lock was granted; since then the lease may have ended."""
    with LockerRoom(tmp_path) as room:
        held = room.lock("x")
        tokens: list[int] = []

        def work() -> None:
            with room.lock_and_release("x") as late:
                late.check()
                tokens.append(late.token)

        waiter = threading.Thread(target=work)
        waiter.start()
        until(lambda: room.status("x").waiters)
        backend = room._backend
        assert isinstance(backend, Embedded)
        waiting = backend.read("x").state.waiters[0]
        old = replace(waiting, token=77, since=1.0, until=2.0)
        assert tell(backend.path / "wake", old, waiting.address)
        assert room.status("x").holders[0].token == held.token
        assert not tokens
        held.release()
        waiter.join()
        (token,) = tokens
        assert token > held.token


def test_when_the_holder_is_overdue_few_ask_for_all(mongo: Mongo) -> None:
    """500 that asked at once took every connection, and the next holder could not release."""
    commands, waiters = Commands(), 60
    with (
        MongoClient[dict[str, object]](mongo.uri, event_listeners=[commands]) as client,
        LockerRoom(client=client, database=mongo.database) as room,
    ):
        backend = room._backend
        assert isinstance(backend, MongoLocks)
        dead = place(-1, lease=1.0, address="nobody")
        backend.apply("x", LockRequest(kind="acquire", place=dead))
        tokens = served(room, waiters, None)
        assert len(set(tokens)) == waiters
        # One to join and one to release for each; few looked for themselves.
        assert commands.changes <= 2 * waiters + 20


def test_one_that_was_passed_over_asks_for_itself(mongo: Mongo) -> None:
    """What others of its process were answered told it to wait on, for as long as they asked."""
    backend = MongoLocks(mongo.with_database, None, None)
    with backend.waiter() as ear, backend.waiter() as other:
        ear.expect("p1")
        other.expect("p2")

        def ask(number: int) -> Reply:
            mine = place(number, address=backend._address)
            return backend.apply("x", LockRequest(kind="acquire", place=mine))

        reply = [ask(number) for number in range(3)][-1]
        assert [p.id for p in reply.state.waiters] == ["p1", "p2"]
        assert ear.wait(reply, "p1", 5.0) == frozenset()  # the stream is open from here on
        gone = {"$pull": {"waiters": {"id": "p1"}}}
        backend._locks.update_one({"_id": "x"}, gone)  # let in, not heard of, and passed over
        ask(2)
        reply = ask(1)
        assert [p.id for p in reply.state.waiters] == ["p2", "p1"]
    backend.close()
