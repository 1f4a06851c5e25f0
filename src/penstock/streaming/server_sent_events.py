"""Server-sent events, by the letter of the WHATWG rules (HTML standard, section 9.2.6)."""

from __future__ import annotations

from typing import final

from penstock.streaming.frames import ServerEvent, too_large
from penstock.streaming.line_framing import ByLine

__all__ = ["ServerEvents"]

_BOM = b"\xef\xbb\xbf"
_DIGITS = 15  # of milliseconds: more than anybody lives


@final
class ServerEvents(ByLine[ServerEvent]):
    """Events of a ``text/event-stream``.

    Attributes:
        last_id: The last event id, to be sent as ``Last-Event-ID``; it outlives connections.
        retry: Seconds to wait before connecting again, as the server said, or None.
    """

    def __init__(self, max_bytes: int) -> None:
        self.last_id = ""
        self.retry: float | None = None
        super().__init__(max_bytes)

    def resume(self, last_id: str) -> None:
        """Go on after that id: events without one carry it."""
        self.last_id = self._id = last_id

    def _fresh(self) -> None:
        super()._fresh()
        self._first = True  # whether the first line, which a BOM may lead, is still to come
        self._after_cr = False
        self._data: list[bytes] = []
        self._event = ""
        self._id = self.last_id
        self._size = 0

    def _lex(self, data: bytes, messages: list[ServerEvent]) -> None:
        lines = self._lines(data)
        if self._first and lines:
            self._first, lines[0] = False, lines[0].removeprefix(_BOM)
        for line in lines:
            if line:
                self._line(line)
            elif (event := self._dispatch()) is not None:
                messages.append(event)
        self._check(len(self._tail))

    def _split(self, data: bytes) -> list[bytes]:
        # CRLF may be cut in two: its CR has ended the line already.
        whole = data[1:] if self._after_cr and data[:1] == b"\n" else data
        self._after_cr = data[-1:] == b"\r" if data else self._after_cr
        # bytes.splitlines ends lines at LF, CR and CRLF, and nowhere else.
        ended = whole[-1:] in (b"", b"\n", b"\r")
        return [*whole.splitlines(), b""] if ended else whole.splitlines()

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
            self.retry = int(value.lstrip(b"0")[:_DIGITS] or b"0") / 1000

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

    def _left(self) -> int:
        return len(self._tail) + self._size
