"""An item's outcome."""

import gc
import weakref

import pytest

from penstock.pipeline import Result


class Refused(Exception):
    """What ended an item."""


def raised() -> "weakref.ref[Refused]":
    """Unwrap a failed result, and return what tells whether its error lives."""
    error = Refused()
    result = Result[int, str](1, error=error)
    with pytest.raises(Refused):
        result.unwrap()
    return weakref.ref(error)


def test_a_failure_that_was_raised_does_not_stay_for_good() -> None:
    """An error's traceback has the result in its frames, and the result the error: a cycle."""
    found = raised()
    gc.collect()
    assert found() is None
