"""Workers on one run: what each does, and the one who has them started and shows what they do."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar, cast, final

from penstock.assembly.heartbeat import Heartbeat, beats_of
from penstock.assembly.kinds import LAUNCHERS, Site, build
from penstock.assembly.processes import scheduler_of
from penstock.assembly.reading import read_any, text_of
from penstock.assembly.run import Run, Summary
from penstock.cluster import Beats, Ended, Launch, Launcher
from penstock.errors import ExecutorFailed, InputError, PenstockError, Stopped, StoreInUse
from penstock.events import BudgetSeen, Failed, Landed, Notice, Waiting, WorkersSeen
from penstock.locks import LockLost
from penstock.store import WritableStore

T = TypeVar("T")
_EVERY = 0.5  # seconds between looks at the workers
_PATIENCE = 30.0  # seconds for the others to see that all is done


def rejoining(go: Callable[[], T], tell: Callable[[str], object] = lambda _line: None) -> T:
    """Return what ``go`` returns; a worker that lost its lease joins again, with nobody beside it.

    Args:
        go: Joins a run and works until all is done.
        tell: Called with a line for each time.
    """
    while True:
        try:
            return go()
        except (LockLost, StoreInUse) as error:  # we stood still, and another one went on
            tell(f"{error}; joining again")


def work(file: str | Path, *, text: str | None = None, group: str = "") -> Summary:
    """Join the run of a pipeline file until all is done: what a task of any scheduler calls.

    Like ``penstock work FILE``: a worker that stood still past its lease joins again.

    Args:
        file: The pipeline file; relative places start beside it.
        text: What stands in it, where it is not on this machine.
        group: Which workers this is one of.

    Raises:
        InputError: The file asks for what cannot be, or cannot be shared by workers.
        PenstockError: The run could not go on.
    """
    path = Path(file)
    described = read_any(path, text)

    def join() -> Summary:
        run = Run(described, path.parent, path=path)
        run.group = group
        with run.joined() as store:
            return run.work(store)

    return rejoining(join)


def _work(path: Path, text: str, group: str) -> dict[str, object]:
    summary = work(path, text=text, group=group)
    return {**summary.fields(), "complete": summary.complete or summary.ended}


def lead(run: Run, store: WritableStore, pause: Callable[[float], object] = time.sleep) -> Summary:
    """Have workers started by the file's scheduler, and show what all of them do until all is done.

    Args:
        run: The run, made with its path.
        store: Where the workers land, for the counts.
        pause: Waits so many seconds.

    Raises:
        ExecutorFailed: The scheduler is gone; what landed is safe, and workers may go on.
        PenstockError: No worker could go on.
    """
    section, shown = scheduler_of(run.file), run.file.cluster.scheduler
    assert run.path is not None  # the caller gave it
    assert section is not None  # likewise
    path, run.group = Path(run.path).absolute(), uuid.uuid4().hex
    launch = build(LAUNCHERS, section, Site(path.parent, run.events, run.file), "cluster.scheduler")
    if not callable(launch):
        raise InputError(f"cluster.scheduler: a {type(launch).__name__} launches nothing")
    job = partial(_work, path, text_of(path), run.group)
    launcher = cast("Launch", launch)(job, run.file.cluster.workers)
    beats = Beats(str(run.place))
    crew = _Crew(run, store, beats)
    try:
        crew.until_done(launcher, shown if isinstance(shown, str) else "the scheduler", pause)
    except Stopped:
        beats.stop(run.group)
        raise
    except ExecutorFailed as error:
        now = store.status()
        raise ExecutorFailed(
            f"{error}; {now.landed:,} landed and {now.failed:,} failed are safe in the store; run "
            "again to go on, or start penstock work"
        ) from error
    finally:
        launcher.close()
        beats.close()
    return crew.summary()


@final
class _Crew:
    """What the workers have done so far, as the store and their signs of life tell."""

    def __init__(self, run: Run, store: WritableStore, beats: Beats) -> None:
        self._run, self._store, self._beats = run, store, beats
        self._begun = self._now = store.status()
        self._ended: list[Ended] = []
        self._said: dict[str, Heartbeat] = {}

    def until_done(self, launcher: Launcher, shown: str, pause: Callable[[float], object]) -> None:
        over: float | None = None
        while over is None or (launcher.running and time.monotonic() < over):
            for one in launcher.look():
                self._end(one)
            if over is None and self._is_over(launcher.running):
                self._beats.stop(self._run.group)
                over = time.monotonic() + _PATIENCE
            if not launcher.running and over is None:
                words = f"no worker at {shown}"
                self._run.events.emit(Waiting(seconds=2 * _EVERY, reason=words))
            self._tell()
            pause(_EVERY)
        self._tell()

    def _end(self, one: Ended) -> None:
        """Note that a worker ended; one that died is in nobody's way."""
        if one.summary is not None or one.error is not None:
            self._ended.append(one)
        if one.error is not None:
            words = f"the worker at {one.place} ended: {str(one.error) or type(one.error).__name__}"
            self._run.events.emit(Notice(reason=words, doubtful=False))

    def _is_over(self, running: int) -> bool:
        if any(one.summary and one.summary["complete"] for one in self._ended):
            return True
        if running or not self._ended:
            return False
        error = self._ended[-1].error
        if error is None:  # the budget stopped it
            return True
        if isinstance(error, PenstockError):
            raise error
        raise ExecutorFailed(f"the worker at {self._ended[-1].place} ended: {error}") from error

    def _tell(self) -> None:
        """Turn what the store shows into events, for the progress, the log and the metrics."""
        emit, before, now = self._run.events.emit, self._now, self._store.status()
        self._now = now
        if (landed := now.landed - before.landed) > 0:
            emit(Landed(count=landed))
        known = {(kind.error, kind.status): kind.count for kind in before.failures}
        for kind in now.failures:
            for _ in range(kind.count - known.get((kind.error, kind.status), 0)):
                words = "see penstock status"
                emit(Failed(key=None, reason=words, error=kind.error, status=kind.status))
        said = [beat for beat in beats_of(self._beats) if beat.group == self._run.group]
        self._said |= {beat.worker: beat for beat in said}
        emit(WorkersSeen(count=len(said), permits=sum(beat.permits for beat in said)))
        if told := [beat for beat in self._said.values() if beat.remaining is not None]:
            last = max(told, key=lambda beat: beat.at)
            emit(BudgetSeen(limit=last.limit, remaining=last.remaining, reset=last.reset))

    def summary(self) -> Summary:
        """Return what there is, and what all workers have done together."""
        told = [one.summary for one in self._ended if one.summary is not None]

        def counted(field: str, beat: str) -> int:
            # Those that died told only their beats; those that ended well told more than those.
            said = sum(int(getattr(one, beat)) for one in self._said.values())
            return max(said, sum(int(str(summary.get(field, 0))) for summary in told))

        return replace(
            self._run.summary(self._store),
            new=self._now.landed - self._begun.landed,
            complete=any(summary["complete"] for summary in told),
            retries=counted("retries", "retries"),
            too_many_requests=counted("too_many_requests", "refused"),
        )
