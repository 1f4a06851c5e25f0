"""How safe a write is when it is reported done: one word, and what each word gives up.

>>> DURABILITY["fast"].given_up
'what the primary took in its last moments before it died: rolled back without an error'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import final

from penstock.errors import InputError

__all__ = ["DURABILITY", "Durability", "durability_of"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Durability:
    """A promise about writes, in the words of the driver's options.

    Attributes:
        name: The word for it.
        options: Options of the connection that make it so, by their names in a URI.
        means: When a write is reported done.
        given_up: What may be lost although it was reported done.
    """

    name: str
    options: Mapping[str, str | int | bool]
    means: str
    given_up: str


_LEVELS = (
    Durability(
        name="safe",
        options={"w": "majority", "journal": True, "readConcernLevel": "majority"},
        means="a majority of the members has it in its journal; reads see only such writes",
        given_up="nothing, as long as a majority of the disks survives",
    ),
    Durability(
        name="memory",
        options={"w": "majority", "journal": False, "readConcernLevel": "majority"},
        means="a majority of the members has it, perhaps in memory only",
        given_up="the last 0.1 s, when a majority loses power at the same moment",
    ),
    Durability(
        name="fast",
        options={"w": 1, "journal": False, "readConcernLevel": "local"},
        means="the primary has it in memory; reads may see what is rolled back later",
        given_up="what the primary took in its last moments before it died: rolled back "
        "without an error",
    ),
    Durability(
        name="fire-and-forget",
        options={"w": 0, "retryWrites": False, "readConcernLevel": "local"},
        means="it was handed to the socket; no answer is waited for",
        given_up="any write, at any time, also refused ones (duplicate keys), without an error; "
        "nothing is retried",
    ),
)

DURABILITY: Mapping[str, Durability] = MappingProxyType({level.name: level for level in _LEVELS})
"""Every level by its name; ``safe`` is the default."""


def durability_of(name: str) -> Durability:
    """Return the level called ``name``.

    Raises:
        InputError: There is none of that name.
    """
    if name not in DURABILITY:
        known = ", ".join(repr(level) for level in DURABILITY)
        raise InputError(f"durability={name!r}: it is one of {known}")
    return DURABILITY[name]
