"""What a suite expects to be refused, said without pytest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["refused"]


@contextmanager
def refused(kind: type[Exception], words: str = "") -> Iterator[None]:
    """Expect an error of a kind, with these words in it, from the block.

    >>> with refused(ValueError, "invalid literal"):
    ...     int("x")
    """
    said = None
    try:
        yield
    except kind as error:
        said = str(error)
    assert said is not None, f"{kind.__name__} was expected, and nothing was raised"
    assert words in said, f"{said!r} does not say {words!r}"
