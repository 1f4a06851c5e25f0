"""Settings that make no sense are refused with one line that says what would."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.errors import InputError
from penstock.simulator import SimulatorSettings


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"users": -1}, "users must be a whole number from 0"),
        ({"users": 2.5}, "users must be a whole number"),
        ({"limit": "7"}, "limit must be a whole number"),
        ({"window": 0.0}, "window must be a number from 0.001"),
        ({"window": float("nan")}, "window must be a number"),
        ({"window": float("inf")}, "window must be a number"),
        ({"faults": 1.01}, "faults must be a number from 0 to 1"),
        ({"users": 3, "deleted": 4}, r"deleted must be at most users \(3\)"),
        ({"dialect": "draft-9"}, "dialect must be one of draft-8, draft-7"),
        ({"reset_form": "hours"}, "reset_form must be one of delta"),
        ({"limiter": "rolling"}, "limiter must be one of fixed, sliding, bucket"),
        ({"auth": "digest"}, "auth must be one of none, basic"),
        ({"mix": (("404", 1.0),)}, "mix knows 420"),
        ({"mix": (("500", -1.0),)}, "mix weight of 500"),
        ({"mix": ()}, "mix needs a weight above 0"),
    ],
)
def test_bad_settings(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as raised:
        SimulatorSettings(**settings)
    assert "\n" not in str(raised.value)


def test_the_ends_of_a_range_are_allowed() -> None:
    assert SimulatorSettings(users=0, limit=0, faults=1.0, seed=0, pages=1).faults == 1.0
