"""When to connect again: the documented curves to the millisecond, with no clock but a number."""

from __future__ import annotations

import random

import pytest

from penstock.errors import InputError
from penstock.resilience import parse_hints
from penstock.streaming import Backoff, ConnectionWindow, Ending, ReconnectPolicy
from penstock.streaming.reconnect_policy import RULES
from penstock.streaming.responses import Answer, refusal, waiting_time

POLICY = ReconnectPolicy(windows=())
NOW = 1_800_000_000.0


def waits(ending: Ending, count: int = 30, policy: ReconnectPolicy = POLICY) -> list[float]:
    state, found = Backoff(), []
    for _ in range(count):
        wait, state = policy.after(state, ending, now=0.0)
        found.append(wait)
    return found


def test_thirty_network_faults_wait_a_quarter_of_a_second_more_each_time_up_to_16() -> None:
    assert waits(Ending.UNREACHABLE) == [0.25 * n for n in range(1, 31)]
    assert waits(Ending.UNREACHABLE, 70)[-8:] == [15.75, *[16.0] * 7]


def test_thirty_http_errors_double_from_5_to_320() -> None:
    assert waits(Ending.STATUS) == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, *[320.0] * 24]


def test_thirty_refusals_for_the_rate_double_from_60() -> None:
    assert waits(Ending.LIMITED) == [60.0 * 2**n for n in range(30)]


def test_each_kind_of_fault_has_its_own_curve_and_they_do_not_disturb_each_other() -> None:
    state, found = Backoff(), []
    for ending in (Ending.STATUS, Ending.UNREACHABLE, Ending.STATUS, Ending.LIMITED):
        wait, state = POLICY.after(state, ending, now=0.0)
        found.append(wait)
    assert found == [5.0, 0.25, 10.0, 60.0]
    assert state.failures == 4


def test_a_healthy_drop_connects_at_once_and_an_unhealthy_one_does_not() -> None:
    for ending in (Ending.DROPPED, Ending.STALLED, Ending.ASKED):
        assert POLICY.after(Backoff(), ending, now=0.0, healthy=True)[0] == 0.0
        assert POLICY.after(Backoff(), ending, now=0.0)[0] == 0.25
    # An HTTP error is waited for, however healthy what came before was.
    assert POLICY.after(Backoff(), Ending.STATUS, now=0.0, healthy=True)[0] == 5.0


def test_waits_begin_anew_after_a_message_and_not_before() -> None:
    state = Backoff()
    for _ in range(5):
        _, state = POLICY.after(state, Ending.UNREACHABLE, now=0.0)
    state = POLICY.dialled(state, 0.0)  # a connection alone proves nothing
    assert POLICY.after(state, Ending.DROPPED, now=0.0)[0] == 1.5
    state = POLICY.received(state)
    assert POLICY.after(state, Ending.DROPPED, now=0.0)[0] == 0.25


def test_what_the_server_says_takes_the_place_of_the_curve_and_is_never_cut() -> None:
    for told in (0.5, 1000.0):
        assert POLICY.after(Backoff(), Ending.LIMITED, now=0.0, told=told)[0] == told


def test_no_storm_gets_more_than_four_connections_in_three_seconds() -> None:
    policy, state, now, dials = ReconnectPolicy(), Backoff(), 0.0, []
    while now < 60.0:
        now += policy.closed(state, now)
        dials.append(now)
        state = policy.received(policy.dialled(state, now))
        wait, state = policy.after(state, Ending.DROPPED, now=now, healthy=True)
        now += wait
    assert max(sum(t <= d < t + 3.0 for d in dials) for t in dials) == 4


def test_fifty_connections_in_fifteen_minutes() -> None:
    policy = ReconnectPolicy(windows=(ConnectionWindow(4, 4.0), ConnectionWindow(50, 900.0)))
    state, now, dials = Backoff(), 0.0, []
    while now < 3600.0:
        now += policy.closed(state, now)
        dials.append(now)
        state = policy.dialled(state, now)
    assert max(sum(t <= d < t + 900.0 for d in dials) for t in dials) == 50
    assert len(state.dials) <= 51  # what no window counts any more is forgotten


def test_jitter_is_off_until_asked_for() -> None:
    rng = random.Random(1)
    jittered = ReconnectPolicy(windows=(), jitter=True)
    drawn = [jittered.after(Backoff(), Ending.STATUS, now=0.0, rng=rng)[0] for _ in range(50)]
    assert all(2.5 <= wait <= 5.0 for wait in drawn)
    assert len(set(drawn)) > 40
    assert POLICY.after(Backoff(), Ending.STATUS, now=0.0, rng=rng)[0] == 5.0


def test_giving_up_counts_failures_of_every_kind_in_a_row() -> None:
    policy, state = ReconnectPolicy(attempts=2), Backoff()
    _, state = policy.after(state, Ending.STATUS, now=0.0)
    assert not policy.gave_up(state)
    _, state = policy.after(state, Ending.UNREACHABLE, now=0.0)
    assert policy.gave_up(state)
    assert not policy.gave_up(policy.received(state))
    assert not ReconnectPolicy().gave_up(state)


def test_a_state_is_never_changed_in_place() -> None:
    state = Backoff()
    POLICY.after(state, Ending.STATUS, now=0.0)
    POLICY.dialled(state, 1.0)
    assert state == Backoff()


def test_every_ending_has_its_rule() -> None:
    assert set(RULES) == set(Ending)


def test_a_window_is_of_something() -> None:
    with pytest.raises(InputError, match="at least 1 connection"):
        ConnectionWindow(0, 1.0)


# Answers that are no stream


def answer(status: int, *lines: str, body: bytes = b"") -> Answer:
    head = "\r\n".join([f"HTTP/1.1 {status} X", *lines, "", ""]).encode()
    return Answer("GET https://x.example/s", status, head, body, NOW)


def test_retry_after_in_seconds_as_a_date_and_in_the_body() -> None:
    date = "Date: Fri, 15 Jan 2027 08:00:00 GMT"  # the server's clock is what its dates go by
    assert answer(503, "Retry-After: 7").outcome().told == 7.0
    assert answer(503, date, "Retry-After: Fri, 15 Jan 2027 08:01:00 GMT").outcome().told == 60.0
    assert answer(429, body=b'{"retry_after": 3.5}').outcome().told == 3.5


def test_a_reset_header_counts_with_a_refusal_for_the_rate_only() -> None:
    lines = ("x-rate-limit-remaining: 0", f"x-rate-limit-reset: {NOW + 900:.0f}")
    assert answer(429, *lines).outcome().told == 900.0
    assert answer(420, *lines).outcome().ending is Ending.LIMITED
    assert answer(503, *lines).outcome().told is None
    left = ("x-rate-limit-remaining: 5", f"x-rate-limit-reset: {NOW + 900:.0f}")
    assert answer(429, *left).outcome().told is None
    assert waiting_time(parse_hints(b"Server: x\r\n\r\n"), NOW, limited=True) is None


@pytest.mark.parametrize("status", [401, 403, 404, 406])
def test_what_coming_again_cannot_mend_ends_with_one_clear_line(status: int) -> None:
    error = refusal(answer(status, body=b"no\n  such thing"), POLICY)
    assert isinstance(error, InputError)
    assert error.status == status
    assert "GET https://x.example/s" in str(error)
    assert "it said 'no such thing'" in str(error)
    assert "\n" not in str(error)


def test_other_errors_are_waited_for() -> None:
    for status in (408, 500, 502, 503, 520):
        assert refusal(answer(status), POLICY) is None
        assert answer(status).outcome().ending is Ending.STATUS


def test_a_refusal_says_so_where_our_clock_is_off() -> None:
    behind = refusal(answer(401, "Date: Fri, 15 Jan 2027 08:10:00 GMT"), POLICY)
    ahead = refusal(answer(401, "Date: Fri, 15 Jan 2027 07:50:00 GMT"), POLICY)
    right = refusal(answer(401, "Date: Fri, 15 Jan 2027 08:00:09 GMT"), POLICY)
    assert "this machine's clock is 600 s behind the server's" in str(behind)
    assert "this machine's clock is 600 s ahead of the server's" in str(ahead)
    assert "clock" not in str(right)
