"""The one gate between us and a terminal: nothing foreign steers it, no secret of ours passes.

Everything that a command prints goes through :class:`Screen`, and what rich draws through
:func:`console`. Data that is exported to a pipe is left as it is.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO, final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from rich.text import Text

from penstock.redaction import redacted
from penstock.visible import visible

__all__ = ["console", "marked", "screened", "unscreened"]


@final
class Screen(io.TextIOWrapper):
    """A standard stream that shows control characters instead of sending them."""

    def write(self, text: str) -> int:
        """Write ``text`` as it may be seen; return its length."""
        super().write(visible(redacted(text)))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:  # type: ignore[override] # texts
        """Write ``lines``, likewise."""
        for line in lines:
            self.write(line)

    @property
    def buffer(self) -> io.BufferedIOBase:  # type: ignore[override] # a writer of ours
        """Where bytes go: to a terminal as text does, to a file or a pipe as they are."""
        return _Shown(self) if self.isatty() else super().buffer  # type: ignore[return-value] # binary


@final
class _Shown(io.BufferedIOBase):
    """The binary side of a terminal."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def writable(self) -> bool:
        """Return that it is."""
        return True

    def write(self, data: bytes, /) -> int:  # type: ignore[override] # bytes is all that comes
        """Write UTF-8 text as it may be seen; return its length."""
        self._screen.write(bytes(data).decode("utf-8", "backslashreplace"))
        return len(data)

    def flush(self) -> None:
        """Send what was written."""
        self._screen.flush()


@contextmanager
def screened() -> Iterator[None]:
    """Put the gate before standard output and standard error while the block runs."""
    before = sys.stdout, sys.stderr
    for stream in before:
        stream.flush()
    sys.stdout, sys.stderr = map(_screen, before)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            finally:
                if isinstance(stream, Screen):
                    stream.detach()
        sys.stdout, sys.stderr = before


def _screen(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream  # what is printed is caught: no terminal sees it
    encoding = (
        "utf-8" if stream.encoding.lower() in ("ascii", "ansi_x3.4-1968") else stream.encoding
    )
    return Screen(
        stream.buffer,
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


@contextmanager
def unscreened() -> Iterator[None]:
    """Take the gate away for a block that draws for itself, of text that it has cleaned."""
    before = sys.stdout
    before.flush()
    sys.stdout = sys.__stdout__ or before
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stdout = before


@final
class _Console(Console):
    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the segments of ``renderable`` with their text as it may be seen."""
        for segment in super().render(renderable, options):
            if segment.control is None:
                yield Segment(visible(redacted(segment.text)), segment.style)
            else:
                yield segment


def console(*, stderr: bool = False) -> Console:
    """Return what draws tables and bars: its texts are texts, whatever brackets are in them."""
    stream = sys.stderr if stderr else sys.stdout
    if isinstance(stream, Screen):
        stream = sys.__stderr__ if stderr else sys.__stdout__
    return _Console(file=stream, markup=False, emoji=False)


def marked(template: str, *values: object) -> Text:
    """Return styled text: rich's markup of ours, filled with values that are no markup.

    >>> marked("[bold]{}[/] rows", "[red]3").plain
    '[red]3 rows'
    """
    return Text.from_markup(template.format(*(escape(str(value)) for value in values)))
