"""What an answer that is no stream means: come again, when, or not at all. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from penstock.errors import InputError
from penstock.http import Headers, decode_or_none, phrase
from penstock.redaction import redacted
from penstock.resilience import (
    Dialect,
    Hints,
    hints_in_body,
    parse_hints,
    parse_retry_after,
    seconds_until,
    too_fast,
)
from penstock.streaming.reconnect_policy import Ending, ReconnectPolicy

__all__ = ["Answer", "Outcome", "refusal", "waiting_time"]

_CLOCK_OFF = 60.0  # seconds from which on a refused signature may be the clock's fault
_CREDENTIALS = frozenset({401, 403, 407})


@final
@dataclass(frozen=True, slots=True)
class Outcome:
    """How a connection ended, why in words, and what the server asked us to wait."""

    ending: Ending
    reason: str
    told: float | None = None
    status: int | None = None


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with another status than 200; ``now`` is seconds since 1970."""

    where: str
    status: int
    head: bytes
    excerpt: bytes
    now: float
    dialects: tuple[Dialect, ...] = ()

    @property
    def line(self) -> str:
        """Where, what, and the beginning of what it said."""
        words = redacted(" ".join(self.excerpt.decode("utf-8", "replace").split()))[:200]
        said = f": it said {words!r}" if words else ""
        return f"{self.where}: {phrase(self.status)}{said}"

    def hints(self) -> Hints | None:
        """What it says about when to come again."""
        return hints_in_body(decode_or_none(self.excerpt), parse_hints(self.head, self.dialects))

    def outcome(self) -> Outcome:
        """Return how it counts where it is not the end of the stream."""
        hints = self.hints()
        limited = too_fast(self.status, hints)
        told = waiting_time(hints, self.now, limited=limited)
        ending = Ending.LIMITED if limited else Ending.STATUS
        return Outcome(ending, self.line, told, self.status)


def waiting_time(hints: Hints | None, now: float, *, limited: bool) -> float | None:
    r"""Return the seconds that the server asks us to wait, or None.

    A reset header counts only with a refusal: on other answers it says nothing about coming again.

    >>> hints = parse_hints(b"X-Rate-Limit-Remaining: 0\r\nX-Rate-Limit-Reset: 1800000900\r\n")
    >>> waiting_time(hints, 1_800_000_000, limited=True)
    900.0
    """
    if hints is None:
        return None
    if hints.retry_after is not None:
        return seconds_until(hints.retry_after, hints.date or now)
    resets = [q.reset for q in hints.quotas if q.reset is not None and not q.remaining]
    if not limited or not resets:
        return None
    return max(seconds_until(reset, hints.date or now) for reset in resets)


def refusal(answer: Answer, policy: ReconnectPolicy) -> InputError | None:
    """Return the error that ends the stream, where the answer's status is a fatal one."""
    if answer.status not in policy.fatal or too_fast(answer.status, answer.hints()):
        return None
    line = answer.line
    if answer.status in _CREDENTIALS:
        error = InputError(f"{line}: the server refuses our credentials{_clock(answer)}")
    else:
        error = InputError(f"{line}: check the URL and what is asked of it")
    error.status = answer.status
    error.excerpt = redacted(answer.excerpt.decode("utf-8", "replace"))
    return error


def _clock(answer: Answer) -> str:
    """Say so where our clock is off: a signature carries the time, and looks wrong then."""
    date = parse_retry_after(Headers(answer.head).get("date", ""))
    if date is None or not date.epoch or abs(answer.now - date.value) < _CLOCK_OFF:
        return ""
    off = answer.now - date.value
    return (
        f"; this machine's clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the "
        "server's: set it, signatures carry the time"
    )
