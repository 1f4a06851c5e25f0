"""Our own secrets, so that none is kept or printed: not in dead letters, marks, logs or errors.

A server may say back what it was sent. What lands is left as it came; what we write about it is
not. Secrets are known here from the moment they are read (:func:`remember`).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from functools import lru_cache
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

__all__ = ["redacted", "remember", "secret_parameters"]

_SHORTEST = 6  # shorter ones stand in every second text
_SURE = 8  # from so many characters on a secret is one within a word, too
_MOST = 1024  # tokens are renewed again and again
_INSTEAD = "***"
_known: OrderedDict[str, None] = OrderedDict()


def remember(secret: str) -> None:
    """Know a secret from now on. One of less than six characters is not looked for.

    >>> remember("hunter2-hunter2"); redacted("it said hunter2-hunter2.")
    'it said ***.'
    """
    if len(secret) >= _SHORTEST and secret not in _known:
        _known[secret] = None
        if len(_known) > _MOST:
            _known.popitem(last=False)
        _pattern.cache_clear()


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str] | None:
    forms = {form for secret in list(_known) for form in _forms(secret)}
    if not forms:
        return None
    longest = sorted(forms, key=len, reverse=True)
    return re.compile(
        "|".join(
            re.escape(form) if len(form) >= _SURE else rf"(?<!\w){re.escape(form)}(?!\w)"
            for form in longest
        )
    )


def _forms(secret: str) -> set[str]:
    """Return how a secret may be written: as it is, in URLs, in JSON, in base64."""
    import base64
    import html
    import json

    text = json.dumps(secret)[1:-1]
    coded = base64.b64encode(secret.encode("utf-8", "surrogateescape")).decode().rstrip("=")
    forms = {secret, text, quote(secret, safe=""), quote_plus(secret), coded}
    forms |= {html.escape(secret), repr(secret)[1:-1]}
    return {form for form in forms if len(form) >= _SHORTEST}


def redacted(text: str) -> str:
    """Return ``text`` with ``***`` in place of every secret that is known."""
    found = _pattern()
    return text if found is None else found.sub(_INSTEAD, text)


def secret_parameters(url: str) -> list[str]:
    """Return the names of a URL's parameters whose value is a secret of ours.

    >>> remember("hunter2-hunter2"); secret_parameters("/a?key=hunter2-hunter2&page=2")
    ['key']
    """
    if not _known:
        return []
    try:
        query = urlsplit(url).query
    except ValueError:
        return []
    pairs = parse_qsl(query, keep_blank_values=True)
    return [name for name, value in pairs if value in _known or unquote(value) in _known]
