"""A figure, its aim, and how both are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Aim", "Figure", "at_least", "at_most", "header", "line"]

_WIDTHS = (58, 12, 10, 8)


@dataclass(frozen=True, slots=True)
class Aim:
    """What a figure is to reach."""

    relation: Literal["<=", ">="]
    bound: float

    def reached(self, value: float) -> bool:
        return value <= self.bound if self.relation == "<=" else value >= self.bound

    def __str__(self) -> str:
        return f"{self.relation} {self.bound:,g}"


def at_most(bound: float) -> Aim:
    return Aim("<=", bound)


def at_least(bound: float) -> Aim:
    return Aim(">=", bound)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number. ``value`` is None where it could not be measured; ``note`` says why."""

    what: str
    value: float | None
    unit: str = ""
    aim: Aim | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not run"
        if self.aim is None:
            return ""
        return "reached" if self.aim.reached(self.value) else "MISSED"

    def as_json(self) -> dict[str, object]:
        return {
            "what": self.what,
            "value": self.value,
            "unit": self.unit,
            "aim": None if self.aim is None else str(self.aim),
            "verdict": self.verdict,
            "note": self.note,
        }


def header(title: str) -> str:
    return f"\n{title}\n" + _row("what", "measured", "aim", "", "")


def line(figure: Figure) -> str:
    value = "-" if figure.value is None else f"{_shown(figure.value)} {figure.unit}".strip()
    aim = "" if figure.aim is None else str(figure.aim)
    return _row(figure.what, value, aim, figure.verdict, figure.note)


def _shown(value: float) -> str:
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _row(what: str, value: str, aim: str, verdict: str, note: str) -> str:
    a, b, c, d = _WIDTHS
    return f"  {what:<{a}} {value:>{b}}  {aim:<{c}} {verdict:<{d}} {note}".rstrip()
