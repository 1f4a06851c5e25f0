"""What every store promises, whatever it is made of: run for each backend."""

import threading
from collections.abc import Iterator

import pytest

from penstock.errors import InputError
from penstock.pipeline.result import Deletion, Key, Landing
from penstock.store import OnSame, WritableStore
from penstock.testing import StoreContract
from penstock.testing.store_contract import OpenStore, failing, land, nothing


class TestStores(StoreContract):
    """The suite that others run too."""


def test_a_source_is_read_only_a_little_ahead(open_store: OpenStore) -> None:
    read: list[int] = []

    def source() -> Iterator[int]:
        for key in range(10_000):
            read.append(key)
            yield key

    with open_store() as store:
        claimed = store.claim(source())
        for given in range(1, 1000):
            next(claimed)
            assert len(read) <= min(2 * given, given + 256)


def test_two_claims_at_once_never_give_the_same_key(open_store: OpenStore) -> None:
    given: list[Key] = []

    def work(store: WritableStore) -> None:
        for key in store.claim(range(2000)):
            given.append(key)
            store.settle([Landing(key, b"{}")], nothing, group=7)

    with open_store() as store:
        threads = [threading.Thread(target=work, args=(store,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        store.flush()
        assert sorted(map(int, given)) == [*range(2000)]
        assert store.again == 0
        assert store.status().landed == 2000


@pytest.mark.parametrize("key", [2**63, -(2**63) - 1, "\ud800", 1.5, None, b"7"])
def test_a_key_that_no_store_can_keep_is_refused(open_store: OpenStore, key: object) -> None:
    with open_store() as store, pytest.raises(InputError, match="a key is a"):
        list(store.claim([key]))  # type: ignore[list-item] # what a caller without types may do


def test_failures_come_oldest_first_however_many(open_store: OpenStore) -> None:
    keys = [(key * 37) % 1000 for key in range(1000)]
    with open_store() as store:
        land(store, *[failing(key) for key in keys])
        assert [failure.key for failure in store.failures()] == keys


def test_a_line_feed_between_tokens_stays_one_record(open_store: OpenStore) -> None:
    with open_store() as store:
        land(store, Landing(1, b'{\n  "a": 1\n}'), Landing(2, b"2"))
        assert [record.body for record in store.records()] == [b'{   "a": 1 }', b"2"]
        assert store.verify() == 2


def test_failed_keys_can_be_put_back_while_others_land(open_store: OpenStore) -> None:
    with open_store() as store:
        land(store, *[failing(key) for key in range(200)])
        for key in range(200):
            store.settle([Landing(1000 + key, b"{}")], nothing, group=3)
            assert store.retry_failed([key]) == 1
        store.flush()
        assert (store.status().landed, store.status().failed) == (200, 0)
        assert list(store.claim(range(200))) == [*range(200)]
        assert store.verify() == 200


def test_only_keys_in_flight_are_remembered(open_store: OpenStore) -> None:
    with open_store() as store:
        for number, key in enumerate(store.claim(range(3000)), 1):
            store.settle([Landing(key, b"{}")], nothing)
            if number % 500 == 0:
                store.flush()
                # What was read ahead and not given out yet is all there is.
                assert (store.status().pending or 0) <= 256
        store.flush()
        assert (store.status().pending, store.status().landed) == (0, 3000)


@pytest.mark.parametrize("on_same", ["first", "replace", "history"])
def test_a_key_that_is_free_again_takes_what_comes_later(
    open_store: OpenStore, on_same: OnSame
) -> None:
    """CouchDB: a document deleted and written again was gone for good."""
    with open_store() as store:
        store.keep(on_same)
        store.settle(
            [
                *(Landing("d", b'{"v":1}'), Deletion("d", final=False), Landing("d", b'{"v":2}')),
                *(Landing("e", b"{}"), Deletion("e", final=False)),
                *(Landing("f", b"{}"), Deletion("f"), Landing("f", b'{"v":2}')),
            ],
            nothing,
        )
        store.flush()
        assert [(one.key, one.body) for one in store.records()] == [("d", b'{"v":2}')]
        store.settle([Landing("e", b"[1]"), Landing("f", b"[1]")], nothing)
        store.settle([Deletion("d", final=False)], nothing)
        store.flush()
        assert [one.key for one in store.records()] == ["e"]
        assert [one.key for one, _ in store.follow()] == ["e"]
        assert (store.status().landed, sorted(map(str, store.deleted()))) == (1, ["d", "f"])
