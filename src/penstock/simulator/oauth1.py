"""OAuth 1.0a signatures, verified as RFC 5849 says: HMAC-SHA1, and each nonce once."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from typing import final
from urllib.parse import parse_qsl, quote, unquote

from penstock.simulator.request import ReceivedRequest

__all__ = ["OAuth1Verifier", "signature"]

Pairs = list[tuple[str, str]]

# Twitter's tolerance: a timestamp five minutes off is refused.
TOLERANCE = 300.0


def signature(method: str, url: str, parameters: Iterable[tuple[str, str]], key: str) -> str:
    """Return the HMAC-SHA1 signature of RFC 5849 §3.4.

    Args:
        method: In capitals.
        url: Scheme, authority and path, without a query.
        parameters: Query, form and oauth parameters, decoded, without oauth_signature.
        key: ``quote(consumer_secret) + "&" + quote(token_secret)``.

    The values are those of RFC 5849 §1.2, whose last step is signed like this:

    >>> signature("GET", "http://photos.example.net/photos", [
    ...     ("file", "vacation.jpg"), ("size", "original"),
    ...     ("oauth_consumer_key", "dpf43f3p2l4k3l03"), ("oauth_token", "nnch734d00sl2jdk"),
    ...     ("oauth_signature_method", "HMAC-SHA1"), ("oauth_timestamp", "137131202"),
    ...     ("oauth_nonce", "chapoH")], "kd94hf93k423kf44&pfkkdhi9sl3r4s00")
    'MdpQcU8iPSUjWoN/UDMsK2sui9I='
    """
    normal = "&".join(f"{name}={value}" for name, value in sorted(_quoted(parameters)))
    base = "&".join((method, _quote(url), _quote(normal)))
    return base64.b64encode(hmac.digest(key.encode(), base.encode(), hashlib.sha1)).decode()


def _quote(text: str) -> str:
    return quote(text, safe="~")


def _quoted(parameters: Iterable[tuple[str, str]]) -> Pairs:
    return [(_quote(name), _quote(value)) for name, value in parameters]


@final
class OAuth1Verifier:
    """Checks requests of one consumer with one token, and remembers their nonces."""

    def __init__(self, consumer: tuple[str, str], token: tuple[str, str]) -> None:
        self._consumer_key, consumer_secret = consumer
        self._token, token_secret = token
        self._key = f"{_quote(consumer_secret)}&{_quote(token_secret)}"
        self._nonces: dict[tuple[str, str], None] = {}

    def refusal(self, request: ReceivedRequest, epoch: float) -> str | None:
        """Return why ``request`` is refused at ``epoch`` (seconds since 1970), or None."""
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "oauth":
            return "an OAuth Authorization header is needed"
        oauth = _oauth_parameters(rest)
        return (
            self._wrong_claim(dict(oauth), epoch)
            or self._wrong_signature(request, oauth)
            or self._replayed(dict(oauth))
        )

    def _wrong_claim(self, oauth: dict[str, str], epoch: float) -> str | None:
        if oauth.get("oauth_consumer_key") != self._consumer_key:
            return "unknown consumer key"
        if oauth.get("oauth_token") != self._token:
            return "unknown token"
        if oauth.get("oauth_signature_method") != "HMAC-SHA1":
            return "the signature method must be HMAC-SHA1"
        if oauth.get("oauth_version", "1.0") != "1.0":
            return "the version must be 1.0"
        stamp = oauth.get("oauth_timestamp", "")
        if not stamp.isdecimal() or len(stamp) > 12 or abs(int(stamp) - epoch) > TOLERANCE:
            return "timestamp out of bounds"
        return None if oauth.get("oauth_nonce", "").strip() else "a nonce is needed"

    def _wrong_signature(self, request: ReceivedRequest, oauth: Pairs) -> str | None:
        given = dict(oauth).get("oauth_signature", "")
        url = f"http://{request.headers.get('host', '').lower()}{request.path}"
        signed = [pair for pair in oauth if pair[0] not in {"oauth_signature", "realm"}]
        expected = signature(
            request.method, url, signed + _query(request.query) + _form(request), self._key
        )
        # bytes: compare_digest takes only ASCII text, and the other side chose this one
        same = hmac.compare_digest(given.encode(), expected.encode())
        return None if same else "the signature does not match"

    def _replayed(self, oauth: dict[str, str]) -> str | None:
        seen = (oauth["oauth_timestamp"], oauth["oauth_nonce"])
        if seen in self._nonces:
            return "nonce already used"
        self._nonces[seen] = None
        while len(self._nonces) > 1_000_000:  # the oldest first; dicts keep their order
            del self._nonces[next(iter(self._nonces))]
        return None


def _oauth_parameters(text: str) -> Pairs:
    pairs: Pairs = []
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        pairs.append((unquote(name), unquote(value.strip('"'))))
    return pairs


def _query(text: str) -> Pairs:
    return parse_qsl(text, keep_blank_values=True)


def _form(request: ReceivedRequest) -> Pairs:
    # RFC 5849 §3.4.1.3.1: the body counts only when it is a form
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return _query(request.body.decode("latin-1"))
    return []
