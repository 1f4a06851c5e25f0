"""What is done with what has landed: it catches up while a run goes on, and finishes at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, final

from penstock.errors import InputError

S_contra = TypeVar("S_contra", contravariant=True)
S = TypeVar("S")


@final
@dataclass(frozen=True, slots=True)
class Used:
    """What a use has done in a run.

    Attributes:
        kind: As in the pipeline file.
        text: What came of it, in words.
        taken: Records it took.
        left_out: Records it could not take; each was an event.
    """

    kind: str
    text: str
    taken: int
    left_out: int = 0


class Use(Protocol[S_contra]):
    """Something done with what has landed. It reads the store, and never changes it."""

    @property
    def describes(self) -> str:
        """What is done, in words, for a plan."""
        ...

    def catch_up(self, store: S_contra) -> None:
        """Take what has landed so far; called now and then while the run goes on."""
        ...

    def finish(self, store: S_contra) -> Used:
        """Do the rest, when everything has landed that will."""
        ...


def finish_all(uses: Sequence[Use[S]], store: S) -> tuple[Used, ...]:
    """Finish every use, also where one cannot be; then raise the first trouble there was."""
    done: list[Used] = []
    trouble: InputError | None = None
    for use in uses:
        try:
            done.append(use.finish(store))
        except InputError as error:
            trouble = trouble or InputError(f"use {use.describes}: {error}; what landed is safe")
            trouble.__cause__ = error
    if trouble is not None:
        raise trouble
    return tuple(done)
