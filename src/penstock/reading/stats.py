"""What was done to a book, counted for the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

__all__ = ["Count", "Repairs"]


@final
@dataclass(slots=True)
class Count:
    """What was done, for the report.

    Attributes:
        lines: Lines made.
        guides: Lines with a guide.
        hyphens: Lines that end with a hyphen of ours.
        overlong: Lines over the width: a single word that cannot be broken.
        texts: Blocks set in lines.
        shifts: Margins used by ``align``, in fiftieths of an em.
        left: Blocks left whole, by what they are.
        notes: What could not be done and why, each said once.
    """

    lines: int = 0
    guides: int = 0
    hyphens: int = 0
    overlong: int = 0
    texts: int = 0
    shifts: set[int] = field(default_factory=set)
    left: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)

    def note(self, what: str) -> None:
        """Count something that could not be done."""
        self.notes[what] = self.notes.get(what, 0) + 1

    def leave(self, kind: str) -> None:
        """Count a block left whole."""
        self.left[kind] = self.left.get(kind, 0) + 1


@final
@dataclass(slots=True)
class Repairs:
    """What was mended in a broken book.

    Attributes:
        done: What was mended, with how often.
        removed: What was taken out because it leads nowhere, each with its file.
    """

    done: dict[str, int] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)

    def note(self, what: str) -> None:
        """Count a repair that takes nothing away."""
        self.done[what] = self.done.get(what, 0) + 1

    def remove(self, what: str) -> None:
        """Name what was taken out."""
        self.removed.append(what)
