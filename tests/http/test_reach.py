"""What a server says leads nowhere that it should not, with whatever it would carry there."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.http.test_signers import made_key
from tests.http.wire import Asked, Wire, answer, answering, wire

from penstock.errors import InputError, PenstockError, PermanentError
from penstock.http import (
    Api,
    ApiKey,
    Auth,
    Basic,
    Bearer,
    BodyLink,
    Digest,
    Get,
    LinkHeader,
    OAuth1,
    OAuth2,
    Patch,
    Post,
    Profile,
    Put,
    Reach,
    Request,
    SigV4,
    is_public,
    jwt_bearer,
    pages,
)
from penstock.http.handle import Handle
from penstock.http.reach import check_literal
from penstock.resilience import RetryPolicy

ONCE = RetryPolicy(attempts=1)
SECRET = "s3cretK3Y-of-mine"
KEY = made_key()[1]
AUTHS: dict[str, Callable[[str], Auth]] = {
    "basic": lambda _: Basic("me", SECRET),
    "bearer": lambda _: Bearer(SECRET),
    "header key": lambda _: ApiKey(SECRET, header="X-Api-Key"),
    "query key": lambda _: ApiKey(SECRET, query="api_key"),
    "oauth2": lambda url: OAuth2(f"{url}/token", "me", SECRET, refresh_token=SECRET),
    "oauth2 in the body": lambda url: OAuth2(f"{url}/token", "me", SECRET, client_in="body"),
    "oauth1": lambda _: OAuth1("me", SECRET, "mine", SECRET),
    "sigv4": lambda _: SigV4("AK", SECRET, "eu-central-1", "execute-api", SECRET),
    "jwt": lambda url: jwt_bearer(f"{url}/token", "me", KEY),
    "digest": lambda _: Digest("me", SECRET),
}
HARMLESS = {"host", "accept", "accept-encoding", "user-agent", "content-type", "content-length"}
CHALLENGE = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256'
BODIES: list[Request] = [
    Get("/a", headers={"X-Token": SECRET}),
    Post("/a", json={"password": SECRET}, idempotent=True),
    Put("/a", form={"password": SECRET}),
    Patch("/a", content=SECRET.encode(), idempotent=True),
]


@contextmanager
def two(
    reply: Callable[[Asked, str], bytes],
    other_answers: Callable[[Asked], bytes] = lambda _: answer(b'{"access_token":"evil"}'),
) -> Iterator[tuple[Wire, Wire]]:
    """Two servers, each another origin to the other; the first answers with the other's URL."""
    with ExitStack() as held:
        other = held.enter_context(wire(answering(other_answers)))
        mine = held.enter_context(wire(answering(lambda asked: reply(asked, other.url))))
        yield mine, other


def named(_: Asked, there: str) -> bytes:
    """Lead to the other server by its name."""
    return answer(b"", 307, "Location: " + there.replace("127.0.0.1", "localhost"))


def seen(server: Wire) -> str:
    return repr(server.asked)


def challenging(_: Asked) -> bytes:
    """Ask for a password, as the other server, to whom none is due."""
    return answer(b"{}", 401, CHALLENGE)


@pytest.mark.parametrize("auth", AUTHS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_secret_reaches_another_origin_by_a_redirect(auth: str, status: int) -> None:
    def reply(asked: Asked, there: str) -> bytes:
        if asked.target == "/token":
            return answer(b'{"access_token":"s3cretK3Y-of-mine-too"}')
        if auth == "digest" and "authorization" not in asked.headers:
            return answer(b"", 401, CHALLENGE)
        cookie = f"Set-Cookie: sid={SECRET}; Path=/"
        return answer(b"", status, f"Location: {there}/elsewhere", cookie)

    for request in BODIES:
        with two(reply, challenging) as (mine, other):
            api = Api(mine.url, auth=AUTHS[auth](mine.url), retry=ONCE, cookies=True)
            try:
                api.call(request)
            except PenstockError as error:
                assert SECRET not in str(error)  # noqa: PT017 - whether it fails is not the matter
            assert SECRET not in seen(other)
            assert "bWU6" not in seen(other)  # the beginning of what Basic sends
            for asked in other.asked:
                assert set(asked.headers) <= HARMLESS
            assert SECRET in seen(mine) or "authorization" in seen(mine)


def test_cookies_go_to_another_port_of_the_host_where_it_is_named() -> None:
    """Browsers and libcurl look at the host alone, and each port is a service of its own."""

    def reply(_: Asked, there: str) -> bytes:
        return answer(b"", 302, f"Location: {there}/x", "Set-Cookie: sid=1; Path=/")

    for hosts, sent in ((None, None), (["http://127.0.0.1:*"], "sid=1")):
        with two(reply) as (mine, other):
            api = Api(mine.url, retry=ONCE, cookies=True, reach=Reach(hosts))
            api.get("/a")
            assert other.asked[0].headers.get("cookie") == sent


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_token_request_is_not_redirected(status: int) -> None:
    for auth in ("oauth2", "oauth2 in the body"):
        with two(lambda _, there: answer(b"", status, f"Location: {there}/t")) as (mine, other):
            api = Api(mine.url, auth=AUTHS[auth](mine.url), retry=ONCE)
            with pytest.raises(PenstockError, match="redirected"):
                api.get("/a")
            assert other.asked == []


def test_a_body_goes_on_within_its_origin_and_to_hosts_that_are_named() -> None:
    def reply(asked: Asked, there: str) -> bytes:
        if asked.target == "/a":
            return answer(b"", 307, "Location: /b")
        return answer(b"", 307, f"Location: {there}/c")

    with two(reply) as (mine, other):
        reach = Reach([f"http://127.0.0.1:{other.port}"])
        Api(mine.url, retry=ONCE, reach=reach).call(Post("/a", json={"n": 1}))
        assert (other.asked[0].target, other.asked[0].body) == ("/c", b'{"n":1}')
        with pytest.raises(PermanentError, match="with a body to another origin"):
            Api(mine.url, retry=ONCE).call(Post("/a", json={"n": 1}))


def test_hosts_are_all_that_may_be_called() -> None:
    for reach, fine in ((Reach([]), False), (Reach(["127.0.0.9"]), False), (Reach(None), True)):
        with two(lambda _, there: answer(b"", 302, f"Location: {there}/c")) as (mine, other):
            api = Api(mine.url, retry=ONCE, reach=reach)
            if fine:
                api.get("/a")
            else:
                with pytest.raises(PermanentError, match="not one of hosts"):
                    api.get("/a")
            assert bool(other.asked) is fine


@pytest.mark.parametrize("style", [LinkHeader(), BodyLink(path="next")])
def test_a_link_to_a_private_address_is_not_followed(style: LinkHeader | BodyLink) -> None:
    def reply(_: Asked, there: str) -> bytes:
        return answer(f'{{"next":"{there}/x"}}'.encode(), 200, f'Link: <{there}/x>; rel="next"')

    with two(reply) as (mine, other):
        api = Api(mine.url, retry=ONCE, reach=Reach(private=False))
        with pytest.raises(PermanentError, match=r"127\.0\.0\.1 is not a public address"):
            list(pages(api, "/a", style))
        assert (other.asked, other.connections) == ([], 0)


def test_a_redirect_to_a_private_address_is_not_followed() -> None:
    with two(lambda _, there: answer(b"", 307, f"Location: {there}/c")) as (mine, other):
        api = Api(mine.url, retry=ONCE, reach=Reach(private=False))
        for target in ("/a", "/b"):
            with pytest.raises(PermanentError, match="not a public address"):
                api.get(target)
        assert (other.asked, other.connections) == ([], 0)
        assert Api(mine.url, retry=ONCE).get("/a")  # a private one may lead to private ones


def test_a_name_is_judged_by_where_it_leads_when_it_is_called() -> None:
    """Rebinding: whatever a name was looked up to before, the address connected to decides."""
    with two(
        lambda _, there: answer(b"", 307, "Location: " + there.replace("127.0.0.1", "localhost"))
    ) as (
        mine,
        other,
    ):
        api = Api(mine.url, retry=ONCE, reach=Reach(private=False))
        with pytest.raises(PermanentError, match="is not a public address"):
            api.get("/a")
        assert other.connections == 0


def test_a_kept_connection_to_a_private_address_is_no_way_in() -> None:
    with two(
        lambda _, there: answer(b"", 307, "Location: " + there.replace("127.0.0.1", "localhost"))
    ) as (
        mine,
        other,
    ):
        Api(other.url.replace("127.0.0.1", "localhost")).get("/ours")
        api = Api(mine.url, retry=ONCE, reach=Reach(private=False))
        with pytest.raises(PermanentError, match="is not a public address"):
            api.get("/a")
        assert [asked.target for asked in other.asked] == ["/ours"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "169.254.169.254", "[::1]"]
)
def test_a_literal_is_judged_however_it_is_written(host: str) -> None:
    with pytest.raises(PermanentError, match="not a public address"):
        check_literal(f"http://{host}/latest")
    check_literal("https://api.example.com/a")


@given(st.ip_addresses(v=4))
def test_an_address_within_an_address_is_no_better(address: ipaddress.IPv4Address) -> None:
    forms = ("::ffff:{}", "64:ff9b::{}", "::{}", "::ffff:0:{}", "2001:470::5efe:{}")
    for form in forms:
        assert is_public(form.format(address)) is is_public(str(address))


@pytest.mark.parametrize(
    "address",
    [
        "168.63.129.16",  # Azure's own
        "100.100.100.200",  # Alibaba's metadata
        "192.0.0.192",  # Oracle's
        "fd00:ec2::254",  # Amazon's
        "192.88.99.1",
        "64:ff9b:1::7f00:1",  # RFC 8215: translated within a network
        "fec0::1",
        "5f00::1",
        "3fff::1",
        "fe80::1%eth0",
        "2002:7f00:1::",
        "255.255.255.255",
        "ff0e::1",
        "nonsense",
    ],
)
def test_what_nobody_is_given_is_not_public(address: str) -> None:
    assert not is_public(address)


@given(st.ip_addresses(v=6))
def test_only_what_is_given_to_somebody_is_public(address: ipaddress.IPv6Address) -> None:
    if is_public(str(address)) and int(address) >> 32 not in (0, 0x64FF9B << 64, 0xFFFF << 16):
        assert address.ipv4_mapped or int(address) >> 125 == 1


def test_the_guard_opens_sockets_to_public_addresses_only() -> None:
    handle = Handle(Profile())
    try:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 0)
        for address in ("10.0.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "0.0.0.0"):
            assert handle._connect(0, (*kind, (address, 80))) == -1
        made = handle._connect(0, (*kind, ("93.184.216.34", 80)))  # made, and not connected
        assert isinstance(made, socket.socket)
        made.close()
    finally:
        handle.close()


@pytest.mark.parametrize(
    ("hosts", "target", "fine"),
    [
        (None, "https://other.example/a", True),
        (None, "http://api.example/a", False),
        (None, "http://other.example/a", False),
        (["http://other.example"], "http://other.example/a", True),
        (["other.example"], "http://other.example/a", False),
    ],
)
def test_https_is_not_left_for_http(hosts: list[str] | None, target: str, fine: bool) -> None:
    api = Api("https://api.example", reach=Reach(hosts))
    if fine:
        api.led_to(Get(target), "https://api.example/x")
    else:
        with pytest.raises(PermanentError, match="from https to http"):
            api.led_to(Get(target), "https://api.example/x")


@pytest.mark.parametrize("name", ["", "https://a.example/path", "me@a.example", "a.example/b"])
def test_hosts_are_names(name: str) -> None:
    with pytest.raises(InputError, match="is not a host"):
        Reach([name])
