"""A process that brings a table up to date, and dies by SIGKILL at its n-th step.

A step is a system call or a statement that changes something: what lies between two of them is a
moment at which a process can be killed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb  # noqa: F401 - once, and not in each process that is killed
import psycopg  # noqa: F401
from pyarrow import compute, parquet  # noqa: F401

from penstock.destinations import Keeper, keeping, open_destination
from penstock.store import open_readonly


def main(store: str, address: str, moment: int) -> None:
    steps = 0

    def counted(act: Callable[..., Any]) -> Callable[..., Any]:
        def perform(*args: object, **named: object) -> object:
            nonlocal steps
            steps += 1
            if steps == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return act(*args, **named)

        return perform

    for name in ("fsync", "replace", "rename", "ftruncate"):
        setattr(os, name, counted(getattr(os, name)))
    for name in ("replace", "write_bytes"):
        setattr(Path, name, counted(getattr(Path, name)))
    keeping._ROWS = 3
    with open_readonly(store) as reader, closing(open_destination(address)) as destination:
        inner: Any = destination
        for name in ("insert", "_put", "_write"):
            if hasattr(inner, name):
                setattr(inner, name, counted(getattr(inner, name)))
        if hasattr(inner, "_connection"):
            inner._connection = _Counted(inner._connection, counted)
        Keeper(destination, "users", children=destination.holds_children).catch_up(reader)


class _Counted:
    """A connection whose statements are steps."""

    def __init__(
        self,
        connection: Any,
        counted: Callable[..., Any],
    ) -> None:
        self.execute = counted(connection.execute)
        self.close = connection.close


def each_moment(store: str, address: str) -> None:
    """Fork a process for each moment until one lives to the end; say how many were killed."""
    moment = 0
    while True:
        moment += 1
        child = os.fork()
        if not child:
            main(store, address, moment)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if not os.WIFSIGNALED(status):
            print(moment - 1, os.waitstatus_to_exitcode(status))
            return


if __name__ == "__main__":
    each_moment(*sys.argv[1:])
