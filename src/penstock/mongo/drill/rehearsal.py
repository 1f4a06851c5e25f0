"""The rehearsal itself: both workloads begin, nodes fail one after the other, all is audited."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import cycle
from typing import Any, Literal, TypeAlias, get_args

from penstock.clock import Clock, SystemClock
from penstock.errors import InputError
from penstock.mongo import connect
from penstock.mongo.address import check_address
from penstock.mongo.dev import DevSet
from penstock.mongo.drill.values import DrillReport
from penstock.mongo.drill.workload import Arm

__all__ = ["DRILL_FAULTS", "DrillFault", "run_drill"]

DrillFault: TypeAlias = Literal["kill", "stepdown", "pause"]
DRILL_FAULTS: tuple[DrillFault, ...] = get_args(DrillFault)

_BEFORE = 1.5  # seconds of quiet before a fault
_OUTAGE = {"kill": 4.0, "stepdown": 3.0, "pause": 6.0}  # seconds until it is mended


def run_drill(
    uri: str,
    *,
    dev: DevSet | None = None,
    seconds: float = 60.0,
    faults: Sequence[DrillFault] = DRILL_FAULTS,
    tell: Callable[[str], object] | None = None,
    clock: Clock | None = None,
) -> DrillReport:
    """Run the workload for ``seconds``, failing nodes of ``dev`` in turn, and audit it.

    The workload has a database of its own, which is dropped at the end. Interrupted, it mends the
    set and audits what there is.

    Args:
        uri: The set to work on: one to test with, since its nodes are failed.
        dev: The set whose nodes are failed; without it nobody fails any but you.
        seconds: How long, at least: there is one fault in any case, and it is mended.
        faults: Which kinds, in turn.
        tell: Told of each fault, in words.
        clock: Time.

    Raises:
        InputError: The address cannot be used, or there is no such fault.
        MongoGaveUp: Nobody answers.
    """
    check_address(uri)
    _check(faults, seconds)
    clock = clock or SystemClock()
    counts: Counter[str] = Counter()
    with ExitStack() as undo:
        arms = _arms(uri, undo, clock)
        started = clock.monotonic()
        for arm in arms:
            arm.start()
        try:
            _fail_in_turn(dev, faults, started + seconds, counts, tell or _silent, clock)
        except KeyboardInterrupt:
            pass  # the rest is told as far as it came
        finally:
            if dev is not None:
                dev.heal()
            for arm in arms:
                arm.stop()
        proxy, plain = (arm.report() for arm in arms)
    return DrillReport(
        proxy=proxy,
        plain=plain,
        faults=counts.total(),
        by_fault=dict(counts),
        seconds=round(clock.monotonic() - started, 1),
    )


def _check(faults: Sequence[DrillFault], seconds: float) -> None:
    unknown = [fault for fault in faults if fault not in DRILL_FAULTS]
    if unknown or not faults:
        known = ", ".join(DRILL_FAULTS)
        raise InputError(f"unknown fault: {', '.join(unknown) or 'none'}; choose from {known}")
    if not 0 < seconds <= 24 * 3600:
        raise InputError(f"seconds={seconds:g}: more than 0, at most a day")


def _arms(uri: str, undo: ExitStack, clock: Clock) -> list[Arm]:
    from pymongo import MongoClient

    resilient = undo.enter_context(connect(uri, appname="penstock drill: proxy"))
    plain: MongoClient[dict[str, Any]] = MongoClient(uri, appname="penstock drill: plain")
    undo.enter_context(plain)
    calm = undo.enter_context(connect(uri, appname="penstock drill: audit"))
    name = f"penstock-drill-{uuid.uuid4().hex[:8]}"
    arms = []
    for kind, client in (("proxy", resilient), ("plain", plain)):
        database = f"{name}-{kind}"
        undo.callback(calm.drop_database, database)
        arms.append(Arm(client[database], calm[database], clock))
    return arms


def _fail_in_turn(
    dev: DevSet | None,
    faults: Sequence[DrillFault],
    until: float,
    counts: Counter[str],
    tell: Callable[[str], object],
    clock: Clock,
) -> None:
    clock.sleep(_BEFORE)
    if dev is None:
        clock.sleep(max(0.0, until - clock.monotonic()))
        return
    for fault in cycle(faults):
        node = _FAILING[fault](dev)
        counts[fault] += 1
        tell(f"{fault}: node {node}")
        clock.sleep(_OUTAGE[fault])
        dev.heal()
        clock.sleep(_BEFORE)
        if clock.monotonic() >= until:
            return


_FAILING: dict[DrillFault, Callable[[DevSet], list[int]]] = {
    "kill": lambda dev: dev.kill("primary"),
    "stepdown": lambda dev: dev.step_down("primary", seconds=5),
    "pause": lambda dev: dev.pause("primary"),
}


def _silent(words: str) -> None:
    """Tell nobody."""
