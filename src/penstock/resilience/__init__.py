"""What to do when a service limits, fails or disconnects: rules without sockets or sleeping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.later import homes, later

if TYPE_CHECKING:
    from penstock.resilience.breaker import Breaker, BreakerPolicy, RetryBudget
    from penstock.resilience.budget import Budget
    from penstock.resilience.gate import BudgetView, Gate, Informed, SharedGate
    from penstock.resilience.hints import (
        DIALECT_KINDS,
        DIALECTS,
        Dialect,
        Fields,
        Hints,
        Quota,
        Reset,
        hints_in_body,
        parse_hints,
        parse_reset,
        parse_retry_after,
        seconds_until,
        too_fast,
    )
    from penstock.resilience.limits import Limit
    from penstock.resilience.retry import QUOTA, Fault, RetryPolicy
    from penstock.resilience.rules import ONE, State, allowed, held, keeps, seen, step, wait_for
    from penstock.resilience.ticket import Ticket
    from penstock.resilience.window import ServerClock

# A name is loaded when it is first used: an ``Api`` needs few of them.
if not TYPE_CHECKING:  # a name that is not there is found by the type checker
    __getattr__ = later(
        __name__,
        homes(
            breaker="Breaker BreakerPolicy RetryBudget",
            budget="Budget",
            gate="BudgetView Gate Informed SharedGate",
            hints=(
                "DIALECTS DIALECT_KINDS Dialect Fields Hints Quota Reset hints_in_body "
                "parse_hints parse_reset parse_retry_after seconds_until too_fast"
            ),
            limits="Limit",
            retry="Fault QUOTA RetryPolicy",
            rules="ONE State allowed held keeps seen step wait_for",
            ticket="Ticket",
            window="ServerClock",
        ),
    )

__all__ = [
    "DIALECTS",
    "DIALECT_KINDS",
    "ONE",
    "QUOTA",
    "Breaker",
    "BreakerPolicy",
    "Budget",
    "BudgetView",
    "Dialect",
    "Fault",
    "Fields",
    "Gate",
    "Hints",
    "Informed",
    "Limit",
    "Quota",
    "Reset",
    "RetryBudget",
    "RetryPolicy",
    "ServerClock",
    "SharedGate",
    "State",
    "Ticket",
    "allowed",
    "held",
    "hints_in_body",
    "keeps",
    "parse_hints",
    "parse_reset",
    "parse_retry_after",
    "seconds_until",
    "seen",
    "step",
    "too_fast",
    "wait_for",
]
