"""One message each of the services one rehearses for: templates filled from a seed and a number."""

from __future__ import annotations

import base64
import hashlib

__all__ = [
    "JETSTREAM_START",
    "change",
    "commit",
    "edit",
    "post",
    "revision",
    "text_of",
    "toot",
    "tweet",
    "tweet_gone",
    "watched",
]

_TEXTS = (
    "gate open — water running 🌊",
    "reading about\u2028backpressure, “quoted”",
    "quota back at noon: café first",
    "日本語のつぶやき\u0085 with a next-line",
    "an escaped \\u2028 and \\ud83c\\udf0a, and é",
    'C:\\\\data\\tdone \\"Bo\\" Ångström',
    "form\\ffeed and a raw \x7f, ünsplit",
    "http://people.example/?a=1&b=ä",
)
_BEYOND_FLOAT = 2**53 + 1
JETSTREAM_START = 1_700_000_000_000_000  # microseconds since 1970


def text_of(seed: int, number: int, padding: int) -> str:
    """Return a text that is awkward in one way or another, and tells its number."""
    digest = hashlib.blake2b(b"%d:%d" % (seed, number), digest_size=4).digest()
    return f"{_TEXTS[digest[0] & 7]} #{number}" + "." * padding


def tweet(seed: int, n: int, text: str) -> str:
    """Return a tweet of Twitter v1.1."""
    # A line feed may stand within a message of Twitter's, a carriage return may not.
    break_ = "\n " if n % 5 == 0 else ""
    return (
        f'{{"created_at":"Sat Nov 21 20:{n // 60 % 60:02d}:{n % 60:02d} +0000 2026",{break_}'
        f'"id":{n},"id_str":"{n}","text":"{text}","user":{{"id":{_BEYOND_FLOAT + n % 97},'
        f'"screen_name":"user_{n % 97}","followers_count":{n * 31 % 10007}}},'
        f'"retweet_count":{seed % 7},"entities":{{"hashtags":[],"urls":[]}},"lang":"en"}}'
    )


def tweet_gone(n: int) -> str:
    """Return Twitter's notice that a tweet was deleted."""
    return f'{{"delete":{{"status":{{"id":{n},"id_str":"{n}","user_id":3,"user_id_str":"3"}}}}}}'


def post(_seed: int, n: int, text: str) -> str:
    """Return a post of X v2."""
    return (
        f'{{"data":{{"id":"{n}","text":"{text}","edit_history_tweet_ids":["{n}"]}},'
        f'"matching_rules":[{{"id":"1","tag":"water"}}]}}'
    )


def toot(_seed: int, n: int, text: str) -> str:
    """Return a status of Mastodon."""
    return f'{{"id":"{n}","content":"<p>{text}</p>","account":{{"id":"{n % 97}","acct":"a@b"}}}}'


def edit(_seed: int, n: int, text: str) -> str:
    """Return a recent change of Wikimedia; every fiftieth is a canary."""
    return (
        f'{{"$schema":"/mediawiki/recentchange/1.0.0","meta":{{"id":"edit-{n}",'
        f'"domain":"{"canary" if n % 50 == 0 else "en.wikipedia.org"}","offset":{n}}},'
        f'"id":{n},"type":"edit","title":"{text}"}}'
    )


def change(_seed: int, n: int, text: str) -> str:
    """Return a change of CouchDB."""
    return (
        f'{{"seq":"{n}-g1AAAA","id":"doc-{n}","changes":[{{"rev":"1-{n:08x}"}}],'
        f'"doc":{{"_id":"doc-{n}","text":"{text}"}}}}'
    )


def watched(_seed: int, n: int, text: str) -> str:
    """Return an object that Kubernetes watches."""
    return (
        f'{{"type":"ADDED","object":{{"kind":"Pod","apiVersion":"v1","metadata":{{"name":"pod-{n}",'
        f'"uid":"uid-{n}","resourceVersion":"{n}","annotations":{{"note":"{text}"}}}}}}}}'
    )


def revision(_seed: int, n: int, text: str) -> str:
    """Return a response of etcd with one event."""
    key, value = (base64.b64encode(part.encode()).decode() for part in (f"key-{n}", text))
    return (
        f'{{"result":{{"header":{{"revision":"{n}"}},"events":[{{"kv":{{"key":"{key}",'
        f'"create_revision":"{n}","mod_revision":"{n}","version":"1","value":"{value}"}},'
        f'"note":"é"}}]}}}}'
    )


def commit(_seed: int, n: int, text: str) -> str:
    """Return a commit of Jetstream."""
    return (
        f'{{"did":"did:plc:penstock{n % 97}","time_us":{JETSTREAM_START + n * 1000},'
        f'"kind":"commit","commit":{{"rev":"r{n}","operation":"create",'
        f'"collection":"app.bsky.feed.post","rkey":"{n}","record":{{"text":"{text}"}}}}}}'
    )
