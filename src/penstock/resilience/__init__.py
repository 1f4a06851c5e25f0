"""What to do when a service limits, fails or disconnects: rules without sockets or sleeping."""

from penstock.resilience.breaker import Breaker, BreakerPolicy, RetryBudget
from penstock.resilience.budget import Budget
from penstock.resilience.gate import BudgetView, Gate, Informed
from penstock.resilience.hints import (
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
from penstock.resilience.ticket import Ticket

__all__ = [
    "DIALECTS",
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
    "Ticket",
    "hints_in_body",
    "parse_hints",
    "parse_reset",
    "parse_retry_after",
    "seconds_until",
    "too_fast",
]
