"""One client at work: each kind of operation in a thread of its own, over and over."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import final

from penstock.clock import Clock
from penstock.mongo.drill.kinds import NOTHING, Db, DrillKind, write_kinds
from penstock.mongo.drill.reading import read_kinds
from penstock.mongo.drill.values import ArmReport, Findings

__all__ = ["Arm"]

_PERIOD = 0.05  # seconds between two operations of a kind
_EXCERPT = 300  # characters of an error's text that are shown
_LAST = 75.0  # seconds that the last operation of a kind may take


@final
@dataclass(slots=True)
class _Log:
    """What one thread went through."""

    done: list[int] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    example: str = ""
    findings: Findings = field(default_factory=Findings)
    longest: float = 0.0


@final
class Arm:
    """A workload through one client.

    Args:
        database: Where it works, through the client that is tried.
        calm: The same through a client that is not, to prepare and to audit.
        clock: Times the operations.
    """

    def __init__(self, database: Db, calm: Db, clock: Clock) -> None:
        self._database = database
        self._calm = calm
        self._clock = clock
        self._stop = threading.Event()
        self._work = [(kind, _Log()) for kind in (*write_kinds(), *read_kinds(clock))]
        self._threads = [
            threading.Thread(target=self._run, args=work, name=f"drill {work[0].name}", daemon=True)
            for work in self._work
        ]

    def start(self) -> None:
        """Prepare everything and begin."""
        for kind, _ in self._work:
            kind.prepare(kind.rows(self._calm))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stop.set()

    def report(self) -> ArmReport:
        """Wait for what is under way; return what came of all, after an audit."""
        findings = Findings()
        for thread, (kind, log) in zip(self._threads, self._work, strict=True):
            thread.join(_LAST)
            findings += log.findings + kind.audit(kind.rows(self._calm), log.done)
        logs = [log for _, log in self._work]
        errors = {kind.name: log.errors.total() for kind, log in self._work if log.errors}
        return ArmReport(
            operations=sum(len(log.done) + log.errors.total() for log in logs),
            errors=sum(errors.values()),
            lost=findings.lost,
            duplicated=findings.duplicated,
            torn=findings.torn,
            longest_stall=round(max(log.longest for log in logs), 3),
            errors_of=errors,
            examples={kind.name: log.example for kind, log in self._work if log.errors},
            kinds_of_error=dict(sum((log.errors for log in logs), Counter())),
        )

    def _run(self, kind: DrillKind, log: _Log) -> None:
        n = 0
        while not self._stop.wait(_PERIOD):
            n += 1
            started = self._clock.monotonic()
            try:
                log.findings += kind.step(kind.rows(self._database), n) or NOTHING
            except Exception as error:  # noqa: BLE001 - whatever reaches the application counts
                log.errors[type(error).__name__] += 1
                log.example = log.example or str(error)[:_EXCERPT]
            else:
                log.done.append(n)
            log.longest = max(log.longest, self._clock.monotonic() - started)
