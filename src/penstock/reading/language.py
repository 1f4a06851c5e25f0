"""The language of a text: as it says, by its script, or by its most frequent words."""

from __future__ import annotations

import re
from collections import Counter

from penstock.reading.words import known_words

__all__ = ["LANGUAGE", "language_of"]

LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")
# Scripts that stand for one language more often than for any other; kana before Han.
SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("uk", re.compile(r"[\u0454\u0456\u0457\u0491]")),
    ("ru", re.compile(r"[\u0430-\u044f\u0451]")),
    ("el", re.compile(r"[\u03b1-\u03c9]")),
    ("he", re.compile(r"[\u05d0-\u05ea]")),
    ("ur", re.compile(r"[\u0679\u0688\u0691\u06ba\u06d2]")),
    ("fa", re.compile(r"[\u067e\u0686\u0698\u06a9\u06af\u06cc]")),
    ("ar", re.compile(r"[\u0620-\u064a]")),
    ("th", re.compile(r"[\u0e01-\u0e5b]")),
    ("hi", re.compile(r"[\u0904-\u0939]")),
    ("hy", re.compile(r"[\u0561-\u0586]")),
    ("ka", re.compile(r"[\u10d0-\u10ff]")),
)
SAMPLE = 20_000
LEAST = 0.12  # of the words of a text are words that tie others together, in its own language more


def language_of(text: str, *said: str | None) -> str:
    """Return the language of ``text``: the first usable one of ``said``, else what it looks like.

    >>> language_of("", "de_CH"), language_of("那时已经很晚了", None)
    ('de-CH', 'zh')
    >>> language_of("Il était une fois une petite fille qui ne voulait pas de la soupe.")
    'fr'
    """
    for one in said:
        tag = (one or "").split(",")[0].strip().replace("_", "-")
        if LANGUAGE.fullmatch(tag) and tag.lower() not in ("und", "zxx", "mul"):
            return tag
    sample = text[:SAMPLE].lower()
    letters = sum(map(str.isalpha, sample))
    for name, script in SCRIPTS:
        share = 0.02 if name in ("ja", "uk", "ur", "fa") else 0.3
        if letters and len(script.findall(sample)) >= share * letters:
            return name
    words = Counter(re.findall(r"[^\W\d_]+", sample))
    total = sum(words.values())
    found = {name: sum(words[word] for word in known) for name, known in known_words().items()}
    best = max(found, key=lambda name: found[name], default="en")
    return best if total and found[best] >= max(2, LEAST * total) else "en"  # one is a chance
