"""A call that nobody holds any more is given up wherever its thread is: also within a step."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

import pytest
from tests.waiting import until

from penstock.cluster import SharedBudget, permits
from penstock.cluster import budget as shared
from penstock.resilience import Budget, Gate, Hints, Limit, Quota, Reset, Ticket, rules

if TYPE_CHECKING:
    from _typeshed import TraceFunction


def within(step: Callable[..., Any], act: Callable[[], object]) -> Callable[..., Any]:
    """Do something in the middle of a step, once, as the garbage collector does."""
    todo = [act]

    def performed(*given: object) -> object:
        if todo:
            todo.pop()()
        return step(*given)

    return performed


def ends(act: Callable[[], object]) -> bool:
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(20)
    return not thread.is_alive()


def two(gate: Gate) -> tuple[Ticket, Ticket]:
    """Return leave for two calls; the first of all finds out what is allowed."""
    found = [gate.take(0.0)]
    while len(found) < 3:
        if isinstance(found[0], Ticket) and len(found) == 1:
            gate.settle(found[0], 0.1)
        found.append(gate.take(0.2))
    _, answered, dropped = found
    assert isinstance(answered, Ticket)
    assert isinstance(dropped, Ticket)
    return answered, dropped


def budget_after(monkeypatch: pytest.MonkeyPatch, *, within_a_step: bool) -> tuple[object, int]:
    budget = Budget()
    answered, dropped = two(budget)
    with monkeypatch.context() as patch:
        if within_a_step:
            step = within(rules.settle, lambda: budget.abandon(dropped))
            patch.setattr(rules, "settle", step)
        assert ends(lambda: budget.settle(answered, 0.3))
    if not within_a_step:
        budget.abandon(dropped)
    return budget.view(0.4), budget.available()


def test_a_budget_waits_for_nobody_when_a_call_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waited for its own lock, for good: a fuzz of five million answers met it once."""
    within_a_step = budget_after(monkeypatch, within_a_step=True)
    assert within_a_step == budget_after(monkeypatch, within_a_step=False)


def test_a_shared_budget_waits_for_nobody_either(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gate = SharedBudget("key", tmp_path, limits=[Limit(5, per=60.0)])
    answered, dropped = two(gate)
    with monkeypatch.context() as patch:
        patch.setattr(shared, "step", within(permits.step, lambda: gate.abandon(dropped)))
        assert ends(lambda: gate.settle(answered, 0.3, None, 429))
    gate.available()  # tells what was dropped
    assert gate.permits == 0


def test_the_thread_that_tells_answers_waits_for_nobody_either(tmp_path: Path) -> None:
    """Within a lock of its own signals it waited for that lock, for good."""
    gate = SharedBudget("key", tmp_path, limits=[Limit(1000, per=60.0)])
    met, spare = Counter[tuple[CodeType, int]](), list[Ticket]()

    def line(frame: FrameType, _event: str, _value: object) -> TraceFunction:
        if spare and met[moment := (frame.f_code, frame.f_lineno)] < 4:
            met[moment] += 1
            gate.abandon(spare.pop())  # here and now, as the garbage collector does
        return line

    def trace(frame: FrameType, _event: str, _value: object) -> TraceFunction | None:
        mine = threading.current_thread().name == "penstock-budget"
        watched = frame.f_code.co_filename in (threading.__file__, shared.__file__)
        return line if mine and watched else None

    threading.settrace(trace)
    try:
        answered, dropped = two(gate)
        gate.settle(
            answered, monotonic(), Hints((Quota("w", limit=9, remaining=8, reset=Reset(60)),))
        )
        spare += [dropped] * 60  # for which nobody waits, so that they are told soon
        until(lambda: not spare)
        assert ends(gate.close)
    finally:
        threading.settrace(None)
