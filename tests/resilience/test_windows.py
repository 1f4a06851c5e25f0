"""Each limit at its exact boundaries: windows, given limits, learned ones, a pace."""

from __future__ import annotations

import math

import pytest
from msgspec.structs import replace

from penstock.errors import InputError
from penstock.resilience import ONE, Limit, Quota, Reset, ServerClock
from penstock.resilience.hints import LONGEST_WAIT
from penstock.resilience.learned import LearnedWindow
from penstock.resilience.limits import GivenLimit
from penstock.resilience.pace import Pace
from penstock.resilience.window import Reported, Window, roundest

INF = math.inf
CLOCK = ServerClock(990.0, 988.0, 991.0)


# The server's clock


@pytest.mark.parametrize(
    ("seen", "low", "high"),
    [
        ((1000, 10, 10.5), 989.5, 991),  # both narrower or the same
        ((1000, 11, 13), 988, 990),  # only the later end is narrower
        ((1000, 8, 9), 991, 991),  # the ends touch: one moment is left
        ((1000, 13, 14), 988, 988),
        ((1000, 8, 8.5), 991.5, 993),  # they do not: a clock was set
        ((1000, 13.5, 14), 986, 987.5),
    ],
)
def test_a_date_narrows_the_offset(
    seen: tuple[float, float, float], low: float, high: float
) -> None:
    assert ServerClock(990.0).saw(1000, 10, 12) == CLOCK
    assert CLOCK.saw(*seen) == ServerClock(990.0, low, high)


def test_a_date_that_tells_nothing_new_changes_nothing() -> None:
    assert CLOCK.saw(1000, 10, 12) is CLOCK
    assert CLOCK.saw(1000, 9, 13) is CLOCK


@pytest.mark.parametrize(
    ("ours", "offset"),
    [
        (988.0, (988.0, 988.0)),
        (991.0, (991.0, 991.0)),
        (987.5, (988.0, 991.0)),
        (991.5, (988.0, 991.0)),
    ],
)
def test_our_wall_clock_is_believed_within_the_bounds(
    ours: float, offset: tuple[float, float]
) -> None:
    assert ServerClock(ours, 988.0, 991.0).offset() == offset
    assert ServerClock(ours).offset() == (ours, ours)


@pytest.mark.parametrize(
    ("clock", "reset", "interval"),
    [
        (ServerClock(990.0), Reset(1100, epoch=True), (109, 110)),
        (ServerClock(990.0), Reset(1100, epoch=True, exact=True), (110, 110)),
        (ServerClock(0.0, 988.0, 989.0), Reset(1100, epoch=True), (110, 112)),
        (ServerClock(990.0), Reset(900, epoch=True), (-91, 12)),  # over: not before it came
        (ServerClock(990.0), Reset(1e12, epoch=True), (12 + LONGEST_WAIT, 12 + LONGEST_WAIT)),
        (ServerClock(990.0), Reset(60), (69, 72)),
        (ServerClock(990.0), Reset(60, exact=True), (70, 72)),
    ],
)
def test_a_reset_lies_between_two_moments(
    clock: ServerClock, reset: Reset, interval: tuple[float, float]
) -> None:
    assert clock.interval(reset, 10.0, 12.0) == interval


# A window


def reported(number: int, cost: float = 1.0, latest: int = 9) -> Reported:
    return Reported(number, latest, cost, 10.0, 10.5)


@pytest.mark.parametrize(
    ("window", "left", "call", "start"),
    [
        (Window("w", limit=100), 99, reported(1), (10.0, 10.5)),
        (Window("w", limit=100), 99, reported(2), (10.0, 10.5)),
        (Window("w", limit=100), 98, reported(1), None),
        (Window("w", limit=100), 95, reported(1, 5.0), (10.0, 10.5)),
        (Window("w", limit=100), 105, reported(1, 5.0), None),
        (Window("w"), 99, reported(1), None),
        (Window("w", limit=100, start=(1.0, 2.0)), 98, reported(1), None),
        (Window("w", limit=100, start=(1.0, 2.0)), 99, reported(2), (1.0, 2.0)),
    ],
)
def test_a_window_begins_with_the_call_that_was_counted_first(
    window: Window, left: float, call: Reported, start: tuple[float, float] | None
) -> None:
    assert window.report(Quota("w", remaining=left), call).start == start


@pytest.mark.parametrize(
    ("left", "number", "remaining", "counted"),
    [(50, 3, 50, 9), (51, 4, 50, 4), (51, 5, 51, 9), (49, 1, 49, 9)],
)
def test_what_is_left_is_the_least_of_all_that_was_said(
    left: float, number: int, remaining: float, counted: int
) -> None:
    window = Window("w", remaining=50, reported=4, probe=3)
    after = window.report(Quota("w", remaining=left), reported(number))
    assert (after.remaining, after.reported, after.probe) == (remaining, counted, 0)


@pytest.mark.parametrize(("number", "blind"), [(5, 2.0), (6, 0.0)])
def test_a_call_sent_later_counts_those_that_were_not_reported(number: int, blind: float) -> None:
    window = Window("w", remaining=50).unreported(2.0, 5)
    assert (window.blind, window.blind_until) == (2.0, 5)
    after = window.report(Quota("w", remaining=40), reported(number))
    assert after.blind == blind
    assert after.left(3.0) == 37.0 - blind
    assert window.unreported(1.0, 7).blind == 3.0


def test_a_report_keeps_what_it_does_not_say() -> None:
    window = Window("w", limit=100, remaining=50, told_length=60.0, probe=3)
    assert window.report(Quota("w"), reported(4)) == window
    told = window.report(Quota("w", limit=200, window=30.0), reported(4))
    assert (told.limit, told.told_length, told.remaining) == (200, 30.0, 50)
    assert Window("w").left(0.0) is None


KNOWN = Window("w", low=100.0, high=101.0, start=(40.0, 40.5))


@pytest.mark.parametrize(
    ("told", "ends", "start"),
    [
        ((100.5, 102.0), (100.5, 101.0), (40.0, 40.5)),
        ((99.0, 100.25), (100.0, 100.25), (40.0, 40.5)),
        ((101.0 + 0.05, 103.0), (101.0 + 0.05, 101.0), (40.0, 40.5)),
        ((98.0, 100.0 - 0.05), (100.0, 100.0 - 0.05), (40.0, 40.5)),
        ((101.0625, 103.0), (101.0625, 103.0), (90.0, 91.0)),
        ((98.0, 99.9375), (98.0, 99.9375), (90.0, 91.0)),
        ((200.0, 201.0), (200.0, 201.0), (90.0, 91.0)),
    ],
)
def test_a_renewal_is_narrowed_or_belongs_to_another_window(
    told: tuple[float, float], ends: tuple[float, float], start: tuple[float, float]
) -> None:
    after = KNOWN.renews(*told, (90.0, 91.0))
    assert ((after.low, after.high), after.start) == (ends, start)


def test_the_first_renewal_belongs_to_the_window_that_began() -> None:
    window = Window("w", start=(10.0, 10.5))
    after = window.renews(100.0, 101.0)
    assert (after.low, after.high, after.start) == (100.0, 101.0, (10.0, 10.5))
    assert after.inferred == (89.5, 91.0)
    assert after.length == 90.0
    assert after.renews(100.0, 101.0) is after
    told = replace(window, told_length=7.0).renews(100.0, 101.0)
    assert (told.inferred, told.length) == ((0.0, INF), 7.0)
    assert Window("w").renews(100.0, 101.0).inferred == (0.0, INF)


@pytest.mark.parametrize(
    ("before", "now", "common"),
    [
        ((80.0, 90.0), (100.0, 101.0), (89.5, 90.0)),
        ((91.0, 99.0), (100.0, 101.0), (91.0, 91.0)),  # they touch
        ((92.0, 99.0), (100.0, 101.0), (89.5, 91.0)),  # they do not: what was seen last
    ],
)
def test_the_length_is_what_all_windows_have_in_common(
    before: tuple[float, float], now: tuple[float, float], common: tuple[float, float]
) -> None:
    assert Window("w", start=(10.0, 10.5), inferred=before).renews(*now).inferred == common


@pytest.mark.parametrize(
    ("start", "low", "high", "length", "opens"),
    [
        (None, 70.0, 71.0, 60.0, 71.0),
        (10.5, 70.0, 71.0, None, 71.0),
        (10.5, 70.0, 71.0, 60.0, 70.5),
        (10.5, 69.0, 70.0, 60.0, 70.0),  # later than the server says
        (10.5, 71.0, 72.0, 60.0, 72.0),  # earlier than the server says
        (71.0 - 0.05, 71.0, 72.0, 0.0, 71.0 - 0.05),
        (10.5, -INF, -INF, 60.0, 70.5),  # nothing but the length is known
        (None, -INF, -INF, None, -INF),
    ],
)
def test_a_window_opens_by_its_length_where_the_reset_allows_it(
    start: float | None, low: float, high: float, length: float | None, opens: float
) -> None:
    began = None if start is None else (0.0, start)
    assert Window("w", low=low, high=high, start=began, told_length=length).opens() == opens


def test_a_window_that_expired_knows_nothing_but_its_size() -> None:
    window = Window("w", limit=9, remaining=1, blind=1, probe=3, low=1.0, high=2.0, start=(0, 1))
    assert window.expired(7) == Window("w", limit=9, renewed=7)


@pytest.mark.parametrize(
    ("low", "high", "round_"),
    [
        (900.0, 901.0, 901.0),
        (901.0, 1000.0, 960.0),
        (-5.0, 3.0, 3.0),
        (0.5, 4.96875, 5.0),
        (0.1, 0.9, None),
        (0.0, 1e8, 99_997_200.0),
        (0.0, 1e8 + 1, None),
        (0.0, INF, None),
        (100.0, 7300.0, 7200.0),
    ],
)
def test_the_roundest_length(low: float, high: float, round_: float | None) -> None:
    assert roundest(low, high) == round_


# A limit given beforehand


@pytest.mark.parametrize(
    ("count", "per"), [(0, 1), (1, 0), (1, INF), (-1, 1), (1, -1), (math.nan, 1)]
)
def test_a_limit_is_above_0_in_a_finite_time(count: float, per: float) -> None:
    with pytest.raises(InputError, match="both must be above 0"):
        Limit(count, per)


def test_the_reserve_is_taken_off_requests_only() -> None:
    assert GivenLimit.of(Limit(10, 1), 4).count == 6
    assert GivenLimit.of(Limit(10, 1), 9.5).count == 0.5
    assert GivenLimit.of(Limit(10, 1, "tokens"), 10).count == 10
    with pytest.raises(InputError, match="reserve of 10 leaves nothing"):
        GivenLimit.of(Limit(10, 1), 10)


def window_of(*log: tuple[float, float, float], count: float = 2.0) -> GivenLimit:
    return GivenLimit(count, 10.0, "requests", sum(amount for *_, amount in log), log)


@pytest.mark.parametrize(
    ("log", "now", "wait"),
    [
        ((), 0.0, 0.0),
        (((0.0, 0.0, 1.0),), 0.0, 0.0),
        (((0.0, 0.0, 1.0), (5.0, 5.0, 1.0)), 9.5, 0.5),
        (((0.0, 0.0, 1.0), (5.0, 5.0, 1.0)), 10.0, 0.0),
        (((0.0, 0.0, 1.0), (5.0, 5.0, 1.0)), 100.0, 0.0),
        (((0.0, 1.0, 2.0),), 5.0, 6.0),
        (((0.0, 0.0, 1.0), (5.0, 5.0, 2.0)), 11.0, 4.0),
    ],
)
def test_a_call_goes_out_when_one_has_left_the_window(
    log: tuple[tuple[float, float, float], ...], now: float, wait: float
) -> None:
    assert window_of(*log).wait(now, ONE) == wait


def test_a_call_that_no_window_holds_is_refused() -> None:
    assert window_of().wait(0.0, {"requests": 2.0}) == 0.0
    assert window_of().wait(0.0, {"tokens": 9.0}) == 0.0
    with pytest.raises(InputError, match="more than the limit of 2"):
        window_of().wait(0.0, {"requests": 2.5})


def test_what_has_left_the_window_is_not_spent() -> None:
    limit = window_of((0.0, 0.0, 1.0), (5.0, 5.0, 0.5))
    assert [limit.left(now) for now in (9.5, 10.0, 15.0)] == [0.5, 1.5, 2.0]
    after = limit.granted(10.0, {"requests": 0.25})
    assert (after.spent, after.log) == (0.75, ((5.0, 5.0, 0.5), (10.0, 10.0, 0.25)))
    assert limit.granted(10.0, {"tokens": 3.0}) is limit
    assert replace(limit, unit="tokens").left(0.0) == INF


@pytest.mark.parametrize(
    ("slots", "now", "latest", "ends"),
    [
        (256, 128.25, 127.5, [(127.5, 128.25, 2.0)]),
        (256, 128.0, 130.0, [(127.5, 130.0, 2.0)]),
        (256, 128.5, 127.5, [(127.5, 127.5, 1.0), (128.5, 128.5, 1.0)]),
        (255, 128.25, 127.5, [(127.5, 127.5, 1.0), (128.25, 128.25, 1.0)]),
    ],
)
def test_many_calls_share_a_slot_where_they_are_close(
    slots: int, now: float, latest: float, ends: list[tuple[float, float, float]]
) -> None:
    log = [(at / 2.0, at / 2.0, 1.0) for at in range(256 - slots, 255)]
    limit = GivenLimit(999.0, 256.0, "requests", float(slots), (*log, (127.5, latest, 1.0)))
    after = limit.granted(now, ONE)
    assert [*after.log[-len(ends) :]] == ends
    assert len(after.log) == slots - 1 + len(ends)
    assert after.spent == slots + 1


TWO = window_of((0.0, 0.0, 1.0), (5.0, 5.0, 1.0))


@pytest.mark.parametrize(
    ("sent", "now", "log"),
    [
        (0.0, 3.0, ((0.0, 3.0, 1.0), (5.0, 5.0, 1.0))),
        (2.0, 4.0, ((0.0, 4.0, 1.0), (5.0, 5.0, 1.0))),
        (5.0, 7.0, ((0.0, 0.0, 1.0), (5.0, 7.0, 1.0))),
    ],
)
def test_an_answered_call_was_counted_by_then(
    sent: float, now: float, log: tuple[tuple[float, float, float], ...]
) -> None:
    assert TWO.answered(sent, now) == replace(TWO, log=log)


def test_what_changes_nothing_is_the_same() -> None:
    assert TWO.answered(-1.0, 9.0) is TWO
    assert TWO.answered(5.0, 5.0) is TWO
    assert TWO.unused(5.0, {"tokens": 1.0}) is TWO
    assert TWO.lasting(5.0) is TWO
    assert window_of().lasting(5.0) == window_of()
    assert TWO.lasting(6.0).log == ((0.0, 0.0, 1.0), (5.0, 6.0, 1.0))


@pytest.mark.parametrize(
    ("log", "after"),
    [
        (((0.0, 0.0, 3.0), (5.0, 5.0, 3.0)), ((0.0, 0.0, 3.0), (5.0, 5.0, 1.0))),
        (((5.0, 5.0, 2.0), (5.0, 5.0, 2.0)), ((5.0, 5.0, 2.0), (5.0, 5.0, 0.0))),
        (((5.0, 5.0, 2.0), (5.0, 5.0, 0.0)), ((5.0, 5.0, 0.0), (5.0, 5.0, 0.0))),
        (((4.0, 4.0, 2.0), (5.0, 5.0, 0.0)), ((4.0, 4.0, 2.0), (5.0, 5.0, 0.0))),
        (((5.0, 5.0, 0.0),), ((5.0, 5.0, 0.0),)),
    ],
)
def test_an_unused_call_is_taken_back_once(
    log: tuple[tuple[float, float, float], ...], after: tuple[tuple[float, float, float], ...]
) -> None:
    assert window_of(*log).unused(5.0, {"requests": 2.0}) == window_of(*after)


# A window learned from Retry-After


def test_a_learned_window_opens_its_length_after_the_first_answer() -> None:
    window = LearnedWindow(opens=3.0)
    assert window.began(1.0, 2.0) == replace(window, start=(1.0, 2.0))
    assert replace(window, length=60.0).began(1.0, 2.0).opens == 62.0


@pytest.mark.parametrize(
    ("known", "told", "interval"),
    [
        (None, (8.0, 10.0), (8.0, 10.0)),
        ((5.0, 8.0), (6.0, 7.0), (6.0, 7.0)),
        ((5.0, 8.0), (4.0, 9.0), (5.0, 8.0)),
        ((5.0, 8.0), (8.0, 10.0), (8.0, 8.0)),
        ((5.0, 8.0), (3.0, 5.0), (5.0, 5.0)),
        ((5.0, 8.0), (9.0, 10.0), (9.0, 10.0)),
        ((5.0, 8.0), (3.0, 4.0), (3.0, 4.0)),
    ],
)
def test_refusals_narrow_when_the_window_opens(
    known: tuple[float, float] | None, told: tuple[float, float], interval: tuple[float, float]
) -> None:
    after = LearnedWindow(interval=known, clean=2, extra=4.0, length=7.0).refused(*told)
    assert (after.interval, after.opens, after.length) == (interval, interval[1], 7.0)
    assert (after.clean, after.extra) == (0, 0.0)


@pytest.mark.parametrize(
    ("start", "told", "length", "opens"),
    [
        ((0.0, 0.5), (60.0, 61.0), 60.0, 60.5),
        ((0.0, 2.0), (59.0, 61.0), 60.0, 61.0),
        ((100.0, 100.5), (160.0, 161.0), 60.0, 160.5),
        ((0.0, 0.5), (0.625, 0.75), None, 0.75),
    ],
)
def test_refusals_tell_the_length_of_the_window(
    start: tuple[float, float], told: tuple[float, float], length: float | None, opens: float
) -> None:
    after = LearnedWindow(start=start).refused(*told)
    assert (after.length, after.opens) == (length, opens)


SPENT = LearnedWindow(
    4.0, limit=10.0, opens=20.0, start=(0.0, 1.0), sent_before=100.0, extra=2.0, length=20.0
)


@pytest.mark.parametrize(
    ("window", "sent", "left", "wait", "due"),
    [
        (LearnedWindow(), 9.0, INF, 0.0, False),
        (SPENT, 103.0, 5.0, 0.0, False),
        (SPENT, 107.0, 1.0, 0.0, False),
        (SPENT, 107.5, 0.5, 5.0, False),
        (replace(SPENT, limit=3.0), 103.0, 0.0, 5.0, False),
        (replace(SPENT, start=None), 108.0, 0.0, INF, False),
        (replace(SPENT, opens=15.0), 108.0, 0.0, 0.0, True),
        (replace(SPENT, opens=14.0), 108.0, 0.0, -1.0, True),
        (replace(SPENT, opens=15.0, start=None), 108.0, 0.0, INF, False),
        (replace(SPENT, opens=15.0, limit=None), 108.0, INF, 0.0, False),
        (replace(SPENT, interval=(19.0, 20.0)), 103.0, 5.0, 5.0, False),
        (replace(SPENT, interval=(14.0, 15.0), opens=15.0, start=None), 103.0, 5.0, 0.0, True),
    ],
)
def test_a_learned_window_is_spent_until_it_opens(
    window: LearnedWindow, sent: float, left: float, wait: float, due: bool
) -> None:
    assert (window.left(sent), window.wait(15.0, sent), window.due(15.0)) == (left, wait, due)


def test_another_call_begins_the_window() -> None:
    assert SPENT.begun_by_another(150.0).left(150.0) == 1.0


@pytest.mark.parametrize(
    ("window", "accepted", "limit", "clean", "extra"),
    [
        (LearnedWindow(interval=(1.0, 2.0), accepted_before=10.0), 17.0, 7.0, 0, 0.0),
        (LearnedWindow(interval=(1.0, 2.0), accepted_before=10.0), 10.0, 1.0, 0, 0.0),
        (LearnedWindow(interval=(1.0, 2.0), accepted_before=10.0, limit=7.0), 10.0, 7.0, 0, 0.0),
        (LearnedWindow(interval=(1.0, 2.0), accepted_before=10.0, limit=7.0), 14.0, 4.0, 0, 0.0),
        (LearnedWindow(limit=7.0, clean=2), 10.0, 7.0, 3, 0.0),
        (LearnedWindow(limit=7.0, clean=3), 10.0, 7.0, 4, 1.0),
        (LearnedWindow(limit=7.0, clean=4, extra=2.0), 10.0, 7.0, 5, 4.0),
        (LearnedWindow(5.0, limit=7.0, clean=4), 10.0, 7.0, 5, 0.0),
    ],
)
def test_a_new_window_allows_what_the_last_let_pass(
    window: LearnedWindow, accepted: float, limit: float, clean: int, extra: float
) -> None:
    after = replace(window, start=(0.0, 1.0)).reopened(30.0, accepted)
    assert (after.limit, after.clean, after.extra) == (limit, clean, extra)
    assert (after.accepted_before, after.sent_before) == (accepted, 30.0)
    assert (after.interval, after.start) == (None, None)


@pytest.mark.parametrize(("count", "kept"), [(63, 64), (64, 32)])
def test_so_many_moments_of_a_window_are_remembered(count: int, kept: int) -> None:
    window = LearnedWindow(accepted_before=7.0, marks=((0.0, 0.0),) * count)
    marks = window.counted(10.0, 2.0).marks
    assert len(marks) == kept
    assert LearnedWindow(accepted_before=7.0).counted(10.0, 2.0).marks == ((3.0, 2.0),)


SLIDING = LearnedWindow(limit=4.0, length=10.0, sent_before=100.0, before=((2.0, 1.0), (4.0, 3.0)))


@pytest.mark.parametrize(
    ("window", "now", "sent", "wait"),
    [
        (SLIDING, 10.5, 100.0, 0.5),
        (SLIDING, 11.0, 101.0, 0.0),
        (SLIDING, 11.0, 102.0, 2.0),
        (SLIDING, 13.0, 102.0, 0.0),
        (replace(SLIDING, limit=6.0), 10.5, 101.0, 0.0),
        (replace(SLIDING, limit=6.0), 10.5, 102.0, 0.5),
        (replace(SLIDING, limit=6.0, reserve=3.0), 11.0, 100.0, 0.0),
        (replace(SLIDING, limit=6.0, reserve=3.0), 11.0, 101.0, 2.0),
        (replace(SLIDING, limit=None), 10.5, 100.0, 0.5),
        (replace(SLIDING, length=None), 10.5, 102.0, 0.0),
        (replace(SLIDING, before=()), 10.5, 102.0, 0.0),
    ],
)
def test_a_place_is_free_a_windows_length_after_its_call(
    window: LearnedWindow, now: float, sent: float, wait: float
) -> None:
    assert window.wait(now, sent) == wait


# A pace


@pytest.mark.parametrize(
    ("pace", "accepted", "most"),
    [
        (Pace(), 0, 1),
        (Pace(), 7, 8),
        (Pace(), 9, 9),
        (Pace(opened=2.0, opened_from=10.0), 12, 4),
        (Pace(opened=10.0), 4, 12),
    ],
)
def test_slow_start_allows_so_many_in_flight(pace: Pace, accepted: float, most: float) -> None:
    assert pace.wait(0.0, most - 0.5, accepted) == 0.0
    assert pace.wait(0.0, most, accepted) == INF


@pytest.mark.parametrize(
    ("pace", "outstanding", "wait"),
    [
        (Pace(searching=True, following=5.0), 0, 3.0),
        (Pace(searching=True, following=1.0), 0, 0.0),
        (Pace(searching=True, following=1.0), 1, INF),
        (Pace(rate=4.0, following=5.0), 9, 3.0),
        (Pace(rate=4.0, following=1.0), 9, 0.0),
    ],
)
def test_calls_are_spaced_once_a_rate_is_sought(pace: Pace, outstanding: int, wait: float) -> None:
    assert pace.wait(2.0, outstanding, 0) == wait


@pytest.mark.parametrize(
    ("pace", "now", "following"),
    [
        (Pace(rate=10.0, since=10.0, following=12.0), 10.0, 12.1),  # spaced
        (Pace(rate=10.0, since=10.0, credit=0.5), 10.0, 10.05),  # half a call late is made up for
        (Pace(rate=10.0, since=10.0, credit=5.0), 10.0, 10.0),  # no more than a tenth of a second
        (Pace(rate=10.0, since=10.0, following=20.0), 11.0, 20.05),  # doubled after a second
        (Pace(rate=1.0, following=99.0), 31.0, 99.0 + 2.0**-30),  # at most so often
        (Pace(rate=10.0, measured=True, following=99.0), 10.0, 99.1),
        (Pace(rate=10.0, measured=True, following=99.0), 50.0, 99.0 + 1 / 21.2),
        (Pace(rate=10.0, measured=True, following=999.0), 300.0, 999.0 + 1 / (14.35 * 2**10)),
    ],
)
def test_a_call_moves_the_next_one(pace: Pace, now: float, following: float) -> None:
    assert pace.granted(now).following == pytest.approx(following, abs=1e-12)


def test_without_a_rate_a_call_moves_nothing() -> None:
    pace = Pace()
    assert pace.granted(5.0) is pace
    assert pace.accepted(5.0, 4.0, 1) is pace


@pytest.mark.parametrize(
    ("pace", "sent", "changes"),
    [
        (Pace(full=4.0), 4.0, {"counted_from": 1.0}),
        (Pace(full=4.0), 4.5, {}),
        (Pace(full=4.0, decided=5.0), 4.5, {"opened_from": 1.0}),
        (Pace(full=4.0, decided=5.0), 5.0, {"opened_from": 1.0}),
        (
            Pace(searching=True, backoff=1.0, decided=5.0),
            5.5,
            {"searching": False, "backoff": 0.0, "since": 6.0, "opened": 2.0, "opened_from": 7.0},
        ),
    ],
)
def test_an_accepted_call_is_counted_where_it_belongs(
    pace: Pace, sent: float, changes: dict[str, float]
) -> None:
    assert pace.accepted(6.0, sent, 7.0) == replace(pace, **changes)


@pytest.mark.parametrize(("passed", "credit"), [(2.0, 1.0), (8.0, 2.0), (400.0, 10.0)])
def test_the_first_refusal_begins_the_search(passed: float, credit: float) -> None:
    pace = Pace(counted_from=5.0).refused(6.0, 5.5, 5.0 + passed)
    assert pace == Pace(
        searching=True,
        backoff=0.004,
        following=6.004,
        full=5.5,
        counted_from=5.0 + passed,
        decided=6.0,
        credit=credit,
    )
    assert pace.refused(7.0, 6.0, 99.0) is pace  # of the same burst


@pytest.mark.parametrize(
    ("pace", "passed", "backoff"),
    [
        (Pace(full=5.0, searching=True, backoff=1.0, rate=4.0), 30.0, 2.0),
        (Pace(full=5.0, searching=True, backoff=40.0), 3.0, 60.0),
        (Pace(full=5.0, rate=4.0), 0.0, 0.25),
    ],
)
def test_a_refusal_while_searching_doubles_the_pause(
    pace: Pace, passed: float, backoff: float
) -> None:
    after = pace.refused(7.0, 6.0, passed)
    assert (after.searching, after.backoff, after.following) == (True, backoff, 7.0 + backoff)
    assert (after.rate, after.credit) == (pace.rate, 1.0)


@pytest.mark.parametrize(
    ("passed", "sent", "rate", "measured", "full"),
    [
        (19.0, 7.0, 9.5, False, 5.0),
        (19.0, 7.5, 7.6, True, 5.0),
        (20.0, 7.0, 10.0, True, 7.0),
        (0.5, 6.0, 1.0, False, 5.0),
        (4.0, 5.0, 1000.0, False, 5.0),
    ],
)
def test_between_two_refusals_the_rate_is_measured(
    passed: float, sent: float, rate: float, measured: bool, full: float
) -> None:
    after = Pace(full=5.0, counted_from=100.0, opened=2.0).refused(8.0, sent, 100.0 + passed)
    assert (after.rate, after.measured, after.since) == (rate, measured, 8.0)
    assert after.following == 8.0 + 2.0 / rate
    assert (after.full, after.counted_from) == (full, 100.0 if full == 5.0 else 100.0 + passed)
    assert (after.searching, after.credit) == (False, 1.0)
