"""The terminal itself: raw keys in, screens out, and everything as it was afterwards."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Callable

from penstock.clock import Clock
from penstock.errors import InputError
from penstock.reading.terminal import Reader

__all__ = ["run_reader"]

ENDS = {
    b"A": "up", b"B": "down", b"C": "right", b"D": "left", b"H": "home", b"F": "end",
    b"1~": "home", b"4~": "end", b"5~": "pageup", b"6~": "pagedown",
}  # fmt: skip
SEQUENCES = {
    **{begin + end: key for begin in (b"\x1b[", b"\x1bO") for end, key in ENDS.items()},
    b"=": "+", b"\x03": "q", b"\x04": "q", b"\r": "enter", b"\n": "enter", b"\x7f": "backspace",
    b"\x08": "backspace",
}  # fmt: skip
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


def keys_in(data: bytes) -> list[str]:
    r"""Return the keys that were pressed.

    >>> keys_in(b"j\x1b[B ")
    ['j', 'down', ' ']
    """
    keys: list[str] = []
    if data == b"\x1b":
        return ["escape"]
    while data:
        found = next((s for s in SEQUENCES if data.startswith(s)), b"")
        if found:
            keys.append(SEQUENCES[found])
            data = data[len(found) :]
        else:
            lead = data[0]
            length = 1 if lead < 0xC0 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
            keys.append(data[:length].decode("utf-8", "replace"))
            data = data[length:]
    return keys


def run_reader(reader: Reader, clock: Clock, moved: Callable[[], None]) -> None:
    """Show ``reader`` on the terminal until it is left.

    Args:
        reader: The book.
        clock: Times the pacer.
        moved: Called when the reader is left and each time the pacer stops, to keep the place.

    Raises:
        InputError: Standard input or output is no terminal.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("read open needs a terminal; use: penstock read make BOOK --to text")
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        sys.stdout.write(ENTER)
        _loop(reader, clock, descriptor, moved)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        sys.stdout.write(LEAVE)
        sys.stdout.flush()
        moved()


def _loop(reader: Reader, clock: Clock, descriptor: int, moved: Callable[[], None]) -> None:
    due = 0.0
    while not reader.done:
        _draw(reader)
        timeout = max(0.0, due - clock.monotonic()) if reader.playing else 1.0
        ready, _, _ = select.select([descriptor], [], [], timeout)
        if ready:
            was = reader.playing
            data = os.read(descriptor, 1024)
            for key in keys_in(data) if data else ["q"]:
                reader.press(key)
            if reader.playing and not was:
                due = clock.monotonic() + reader.line_time()
            elif was and not reader.playing:
                moved()
        elif reader.playing and clock.monotonic() >= due:
            reader.step(1)
            due = clock.monotonic() + reader.line_time()


def _draw(reader: Reader) -> None:
    size = os.get_terminal_size(sys.stdout.fileno())
    # A terminal that does not say its size has none: take the usual one.
    lines = reader.screen(max(20, size.columns or 80), max(4, size.lines or 24))
    sys.stdout.write("\x1b[H" + "\r\n".join(f"{line}\x1b[0m\x1b[K" for line in lines))
    sys.stdout.flush()
