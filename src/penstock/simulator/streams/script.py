"""What a connection tells, step by step: a generator over state and time, without sockets."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, final

from penstock.simulator.streams.coding import Coder
from penstock.simulator.streams.framing import FRAMINGS, close_frame
from penstock.simulator.streams.log import StreamLog
from penstock.simulator.streams.settings import EndingKind, ScriptedEnding
from penstock.simulator.streams.shapes import SHAPES, UNDELIVERED, message

__all__ = ["Last", "Play", "Script", "Step", "ending_of"]

RANDOM: tuple[EndingKind, ...] = ("close", "reset", "truncate", "character")
TOGETHER = 32 * 1024  # bytes that go out in one write, where they are there at once

Last = Literal["close", "reset", "stall"]


class Step(NamedTuple):
    """Write ``data``; then be quiet for ``wait`` seconds, or end."""

    data: bytes = b""
    wait: float = 0.0
    last: Last | None = None


class Play(NamedTuple):
    """What a connection performs: steps, and whom to tell of a heartbeat's answer."""

    steps: Iterator[Step]
    pong: Callable[[], None]
    socket: bool


def ending_of(log: StreamLog, seed: int, connect: int) -> ScriptedEnding:
    """Return how the connection number ``connect``, from 0, ends.

    ``random`` draws a kind, and a length up to twice the one given, from the seed.
    """
    ends = log.settings.ends
    ending = ends[min(connect, len(ends) - 1)]
    if ending.kind != "random":
        return ending
    draw = random.Random(f"{seed} {connect}")
    return ScriptedEnding(draw.choice(RANDOM), draw.randint(0, 2 * (ending.after or 100)))


@final
class Script:
    """One connection's steps.

    Args:
        log: The stream, and where it is counted.
        seed: What the messages follow from.
        start: The number of the last message that is not told again.
        ending: How it ends.
        gzipped: Whether the client accepts gzip.
        clock: Gives monotonic seconds.
    """

    def __init__(
        self,
        log: StreamLog,
        seed: int,
        start: int,
        ending: ScriptedEnding,
        *,
        gzipped: bool,
        clock: Callable[[], float],
    ) -> None:
        self._log = log
        self._seed = seed
        self._number = start
        self._ending = ending
        self._clock = clock
        settings = log.settings
        self._shape = SHAPES[settings.shape]
        self._framing = FRAMINGS[settings.framing]
        self._coder = Coder(settings, gzipped=gzipped)
        self._socket = settings.framing == "websocket"
        self._taken = 0  # bytes the coder has had
        self._ends: deque[tuple[int, int]] = deque()  # (byte it ends at, number) of held messages
        self._limit = 0

    def begin_at(self, number: int) -> None:
        """Begin behind another message."""
        self._number = number

    def pong(self) -> None:
        """Count an answer to a heartbeat."""
        self._log.pongs += 1

    def steps(self) -> Iterator[Step]:
        """Yield what to do next, without end or up to the ending."""
        if self._shape.hello:
            yield Step(self._put(self._shape.hello.encode()))
        after = math.inf if self._ending.after is None else self._ending.after
        last = min(self._number + after, self._log.settings.messages)
        complete = self._number + after <= last or self._ending.after is None
        together: list[bytes] = []
        size = 0
        while self._number < last:
            due = self._due()
            if due > 0:
                if together:
                    yield self._gone(together, self._coder.flush())
                yield from self._quiet(due)
                size = 0
                continue
            together.append(self._next())
            size += len(together[-1])
            if size >= TOGETHER:
                yield self._gone(together)
                size = 0
        yield self._gone(together, self._coder.flush())
        # An ending that was to come after more messages than there are does not come.
        yield from self._end() if complete else self._hold()

    def refusal(self, text: str) -> Iterator[Step]:
        """Yield one message of the service's own and a clean end."""
        data = self._put(text.encode())
        yield Step(data + self._proper_end(), last="close")

    def _due(self) -> float:
        """Return the seconds until the next message is published."""
        log, rate = self._log, self._log.settings.rate
        if not rate:
            return 0.0
        return log.began + (self._number + 1) / rate - self._clock()

    def _next(self) -> bytes:
        self._number += 1
        number, log = self._number, self._log
        data = message(log.settings.shape, self._seed, number, log.settings.size)
        framed = self._framing.put(data, self._shape.event, self._shape.event_id(number))
        self._ends.append((self._taken + len(framed), number))
        return self._take(framed) + self._notices(number)

    def _notices(self, number: int) -> bytes:
        settings, log, shape = self._log.settings, self._log, self._shape
        said: list[bytes] = []
        if shape.limit is not None and _turn(settings.limits, number):
            self._limit += UNDELIVERED
            log.undelivered += UNDELIVERED
            said.append(self._say("limit", shape.limit(self._limit)))
        if shape.delete is not None and _turn(settings.deletes, number) and number > 1:
            log.deleted[number - 1] = None
            said.append(self._say("delete", shape.delete(number - 1)))
        if shape.warning is not None and _turn(settings.warnings, number):
            said.append(self._say("warning", shape.warning))
        if _turn(settings.unknown, number):
            said.append(self._say("unknown", '{"sluice":{"é":[1,2]}}'))
        return b"".join(said)

    def _say(self, kind: str, text: str) -> bytes:
        self._log.notices[kind] += 1
        return self._put(text.encode(), kind)

    def _put(self, data: bytes, kind: str = "") -> bytes:
        event = "delete" if kind == "delete" and self._shape.event == "update" else ""
        return self._take(self._framing.put(data, event, ""))

    def _take(self, data: bytes) -> bytes:
        self._taken += len(data)
        return self._coder.take(data)

    def _gone(self, together: list[bytes], rest: bytes = b"") -> Step:
        data = b"".join(together) + rest
        together.clear()
        self._count()
        return Step(data)

    def _count(self) -> None:
        gone = self._taken - self._coder.held
        while self._ends and self._ends[0][0] <= gone:
            self._log.told(self._ends.popleft()[1])

    def _quiet(self, seconds: float) -> Iterator[Step]:
        """Be quiet for so long, but for heartbeats."""
        beat = self._log.settings.beat
        while beat and seconds > beat:
            yield Step(wait=beat)
            yield self._beat()
            seconds -= beat
        yield Step(wait=seconds)

    def _beat(self) -> Step:
        self._log.beats += 1
        return Step(self._take(self._framing.beat) + self._coder.flush())

    def _hold(self) -> Iterator[Step]:
        beat = self._log.settings.beat
        while True:
            yield Step(wait=beat or 3600.0)
            if beat:
                yield self._beat()

    def _end(self) -> Iterator[Step]:
        kind = self._ending.kind
        if kind == "hold":
            yield from self._hold()
        self._log.endings[kind] += 1
        match kind:
            case "reset" | "stall":
                yield Step(last=kind)
            case "truncate" | "character":
                yield Step(self._cut(within_character=kind == "character"), last="close")
            case _:
                yield self._close()

    def _close(self) -> Step:
        data = b""
        if self._ending.kind == "disconnect" and self._shape.disconnect is not None:
            data = self._say("disconnect", self._shape.disconnect)
        return Step(data + self._proper_end(), last="close")

    def _proper_end(self) -> bytes:
        return close_frame(1000) if self._socket else self._coder.end()

    def _cut(self, *, within_character: bool) -> bytes:
        """Return the beginning of one more message: half its wire bytes, or half a character."""
        number = self._number + 1
        data = message(self._log.settings.shape, self._seed, number, self._log.settings.size)
        framed = self._framing.put(data, self._shape.event, self._shape.event_id(number))
        if not within_character:
            wire = self._coder.take(framed) + self._coder.flush()
            return wire[: len(wire) // 2]
        head = len(framed) - len(data) if self._socket else 0
        place = next(at for at in range(head, len(framed)) if framed[at] >= 0xC0)
        return self._coder.take(framed[: place + 1]) + self._coder.flush()


def _turn(every: int, number: int) -> bool:
    return bool(every) and number % every == 0
