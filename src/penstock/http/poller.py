"""Waiting for descriptors: epoll where there is one, else whatever ``selectors`` offers."""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import socket
from typing import Protocol, final

import pycurl

__all__ = ["Poller", "Waker", "new_poller"]

_READ, _WRITE = pycurl.CSELECT_IN, pycurl.CSELECT_OUT
_REMOVE = pycurl.POLL_REMOVE
_ACTIONS = {
    pycurl.POLL_IN: _READ,
    pycurl.POLL_OUT: _WRITE,
    pycurl.POLL_INOUT: _READ | _WRITE,
    pycurl.POLL_NONE: 0,
}


class Poller(Protocol):
    """What the engine needs: interest by descriptor, and a wait.

    ``owner`` tells whose descriptor it is: the multi handle that asked for it.
    """

    owner: dict[int, pycurl.CurlMulti]

    def change(
        self, what: int, fd: int, multi: pycurl.CurlMulti | None = None, _data: object = None
    ) -> None:
        """Set interest in ``fd`` as curl's socket callback says it."""
        ...

    def wait(self, timeout: float) -> list[tuple[int, int]]:
        """Return (descriptor, curl's select bits) of what is ready within ``timeout`` s.

        Below 0 there is no limit to the wait.
        """
        ...

    def close(self) -> None:
        """Give the descriptors back."""
        ...


@final
class EpollPoller:
    """Linux: one system call a change, one a wait."""

    _EVENTS = {  # noqa: RUF012 - a constant table of a final class
        pycurl.POLL_IN: getattr(select, "EPOLLIN", 0),
        pycurl.POLL_OUT: getattr(select, "EPOLLOUT", 0),
        pycurl.POLL_INOUT: getattr(select, "EPOLLIN", 0) | getattr(select, "EPOLLOUT", 0),
        pycurl.POLL_NONE: 0,
    }

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._register, self._modify = self._epoll.register, self._epoll.modify
        self._unregister = self._epoll.unregister
        self._known: set[int] = set()
        self.owner: dict[int, pycurl.CurlMulti] = {}

    def change(
        self, what: int, fd: int, multi: pycurl.CurlMulti | None = None, _data: object = None
    ) -> None:
        """Set interest in ``fd`` as curl's socket callback says it."""
        if what == _REMOVE:
            self._known.discard(fd)
            try:
                self._unregister(fd)
            except OSError:  # closed already: the kernel has forgotten it
                return
        elif fd in self._known:
            self._modify(fd, self._EVENTS[what])
        else:
            self._known.add(fd)
            self._register(fd, self._EVENTS[what])
            if multi is not None:
                self.owner[fd] = multi

    def wait(self, timeout: float) -> list[tuple[int, int]]:
        """Return what is ready."""
        ready = self._epoll.poll(timeout)
        # EPOLLIN is 1 and EPOLLOUT is 4; curl's bits are 1 and 2. Errors wake both directions.
        return [
            (fd, (events & 1) | (events >> 1 & 2) if not events & 0x18 else _READ | _WRITE)
            for fd, events in ready
        ]

    def close(self) -> None:
        """Give the descriptor back."""
        self._epoll.close()


@final
class SelectorPoller:
    """Elsewhere (kqueue on macOS and BSD)."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.owner: dict[int, pycurl.CurlMulti] = {}

    def change(
        self, what: int, fd: int, multi: pycurl.CurlMulti | None = None, _data: object = None
    ) -> None:
        """Set interest in ``fd`` as curl's socket callback says it."""
        with contextlib.suppress(KeyError, ValueError, OSError):
            self._selector.unregister(fd)
        bits = 0 if what == pycurl.POLL_REMOVE else _ACTIONS[what]
        events = (selectors.EVENT_READ if bits & _READ else 0) | (
            selectors.EVENT_WRITE if bits & _WRITE else 0
        )
        if events:
            self._selector.register(fd, events)
            if multi is not None:
                self.owner[fd] = multi

    def wait(self, timeout: float) -> list[tuple[int, int]]:
        """Return what is ready."""
        ready = self._selector.select(None if timeout < 0 else timeout)
        return [
            (
                key.fd,
                (_READ if events & selectors.EVENT_READ else 0)
                | (_WRITE if events & selectors.EVENT_WRITE else 0),
            )
            for key, events in ready
        ]

    def close(self) -> None:
        """Give the descriptors back."""
        self._selector.close()


def new_poller() -> Poller:
    """Return the best poller of this system."""
    return EpollPoller() if hasattr(select, "epoll") else SelectorPoller()


@final
class Waker:
    """A descriptor that becomes readable when another thread calls :meth:`wake`."""

    def __init__(self) -> None:
        self._sockets: tuple[socket.socket, socket.socket] | None = None
        if hasattr(os, "eventfd"):
            self.fd = self._out = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        else:
            self._sockets = socket.socketpair()
            for end in self._sockets:
                end.settimeout(0)
            self.fd, self._out = (end.fileno() for end in self._sockets)

    def wake(self) -> None:
        """Make the descriptor readable."""
        with contextlib.suppress(BlockingIOError):  # full: awake already
            os.write(self._out, b"\1\0\0\0\0\0\0\0")

    def drain(self) -> None:
        """Make it unreadable again."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.fd, 4096)

    def close(self) -> None:
        """Give the descriptors back."""
        if self._sockets is None:
            os.close(self.fd)
        else:
            for end in self._sockets:
                end.close()
