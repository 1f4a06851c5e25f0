"""Events as records of the logger ``penstock``, which is silent unless somebody listens."""

from __future__ import annotations

import logging
from collections.abc import Callable

from penstock.events import Event, Events

__all__ = ["log_events"]

logging.getLogger("penstock").addHandler(logging.NullHandler())

# What is not here is for those who look for a fault: DEBUG.
_LEVELS = {
    "failed": logging.WARNING,
    "notice": logging.WARNING,
    "leftout": logging.WARNING,
    "crossed": logging.WARNING,
    "waiting": logging.INFO,
    "runstarted": logging.INFO,
    "runended": logging.INFO,
}


def log_events(events: Events, *, calls: bool = False) -> Callable[[], None]:
    """Hand every event to the logger ``penstock.run``; return how to stop it.

    Args:
        events: Those of a run.
        calls: Whether every single call is a record, too (level DEBUG).

    >>> import logging, sys
    >>> from penstock.events import Failed
    >>> logger = logging.getLogger("penstock.run"); logger.addHandler(logging.StreamHandler(sys.stdout))
    >>> events = Events()
    >>> stop = log_events(events)
    >>> events.emit(Failed(key=7, reason="404 Not Found", error="PermanentError", status=404))
    failed key=7 reason='404 Not Found' error='PermanentError' status=404
    >>> stop(); logger.handlers.clear()
    """  # noqa: E501 - a line of the example is one statement
    logger = logging.getLogger("penstock.run")

    def log(event: Event) -> None:
        level = _LEVELS.get(event.kind, logging.DEBUG)
        if logger.isEnabledFor(level):
            fields = event.fields()
            words = " ".join(f"{k}={v!r}" for k, v in fields.items() if k != "event")
            logger.log(level, "%s %s", event.kind, words, extra={"penstock": fields})

    return events.subscribe(log, calls=calls)
