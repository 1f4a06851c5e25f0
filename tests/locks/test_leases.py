"""How long a holder may believe that it holds, at the boundaries, by a clock set by hand."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from penstock.errors import StorageError
from penstock.locks.backend import Granted, Reply
from penstock.locks.errors import LockLost
from penstock.locks.leases import Lease, Renewals, believed_until
from penstock.locks.process_identity import elapsed
from penstock.locks.state import LockRequest, LockState, QueuePlace

if TYPE_CHECKING:
    from penstock.locks.backend import Backend

PLACE = QueuePlace(id="p", owner="test", lease=60.0, until=1_060.0, since=1_000.0)


class Store:
    """Grants each request to renew until ``until`` on its own clock, and remembers the times."""

    def __init__(self, until: float, now: float, sent: float) -> None:
        self.until, self.now, self.sent = until, now, sent
        self.allowed: list[float] = []
        self.asked = threading.Event()

    def apply(self, name: str, request: LockRequest, timeout: float) -> Reply:
        assert (name, request.kind) == ("l", "renew")
        self.allowed.append(timeout)
        self.asked.set()
        held = QueuePlace(id="p", owner="test", lease=60.0, until=self.until)
        return Reply(LockState(holders=(held,)), self.now, self.sent)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    moment = [100.0]
    monkeypatch.setattr("penstock.locks.leases.elapsed", lambda: moment[0])
    return moment


def renewals(store: Store) -> Renewals:
    backend: Backend = store  # type: ignore[assignment]  # nothing else of it is asked for
    return Renewals(backend)


def test_a_lease_is_over_at_its_very_end(clock: list[float]) -> None:
    lease = Lease("l", PLACE, 160.0, None)
    clock[0] = 159.9
    lease.check()
    clock[0] = 160.0
    with pytest.raises(LockLost, match="its lease ended"):
        lease.check()


@pytest.mark.usefixtures("clock")
def test_it_is_renewed_when_a_third_of_what_is_left_is_over() -> None:
    assert Lease("l", PLACE, 160.0, None).renew_at == pytest.approx(120.0)


@pytest.mark.usefixtures("clock")
def test_a_long_lease_is_renewed_soon_all_the_same() -> None:
    kept = renewals(Store(0.0, 0.0, 0.0))
    kept.latest = 5.0
    long, short = Lease("l", PLACE, 160.0, None), Lease("m", PLACE, 103.0, None)
    try:
        kept.keep(long)
        kept.keep(short)
        assert long.renew_at == 105.0
        assert short.renew_at == pytest.approx(101.0)
    finally:
        kept.close()


@pytest.mark.parametrize(("left", "try_of"), [(30.0, 6.0), (2.0, 2.0)])
def test_a_try_to_renew_takes_a_tenth_of_the_lease_and_never_more_than_is_left(
    clock: list[float], left: float, try_of: float
) -> None:
    store = Store(1_060.0, 1_000.0, clock[0])
    renewals(store)._renew(Lease("l", PLACE, clock[0] + left, None))
    assert store.allowed == [pytest.approx(try_of)]


@pytest.mark.usefixtures("clock")
def test_what_the_store_grants_counts_from_when_the_request_was_sent() -> None:
    lease = Lease("l", PLACE, 130.0, None)
    # The store's clock says 5,000; sixty seconds from there are sixty seconds from 100 here.
    renewals(Store(5_060.0, 5_000.0, 100.0))._renew(lease)
    assert lease.until == pytest.approx(157.0), "sixty, less the margin of three"
    assert lease.renew_at == 105.0


@pytest.mark.usefixtures("clock")
def test_a_holder_believes_the_earlier_of_both_bounds() -> None:
    reply = Reply(LockState(), 1_000.0, 100.0)
    assert believed_until(PLACE, reply) == pytest.approx(157.0)


def test_what_is_kept_is_renewed_by_itself_when_it_is_time() -> None:
    begun = elapsed()
    store = Store(1_060.0, 1_000.0, begun)
    kept = renewals(store)
    try:
        kept.keep(Lease("l", PLACE, begun + 0.03, None))
        assert store.asked.wait(30.0)
    finally:
        kept.close()


def test_word_from_elsewhere_may_make_it_shorter_and_never_longer() -> None:
    reply = Reply(LockState(), 1_000.0, 100.0)
    late, soon = (Granted(PLACE, received) for received in (130.0, 90.0))
    assert believed_until(PLACE, reply, late) == pytest.approx(157.0)
    assert believed_until(PLACE, reply, soon) == pytest.approx(147.0)


@pytest.mark.usefixtures("clock")
def test_where_the_store_does_not_answer_it_is_tried_again_soon() -> None:
    class Gone(Store):
        def apply(self, name: str, request: LockRequest, timeout: float) -> Reply:
            super().apply(name, request, timeout)
            raise StorageError("the store does not answer")

    lease = Lease("l", PLACE, 130.0, None)
    renewals(Gone(0.0, 0.0, 0.0))._renew(lease)
    assert lease.renew_at == pytest.approx(100.6), "a tenth of the six seconds of a try"
    lease.check()


@pytest.mark.parametrize("over", [False, True])
@pytest.mark.usefixtures("clock")
def test_who_is_let_in_behind_its_back_makes_it_lost_unless_it_was_given_back(
    *, over: bool
) -> None:
    class Other(Store):
        def apply(self, name: str, request: LockRequest, timeout: float) -> Reply:
            reply = super().apply(name, request, timeout)
            return Reply(LockState(), reply.now, reply.sent)

    lease = Lease("l", PLACE, 130.0, None)
    lease.over = over
    renewals(Other(0.0, 0.0, 0.0))._renew(lease)
    assert bool(lease.reason) is not over
