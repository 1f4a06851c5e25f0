"""The checker finds what is wrong: a checker that accepts everything proves nothing."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from .history import Stay, violation

moments = st.lists(st.integers(0, 8).map(float), min_size=4, max_size=4).map(sorted)


def test_one_after_the_other_is_right() -> None:
    assert violation([Stay(1, 0, 1, 2, 3), Stay(2, 0, 3, 4, 5)]) is None


def test_two_at_once_are_found() -> None:
    assert "still was" in (violation([Stay(1, 0, 1, 4, 5), Stay(2, 0, 3, 6, 7)]) or "")


def test_a_token_given_out_twice_is_found() -> None:
    assert "twice" in (violation([Stay(1, 0, 1, 2, 3), Stay(1, 4, 5, 6, 7)]) or "")


def test_tokens_in_the_wrong_order_are_found() -> None:
    assert violation([Stay(2, 0, 1, 2, 3), Stay(1, 4, 5, 6, 7)]) is not None


def test_one_that_never_gave_back_is_passed_over_only_when_its_lease_is_over() -> None:
    assert violation([Stay(1, 0, 1, over=4), Stay(2, 0, 5, 6, 7)]) is None
    assert violation([Stay(1, 0, 1, over=4), Stay(2, 0, 3, 6, 7)]) is not None


@given(st.lists(moments, min_size=1, max_size=4))
def test_it_agrees_with_a_search_over_all_instants(times: list[list[float]]) -> None:
    """Against a checker too slow to be wrong: every instant of each call is tried."""
    stays = [Stay(n + 1, *four) for n, four in enumerate(times)]
    assert (violation(stays) is None) == searched(stays)


def searched(stays: list[Stay], after: float = -1.0) -> bool:
    if not stays:
        return True
    first, *rest = stays
    acquired = [t / 2 for t in range(17) if first.asked <= t / 2 <= first.got and t / 2 >= after]
    return any(
        searched(rest, released / 2)
        for start in acquired
        for released in range(17)
        if first.giving <= released / 2 <= first.gave and released / 2 >= start
    )


def test_an_order_other_than_that_of_the_tokens_is_never_better() -> None:
    right = [Stay(1, 0, 1, 2, 3), Stay(2, 0, 4, 5, 6), Stay(3, 5, 8, 8, 9)]
    for order in permutations(right):
        assert violation(order) is None
