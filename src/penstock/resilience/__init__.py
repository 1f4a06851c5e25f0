"""What to do when a service limits, fails or disconnects: rules without sockets or sleeping."""

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
