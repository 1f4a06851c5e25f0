"""What gives leave for calls, as a file describes it: ``[budget]``, or a table of another kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, cast

from msgspec import Meta

from penstock.address import is_reference
from penstock.assembly.kinds import GATES, Kind, Section, Site, build
from penstock.assembly.sections import BudgetSection, LimitSection
from penstock.clock import Clock
from penstock.cluster import budget_place
from penstock.errors import InputError
from penstock.resilience import DIALECT_KINDS, Budget, Dialect, Gate, Limit


def memory(
    reserve: Annotated[float, Meta(ge=0)] = 0, limits: tuple[LimitSection, ...] = ()
) -> Budget:
    """The budget of one process.

    Args:
        reserve: Requests of every limit that are never spent.
        limits: Limits known beforehand.
    """
    return Budget(reserve=reserve, limits=_limits(limits))


class SharedBudgetGate(Section, frozen=True, kw_only=True, tag_field="kind", tag="shared"):
    """The budget of all processes that name it.

    Attributes:
        name: Its name.
        at: Where it is kept: a directory of this machine, or an address of MongoDB.
        reserve: Requests of every limit that are never spent.
        limits: Limits known beforehand.
    """

    name: Annotated[str, Meta(min_length=1)]
    at: str
    reserve: Annotated[float, Meta(ge=0)] = 0
    limits: tuple[LimitSection, ...] = ()


def _shared(section: SharedBudgetGate, site: Site) -> Gate:
    at = _place(section.at, site.folder)
    limits = _limits(section.limits)
    return Budget.shared(section.name, at=at, reserve=section.reserve, limits=limits)


SHARED = Kind("shared", SharedBudgetGate, _shared)


def build_gate(section: BudgetSection, folder: Path, clock: Clock | None) -> Gate:
    """Return what gives leave for calls.

    Raises:
        InputError: It cannot be.
    """
    check_budget(section, folder)
    if section.gate is not None:
        gate = build(GATES, section.gate, Site(folder), "budget.gate")
        if absent := [name for name in _NEEDED if not callable(getattr(gate, name, None))]:
            raise InputError(f"budget.gate: {type(gate).__name__} has no {absent[0]}(), see Gate")
        return cast("Gate", gate)
    limits = _limits(section.limits)
    if section.name is None or section.shared is None:
        return Budget(reserve=section.reserve, limits=limits, clock=clock)
    at = _place(section.shared, folder)
    return Budget.shared(section.name, at=at, reserve=section.reserve, limits=limits, clock=clock)


_NEEDED = ("take", "settle", "abandon", "available", "renewed_in", "view")


def check_budget(section: BudgetSection, folder: Path) -> None:
    """Refuse a budget that cannot be, without looking at the place of a shared one.

    Raises:
        InputError: It has a name and no place, a place and no name, nothing can be kept there, or
            it says what the table of its gate has to say.
    """
    build_dialects(section)
    if section.gate is not None:
        for key in ("name", "shared", "reserve", "limits"):
            if getattr(section, key):
                raise InputError(f"budget.{key}: it belongs into [budget.gate]")
        return
    if (section.name is None) != (section.shared is None):
        given = "name" if section.shared is None else "shared"
        other = "shared" if section.shared is None else "name"
        raise InputError(
            f"budget.{given} needs budget.{other}: who names the same budget at the same place "
            "shares it"
        )
    if section.name == "":
        raise InputError('budget.name = "": a shared budget has a name')
    try:
        Budget(reserve=section.reserve, limits=_limits(section.limits))
    except InputError as error:
        raise InputError(f"budget: {error}") from error
    if section.shared is not None and not is_reference(section.shared):
        _place(section.shared, folder)


def build_dialects(section: BudgetSection) -> list[Dialect]:
    """Return the dialects that are asked before the known ones.

    Raises:
        InputError: One of them is not known, or is not a dialect.
    """
    try:
        found = [DIALECT_KINDS.find(name) for name in section.dialects]
    except InputError as error:
        raise InputError(f"budget.dialects: {error}") from error
    for name, dialect in zip(section.dialects, found, strict=True):
        if not isinstance(dialect, Dialect):
            what = type(dialect).__name__
            raise InputError(f"budget.dialects: {name} is a {what}, not a Dialect")
    return found


def _limits(limits: Sequence[LimitSection]) -> list[Limit]:
    return [Limit(limit.count, limit.per, limit.unit) for limit in limits]


def _place(at: str, folder: Path) -> Path | str:
    place = budget_place(at)
    return folder / place if isinstance(place, Path) else place
