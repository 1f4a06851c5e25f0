"""What every store promises, whatever it is made of."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TypeAlias

from penstock.errors import StorageError
from penstock.pipeline import Deletion, Entry, Failing, Key, Landing, Mark, Store
from penstock.store import WritableStore
from penstock.testing.refused import refused

__all__ = ["OpenStore", "StoreContract", "failing", "land", "nothing"]

OpenStore: TypeAlias = Callable[[], WritableStore]
"""Opens the same store each time it is called, which is empty at first; the test closes it."""


def nothing(count: int) -> None:
    """Ignore the report."""


def land(store: WritableStore, *entries: Entry) -> None:
    """Land entries, and wait until they are safe."""
    store.settle(entries, nothing)
    store.flush()


def failing(key: Key, message: str = "404 Not Found") -> Failing:
    """Return a key that ended in an error."""
    return Failing(key, "PermanentError", message, status=404, attempts=3, excerpt="<html>")


class StoreContract:
    """Tests of a :class:`~penstock.store.WritableStore`.

    They need the fixture ``open_store``, an :data:`OpenStore`.
    """

    def test_a_store_is_what_a_pipeline_asks_for(self, open_store: OpenStore) -> None:
        with open_store() as opened:
            store: Store = opened
            assert list(store.claim([])) == []

    def test_every_key_is_claimed_once_and_in_order(self, open_store: OpenStore) -> None:
        with open_store() as store:
            assert list(store.claim([3, 1, 3, 2, 1])) == [3, 1, 2]
            assert (store.repeated, store.skipped) == (2, 0)

    def test_a_number_and_its_text_are_two_keys(self, open_store: OpenStore) -> None:
        with open_store() as store:
            assert list(store.claim([7, "7"])) == [7, "7"]
            land(store, Landing(7, b'"number"'))
            assert store.state("7") == "pending"
            land(store, Landing("7", b'"text"'))
            assert (store.get(7), store.get("7")) == (b'"number"', b'"text"')
        with open_store() as store:
            assert [record.key for record in store.records()] == [7, "7"]
            assert list(store.claim(["7", 7, "07"])) == ["07"]

    def test_what_landed_or_failed_is_passed_over_for_good(self, open_store: OpenStore) -> None:
        with open_store() as store:
            land(store, Landing(1, b"{}"), failing(2))
            assert list(store.claim([1, 2, 3])) == [3]
            assert (store.repeated, store.skipped) == (2, 0)
        with open_store() as store:
            assert list(store.claim([1, 2, 3])) == [3]
            assert (store.repeated, store.skipped) == (0, 2)

    def test_a_key_in_flight_is_passed_over_until_it_is_opened_again(
        self, open_store: OpenStore
    ) -> None:
        with open_store() as store:
            assert list(store.claim([1])) == [1]
            assert list(store.claim([1])) == []
        with open_store() as store:
            assert list(store.claim([1])) == [1]

    def test_keys_read_ahead_and_not_given_out_stay_to_do(self, open_store: OpenStore) -> None:
        with open_store() as store:
            claimed = store.claim(range(1000))
            first = [next(claimed) for _ in range(10)]
            assert isinstance(claimed, Iterator)
            claimed.close()  # type: ignore[attr-defined] # a generator, which Iterator does not tell
            assert list(store.claim(range(1000))) == [*range(10, 1000)]
            assert first == [*range(10)]

    def test_durable_counts_every_entry_in_order(self, open_store: OpenStore) -> None:
        heard: list[tuple[str, int]] = []
        with open_store() as store:
            store.settle([Landing(1, b"1"), Mark("page", "2")], lambda n: heard.append(("a", n)))
            store.settle([failing(2)], lambda n: heard.append(("b", n)))
            store.settle([Landing(3, b"3")], lambda n: heard.append(("b", n)))
            store.settle([], lambda n: heard.append(("never", n)))
            store.flush()
            total = {
                name: sum(n for who, n in heard if who == name) for name in ("a", "b", "never")
            }
            assert total == {"a": 2, "b": 2, "never": 0}
            assert [name for name, _ in heard] == sorted(name for name, _ in heard)
            assert store.mark("page") == "2"

    def test_what_is_durable_is_readable_when_it_is_reported(self, open_store: OpenStore) -> None:
        seen: list[object] = []
        with open_store() as store:
            store.settle([Landing(1, b"[1]")], lambda _: seen.append(store.get(1)))
            store.flush()
        assert seen == [b"[1]"]

    def test_a_group_becomes_safe_without_a_flush(self, open_store: OpenStore) -> None:
        safe = threading.Event()
        with open_store() as store:
            store.settle([Landing(1, b"1")], lambda _: safe.set(), group=100)
            assert safe.wait(30)

    def test_closing_makes_safe_what_was_settled(self, open_store: OpenStore) -> None:
        heard: list[int] = []
        with open_store() as store:
            store.settle([Landing(key, b"{}") for key in range(5)], heard.append, group=1000)
        assert sum(heard) == 5
        with open_store() as store:
            assert store.status().landed == 5

    def test_an_error_in_the_block_loses_nothing(self, open_store: OpenStore) -> None:
        with contextlib.suppress(KeyError), open_store() as store:
            store.settle([Landing(1, b"{}")], nothing)
            raise KeyError
        with open_store() as store:
            assert store.state(1) == "landed"

    def test_a_closed_store_says_so(self, open_store: OpenStore) -> None:
        store = open_store()
        store.close()
        store.close()
        with refused(StorageError, "closed"):
            store.settle([Landing(1, b"{}")], nothing)

    def test_settling_twice_lands_once(self, open_store: OpenStore) -> None:
        with open_store() as store:
            land(store, Landing(1, b'"first"'), Landing(1, b'"same group"'))
            land(store, Landing(1, b'"later"'), Landing(2, b"2"), failing(1))
            assert store.again == 3
        with open_store() as store:
            assert [(r.key, r.body) for r in store.records()] == [(1, b'"first"'), (2, b"2")]
            assert (store.status().landed, store.status().failed) == (2, 0)

    def test_durable_is_told_of_refused_entries_too(self, open_store: OpenStore) -> None:
        heard: list[int] = []
        with open_store() as store:
            land(store, Landing(1, b"1"))
            store.settle([Landing(1, b"1"), Landing(1, b"1")], heard.append)
            store.flush()
        assert sum(heard) == 2

    def test_a_record_is_better_than_a_failure(self, open_store: OpenStore) -> None:
        with open_store() as store:
            land(store, failing(1))
            land(store, Landing(1, b"1"))
            assert (store.state(1), list(store.failures())) == ("landed", [])
            land(store, failing(2), Landing(2, b"2"))
            assert (store.state(2), store.status().failed) == ("landed", 0)
            assert store.again == 0

    def test_a_failure_keeps_what_is_needed_to_understand_it(self, open_store: OpenStore) -> None:
        with open_store() as store:
            land(store, Failing("x", "GaveUp", "no answer \ud800", None, 5, "\x00half"))
            (failure,) = store.failures()
            assert (failure.key, failure.error, failure.attempts) == ("x", "GaveUp", 5)
            assert (failure.message, failure.status) == ("no answer \\ud800", None)
            assert (failure.excerpt, failure.replayed) == ("\x00half", 0)
            assert store.state("x") == "failed"

    def test_failed_keys_are_put_back_and_counted(self, open_store: OpenStore) -> None:
        with open_store() as store:
            land(store, *[failing(key) for key in range(4)])
            assert store.retry_failed([2, 99]) == 1
            assert store.retry_failed() == 3
            assert store.retry_failed() == 0
            assert store.status().failed == 0
            assert list(store.claim(range(4))) == [*range(4)]
            land(store, failing(2, "again"), Landing(3, b"{}"))
            assert store.retry_failed() == 1
        with open_store() as store:
            land(store, failing(2, "and again"))
            (failure,) = store.failures()
            assert (failure.message, failure.replayed) == ("and again", 2)
            assert (store.state(3), store.retry_failed([3])) == ("landed", 0)

    def test_failures_that_are_acknowledged_stay_failed(self, open_store: OpenStore) -> None:
        with open_store() as store:
            land(store, *[failing(key) for key in range(3)])
            assert store.acknowledge([0, 1, 99]) == 2
            assert store.acknowledge([0]) == 0
        with open_store() as store:
            assert list(store.claim(range(4))) == [3]
            status = store.status()
            assert (status.failed, status.acknowledged) == (3, 2)
            assert [(kind.count, kind.acknowledged) for kind in status.failures] == [(3, 2)]
            assert {one.key for one in store.failures() if one.acknowledged} == {0, 1}

    def test_what_fails_again_is_not_acknowledged(self, open_store: OpenStore) -> None:
        with open_store() as store:
            land(store, failing(1), failing(2))
            store.acknowledge([1, 2])
            store.retry_failed([1])
            assert store.status().acknowledged == 1
            land(store, failing(1, "again"))
            assert (store.status().failed, store.status().acknowledged) == (2, 1)

    def test_the_latest_records_come_newest_first(self, open_store: OpenStore) -> None:
        with open_store() as store:
            assert store.latest(2) == []
            land(store, *[Landing(key, b"{}") for key in range(3)], failing(3))
            assert [record.key for record in store.latest(2)] == [2, 1]

    def test_each_record_has_the_moment_at_which_it_landed(self, open_store: OpenStore) -> None:
        with open_store() as store:
            store.keep("replace")
            for key, body in ((1, b"1"), (2, b"2"), (1, b"10")):
                land(store, Landing(key, body))
            found = list(store.moments())
            assert [record for record, _ in found] == list(store.records())
            assert {record.key: at for record, at in found} == {
                record.key: at for record, at, _ in store.versions()
            }

    def test_versions_go_on_from_a_position(self, open_store: OpenStore) -> None:
        with open_store() as store:
            store.keep("history")
            land(store, Landing(1, b"1"), Landing(2, b"2"))
            assert store.replaced([1, 2, 3]) == set()
            *_, (_, _, position) = store.versions()
            assert list(store.versions(position)) == []
            for body in (b"10", b"11"):
                land(store, Landing(1, body))
            found = [(one.key, one.body) for one, *_ in store.versions(position)]
            assert found == [(1, b"10"), (1, b"11")]
            times = [at for _, at, _ in store.versions()]
            assert times == sorted(times)
            assert store.replaced([1, 2, 3]) == {1}

    def test_deletions_are_noticed(self, open_store: OpenStore) -> None:
        with open_store() as store:
            seen = [store.deletions()]
            land(store, Landing(1, b"1"), Landing(2, b"2"))
            assert store.deletions() == seen[0]
            for key in (1, 2):
                land(store, Deletion(key, final=False))
                seen.append(store.deletions())
                land(store, Landing(1, b"10"))
        assert len(set(seen)) == 3

    def test_marks_are_replaced(self, open_store: OpenStore) -> None:
        with open_store() as store:
            assert store.mark("page") is None
            land(store, Mark("page", "2"), Mark("page", "3"))
            land(store, Mark("page", "4"), Mark("other", ""))
        with open_store() as store:
            assert (store.mark("page"), store.mark("other")) == ("4", "")

    def test_marks_survive_a_group_with_a_repeated_key(self, open_store: OpenStore) -> None:
        with open_store() as store:
            land(store, Landing(1, b"1"))
            land(store, Mark("page", "1"), Landing(1, b"1"), Mark("page", "2"))
            assert (store.mark("page"), store.again) == ("2", 1)

    def test_status_counts(self, open_store: OpenStore) -> None:
        with open_store() as store:
            land(store, Landing(1, b"{}"), failing(2), failing(3), Failing(4, "GaveUp", "down"))
            list(store.claim([5, 6]))
            status = store.status()
            assert (status.landed, status.failed, status.pending, status.expected) == (
                1,
                3,
                2,
                None,
            )
            counts = [(kind.error, kind.status, kind.count) for kind in status.failures]
            assert counts == [("PermanentError", 404, 2), ("GaveUp", None, 1)]
            assert status.started <= status.updated
            store.expect(10)
            assert store.status().pending == 6
        with open_store() as store:
            assert (store.status().expected, store.status().pending) == (10, 6)
            store.expect(2)
            assert store.status().pending == 0
            store.expect(None)
            assert store.status().pending == 0

    def test_an_unknown_key_is_pending_and_has_no_record(self, open_store: OpenStore) -> None:
        with open_store() as store:
            land(store, failing(1))
            assert (store.state(2), store.get(2), store.get(1)) == ("pending", None, None)
