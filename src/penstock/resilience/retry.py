"""When to try again: a frozen policy, and one pure decision.

The policy never sleeps and never calls: it is given what happened and answers how long to wait.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

from penstock.errors import InputError

QUOTA = frozenset({420, 429})
"""Statuses that mean *not now*: waiting for quota is never counted as an attempt."""

# RFC 9110 section 15.5: the client has to change something first.
_NEVER = frozenset(
    {400, 402, 403, 404, 405, 406, 407, 409, 410, 411, 412, 413, 414, 415, 416, 417}
    | {422, 423, 424, 426, 428, 431, 451, 501, 505}
)
# 202: what a GET asks for is being made ready (RFC 9110 section 15.3.3).
_ALWAYS = frozenset({202, 408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524})
# Statuses that say the request was refused before it did anything (RFC 6585 section 4,
# RFC 8470 section 5.2, RFC 9110 section 15.6.4): safe to repeat whatever the method.
_NOT_APPLIED = QUOTA | {425, 503}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One failed call, as the policy sees it.

    Attributes:
        status: The HTTP status, or None when there was no whole answer.
        sent: False when the call certainly never reached the server.
        in_body: True when a 2xx answer carried an error in its body.
        retry_after: Seconds the server asked us to wait, or None.
        quota: True when it means *not now*, whatever its status says.
    """

    status: int | None = None
    sent: bool = True
    in_body: bool = False
    retry_after: float | None = None
    quota: bool = False


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When to try again and how long to wait first. Immutable and shareable.

    Attributes:
        attempts: Calls allowed for one item, at least 1. Answers that mean "out of quota"
            (420, 429) are not counted: waiting is not failing.
        total: Seconds allowed from an item's first call on, or None; no wait may end later.
        base: Upper bound of the first wait, in seconds; it doubles with each failure.
        cap: Upper bound of any wait we choose, in seconds. What the server asks for
            (Retry-After) is never cut to it: coming back early only costs a call.
        never: Statuses after which the item has failed. One given here is taken out of the
            default of ``always``, and the other way round.
        always: Statuses after which it is tried again; a success (2xx) only where a GET, a HEAD
            or another call that asks for something got it.
        otherwise: What holds for every other status of 400 and above, or below 200.
        fatal: Statuses that end the whole run at once: every further call would only
            burn the budget (a wrong password).
        absent: Statuses that say that there is nothing to be had: the item is settled
            (:class:`~penstock.errors.Absent`), and has not failed.
        failed: Given the decoded JSON body of a 2xx answer, says whether it is an error in
            disguise; such an answer is tried again.
        failed_text: The same of the text of a 2xx answer, whatever it is: matches an error.

    >>> policy = RetryPolicy(attempts=3, base=1, cap=10, never={404}, always={520, 101})
    >>> [policy.ceiling(n) for n in (1, 2, 3, 4, 5)]
    [1.0, 2.0, 4.0, 8.0, 10.0]
    >>> policy.wait(Fault(status=404), failures=1, elapsed=0, idempotent=True) is None
    True
    >>> policy.wait(Fault(status=520, retry_after=30), failures=1, elapsed=0, idempotent=True)
    30.0
    """

    attempts: int = 5
    total: float | None = None
    base: float = 0.5
    cap: float = 60.0
    never: frozenset[int] | set[int] = field(default=_NEVER)
    always: frozenset[int] | set[int] = field(default=_ALWAYS)
    otherwise: bool = True
    fatal: frozenset[int] | set[int] = frozenset({401})
    failed: Callable[..., bool] | None = None
    failed_text: re.Pattern[str] | None = None
    absent: frozenset[int] | set[int] = frozenset()

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise InputError(f"RetryPolicy(attempts={self.attempts}): at least 1 call is needed")
        if self.base < 0 or self.cap < 0 or (self.total is not None and self.total < 0):
            raise InputError("RetryPolicy: base, cap and total are seconds, 0 or more")
        for name in ("never", "always", "fatal", "absent"):
            codes = getattr(self, name)
            if isinstance(codes, int):
                raise InputError(f"RetryPolicy({name}={codes}): write {name}={{{codes}}}, a set")
            object.__setattr__(self, name, frozenset(codes))
        # What is said overrules what is only the default.
        if self.always == _ALWAYS:
            object.__setattr__(self, "always", _ALWAYS - self.never - self.absent)
        elif self.never == _NEVER:
            object.__setattr__(self, "never", _NEVER - self.always)
        both = sorted(self.never & self.always)
        if both:
            raise InputError(f"RetryPolicy: {both} cannot be in never and in always")
        if both := sorted(self.absent & self.always):
            raise InputError(f"RetryPolicy: {both} cannot be in absent and in always")

    def ceiling(self, failures: int) -> float:
        """Return the longest wait after ``failures`` failures (1 or more), in seconds."""
        doublings = min(failures - 1, 64)
        return min(float(self.cap), float(self.base) * 2.0**doublings)

    def takes(self, status: int, *, asks: bool) -> bool:
        """Whether an answer of ``status`` is what was asked for, by its status alone.

        Args:
            status: The HTTP status.
            asks: Whether the call asks for something, so that 202 means *not yet*.
        """
        if not 200 <= status < 300 or status in self.never | self.fatal | self.absent:
            return False
        return not asks or status not in self.always

    def repeats(self, fault: Fault, *, idempotent: bool) -> bool:
        """Whether ``fault`` may be followed by another call at all.

        A call whose outcome is unknown is repeated only when it is idempotent.
        """
        if not fault.sent or fault.quota:
            return True
        if not idempotent and (fault.in_body or fault.status not in _NOT_APPLIED):
            return False
        if fault.status is None or fault.in_body:
            return True
        if fault.status in self.never or fault.status in self.fatal:
            return False
        return fault.status in QUOTA or fault.status in self.always or self.otherwise

    def wait(
        self,
        fault: Fault,
        *,
        failures: int,
        elapsed: float,
        idempotent: bool,
        rng: random.Random | None = None,
    ) -> float | None:
        """Return the seconds to wait before the next call, or None to give up.

        Full jitter (a uniform draw up to the ceiling): clients that failed together must not
        come back together.

        Args:
            fault: What happened.
            failures: Calls that failed so far, this one included, quota answers left out.
            elapsed: Seconds since the item's first call.
            idempotent: Whether repeating the call is harmless.
            rng: Source of the jitter; None draws the ceiling itself.
        """
        if not self.repeats(fault, idempotent=idempotent):
            return None
        if failures >= self.attempts and not fault.quota and fault.status not in QUOTA:
            return None
        ceiling = self.ceiling(max(1, failures))
        wait = rng.uniform(0.0, ceiling) if rng is not None else ceiling
        if fault.retry_after is not None:
            # RFC 9110 section 10.2.3: the server says how long it ought to be.
            wait = float(fault.retry_after)
        if self.total is not None and elapsed + wait > self.total:
            return None
        return wait
