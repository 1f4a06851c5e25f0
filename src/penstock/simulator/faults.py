"""Which request meets which fault: a pure function of the seed, the target and how often.

The n-th request for a target always meets the same fate, whatever else is asked for in between,
so a run can be repeated and a repeat of a request gets a draw of its own.
"""

from __future__ import annotations

import hashlib
import itertools
import zlib
from bisect import bisect_right
from typing import NamedTuple, final

from penstock.simulator.settings import FaultKind, SimulatorSettings

__all__ = ["Faults", "InjectedFault", "share"]


class InjectedFault(NamedTuple):
    """A fault and four bits of its own randomness, for the choices within a kind."""

    kind: FaultKind
    bits: int


@final
class Faults:
    """The draws of one server.

    >>> draws = Faults(SimulatorSettings(faults=0.5, mix=(("500", 1.0),)))
    >>> [draws.draw("/users/7.json", n) is not None for n in range(6)]
    [True, False, False, False, True, True]
    """

    def __init__(self, settings: SimulatorSettings) -> None:
        kinds = [(kind, weight) for kind, weight in settings.mix if weight > 0]
        self._seed = settings.seed
        self._rate = int(settings.faults * 2**64)
        self._kinds = [kind for kind, _ in kinds]
        self._bounds = list(itertools.accumulate(weight for _, weight in kinds))
        self._seen: dict[str, int] = {}

    def draw(self, target: str, count: int) -> InjectedFault | None:
        """Return what the ``count``-th request (from 0) for ``target`` meets."""
        if not self._rate:
            return None
        text = f"{self._seed}\0{target}\0{count}".encode()
        digest = hashlib.blake2b(text, digest_size=17).digest()
        if int.from_bytes(digest[:8], "big") >= self._rate:
            return None
        point = int.from_bytes(digest[8:16], "big") / 2**64 * self._bounds[-1]
        place = min(bisect_right(self._bounds, point), len(self._kinds) - 1)
        return InjectedFault(self._kinds[place], digest[16] & 15)

    def peek(self, target: str) -> InjectedFault | None:
        """Return what the next request for ``target`` meets."""
        return self.draw(target, self._seen.get(target, 0)) if self._rate else None

    def take(self, target: str) -> None:
        """Move on to the next draw of ``target``."""
        if self._rate:
            self._seen[target] = self._seen.get(target, 0) + 1


def share(seed: int, salt: str, target: str) -> float:
    """Return a number in [0, 1) that is the same for a target always.

    >>> share(1, "gzip", "/users/7.json") == share(1, "gzip", "/users/7.json")
    True
    """
    return zlib.crc32(f"{seed}{salt}{target}".encode()) / 2**32
