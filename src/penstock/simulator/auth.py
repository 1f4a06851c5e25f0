"""Who is asking: checks credentials, and names the key whose limit it is.

The credentials are fixed and public: this server exists to be rehearsed against.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import final

from penstock.simulator.answer import ServedAnswer, error_answer
from penstock.simulator.oauth1 import OAuth1Verifier
from penstock.simulator.request import ReceivedRequest
from penstock.simulator.settings import AuthKind, SimulatorSettings
from penstock.simulator.tokens import Tokens, basic_pair

__all__ = ["CREDENTIALS", "AuthCheck"]

CREDENTIALS: Mapping[AuthKind, Mapping[str, str]] = MappingProxyType(
    {
        "none": MappingProxyType({}),
        "basic": MappingProxyType({"user": "penstock", "password": "sluice"}),
        "bearer": MappingProxyType({"token": "penstock-token"}),
        "oauth1": MappingProxyType(
            {
                "consumer_key": "penstock-consumer",
                "consumer_secret": "consumer-secret",
                "token": "penstock-access",
                "token_secret": "token-secret",
            }
        ),
        "oauth2": MappingProxyType(
            {
                "client_id": "penstock-client",
                "client_secret": "client-secret",
                "token_path": "/oauth2/token",
            }
        ),
        "api-key": MappingProxyType(
            {"key": "penstock-key", "header": "X-Api-Key", "parameter": "api_key"}
        ),
    }
)

CHALLENGES: Mapping[AuthKind, str] = MappingProxyType(
    {
        "basic": 'Basic realm="penstock", charset="UTF-8"',
        "bearer": 'Bearer realm="penstock", error="invalid_token"',
        "oauth1": 'OAuth realm="penstock"',
        "oauth2": 'Bearer realm="penstock", error="invalid_token"',
        "api-key": 'ApiKey realm="penstock"',
    }
)


@final
class AuthCheck:
    """Checks the credentials of one server's requests."""

    def __init__(self, settings: SimulatorSettings) -> None:
        oauth1, oauth2 = CREDENTIALS["oauth1"], CREDENTIALS["oauth2"]
        self._kind = settings.auth
        self._oauth1 = OAuth1Verifier(
            (oauth1["consumer_key"], oauth1["consumer_secret"]),
            (oauth1["token"], oauth1["token_secret"]),
        )
        self.tokens = Tokens(
            (oauth2["client_id"], oauth2["client_secret"]), settings.token_life, settings.seed
        )
        checks: dict[AuthKind, Callable[[ReceivedRequest, float, float], str | None]] = {
            "none": _anybody,
            "basic": _basic,
            "bearer": _bearer,
            "oauth1": lambda request, _now, epoch: self._oauth1.refusal(request, epoch),
            "oauth2": self._oauth2,
            "api-key": _api_key,
        }
        self._check = checks[settings.auth]

    def key(self, request: ReceivedRequest, peer: str) -> str:
        """Return whose limit a request falls under: its credential's, or else its address's."""
        authorization = request.headers.get("authorization")
        if authorization is None:
            key = request.headers.get("x-api-key") or _api_key_parameter(request)
            return f"api-key {key}" if key else f"peer {peer}"
        if self._kind == "oauth2":
            # its tokens change, its quota does not
            return f"oauth2 {CREDENTIALS['oauth2']['client_id']}"
        if authorization[:6].lower() == "oauth ":
            found = re.search(r'oauth_consumer_key="([^"]*)"', authorization)
            return f"oauth1 {found[1] if found else ''}"
        pair = basic_pair(authorization)
        return f"basic {pair[0]}" if pair else authorization

    def refusal(self, request: ReceivedRequest, now: float, epoch: float) -> ServedAnswer | None:
        """Return the 401 for a request with wrong credentials, or None."""
        reason = self._check(request, now, epoch)
        if reason is None:
            return None
        return error_answer(401, reason, (("WWW-Authenticate", CHALLENGES[self._kind]),))

    def _oauth2(self, request: ReceivedRequest, now: float, _epoch: float) -> str | None:
        valid = self.tokens.valid(_token(request), now)
        return None if valid else "the access token is unknown or has expired"


def _anybody(_request: ReceivedRequest, _now: float, _epoch: float) -> None:
    return None


def _basic(request: ReceivedRequest, _now: float, _epoch: float) -> str | None:
    wanted = CREDENTIALS["basic"]
    pair = basic_pair(request.headers.get("authorization", ""))
    right = pair == (wanted["user"], wanted["password"])
    return None if right else "wrong user or password"


def _token(request: ReceivedRequest) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def _bearer(request: ReceivedRequest, _now: float, _epoch: float) -> str | None:
    return None if _token(request) == CREDENTIALS["bearer"]["token"] else "wrong token"


def _api_key_parameter(request: ReceivedRequest) -> str:
    if "api_key=" not in request.query:
        return ""
    return request.parameters().get("api_key", "")


def _api_key(request: ReceivedRequest, _now: float, _epoch: float) -> str | None:
    key = request.headers.get("x-api-key") or _api_key_parameter(request)
    return None if key == CREDENTIALS["api-key"]["key"] else "wrong API key"
