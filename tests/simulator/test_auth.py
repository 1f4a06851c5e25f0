"""Every kind of credentials; OAuth 1.0a against signatures made by oauthlib."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import urlencode

import pytest
from oauthlib.oauth1 import Client

from penstock.simulator import CREDENTIALS, Simulator
from penstock.simulator.request import lex
from penstock.simulator.settings import AuthKind
from penstock.simulator.tokens import Tokens, basic_pair

Start = Callable[..., Simulator]
Call = Callable[..., Any]

RIGHT: dict[AuthKind, dict[str, str]] = {
    "basic": {"Authorization": "Basic " + base64.b64encode(b"penstock:sluice").decode()},
    "bearer": {"Authorization": "Bearer penstock-token"},
    "api-key": {"X-Api-Key": "penstock-key"},
}
WRONG: dict[AuthKind, dict[str, str]] = {
    "basic": {"Authorization": "Basic " + base64.b64encode(b"penstock:flood").decode()},
    "bearer": {"Authorization": "Bearer other"},
    "api-key": {"X-Api-Key": "other"},
    "oauth1": {"Authorization": 'OAuth oauth_consumer_key="other"'},
    "oauth2": {"Authorization": "Bearer other"},
}


@pytest.mark.parametrize("kind", RIGHT)
def test_right_credentials_pass(simulate: Start, ask: Call, kind: AuthKind) -> None:
    assert ask(simulate(auth=kind), "/users/1.json", RIGHT[kind]).status == 200


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("given", ["wrong", "nothing", "nonsense"])
def test_others_get_401_and_spend_nothing(
    simulate: Start, ask: Call, kind: AuthKind, given: str
) -> None:
    simulator = simulate(auth=kind)
    headers = {
        "wrong": WRONG[kind],
        "nothing": {},
        "nonsense": {"Authorization": "Basic %%% ,=,="},
    }
    reply = ask(simulator, "/users/1.json", headers[given])
    assert reply.status == 401
    assert 'realm="penstock"' in reply.headers["WWW-Authenticate"]
    assert simulator.truth()["accepted"] == 0
    assert simulator.truth()["by_status"] == {"401": 1}


def test_the_api_key_may_be_a_parameter(simulate: Start, ask: Call) -> None:
    simulator = simulate(auth="api-key")
    assert ask(simulator, "/users/1.json?api_key=penstock-key").status == 200
    assert ask(simulator, "/users/1.json?api_key=other").status == 401


def test_echo_and_truth_are_open_to_all(simulate: Start, ask: Call) -> None:
    simulator = simulate(auth="basic")
    assert ask(simulator, "/echo").status == ask(simulator, "/_truth").status == 200


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic /w==", "Basic YQ==", "Bearer YTpi"])
def test_what_is_not_a_basic_header(header: str) -> None:
    assert basic_pair(header) is None


@pytest.fixture
def signer() -> Callable[..., dict[str, str]]:
    """Sign with oauthlib: signer(url, method, body, secret=..., timestamp=...)."""

    def sign(
        url: str,
        method: Literal["GET", "POST"] = "GET",
        body: str | None = None,
        content_type: str | None = None,
        **changes: str,
    ) -> dict[str, str]:
        known = CREDENTIALS["oauth1"]
        client = Client(
            known["consumer_key"],
            client_secret=changes.get("secret", known["consumer_secret"]),
            resource_owner_key=changes.get("token", known["token"]),
            resource_owner_secret=known["token_secret"],
            realm=changes.get("realm"),
            nonce=changes.get("nonce"),
            timestamp=changes.get("timestamp"),
            signature_method=changes.get("algorithm", "HMAC-SHA1"),
        )
        headers = {"Content-Type": content_type} if content_type else {}
        _, signed, _ = client.sign(url, method, body, headers)
        return {str(name): str(value) for name, value in signed.items()}

    return sign


@pytest.mark.parametrize(
    "target",
    [
        "/users/1.json",
        "/pages/page?page=2&per_page=3",
        "/users/2.json?b=%20x%2By&a=1&a=0&empty=&caf%C3%A9=%E2%98%95&tilde=~",
    ],
)
def test_oauthlib_and_the_verifier_agree(
    simulate: Start, ask: Call, signer: Call, target: str
) -> None:
    simulator = simulate(auth="oauth1")
    headers = signer(simulator.url + target, realm="penstock")
    assert ask(simulator, target, headers).json.keys() & {"id", "items"}
    assert list(simulator.truth()["per_key"]) == ["oauth1 penstock-consumer"]


def test_a_form_is_signed_too_and_json_is_not(simulate: Start, ask: Call, signer: Call) -> None:
    simulator = simulate(auth="oauth1")
    form, url = "id=7&note=a+b", simulator.url + "/items"
    kind = "application/x-www-form-urlencoded"
    headers = signer(url, "POST", form, kind)
    assert ask(simulator, "/items", headers, method="POST", body=form.encode()).status == 400
    forged = signer(url, "POST", form, kind)
    assert ask(simulator, "/items", forged, method="POST", body=b"id=8").status == 401
    plain = signer(url, "POST", None) | {"Content-Type": "application/json"}
    assert ask(simulator, "/items", plain, method="POST", body=b'{"id":7}').status == 201


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"secret": "other"}, "signature does not match"),
        ({"token": "other"}, "unknown token"),
        ({"algorithm": "PLAINTEXT"}, "HMAC-SHA1"),
        ({"timestamp": "1000000000"}, "timestamp"),
        ({"timestamp": "9" * 5000}, "timestamp"),
        ({"nonce": " "}, "nonce"),
        ({"timestamp": str(int(time.time()) + 100_000)}, "timestamp"),
    ],
)
def test_what_the_verifier_refuses(
    simulate: Start, ask: Call, signer: Call, changes: dict[str, str], reason: str
) -> None:
    simulator = simulate(auth="oauth1")
    headers = signer(simulator.url + "/users/1.json", **changes)
    reply = ask(simulator, "/users/1.json", headers)
    assert reply.status == 401
    assert reason in reply.json["error"]


def test_a_replay_is_refused(simulate: Start, ask: Call, signer: Call) -> None:
    simulator = simulate(auth="oauth1")
    headers = signer(simulator.url + "/users/1.json")
    replies = [ask(simulator, "/users/1.json", headers) for _ in range(2)]
    assert [reply.status for reply in replies] == [200, 401]
    assert "nonce" in replies[1].json["error"]


def test_a_signature_is_good_for_its_own_target_only(
    simulate: Start, ask: Call, signer: Call
) -> None:
    simulator = simulate(auth="oauth1")
    headers = signer(simulator.url + "/users/1.json")
    assert ask(simulator, "/users/2.json", headers).status == 401


def token(simulator: Simulator, ask: Call, **form: str) -> Any:
    client = {"client_id": "penstock-client", "client_secret": "client-secret"}
    body = urlencode(client | form).encode()
    return ask(simulator, "/oauth2/token", method="POST", body=body)


def test_oauth2_client_credentials_then_refresh(simulate: Start, ask: Call) -> None:
    simulator = simulate(auth="oauth2", limit=2, window=3600.0)
    first = token(simulator, ask, grant_type="client_credentials").json
    assert (first["token_type"], first["expires_in"]) == ("Bearer", 3600)
    second = token(
        simulator, ask, grant_type="refresh_token", refresh_token=first["refresh_token"]
    ).json
    statuses = [
        ask(simulator, "/users/1.json", {"Authorization": f"Bearer {grant['access_token']}"}).status
        for grant in (first, second, second)
    ]
    assert statuses == [200, 200, 429]  # one client, one limit, however many tokens
    again = token(simulator, ask, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert (again.status, again.json["error"]) == (400, "invalid_grant")


def test_oauth2_takes_the_client_as_basic_too(simulate: Start, ask: Call) -> None:
    pair = base64.b64encode(b"penstock-client:client-secret").decode()
    reply = ask(
        simulate(auth="oauth2"),
        "/oauth2/token",
        {"Authorization": f"Basic {pair}"},
        method="POST",
        body=b"grant_type=client_credentials",
    )
    assert reply.status == 200


def test_oauth2_refusals(simulate: Start, ask: Call) -> None:
    simulator = simulate(auth="oauth2")
    unknown = token(simulator, ask, client_secret="other")
    assert (unknown.status, unknown.json) == (401, {"error": "invalid_client"})
    assert token(simulator, ask, grant_type="password").json["error"] == "unsupported_grant_type"
    assert ask(simulator, "/oauth2/token").status == 405


def test_an_oauth2_token_expires() -> None:
    tokens = Tokens(("me", "secret"), life=60.0, seed=1)
    form = b"grant_type=client_credentials&client_id=me&client_secret=secret"
    found = lex(b"POST /oauth2/token HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(form), form))
    assert found is not None
    access = json.loads(tokens.answer(found[0], now=100.0).body)["access_token"]
    assert [tokens.valid(access, now) for now in (100.0, 159.9, 160.0)] == [True, True, False]
    assert not tokens.valid("other", 100.0)
