"""Credentials that are signed for each request or token: what a server checks holds."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from urllib.parse import parse_qsl, quote, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.http.wire import Asked, answer, answering, wire

from penstock.errors import InputError
from penstock.http import Api, Get, Post, Request, SigV4, jwt_bearer

Make = Callable[..., Api]


def made_key() -> tuple[rsa.RSAPrivateKey, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key, key.private_bytes(serialization.Encoding.PEM, *form).decode()


def test_a_service_account_gets_its_token_by_a_signed_assertion(quick: Make) -> None:
    key, text = made_key()

    def reply(asked: Asked) -> bytes:
        if asked.target != "/token":
            return answer(b'"%s"' % asked.headers["authorization"].encode())
        form = dict(parse_qsl(asked.body.decode()))
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        claims = jwt.decode(form["assertion"], key.public_key(), ["RS256"], audience="them")
        assert "authorization" not in asked.headers
        assert jwt.get_unverified_header(form["assertion"])["kid"] == "k1"
        token = "-".join([claims["iss"], claims["sub"], claims["scope"]])
        return answer(json.dumps({"access_token": token, "expires_in": 3600}).encode())

    with wire(answering(reply)) as server:
        told = {"audience": "them", "scope": "read", "subject": "boss", "key_id": "k1"}
        auth = jwt_bearer(server.url + "/token", "me", text, **told)
        assert quick(server.url, auth=auth).get("/who") == "Bearer me-boss-read"


def test_a_key_that_is_none_is_one_line_without_the_key(quick: Make) -> None:
    with wire(answering(lambda _: answer())) as server:
        api = quick(server.url, auth=jwt_bearer(server.url + "/token", "me", "HIDDEN"))
        with pytest.raises(InputError, match="no assertion can be signed") as caught:
            api.get("/")
    assert "HIDDEN" not in str(caught.value)


def signature(asked: Asked, secret: str) -> str:
    """Return what the signature has to be, by the rules of AWS."""
    auth = asked.headers["authorization"]
    scope = auth.partition("Credential=AK/")[2].partition(",")[0]
    names = auth.partition("SignedHeaders=")[2].partition(",")[0]
    path, _, query = asked.target.partition("?")
    pairs = sorted(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
        for name, value in parse_qsl(query, keep_blank_values=True)
    )
    lines = [asked.method, quote(path, safe="/~"), "&".join(pairs)]
    lines += [f"{name}:{asked.headers[name]}" for name in names.split(";")]
    lines += ["", names, hashlib.sha256(asked.body).hexdigest()]
    canonical = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{asked.headers['x-amz-date']}\n{scope}\n{canonical}"
    key = b"AWS4" + secret.encode()
    for step in [*scope.split("/"), text]:
        key = hmac.digest(key, step.encode(), "sha256")
    return key.hex()


@pytest.mark.parametrize(
    "request_",
    [
        Get("/a/b"),
        Get("/a b/é", query={"z": "1 2", "a": "x/y+z~", "empty": ""}),
        Post("/q", json={"n": [1, "ü"]}, query={"Action": "List"}),
        Post("/q", form={"a": "1 2"}),
    ],
)
def test_a_signature_of_version_4_is_what_aws_computes(quick: Make, request_: Request) -> None:
    with wire(answering(lambda _: answer(b"{}"))) as server:
        auth = SigV4("AK", "SECRET", "eu-central-1", "execute-api", "TOKEN")
        quick(server.url, auth=auth).call(request_)
        [asked] = server.asked
        assert urlsplit(server.url).netloc == asked.headers["host"]
    assert asked.headers["x-amz-security-token"] == "TOKEN"
    assert asked.headers["authorization"].endswith(f"Signature={signature(asked, 'SECRET')}")
