"""Which words a line should not end with, and which word of a line is the guide."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib import resources

__all__ = [
    "EDGE",
    "SHARE",
    "WORD",
    "centre_word",
    "function_words",
    "inside",
    "known_words",
]


@cache
def known_words() -> dict[str, frozenset[str]]:
    """Return the words that belong to what follows, lower case, by language.

    A line that ends with one tears a phrase: articles, prepositions, conjunctions, possessives,
    auxiliaries. A line of ``function_words.txt`` has a language and its words.
    """
    text = resources.files("penstock.reading").joinpath("function_words.txt").read_text("utf-8")
    lines = (line.split() for line in text.splitlines())
    return {language: frozenset(words) for language, *words in lines}


def function_words(language: str) -> frozenset[str]:
    """Return the words of ``language`` a line should not end with; none where none are known.

    >>> "the" in function_words("en-GB"), function_words("xx")
    (True, frozenset())
    """
    return known_words().get(language.partition("-")[0].lower(), frozenset())


# Letters and digits with what holds them together inside; combining marks belong to their letter.
WORD = re.compile(
    r"[^\W_](?:[^\W_]|[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0903\u093a-\u094f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u200c\u200d]|(?:['’.-](?=[^\W_])))*"
)

# The eye lands best between a word's start and its middle (Brysbaert & Nazir 2005; O'Regan);
# in Hebrew and Arabic the asymmetry is weaker.
SHARE, SHARE_RTL = 0.4, 0.5


def centre_word(line: str, *, rtl: bool = False) -> tuple[int, int] | None:
    """Return where the word begins and ends whose best viewing position is nearest the axis.

    A line of one word gets none: there is nothing to choose, and the word is at the axis.
    A tie goes to the earlier word.

    >>> line = "that he had seen the carriage"
    >>> line[slice(*centre_word(line))]
    'seen'
    """
    share = SHARE_RTL if rtl else SHARE
    axis = len(line.rstrip()) / 2
    spans = [match.span() for match in WORD.finditer(line)]
    if len(spans) < 2:
        return None
    return min(spans, key=lambda span: abs(span[0] + share * (span[1] - span[0]) - axis))


EDGE = "“”‘’\"'()[]{}.,;:!?…—–-«»*_/"


@lru_cache(maxsize=1 << 14)
def inside(word: str) -> tuple[int, int] | None:
    """Return where the one word in what stands between two blanks begins and ends, if it is one.

    >>> inside("“Anna’s,"), inside("spoke—and")
    ((1, 7), None)
    """
    bare = word.strip(EDGE)
    if not bare or not (bare.isalnum() or WORD.fullmatch(bare)):
        return None
    start = word.index(bare)
    return start, start + len(bare)
