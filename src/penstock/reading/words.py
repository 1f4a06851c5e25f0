"""Which words a line should not end with, and which word of a line is the guide."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = [
    "EDGE",
    "FUNCTION_WORDS",
    "SHARE",
    "WORD",
    "centre_word",
    "function_words",
    "inside",
]

# Words that belong to what follows: a line that ends with one tears a phrase. Articles,
# prepositions, conjunctions, possessives, auxiliaries. Lower case, by language.
FUNCTION_WORDS: dict[str, frozenset[str]] = {
    "en": frozenset(
        "a an the this that these those my your his her its our their whose which who what "
        "some any no every each all both of to in on at by for from with into upon over under "
        "about after before between through during without within against among toward "
        "towards than as like and or but nor so yet if when while because although though "
        "unless until since whether where how why is are was were be been am has have had do "
        "does did will would shall should can could may might must not i he she it we they "
        "you there very too more most such".split()
    ),
    "de": frozenset(
        "der die das den dem des ein eine einen einem einer eines kein keine mein dein sein "
        "ihr unser euer und oder aber denn sondern weil dass daß wenn ob als wie zu in im an "
        "am auf aus bei beim mit nach von vom vor für durch gegen ohne um über unter zwischen "
        "ist sind war waren wird werden hat haben hatte nicht sehr so ich du er sie es wir".split()
    ),
    "fr": frozenset(
        "le la les un une des du de d l à au aux en dans sur sous par pour avec sans chez "
        "vers et ou mais donc or ni car que qui dont où si ce cet cette ces mon ton son ma ta "
        "sa mes tes ses notre votre leur nos vos leurs est sont était a ont ne se je tu il "
        "elle nous vous ils elles très plus".split()
    ),
    "es": frozenset(
        "el la los las un una unos unas de del a al en con por para sin sobre entre hasta "
        "desde y e o u pero ni que si como cuando donde mi tu su mis tus sus este esta ese "
        "esa es son era fue ha han no se le lo muy más".split()
    ),
    "it": frozenset(
        "il lo la i gli le un uno una di a da in con su per tra fra del dello della dei degli "
        "delle al allo alla ai agli alle dal nel nella sul sulla e ed o ma che se come quando "
        "dove mio tuo suo è sono era ha hanno non si ci molto più".split()
    ),
    "pt": frozenset(
        "o a os as um uma uns umas de do da dos das em no na nos nas a ao à com por para sem "
        "sobre entre e ou mas que se como quando onde meu seu sua é são era foi tem não muito "
        "mais".split()
    ),
    "fi": frozenset("ja tai mutta että jos kun kuin on ovat oli ei se ne hän he minä sinä".split()),
    "nl": frozenset(
        "de het een en of maar want dat die dit deze van in op aan bij met voor naar uit over "
        "onder door om te is zijn was waren wordt heeft niet er zo als mijn zijn haar ons".split()
    ),
    "pl": frozenset(
        "i a o u w z we ze na do od po za że się nie to jest są lub ale czy jak dla przy".split()
    ),
    "ru": frozenset(
        "и а но или в во на с со к ко у о об от до из за по под над при для без не ни что как "
        "когда если чтобы то это его её их мой твой свой был была было были".split()
    ),
}


def function_words(language: str) -> frozenset[str]:
    """Return the words of ``language`` a line should not end with; none where none are known.

    >>> "the" in function_words("en-GB"), function_words("xx")
    (True, frozenset())
    """
    return FUNCTION_WORDS.get(language.partition("-")[0].lower(), frozenset())


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
