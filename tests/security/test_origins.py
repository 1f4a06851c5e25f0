"""Secrets stay with their origin: along streams, WebSockets, proxies, and links meant to confuse.

Calls of an ``Api`` by themselves are in ``tests/http/test_reach.py``, client certificates in
``tests/http/test_wire.py``.
"""

from __future__ import annotations

import base64
import json
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from urllib.parse import quote, quote_plus, urlsplit

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.http.test_reach import AUTHS, BODIES, ONCE, SECRET, seen, two
from tests.http.wire import Asked, Wire, answer, answering, wire

from penstock.cli.main import penstock
from penstock.errors import PenstockError, PermanentError
from penstock.http import Api, BodyLink, Get, LinkHeader, Profile, pages
from penstock.streaming import Stream

STATUSES = (301, 302, 303, 307, 308)
PROXY_PASSWORD = "pr0xy-p4ssword"


def refusing() -> AbstractContextManager[Wire]:
    return wire(answering(lambda _: answer(b"", 403)))


def leading(other: Wire, status: int, scheme: str) -> AbstractContextManager[Wire]:
    there = answer(b"", status, f"Location: {other.url.replace('http', scheme)}/x")
    return wire(answering(lambda asked: token_or(asked, there)))


def token_or(asked: Asked, reply: bytes) -> bytes:
    if asked.target.endswith("/token"):
        return answer(b'{"access_token":"s3cretK3Y-of-mine-too"}')
    return reply


@pytest.mark.parametrize("scheme", ["http", "ws"])
@pytest.mark.parametrize("status", STATUSES)
def test_no_secret_reaches_another_origin_by_a_stream_s_redirect(scheme: str, status: int) -> None:
    for name, auth in AUTHS.items():
        with refusing() as other, leading(other, status, scheme) as mine:
            url = mine.url.replace("http", scheme) + "/a"
            headers = {"X-Token": SECRET}
            with Stream(url, auth=auth(mine.url), headers=headers) as stream:
                try:
                    list(islice(stream, 1))
                except PenstockError as error:
                    assert SECRET not in str(error)  # noqa: PT017 - whether it fails is not it
            assert SECRET not in seen(other), name
            assert "bWU6" not in seen(other), name
            assert other.asked, name  # it was led there


def test_what_a_websocket_sends_first_is_not_sent_to_another_origin() -> None:
    """As a body is not; it is where many services want the token."""
    with two(lambda _, there: answer(b"", 307, f"Location: {there}/x")) as (mine, other):
        url = mine.url.replace("http", "ws")
        stream = Stream(url, open=[f'{{"token":"{SECRET}"}}'])
        with stream, pytest.raises(PermanentError, match="with a body to another origin"):
            next(iter(stream))
        assert other.connections == 0


def through(proxy_asked: list[Asked], reply: bytes) -> bytes:
    """Answer as a proxy before all servers there are: the first one leads to another."""
    asked = proxy_asked[-1]
    if urlsplit(asked.target).hostname == "mine.example":
        return token_or(asked, reply)
    return answer(b'{"items":[]}')


@pytest.mark.parametrize("auth", AUTHS)
@pytest.mark.parametrize("status", STATUSES)
def test_no_secret_reaches_another_origin_through_a_proxy(auth: str, status: int) -> None:
    there = "Location: http://other.example/x"
    asked: list[Asked] = []
    with wire(answering(lambda _: through(asked, answer(b"", status, there)))) as proxy:
        asked = proxy.asked
        place = f"http://me:{PROXY_PASSWORD}@127.0.0.1:{proxy.port}"
        for request in BODIES:
            mine = "http://mine.example"
            api = Api(mine, auth=AUTHS[auth](mine), retry=ONCE, profile=Profile(proxy=place))
            try:
                api.call(request)
            except PenstockError as error:
                assert SECRET not in str(error)  # noqa: PT017 - whether it fails is not the matter
                assert PROXY_PASSWORD not in str(error)  # noqa: PT017 - likewise
        led = [one for one in asked if "other.example" in one.target]
        assert led
        for one in led:
            sent = repr(one._replace(headers={**one.headers, "proxy-authorization": ""}))
            assert SECRET not in sent
            assert "bWU6" not in sent


@pytest.mark.parametrize("style", [LinkHeader(), BodyLink(path="next")])
@pytest.mark.parametrize("auth", AUTHS)
def test_no_secret_follows_a_next_link_through_a_proxy(
    auth: str, style: LinkHeader | BodyLink
) -> None:
    link = "http://other.example/x"
    page = answer(f'{{"next":"{link}"}}'.encode(), 200, f'Link: <{link}>; rel="next"')
    asked: list[Asked] = []
    with wire(answering(lambda _: through(asked, page))) as proxy:
        asked = proxy.asked
        mine = "http://mine.example"
        profile = Profile(proxy=f"http://127.0.0.1:{proxy.port}")
        api = Api(mine, auth=AUTHS[auth](mine), retry=ONCE, profile=profile)
        list(pages(api, Get("/a", headers={"X-Token": SECRET}), style))
        led = [one for one in asked if "other.example" in one.target]
        assert led
        assert SECRET not in repr(led)
        assert "bWU6" not in repr(led)


@pytest.mark.parametrize("target", ["ws://other.example/a", "http://api.example/a"])
def test_a_websocket_does_not_leave_tls(target: str) -> None:
    with Stream("wss://api.example/a") as stream:
        driver = stream._driver

        class Made:
            url, status = "wss://api.example/a", 307

        with pytest.raises(PermanentError, match="from https to http"):
            driver._redirected(Get("https://api.example/a"), Made(), target)  # type: ignore[arg-type]
        kept = driver._redirected(
            Get("https://api.example/a", headers={"X": "1"}),
            Made(),  # type: ignore[arg-type]
            "wss://api.example/b",
        )
        assert kept.headers == {"X": "1"}


KEPT = 's3cret-key-0f-mine/+=&"'
SECTIONS = {
    "basic": 'kind = "basic"\nuser = "me"\npassword = "env:KEPT"',
    "bearer": 'kind = "bearer"\ntoken = "env:KEPT"',
    "key in a header": 'kind = "api-key"\nkey = "env:KEPT"\nheader = "X-Key"',
    "key in the query": 'kind = "api-key"\nkey = "env:KEPT"\nquery = "key"',
    "oauth2": 'kind = "oauth2"\ntoken_url = "URL/token"\nclient_id = "me"\n'
    'client_secret = "env:KEPT"\nrefresh_token = "env:KEPT"\nclient_in = "body"',
    "sigv4": 'kind = "sigv4"\naccess_key = "A"\nsecret_key = "env:KEPT"\nregion = "r"\n'
    'service = "s"\nsession_token = "env:KEPT"',
}


@pytest.mark.parametrize("status", [401, 404, 500])
@pytest.mark.parametrize("auth", SECTIONS)
def test_what_a_server_says_back_is_kept_and_shown_without_our_secrets(
    auth: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the dead letters, the ledger, the log, and all that is printed, however it is written."""
    monkeypatch.setenv("KEPT", KEPT)
    monkeypatch.chdir(tmp_path)

    def reply(asked: Asked) -> bytes:
        if asked.target == "/token":
            return answer(json.dumps({"access_token": "t0ken-of-mine-" + "x" * 9}).encode())
        said = [KEPT, quote(KEPT), quote_plus(KEPT), json.dumps(KEPT), base64_of(KEPT), *asked[1:3]]
        return answer(" ".join(map(str, said)).encode(), status)

    with wire(answering(reply)) as server:
        section = SECTIONS[auth].replace("URL", server.url)
        Path("run.toml").write_text(
            'store = "store"\n[source]\nkind = "range"\nstop = 1\n'
            f'[api]\nbase = "{server.url}"\n[api.auth]\n{section}\n'
            '[request]\npath = "/{key}"\n[retry]\nattempts = 1\n'
        )
        words = ["run", "run.toml", "--log", "log"]
        said = CliRunner().invoke(penstock, words).output
    assert len(server.asked) > (auth == "oauth2"), said
    said += CliRunner().invoke(penstock, ["status", "store", "--json"]).output
    said += CliRunner().invoke(penstock, ["export", "store", "--failed", "-o", "-"]).output
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for form in (KEPT, quote(KEPT, safe=""), quote_plus(KEPT), json.dumps(KEPT)[1:-1]):
        assert form not in said
        assert form.encode() not in kept
    for form in (base64_of(KEPT).rstrip("="), base64_of("me:" + KEPT).rstrip("="), "t0ken-of"):
        assert form not in said
        assert form.encode() not in kept


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


PIECES = st.sampled_from(
    ["MINE", "OTHER", "http://", "https://", "//", "/", "\\", "@", "%40", ":", "?", "#", ".", "%2e",
     "%00", "%09", "\t", " ", "[", "]", "%5B", ";", "user:pw@", "\u3002".encode().decode("latin-1"),
     "xn--", "0x7f.1", "2130706433", "127.1", "[::ffff:127.0.0.1]", "localhost", "..", "%2f", "%5c"]
)  # fmt: skip


def test_no_link_is_confusing_enough_to_take_a_secret_elsewhere() -> None:
    places = ""

    @settings(max_examples=80, deadline=None)
    @given(st.lists(PIECES, min_size=1, max_size=6), st.sampled_from(["header key", "query key"]))
    def follow(pieces: list[str], auth: str) -> None:
        nonlocal places
        places = "".join(pieces)
        api = Api(mine.url, auth=AUTHS[auth](mine.url), retry=ONCE, max_redirects=1)
        try:
            api.call(Get("/a", headers={"X-Token": SECRET}))
        except PenstockError as error:
            assert SECRET not in str(error)  # noqa: PT017 - whether it fails is not the matter
        assert SECRET not in seen(other), places

    with two(lambda _, there: led(mine.port, there, places)) as (mine, other):
        follow()


def led(port: int, there: str, places: str) -> bytes:
    text = places.replace("MINE", f"127.0.0.1:{port}").replace("OTHER", there[len("http://") :])
    return answer(b"", 302, f"Location: {text}")
