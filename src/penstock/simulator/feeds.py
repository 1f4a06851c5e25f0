"""What other rooms rehearse on: prices, a row a day, and articles. Seed and number say all."""

from __future__ import annotations

import hashlib
import json
import math
from datetime import date, timedelta
from functools import lru_cache

from penstock.simulator.users import row_json

__all__ = ["ASSETS", "DAYS", "article_json", "price_json"]

ASSETS = ("GATE", "PIPE", "WELL")
DAYS = 100_000  # that many days have prices; dates end some time later
_FIRST = date(2020, 1, 1)
_MIDDLE = (100.0, 40.0, 250.0)
_NEWS = (
    "The reservoir stood low in the morning, and the gates were opened by a hand only. ",
    "Nobody at the turbine hall could say whether rain would come before noon. ",
    "By noon the penstock ran full again; the needle of the gauge trembled and stayed. ",
    "What is let through today is measured, written down and kept: nothing is asked for twice. ",
)


def _noise(seed: int, what: str, number: int) -> float:
    digest = hashlib.blake2b(f"{seed}:{what}:{number}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**31 - 1.0


@lru_cache(maxsize=16_384)
def price_json(seed: int, day: int) -> str:
    """Return the prices of one day: around a level, in slow waves, with noise.

    >>> print(price_json(1, 0))
    {"day":0,"date":"2020-01-01","GATE":100.01,"PIPE":40.41,"WELL":253.17}
    """
    prices = {
        name: round(
            middle * (1 + 0.1 * math.sin(day / (9 + 4 * number)) + 0.015 * _noise(seed, name, day)),
            2,
        )
        for number, (name, middle) in enumerate(zip(ASSETS, _MIDDLE, strict=True))
    }
    row = {"day": day, "date": (_FIRST + timedelta(days=day)).isoformat(), **prices}
    return json.dumps(row, separators=(",", ":"))


def article_json(seed: int, number: int) -> bytes:
    """Return an article: title, author, date, address, and its text as HTML.

    >>> json.loads(article_json(1, 7))["title"]
    'Water report 7'
    """
    author = json.loads(row_json(seed, number))["name"]
    count = 3 + int(2 * (1 + _noise(seed, "length", number)))
    news = [_NEWS[(number + step) % len(_NEWS)] for step in range(4 * count)]
    paragraphs = ["".join(news[start : start + 4]).strip() for start in range(0, len(news), 4)]
    article = {
        "id": number,
        "title": f"Water report {number}",
        "author": author,
        "published": (_FIRST + timedelta(days=number)).isoformat(),
        "url": f"https://reports.example/{number}",
        "html": "".join(f"<p>{text}</p>" for text in paragraphs),
    }
    return json.dumps(article, ensure_ascii=False).encode()
