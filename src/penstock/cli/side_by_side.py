"""Several streams of one file, each in a thread of its own: one that fails stops no other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import click

from penstock.assembly import Run, Summary
from penstock.errors import PenstockError, Stopped

__all__ = ["side_by_side"]

_LOOK = 0.25  # seconds after which a signal that came meanwhile is seen at the latest


def side_by_side(
    runs: Mapping[str, Run], go: Callable[[str, Run], Summary]
) -> tuple[dict[str, Summary], list[PenstockError]]:
    """Return what came of each run, and what ended others of them.

    Where the program was asked to end, :class:`Stopped` is among the latter, and all have ended in
    good order.

    Args:
        runs: The runs by their names.
        go: Does one of them.
    """
    done: dict[str, Summary] = {}
    errors: list[PenstockError] = []
    broken: list[BaseException] = []
    going = set(runs)

    def work(name: str, run: Run) -> None:
        try:
            done[name] = go(name, run)
        except PenstockError as error:
            errors.append(error)
            click.echo(f"penstock: {name}: {error}; it has ended, others go on", err=True)
        except BaseException as error:  # noqa: BLE001 - raised again where somebody sees it
            broken.append(error)
        finally:
            going.discard(name)

    for pair in runs.items():
        threading.Thread(target=work, args=pair).start()
    try:
        _wait_for(going)
    except Stopped as stopped:
        for run in runs.values():
            run.stop()
        _wait_for(going)
        errors.append(stopped)
    if broken:
        raise broken[0]
    return done, errors


def _wait_for(going: set[str]) -> None:
    """Wait until there are none; a signal in Thread.join would leave it taken for ended."""
    pause = threading.Event()
    while going:
        pause.wait(_LOOK)
