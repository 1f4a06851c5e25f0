"""How long a line is shown: its words, and rests at punctuation and at a paragraph's end."""

from __future__ import annotations

import re
from collections.abc import Iterable

from penstock.reading.words import WORD

__all__ = ["fairness", "seconds", "weight"]

SHORT = re.compile(r"[,;:\u2014]")
LONG = re.compile(r"[.!?\u2026](?=[\s”’\"')]|$)")


def weight(line: str, *, last: bool) -> float:
    """Return a line's share of time in words: half a word's rest at a comma, one at a full stop.

    >>> weight("He came, he saw.", last=True)
    6.5
    """
    words = sum(1 for _ in WORD.finditer(line))
    return words + len(SHORT.findall(line)) / 2 + len(LONG.findall(line)) + last


def fairness(texts: Iterable[str], words: int = 3000) -> float:
    """Return the factor that pays for the rests, so that the speed shown is the speed read at.

    >>> fairness(["one two three."])
    0.6
    """
    seen = weighed = 0.0
    for text in texts:
        seen += sum(1 for _ in WORD.finditer(text))
        weighed += weight(text, last=True)
        if seen >= words:
            break
    return seen / weighed if weighed else 1.0


def seconds(line: str, speed: int, fair: float, *, last: bool) -> float:
    """Return how long a line is shown at ``speed`` words a minute, in seconds."""
    return weight(line, last=last) * fair * 60 / speed
