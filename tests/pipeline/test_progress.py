"""How far a run is, counted from its events at times of our choosing."""

from __future__ import annotations

import pytest

from penstock.events import BudgetSeen, Event, Failed, Landed, Retry, Waiting
from penstock.pipeline import Meter, Progress
from penstock.pipeline.progress import Rate


class Hands:
    """A clock that shows what it is set to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("looks", "rate"),
    [
        ([(0.0, 5), (2.0, 25)], 10.0),
        ([(0.0, 5), (0.0, 25)], 0.0),  # no time has passed
        ([(100.0, 5), (102.0, 25)], 10.0),
        ([(0.0, 0), (1.0, 1), (2.0, 10)], 5.0),
        ([(0.0, 0), (20.0, 100)], 5.0),  # there is nothing younger to begin with
        ([(0.0, 0), (5.0, 50), (10.0, 60)], 6.0),
        ([(0.0, 0), (5.0, 50), (10.5, 72)], 4.0),  # what is older than ten seconds is gone
        # Within a fifth of a second a look is not kept.
        ([(100.0, 0), (100.125, 161), (110.0625, 161)], 16.0),
        ([(0.0, 0), (0.2, 161), (10.25, 161)], 0.0),
    ],
)
def test_the_rate_is_that_of_the_last_ten_seconds(
    looks: list[tuple[float, int]], rate: float
) -> None:
    hands = Hands()
    hands.now, first = looks[0]
    meter = Rate(first, hands)
    found = []
    for now, count in looks[1:]:
        hands.now = now
        found.append(meter.at(count))
    assert found[-1] == rate


RETRY = Retry(key=7, attempt=1, wait=1.0, reason="503", status=503)
REFUSED = Retry(key=7, attempt=1, wait=1.0, reason="429", status=429)
SEEN = BudgetSeen(limit=100, remaining=40, reset=30.0)
PAUSE = Waiting(seconds=4.0, reason="quota")


@pytest.mark.parametrize(
    ("events", "at", "progress"),
    [
        ([], 0.0, Progress(done=2, total=10)),
        ([], 8.0, Progress(done=2, total=10)),  # nobody knows when it ends
        ([Landed(count=3)], 2.0, Progress(done=5, total=10, rate=1.5, eta=5 / 1.5)),
        ([Landed(count=12)], 2.0, Progress(done=14, total=10, rate=6.0, eta=0.0)),
        (
            [Failed(key=7, reason="404")] * 2,
            2.0,
            Progress(done=4, total=10, failed=2, rate=1.0, eta=6.0),
        ),
        ([RETRY] * 2, 0.0, Progress(done=2, total=10, retries=2)),
        ([REFUSED] * 2, 0.0, Progress(done=2, total=10, refused=2)),
    ],
)
def test_what_is_done_tells_when_it_ends(
    events: list[Event], at: float, progress: Progress
) -> None:
    hands = Hands()
    meter = Meter(10, 2, hands)
    for event in events:
        meter.saw(event)
    hands.now = at
    assert meter.look() == progress


def test_without_a_total_nobody_knows_the_end() -> None:
    hands = Hands()
    meter = Meter(None, clock=hands)
    meter.saw(Landed(count=3))
    hands.now = 2.0
    assert meter.look() == Progress(done=3, rate=1.5)


@pytest.mark.parametrize(("at", "reset"), [(5.0, 30.0), (8.0, 27.0), (50.0, 0.0)])
def test_a_renewal_comes_nearer(at: float, reset: float) -> None:
    hands = Hands()
    meter = Meter(None, clock=hands)
    hands.now = 5.0
    meter.saw(SEEN)
    hands.now = at
    assert meter.look() == Progress(limit=100, remaining=40, reset=reset)


@pytest.mark.parametrize(
    ("at", "waiting", "reason"), [(5.0, 4.0, "quota"), (7.5, 1.5, "quota"), (9.0, 0.0, "")]
)
def test_a_pause_comes_to_its_end(at: float, waiting: float, reason: str) -> None:
    hands = Hands()
    meter = Meter(None, clock=hands)
    hands.now = 5.0
    meter.saw(PAUSE)
    hands.now = at
    assert meter.look() == Progress(waiting=waiting, reason=reason)
