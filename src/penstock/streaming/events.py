"""Server-sent events, by the letter of the WHATWG rules (HTML standard, section 9.2.6)."""

from __future__ import annotations

from typing import final

from penstock.streaming.frames import ServerEvent, check_bound, too_large

__all__ = ["ServerEvents"]

_BOM = b"\xef\xbb\xbf"


@final
class ServerEvents:
    """Events of a ``text/event-stream``.

    Attributes:
        last_id: The last event id, to be sent as ``Last-Event-ID``; it outlives connections.
        retry: Seconds to wait before connecting again, as the server said, or None.
    """

    raw = False

    def __init__(self, max_bytes: int) -> None:
        self.keepalives = 0
        self.last_id = ""
        self.retry: float | None = None
        self._most = check_bound(max_bytes)
        self._fresh()

    def _fresh(self) -> None:
        self._tail = bytearray()
        self._start: bytes | None = b""  # the first bytes, until it is known whether a BOM leads
        self._after_cr = False
        self._data: list[bytes] = []
        self._event = ""
        self._id = self.last_id
        self._size = 0

    def feed(self, data: bytes, /) -> list[ServerEvent]:
        """Return the events that ``data`` completes."""
        if self._start is not None:
            data = self._without_bom(data)
        if self._after_cr and data:
            # CRLF may be cut in two: its CR has ended the line already.
            self._after_cr = False
            if data[0] == 10:
                data = data[1:]
        if not data:
            return []
        if b"\n" not in data and b"\r" not in data:
            self._tail += data
            self._check(len(self._tail))
            return []
        return self._lines(data)

    def _without_bom(self, data: bytes) -> bytes:
        begun = (self._start or b"") + data
        if len(begun) < len(_BOM) and _BOM.startswith(begun):
            self._start = begun
            return b""
        self._start = None
        return begun.removeprefix(_BOM)

    def _lines(self, data: bytes) -> list[ServerEvent]:
        # bytes.splitlines ends lines at LF, CR and CRLF, and nowhere else.
        lines = data.splitlines()
        if self._tail:
            self._tail += lines[0]
            lines[0] = bytes(self._tail)
            self._tail.clear()
        last = data[-1]
        if last == 13:
            self._after_cr = True
        elif last != 10:
            self._tail += lines.pop()
            self._check(len(self._tail))
        events: list[ServerEvent] = []
        for line in lines:
            if line:
                self._line(line)
            elif (event := self._dispatch()) is not None:
                events.append(event)
        return events

    def _check(self, size: int) -> None:
        if self._size + size > self._most:
            raise too_large(self._most)

    def _line(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if not name:
            self.keepalives += 1
            return
        if value[:1] == b" ":
            value = value[1:]
        if name == b"data":
            self._check(len(value))
            self._size += len(value) + 1
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id":
            if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit():  # of bytes: ASCII digits only
            self.retry = int(value) / 1000

    def _dispatch(self) -> ServerEvent | None:
        """End of an event. Without data there is none, but its id holds."""
        self.last_id = self._id
        event = None
        if self._data:
            body = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
            event = ServerEvent(body, self._event or "message", self._id)
            self._data.clear()
        self._event = ""
        self._size = 0
        return event

    def close(self) -> int:
        """Forget an unfinished event; return its bytes. ``last_id`` and ``retry`` stay."""
        left = len(self._tail) + self._size
        self._fresh()
        return left
