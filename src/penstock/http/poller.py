"""Waiting for descriptors: by epoll, or by what ``selectors`` has on this system."""

from __future__ import annotations

import contextlib
import os
import select
import selectors
from typing import final

import pycurl

# The bits of selectors are those of curl's socket_action: 1 to read, 2 to write.
_EVENTS = {
    pycurl.POLL_IN: selectors.EVENT_READ,
    pycurl.POLL_OUT: selectors.EVENT_WRITE,
    pycurl.POLL_INOUT: selectors.EVENT_READ | selectors.EVENT_WRITE,
}
_BITS = {pycurl.POLL_IN: 1, pycurl.POLL_OUT: 4, pycurl.POLL_INOUT: 5}  # of epoll
_BOTH = selectors.EVENT_READ | selectors.EVENT_WRITE
_GONE = 0x18  # EPOLLERR and EPOLLHUP


@final
class Poller:
    """Interest by descriptor, and a wait.

    ``owner`` tells whose descriptor it is: the multi handle that asked for it.
    """

    def __init__(self) -> None:
        # Asked directly: selectors take as long as all else of a turn.
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        self._selector = self._epoll or selectors.DefaultSelector()
        self._events = _EVENTS if self._epoll is None else _BITS
        self._known: set[int] = set()
        self.owner: dict[int, pycurl.CurlMulti] = {}

    def change(
        self, what: int, fd: int, multi: pycurl.CurlMulti | None = None, _data: object = None
    ) -> None:
        """Set interest in ``fd`` as curl's socket callback says it."""
        events = self._events.get(what, 0)
        if fd not in self._known:
            if events:
                self._known.add(fd)
                self._selector.register(fd, events)
                if multi is not None:
                    self.owner[fd] = multi
        elif events:
            self._selector.modify(fd, events)
        else:
            self._known.discard(fd)
            try:
                self._selector.unregister(fd)
            except OSError:
                return  # closed already: forgotten with that

    def wait(self, timeout: float) -> list[tuple[int, int]]:
        """Return (descriptor, curl's select bits) of what is ready within ``timeout`` s.

        Below 0 there is no limit to the wait.
        """
        if self._epoll is not None:
            ready = self._epoll.poll(timeout)
            return [(fd, _BOTH if bits & _GONE else bits & 1 | bits >> 1 & 2) for fd, bits in ready]
        assert isinstance(self._selector, selectors.BaseSelector)
        told = self._selector.select(None if timeout < 0 else timeout)
        return [(key.fd, bits) for key, bits in told]

    def close(self) -> None:
        """Give the descriptors back."""
        self._selector.close()


@final
class Waker:
    """A descriptor that becomes readable when another thread calls :meth:`wake`."""

    def __init__(self) -> None:
        self.fd, self._out = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._out, False)

    def wake(self) -> None:
        """Make the descriptor readable."""
        with contextlib.suppress(BlockingIOError):  # full: awake already
            os.write(self._out, b"\1")

    def drain(self) -> None:
        """Make it unreadable again."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.fd, 4096)

    def close(self) -> None:
        """Give the descriptors back."""
        os.close(self.fd)
        os.close(self._out)
