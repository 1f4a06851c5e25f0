"""What to do when a service limits, fails or disconnects: rules without sockets or sleeping."""

from penstock.resilience.breaker import Breaker, BreakerPolicy, RetryBudget
from penstock.resilience.budget import Budget, BudgetView
from penstock.resilience.hints import (
    Hints,
    Quota,
    Reset,
    hints_in_body,
    parse_hints,
    parse_reset,
    parse_retry_after,
)
from penstock.resilience.limits import Limit
from penstock.resilience.retry import QUOTA, Fault, RetryPolicy
from penstock.resilience.ticket import Ticket

__all__ = [
    "QUOTA",
    "Breaker",
    "BreakerPolicy",
    "Budget",
    "BudgetView",
    "Fault",
    "Hints",
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
]
