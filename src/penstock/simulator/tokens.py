"""OAuth 2: client credentials and refresh, with tokens that expire."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import final
from urllib.parse import parse_qsl

from penstock.simulator.answer import ServedAnswer, json_answer
from penstock.simulator.request import ReceivedRequest

__all__ = ["Tokens", "basic_pair"]


def basic_pair(header: str) -> tuple[str, str] | None:
    """Return user and password of a Basic Authorization header, or None.

    >>> basic_pair("Basic bWU6c2VjcmV0")
    ('me', 'secret')
    """
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, password) if colon else None


@final
class Tokens:
    """The token endpoint of one client (RFC 6749 §4.4 and §6). Lives are seconds."""

    def __init__(self, client: tuple[str, str], life: float, seed: int) -> None:
        self._client = client
        self._life = life
        self._seed = seed
        self._issued = 0
        self._expiry: dict[str, float] = {}
        self._refresh: set[str] = set()

    def valid(self, token: str, now: float) -> bool:
        """Return whether ``token`` is one of ours and still alive at ``now``."""
        return now < self._expiry.get(token, float("-inf"))

    def answer(self, request: ReceivedRequest, now: float) -> ServedAnswer:
        """Answer a POST to the token endpoint."""
        form = dict(parse_qsl(request.body.decode("latin-1")))
        client = basic_pair(request.headers.get("authorization", "")) or (
            form.get("client_id", ""),
            form.get("client_secret", ""),
        )
        if client != self._client:
            header = ("WWW-Authenticate", 'Basic realm="penstock"')
            return json_answer(401, {"error": "invalid_client"}, (header,))
        kind = form.get("grant_type", "")
        if kind == "refresh_token":
            if form.get("refresh_token", "") not in self._refresh:
                return json_answer(400, {"error": "invalid_grant"})
            self._refresh.discard(form["refresh_token"])  # RFC 6749 §10.4: rotated
        elif kind != "client_credentials":
            return json_answer(400, {"error": "unsupported_grant_type"})
        return self._issue(now)

    def _issue(self, now: float) -> ServedAnswer:
        self._issued += 1
        self._expiry = {token: end for token, end in self._expiry.items() if end > now}
        digest = hashlib.sha256(b"%d:%d" % (self._seed, self._issued)).hexdigest()
        access, refresh = f"access-{digest[:24]}", f"refresh-{digest[24:48]}"
        self._expiry[access] = now + self._life
        self._refresh.add(refresh)
        return json_answer(
            200,
            {
                "access_token": access,
                "token_type": "Bearer",
                "expires_in": int(self._life),
                "refresh_token": refresh,
            },
            (("Cache-Control", "no-store"),),
        )
