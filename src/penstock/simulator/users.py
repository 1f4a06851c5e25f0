"""The people of the simulated service: each follows from the seed and the id alone.

Written by a template, not by a JSON encoder, since the server makes a body when it is asked for:
a million users cost no memory.
"""

from __future__ import annotations

import hashlib
import json
import random
from functools import lru_cache

from penstock.simulator.settings import SimulatorSettings

__all__ = ["deleted_ids", "follower_ids", "row_json", "user", "user_json"]

_NAMES = (
    "Ada Lovelace",
    "José Müller",
    "Zoë Ångström",
    "Łukasz Żak",
    "Ольга Петрова",
    "李小龙",
    "山田花子",
    "नीना शर्मा",
    "ليلى حسن",
    "Şule Çelik",
    "Søren Ø. Krag",
    "Grace Hopper",
    "김민준",
    "Θεοδώρα Νίκου",
    "Nguyễn Ánh",
    'O\'Brien \\"Bo\\" Smith',
)
_PLACES = ("Zürich", "São Paulo", "東京", "Reykjavík", "Kraków", "Αθήνα", "Nairobi", "Québec")
_TEXTS = (
    "gate open, water running 🌊",
    "reading about\\nbackpressure",
    "quota back at noon — café first ☕",
    "path C:\\\\data\\tdone",
    "日本語のつぶやき",
    "“quoted” text, en–dash, 100 % done",
    "retry, retry, succeed ✅",
    "line\\u2028separator and \\u0000 too",
)

# Integers from 2**53 + 1 on do not survive a reader that makes floats of numbers.
_BEYOND_FLOAT = 2**53 + 1

_USER = (
    '{"id":%(id)d,"id_str":"%(id)d","account":%(account)d,"name":"%(name)s",'
    '"screen_name":"user_%(id)d","location":"%(place)s",'
    '"description":"%(text)s Member number %(id)d, born of the seed %(seed)d; likes rivers, '
    'turbines and gates that close when the reservoir is low.",'
    '"url":"https://people.example/%(id)d","created_at":"20%(year)02d-%(month)02d-%(day)02dT08:30:'
    '%(second)02dZ","verified":%(verified)s,"followers_count":%(followers)d,'
    '"friends_count":%(friends)d,"rating":%(rating).3f,"time_zone":null,'
    '"languages":["en","%(language)s"],"lists":[%(list_one)d,%(list_two)d,%(list_three)d],'
    '"status":{"id":%(status)d,"text":"%(status_text)s","favorited":%(favorited)s,'
    '"retweet_count":%(retweets)d,"coordinates":{"lat":%(latitude).4f,"long":%(longitude).4f},'
    '"hashtags":[{"text":"penstock","indices":[0,9]},{"text":"%(language)s","indices":[10,12]}]},'
    '"entities":{"urls":[{"url":"https://p.example/%(short)x","expanded_url":'
    '"https://people.example/%(id)d/about?tab=posts&sort=new","indices":[0,22]},'
    '{"url":"https://p.example/%(short)x/2","expanded_url":null,"indices":[23,47]}],'
    '"mentions":[]},"profile":{"colors":["#%(short)06x","#0b7285"],"tiles":{"x":%(day)d,'
    '"y":%(month)d},"badges":[]}}'
)


def _digest(seed: int, user_id: int) -> bytes:
    return hashlib.blake2b(b"%d:%d" % (seed, user_id), digest_size=24).digest()


@lru_cache(maxsize=16_384)  # 16 MB: the usual server has them all ready
def user_json(seed: int, user_id: int) -> bytes:
    """Return the body of ``/users/{user_id}.json``: about 1 KB of UTF-8.

    >>> json.loads(user_json(1, 7))["status"]["coordinates"]
    {'lat': 33.402, 'long': 102.976}
    """
    d = _digest(seed, user_id)
    return (
        _USER
        % {
            "id": user_id,
            "seed": seed,
            "account": _BEYOND_FLOAT + int.from_bytes(d[0:6], "big"),
            "name": _NAMES[d[6] & 15],
            "place": _PLACES[d[7] & 7],
            "text": _TEXTS[d[8] & 7],
            "year": 8 + d[9] % 18,
            "month": 1 + d[10] % 12,
            "day": 1 + d[11] % 28,
            "second": d[12] % 60,
            "verified": "true" if d[13] & 1 else "false",
            "favorited": "true" if d[13] & 2 else "false",
            "language": ("de", "fr", "ja", "pt")[d[13] >> 6],
            "followers": int.from_bytes(d[14:17], "big"),
            "friends": d[17] * 7,
            "rating": d[18] / 51,
            "list_one": d[19],
            "list_two": d[20],
            "list_three": d[19] * d[20],
            "status": _BEYOND_FLOAT + int.from_bytes(d[16:23], "big"),
            "status_text": _TEXTS[d[21] & 7],
            "retweets": d[22],
            "latitude": d[22] * 0.7 - 90 + d[23] / 1000,
            "longitude": d[23] * 1.4 - 180 + d[22] / 1000,
            "short": int.from_bytes(d[1:4], "big"),
        }
    ).encode()


def row_json(seed: int, user_id: int) -> str:
    """Return the short form of a user that the list endpoints give.

    >>> print(row_json(1, 8))
    {"id":8,"screen_name":"user_8","name":"Søren Ø. Krag"}
    """
    name = _NAMES[_digest(seed, user_id)[6] & 15]
    return f'{{"id":{user_id},"screen_name":"user_{user_id}","name":"{name}"}}'


@lru_cache(maxsize=8)
def deleted_ids(seed: int, users: int, deleted: int) -> frozenset[int]:
    """Return the ids that answer 404.

    >>> len(deleted_ids(1, 100, 3))
    3
    """
    return frozenset(random.Random(seed).sample(range(users), deleted))


def user(settings: SimulatorSettings, user_id: int) -> dict[str, object]:
    """Return the user as the server with these settings gives it.

    Raises:
        LookupError: The server answers 404.

    >>> user(SimulatorSettings(), 7)["screen_name"]
    'user_7'
    """
    gone = deleted_ids(settings.seed, settings.users, settings.deleted)
    if not 0 <= user_id < settings.users or user_id in gone:
        raise LookupError(user_id)
    found: dict[str, object] = json.loads(user_json(settings.seed, user_id))
    return found


def follower_ids(settings: SimulatorSettings, user_id: int) -> range:
    """Return the ids that follow a user: from none to about three pages of them.

    >>> follower_ids(SimulatorSettings(), 7)
    range(8, 153)
    """
    digest = _digest(settings.seed, user_id)
    count = int.from_bytes(digest[4:6], "big") % (3 * settings.pages)
    first = min(user_id + 1, settings.users)
    return range(first, min(first + count, settings.users))
