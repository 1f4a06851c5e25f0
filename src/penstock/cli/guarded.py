"""A command that runs only while a lock is held: started stopped, let go, ended with the lock."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import final

__all__ = ["Guarded", "check_command"]

_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
_CANNOT_RUN = 126  # what a shell ends with when a command is there and cannot be run
_NOT_FOUND = 127  # and with when there is none
_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def check_command(words: Sequence[str]) -> None:
    """End with a shell's code where there is nothing to run, before anybody waits for a lock."""
    if shutil.which(words[0]) is not None:
        return
    there = shutil.which(words[0], os.F_OK) is not None
    what = "it may not be executed" if there else "no such command"
    sys.stderr.write(f"penstock: {words[0]}: {what}\n")
    raise SystemExit(_CANNOT_RUN if there else _NOT_FOUND)


@final
class Guarded:
    """A process that waits to become ``words``, and does not outlive this one.

    It is made before the lock is asked for, while there is one thread only, and waits. Should this
    process be killed, the kernel kills it too (Linux): else it would go on without the lock, which
    the next one gets at once.

    Args:
        words: The command and its arguments.
    """

    def __init__(self, words: Sequence[str]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        reads, self._go = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._go)
            _become(words, reads, parent)
        os.close(reads)

    def run(self, environment: dict[str, str], lost: int, grace: float) -> int:
        """Let it go and return its exit code, 128 and the number of the signal that ended it.

        Signals that ask this process to end are passed on to it.

        Args:
            environment: Variables that it gets more.
            lost: A descriptor that becomes readable when the command must end.
            grace: Seconds between asking it to end and making it.
        """
        pairs = [b"%b=%b\0" % (os.fsencode(n), os.fsencode(v)) for n, v in environment.items()]
        with self._passing_on():
            os.write(self._go, b"".join(pairs))
            os.close(self._go)
            ending, tell = os.pipe()
            threading.Thread(target=self._watch, args=(tell,), daemon=True).start()
            if ending not in _readable([ending, lost], None):
                self._end(ending, grace)
            code = self.wait()
        os.close(ending)
        return code

    def _watch(self, tell: int) -> None:
        with contextlib.suppress(ChildProcessError):  # it has ended and been waited for already
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        os.close(tell)

    def _end(self, ending: int, grace: float) -> None:
        os.kill(self.pid, signal.SIGTERM)
        os.kill(self.pid, signal.SIGCONT)
        if not _readable([ending], grace):
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Return the exit code when it has ended."""
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code

    def cancel(self) -> None:
        """Let it end without having begun."""
        os.close(self._go)
        self.wait()

    @contextlib.contextmanager
    def _passing_on(self) -> Iterator[None]:
        def pass_on(number: int, _frame: FrameType | None) -> None:
            # Ctrl-C of a terminal reaches both already; twice would end at once what ends well.
            if number not in (signal.SIGINT, signal.SIGQUIT) or not _at_terminal():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, number)

        before = {number: signal.signal(number, pass_on) for number in _PASSED_ON}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _at_terminal() -> bool:
    with contextlib.suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    return False


def _readable(descriptors: list[int], seconds: float | None) -> list[int]:
    return select.select(descriptors, [], [], seconds)[0]


def _become(words: Sequence[str], reads: int, parent: int) -> None:
    """Wait for the word to go, then be the command. Never returns."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:  # it died before that
            os._exit(1)
        told = b""
        while piece := os.read(reads, 65536):
            told += piece
        if not told:
            os._exit(1)
        variables = dict(pair.split(b"=", 1) for pair in told.split(b"\0")[:-1])
        os.environb.update(variables)
        os.execvp(words[0], list(words))  # noqa: S606 - the user's own command, without a shell on purpose
    except OSError as error:
        os.write(2, f"penstock: {words[0]}: {error.strerror}\n".encode())
        os._exit(_CANNOT_RUN)
