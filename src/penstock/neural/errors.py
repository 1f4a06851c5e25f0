"""What can be wrong with data, settings and files, as errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

from penstock.errors import InputError, PenstockError
from penstock.registry import did_you_mean

__all__ = [
    "BadCheckpoint",
    "BadData",
    "BadKind",
    "NothingLearned",
    "TrainingFailed",
    "UnknownChannel",
    "nearest",
]


class BadData(InputError, ValueError):
    """Features, labels or settings that no network can be trained on.

    It is a ``ValueError`` too, since scikit-learn's tools expect one.
    """


@final
class BadKind(InputError, TypeError):
    """Something that is not even of a kind that could be numbers."""


@final
class BadCheckpoint(InputError):
    """A file is cut short, is no checkpoint, or belongs to another network."""


@final
class UnknownChannel(BadData):
    """A rule watches a channel that the training does not produce.

    >>> raise UnknownChannel("valid_miscls", ["valid_misclass", "valid_nll"])
    Traceback (most recent call last):
    ...
    penstock.neural.errors.UnknownChannel: no channel 'valid_miscls': did you mean
        'valid_misclass'? There are: valid_misclass, valid_nll
    """

    def __init__(self, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        super().__init__(f"no channel {name!r}{nearest(name, names)} There are: {', '.join(names)}")


@final
class NothingLearned(PenstockError):
    """A training ended, was kept, and is not a success. Exit code 1."""

    exit_code = 1


class TrainingFailed(UserWarning):
    """A training ended with weights that are no better than what was there without it."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``: did you mean 'x'?`` for the nearest known name, or ``.`` where none is near.

    >>> nearest("momentun", ["momentum", "seconds"])
    ": did you mean 'momentum'?"
    """
    hint = did_you_mean(name, known, otherwise="")
    return f": {hint}" if hint.startswith("did you") else "."
