"""What stays together on a line: words, phrases of Chinese, Japanese and Thai, syllables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import final

from penstock.errors import MissingExtra
from penstock.reading.fill import Unit
from penstock.reading.font_metrics import advance
from penstock.reading.settings import Look
from penstock.reading.text_map import Shadow
from penstock.reading.words import EDGE, WORD, function_words

__all__ = ["COMPOUNDING", "UNBREAKABLE", "UNSPACED", "UNSPACED_SHARE", "long_words", "units_of"]

UNSPACED = re.compile(
    r"[\u2e80-\u303f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef\u0e01-\u0e5b]{8}"
)
# Scripts without blanks for which no safe breaks are known here: Lao, Tibetan, Burmese, Khmer.
UNBREAKABLE = re.compile(r"[\u0e81-\u0fff\u1000-\u109f\u1780-\u17ff]{8}")
KANA, THAI = re.compile(r"[\u3040-\u30ff]"), re.compile(r"[\u0e01-\u0e5b]")
# A line must not begin with these, nor end with those (JIS X 4051, UAX #14 classes CL, NS, EX, OP).
NOT_FIRST = (
    "、。，．・：；？！）］｝〉》」』】〕〙〗’”ぁぃぅぇぉっゃゅょゎァィゥェォッ"
    "ャュョヮーゝゞ々,.:;?!)]}»%…‥"
)
NOT_LAST = "（［｛〈《「『【〔〘〖‘“([{«"
# Lines of Chinese and Japanese are set at this share of the width: about eleven characters at
# 30 columns, where a fixation covers fewer of them than of letters.
UNSPACED_SHARE = 0.75


# A letter of the widest typewriter face among the fonts measured, in em.
TYPEWRITER = 0.62


@cache
def _parser(language: str) -> Callable[[str], list[str]]:
    try:
        import budoux
    except ImportError as error:
        what = "breaking Chinese, Japanese and Thai at phrases"
        raise MissingExtra(what, "budoux", "reading") from error
    parsers = {
        "ja": budoux.load_default_japanese_parser,
        "th": budoux.load_default_thai_parser,
        "zh-hant": budoux.load_default_traditional_chinese_parser,
        "zh-hans": budoux.load_default_simplified_chinese_parser,
    }
    parse: Callable[[str], list[str]] = parsers[language]().parse
    return parse


def script_of(text: str, language: str) -> str:
    """Return whose phrases ``text`` is made of: ``ja``, ``th``, ``zh-hant`` or ``zh-hans``.

    >>> script_of("\u3053\u308c", ""), script_of("\u6f22", "zh-TW")
    ('ja', 'zh-hant')
    """
    if KANA.search(text) or language.lower().startswith("ja"):
        return "ja"
    if THAI.search(text):
        return "th"
    traditional = ("zh-tw", "zh-hk", "zh-mo", "zh-hant")
    return "zh-hant" if language.lower().startswith(traditional) else "zh-hans"


@cache
def _hyphenator(language: str) -> Callable[[str], list[int]] | None:
    try:
        import pyphen
    except ImportError:
        return None
    if language.partition("-")[0] == "fi":
        return finnish_syllables
    known = pyphen.language_fallback(language.replace("-", "_")) if language else None
    if not known:
        return None
    found = pyphen.Pyphen(lang=known)

    def positions(word: str) -> list[int]:
        return [int(position) for position in found.positions(word)]

    return positions


def finnish_syllables(word: str) -> list[int]:
    """Return where a Finnish word may be hyphenated: before each consonant with a vowel after it.

    The rule of the language's own grammars; two letters stay on either side.

    >>> finnish_syllables("lentokone")
    [3, 5, 7]
    """
    starts = re.finditer(r"[^\W\d_aeiouyåäö](?=[aeiouyåäö])", word.lower())
    return [match.start() for match in starts if 2 <= match.start() <= len(word) - 2]


# Languages of long compounds are hyphenated where lines would stay half empty, others only where
# a word is longer than a line.
COMPOUNDING = frozenset("de fi nl sv da nb nn no hu et is tr".split())


def long_words(language: str, width: int) -> int:
    """Return from how many letters on a word is worth a hyphen."""
    return max(9, width // 2) if language.partition("-")[0].lower() in COMPOUNDING else width + 1


def units_of(shadow: Shadow, look: Look, language: str, start: int, stop: int) -> list[Unit]:
    """Return the units of the columns from ``start`` to ``stop``, counted from ``start``."""
    return _Splitter(shadow, look, language, start, stop).units()


@final
class _Splitter:
    def __init__(self, shadow: Shadow, look: Look, language: str, start: int, stop: int) -> None:
        self.look = look
        self.language = language
        self.code = [(begin - start, end - start) for begin, end in shadow.code]
        self.soft = {column + 1 - start for column in shadow.soft}
        # One letter may take two columns: where each letter begins, and the letters alone.
        begins = [column for column in shadow.letters() if start <= column < stop]
        self.columns = [*(column - start for column in begins), stop - start]
        self.letters = "".join(shadow.text[n] for n in begins)
        self.stops = function_words(language)
        self.least = long_words(language, int(look.width if not look.em else look.width * 1.8))

    def units(self) -> list[Unit]:
        found: list[Unit] = []
        for start, stop, blanks in self._words():
            word = self.letters[start:stop]
            at = start
            for part in self._parts(word):
                last = at + len(part) == stop
                found.append(self._unit(at, at + len(part), blanks if last else 0))
                at += len(part)
        return found

    def _words(self) -> Iterator[tuple[int, int, int]]:
        for match in re.finditer(r"([^ ]+)( *)", self.letters):
            yield match.start(), match.end(1), len(match[2])

    def _parts(self, word: str) -> list[str]:
        """Split a word: at phrases where it is made of them, after dashes elsewhere."""
        if not UNSPACED.search(word) and not (len(word) > 3 and UNSPACED.search(word * 8)):
            dashes = "\u2014-" if len(word) >= self.least else "\u2014"  # its own hyphens first
            return re.split(rf"(?<=[{dashes}])(?=\w)", word)
        parts: list[str] = []
        for part in _parser(script_of(word, self.language))(word):
            if parts and (part[0] in NOT_FIRST or parts[-1][-1] in NOT_LAST):
                parts[-1] += part
            else:
                parts.append(part)
        return [piece for part in parts for piece in self._short(part)]

    def _short(self, part: str) -> Iterator[str]:
        """Split a phrase that is longer than a line where its script allows."""
        most = max(2, int(self.look.width * (1 if self.look.em else 0.5) * UNSPACED_SHARE))
        while len(part) > most and UNSPACED.search(part):
            at = most
            while at > 1 and (part[at] in NOT_FIRST or part[at - 1] in NOT_LAST):
                at -= 1
            yield part[:at]
            part = part[at:]
        yield part

    def _unit(self, start: int, stop: int, blanks: int) -> Unit:
        word = self.letters[start:stop]
        first, last = self.columns[start], self.columns[stop]
        bare = word.strip("“‘(").lower()
        ends = 2 if word[-1] in ",;:.!?…”’)]»、。，；：？！」』" else int(bare not in self.stops)
        coded = any(begin < last and first < end for begin, end in self.code)
        cuts: tuple[tuple[int, float], ...] = ()
        letters = bare.strip(EDGE).replace("-", "").isalpha()  # no address, no path
        if self.look.hyphenate and letters and len(word) >= self.least and not coded:
            cuts = tuple(self._cuts(start, stop))
        if not self.look.em:
            return Unit(first, self.columns[stop + blanks], last - first, blanks, 0, ends, cuts)
        width = advance(word)
        if coded:
            width = max(width, TYPEWRITER * len(word))
        bold = max(0.0, advance(word, "widest_bold") - width)
        after = self.columns[stop + blanks]
        return Unit(first, after, width, advance(" " * blanks), bold, ends, cuts)

    def _cuts(self, start: int, stop: int) -> Iterator[tuple[int, float]]:
        soft = [at for at in range(start + 1, stop) if self.columns[at] in self.soft]
        if soft:  # the book's own marks say where
            yield from (self._cut(start, at) for at in soft)
            return
        hyphens = _hyphenator(self.language)  # its rules take a while to load: not before a word is
        if hyphens is None:
            return
        for match in WORD.finditer(self.letters, start, stop):
            for position in hyphens(match[0]):
                yield self._cut(start, match.start() + position)

    def _cut(self, start: int, at: int) -> tuple[int, float]:
        """Return a place for a hyphen and the width before it."""
        width = float(self.columns[at] - self.columns[start] + 1)
        if self.look.em:
            width = advance(self.letters[start:at] + "-")
        return self.columns[at], width
