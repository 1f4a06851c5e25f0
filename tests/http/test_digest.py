"""Digest authentication, against a server that checks the answer to its challenge."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

import pytest
from tests.http.wire import Asked, answer, answering, wire

from penstock.errors import InputError
from penstock.http import Api, Digest, Get, Post

Make = Callable[..., Api]
CHALLENGE = 'WWW-Authenticate: Digest realm="api", qop="auth", nonce="abc", algorithm=MD5'


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def reply(asked: Asked) -> bytes:
    given = dict(re.findall(r'(\w+)="?([^",]+)"?', asked.headers.get("authorization", "")))
    if given:
        middle = [given[name] for name in ("nonce", "nc", "cnonce", "qop")]
        parts = [md5("me:api:pw"), *middle, md5(f"{asked.method}:{given['uri']}")]
        if given["response"] == md5(":".join(parts)):
            return answer(asked.body or b"{}")
    return answer(b"{}", 401, CHALLENGE)


def test_digest_answers_the_challenge_with_the_body_it_sends(quick: Make) -> None:
    with wire(answering(reply)) as server:
        api = quick(server.url, auth=Digest("me", "pw"))
        assert api.call(Get("/a?x=1")).status == 200
        assert api.call(Post("/b", json={"a": 1})).body == b'{"a":1}'
        assert len(server.asked) <= 4


def test_a_wrong_password_ends_it(quick: Make) -> None:
    with wire(answering(reply)) as server:
        api = quick(server.url, auth=Digest("me", "wrong"))
        with pytest.raises(InputError, match="refuses our credentials"):
            api.call(Get("/a"))
        assert len(server.asked) <= 4


def test_another_host_gets_no_digest(quick: Make) -> None:
    with wire(answering(lambda _: answer(b"{}", 401, CHALLENGE))) as other:
        location = f"Location: {other.url}/"
        with wire(answering(lambda _: answer(b"", 302, location))) as server:
            api = quick(server.url, auth=Digest("me", "pw"))
            with pytest.raises(InputError):
                api.call(Get("/a"))
        assert all("authorization" not in asked.headers for asked in other.asked)
