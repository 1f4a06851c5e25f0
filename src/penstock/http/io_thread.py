"""The one I/O thread: every transfer of the process goes through libcurl's multi interface here.

The thread is dumb on purpose. It performs transfers and hands back what came of them; when, what
and whether again is decided by those who submit. Threads meet in two places only: transfers come in
through a deque and a wake-up descriptor, and go out through their inbox's deque and notification.
"""

from __future__ import annotations

import os
import resource
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import final

import pycurl

from penstock.errors import GaveUp, InputError
from penstock.http.faults import shortage
from penstock.http.handle import Handle
from penstock.http.poller import Poller, Waker
from penstock.http.streamed import StreamHandle, StreamTransfer
from penstock.http.transfer import Inbox, Profile, Transfer
from penstock.http.url import shown

_SWEEP = 0.05
_SWEEPS = 100  # times as long as a sweep takes nobody sweeps: with thousands it would never end
_RAREST = 5.0
_HELD = 0.05  # seconds until what waits for room of ours is tried again
_NO_ROOM = 10.0  # seconds without any room, and with nothing under way, after which all ends
_CONNECTIONS_KEPT = 4096
_OTHERS = 50  # open files that a run needs besides its connections
_SHARD = 250  # transfers in one multi handle


@final
class Engine:
    """Performs transfers on a thread of its own. Use :func:`engine`: one a process is enough."""

    def __init__(self) -> None:
        self._multis: list[pycurl.CurlMulti] = []
        self._loads: list[int] = []  # transfers under way in each
        self._poller = Poller()
        self._waker = Waker()
        self._submitted: deque[Transfer] = deque()
        self._cancelled: deque[Transfer] = deque()
        self._idle: dict[Profile, list[Handle]] = {}
        self._active: dict[Transfer, Handle] = {}
        self._held: dict[Transfer, float] = {}  # what waits for room of ours, and since when
        self._retry_held = 0.0
        self._of_easy: dict[pycurl.Curl, Handle] = {}
        self._flowing: set[StreamHandle] = set()
        self._nudged = False
        self._touched: set[Inbox] = set()
        self._untold = 0
        self._next_sweep = 0.0
        self._asleep = False
        self._stopping = False
        self._broken: GaveUp | None = None
        self._poller.change(pycurl.POLL_IN, self._waker.fd)
        self._thread = threading.Thread(target=self._run, name="penstock-io", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether the thread has ended, or is about to: it takes nothing more."""
        return self._stopping or self._broken is not None

    def submit(self, transfers: Iterable[Transfer]) -> None:
        """Start ``transfers``; each is put into its inbox when it is finished."""
        self._submitted.extend(transfers)
        self._wake()

    def cancel(self, transfers: Iterable[Transfer]) -> None:
        """Stop ``transfers`` that are under way; they are not put into their inbox."""
        self._cancelled.extend(transfers)
        self._wake()

    def nudge(self) -> None:
        """Look whether a sink that wanted no more wants more now."""
        self._nudged = True
        self._wake()

    def close(self) -> None:
        """Stop the thread and free everything; what is under way is dropped."""
        self._stopping = True
        self._waker.wake()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _wake(self) -> None:
        if self._asleep:
            self._asleep = False
            self._waker.wake()

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._turn()
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait indefinitely
            self._broken = GaveUp(f"the I/O thread broke: {error!r}", attempts=0)
            self._fail_all()
        finally:
            self._free()

    def _turn(self) -> None:
        """Wait once, and do all there is to do."""
        owner = self._poller.owner
        ready = self._poller.wait(self._patience())
        for fd, bits in ready:
            if fd == self._waker.fd:
                self._waker.drain()
            else:
                owner[fd].socket_action(fd, bits)
        self._asleep = False
        if self._submitted or self._held:
            self._start()
        # Asked once a turn: a callback at every change would cost more than the question.
        for multi in self._multis:
            if multi.timeout() == 0:
                multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        now = time.monotonic()
        if self._cancelled:
            self._drop()
        if self._flowing:
            self._deliver()
        self._collect()
        if self._active and now >= self._next_sweep:
            began = time.thread_time()
            self._sweep(now)
            took = time.thread_time() - began
            self._next_sweep = now + min(max(_SWEEP, took * _SWEEPS), _RAREST)
        # Receivers are woken when nothing more is ready, or when half of all is done: a
        # thread switch for each answer would cost more than the answer.
        if self._touched and (not ready or self._untold >= len(self._active)):
            self._notify()

    def _notify(self) -> None:
        for inbox in self._touched:
            inbox.notify()
        self._touched.clear()
        self._untold = 0

    def _patience(self) -> float:
        """Return how long the wait may be; say first that we are going to sleep."""
        self._asleep = True
        if self._nudged:
            self._nudged = False
            return 0.0
        if self._touched or self._submitted or self._cancelled or self._stopping:
            return 0.0
        told = [due for multi in self._multis if (due := multi.timeout()) >= 0]
        patience = min(told) / 1000 if told else -1.0
        if self._held:
            self._next_sweep = min(self._next_sweep, self._retry_held)
        if self._active or self._held:
            sweep = max(0.0, self._next_sweep - time.monotonic())
            patience = sweep if patience < 0 else min(patience, sweep)
        return patience

    def _start(self) -> None:
        now = time.monotonic()
        if self._held and now >= self._retry_held:
            self._submitted.extend(held for held in self._held if held not in self._active)
            self._retry_held = now + _HELD
        while self._submitted:
            transfer = self._submitted.popleft()
            handle = None
            try:
                handle = self._handle_for(transfer)
                self._active[transfer] = handle
                handle.begin(transfer, now)
                self._add(handle)
            except (pycurl.error, UnicodeError, ValueError, OSError, MemoryError) as error:
                self._active.pop(transfer, None)
                if handle is None or _is_ours(error):
                    if handle is not None:
                        handle.finish(pycurl.E_FAILED_INIT, "")
                        self._discard(handle)
                    self._hold(transfer, str(error) or type(error).__name__, now)
                else:
                    self._held.pop(transfer, None)
                    self._refuse(handle, error)

    def _handle_for(self, transfer: Transfer) -> Handle:
        idle = self._idle.setdefault(transfer.profile, [])
        if idle:
            return idle.pop()
        handle = self._new_handle(transfer)
        handle.home = idle
        self._of_easy[handle.easy] = handle
        return handle

    def _hold(self, transfer: Transfer, lack: str, now: float) -> None:
        """Keep a transfer until there is room: what this machine lacks is not the item's failure.

        While others are under way, room will come. Where nothing is, and none has come for long,
        everything ends.
        """
        since = self._held.setdefault(transfer, now)
        self._retry_held = now + _HELD
        transfer.error = None
        if now - since > _NO_ROOM and not self._active:
            del self._held[transfer]
            transfer.error = GaveUp(
                f"{transfer.method} {shown(transfer.url)}: this machine is short of something: "
                f"{lack}. Each call at once needs an open file (ulimit -n), about 50 more are "
                "needed: raise the limit, or lower the concurrency; then run again",
                attempts=0,
            )
            self._put(transfer)

    def _new_handle(self, transfer: Transfer) -> Handle:
        if isinstance(transfer, StreamTransfer):
            return StreamHandle(transfer.profile, self._flowing)
        return Handle(transfer.profile)

    def _refuse(self, handle: Handle, error: Exception) -> None:
        """Hand back a transfer that curl would not even take."""
        transfer = handle.finish(pycurl.E_URL_MALFORMAT, str(error))
        self._discard(handle)
        self._put(transfer)

    def _add(self, handle: Handle) -> None:
        """Hand over to the first multi handle with room.

        libcurl looks for a free connection by going through all of a host's, so thousands of
        them in one pool would make every request slow.
        """
        shard = next((n for n, load in enumerate(self._loads) if load < _SHARD), len(self._loads))
        if shard == len(self._loads):
            self._multis.append(self._new_multi())
            self._loads.append(0)
        self._multis[shard].add_handle(handle.easy)
        handle.shard = shard
        self._loads[shard] += 1

    def _new_multi(self) -> pycurl.CurlMulti:
        multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._poller.change)
        multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        multi.setopt(pycurl.M_MAXCONNECTS, _CONNECTIONS_KEPT)
        return multi

    def _remove(self, handle: Handle) -> None:
        self._multis[handle.shard].remove_handle(handle.easy)
        self._loads[handle.shard] -= 1

    def _collect(self) -> None:
        for multi, load in zip(self._multis, self._loads, strict=True):
            left = load
            while left:
                left, succeeded, failed = multi.info_read()
                for easy in succeeded:
                    self._finish(easy, 0, "")
                for easy, code, message in failed:
                    self._finish(easy, code, message)

    def _finish(self, easy: pycurl.Curl, code: int, message: str) -> None:
        handle = self._of_easy[easy]
        self._remove(handle)
        lack = shortage(code, easy.getinfo(pycurl.OS_ERRNO), message) if code else None
        transfer = handle.finish(code, message)
        del self._active[transfer]
        if lack is not None and not getattr(transfer.error, "sent", False):
            self._discard(handle)
            self._hold(transfer, lack, time.monotonic())
            return
        self._held.pop(transfer, None)
        handle.home.append(handle)
        self._put(transfer)

    def _put(self, transfer: Transfer) -> None:
        inbox = transfer.inbox
        assert inbox is not None  # submit without inbox is our own mistake
        inbox.received.append(transfer)
        self._touched.add(inbox)
        self._untold += 1

    def _deliver(self) -> None:
        """Hand over what streams have received, and end those whose sink wants no more at all."""
        for handle in list(self._flowing):
            if (error := handle.deliver()) is not None:
                self._remove(handle)
                transfer = handle.abandon(str(error))
                transfer.error = error
                del self._active[transfer]
                self._discard(handle)
                self._put(transfer)
            elif handle.holds:  # reading on gave what nobody would tell of
                self._nudged = True

    def _sweep(self, now: float) -> None:
        """End what has been silent for too long."""
        overdue = [(h, why) for h in self._active.values() if (why := h.overdue(now))]
        for handle, why in overdue:
            self._remove(handle)
            transfer = handle.abandon(why)
            del self._active[transfer]
            self._discard(handle)
            self._put(transfer)

    def _drop(self) -> None:
        while self._cancelled:
            transfer = self._cancelled.popleft()
            self._held.pop(transfer, None)
            handle = self._active.pop(transfer, None)
            if handle is not None:
                self._remove(handle)
                self._discard(handle)
            elif transfer in self._submitted:
                # Submitted and cancelled since this turn began: it must not start in the next.
                self._submitted.remove(transfer)

    def _discard(self, handle: Handle) -> None:
        del self._of_easy[handle.easy]
        handle.close()

    def _fail_all(self) -> None:
        for transfer in {**self._active, **self._held, **dict.fromkeys(self._submitted)}:
            transfer.error = self._broken
            self._put(transfer)
        self._notify()

    def _free(self) -> None:
        for handle in list(self._of_easy.values()):
            if handle.transfer is not None:
                self._remove(handle)
            handle.close()
        for multi in self._multis:
            multi.close()
        self._poller.close()
        self._waker.close()


def _is_ours(error: Exception) -> bool:
    """Return whether a transfer could not begin for a reason that has nothing to do with it."""
    if isinstance(error, pycurl.error):
        return error.args[0] not in {pycurl.E_URL_MALFORMAT, pycurl.E_UNSUPPORTED_PROTOCOL}
    return isinstance(error, OSError | MemoryError)


def raise_descriptor_limit(connections: int) -> None:
    """Make room for ``connections`` sockets.

    Raises:
        InputError: This user may not have so many open files.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + 256
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if most > soft:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        if most < connections + _OTHERS:
            raise InputError(
                f"{connections} calls at once need about {connections + _OTHERS} open files, and "
                f"{most} are allowed: raise the limit (ulimit -n), or set a concurrency of "
                f"{max(1, most - _OTHERS)}"
            )


_engine: Engine | None = None
_lock = threading.Lock()


def engine() -> Engine:
    """Return this process's engine, started when first asked for."""
    global _engine  # noqa: PLW0603 - one thread a process is the point
    if _engine is None or _engine.ended:
        with _lock:
            if _engine is None or _engine.ended:
                _engine = Engine()
    return _engine


def _forget_after_fork() -> None:
    # The thread stayed in the parent; a child that makes calls starts its own.
    global _engine, _lock  # noqa: PLW0603 - one engine a process
    _engine = None
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)
