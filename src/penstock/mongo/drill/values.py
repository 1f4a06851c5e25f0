"""What a drill found out, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

__all__ = ["ArmReport", "DrillReport", "Findings"]


@final
@dataclass(frozen=True, slots=True)
class Findings:
    """What went wrong with data.

    Attributes:
        lost: Confirmed writes that are not there, and documents that a read left out.
        duplicated: Writes that are there twice, and documents that a read gave twice.
        torn: Writes of several documents that are there in part.

    >>> Findings(lost=1) + Findings(lost=2, torn=1)
    Findings(lost=3, duplicated=0, torn=1)
    """

    lost: int = 0
    duplicated: int = 0
    torn: int = 0

    def __add__(self, other: Findings) -> Findings:
        return Findings(
            self.lost + other.lost, self.duplicated + other.duplicated, self.torn + other.torn
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ArmReport:
    """How one client came through.

    Attributes:
        operations: Operations that were tried.
        errors: Operations that ended in an error which the application saw.
        lost: See :class:`Findings`.
        duplicated: Likewise.
        torn: Likewise.
        longest_stall: Seconds that the slowest operation took, its error included.
        errors_of: The errors by operation; those without any are left out.
        kinds_of_error: The errors by their type's name.
        examples: The text of the first error of each operation that had one.
    """

    operations: int
    errors: int
    lost: int
    duplicated: int
    torn: int
    longest_stall: float
    errors_of: dict[str, int] = field(default_factory=dict)
    kinds_of_error: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DrillReport:
    """Both clients side by side, through the same faults.

    Attributes:
        proxy: The client of :func:`penstock.mongo.connect`.
        plain: PyMongo's own, with its defaults.
        faults: How often a node was failed.
        by_fault: The same by kind.
        seconds: How long it took.
    """

    proxy: ArmReport
    plain: ArmReport
    faults: int
    by_fault: dict[str, int]
    seconds: float
