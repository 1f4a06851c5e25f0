"""Who is asking: every kind of credentials against the simulator, and where they never go."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.http.wire import Asked, Script, answer, answering, wire

from penstock.errors import InputError, PenstockError, PermanentError
from penstock.events import Event, Events
from penstock.http import (
    Api,
    ApiKey,
    Auth,
    Basic,
    Bearer,
    BodyLink,
    Delete,
    Get,
    HeaderCursor,
    LinkHeader,
    OAuth1,
    OAuth2,
    Post,
    Profile,
    Put,
    Request,
    Secret,
    pages,
    secret,
)
from penstock.pipeline import fetch
from penstock.resilience import RetryPolicy
from penstock.simulator import CREDENTIALS, Simulator

Make = Callable[..., Api]
Simulate = Callable[..., Simulator]


def oauth2(url: str, **more: str) -> OAuth2:
    told = CREDENTIALS["oauth2"]
    return OAuth2(url + told["token_path"], told["client_id"], told["client_secret"], **more)  # type: ignore[arg-type] # strings all


def credentials(kind: str, url: str) -> Auth:
    told = CREDENTIALS[kind]  # type: ignore[index] # one of its keys
    if kind == "basic":
        return Basic(told["user"], Secret(told["password"]))
    if kind == "bearer":
        return Bearer(told["token"])
    if kind == "oauth1":
        return OAuth1(
            told["consumer_key"], told["consumer_secret"], told["token"], told["token_secret"]
        )
    return oauth2(url)


KINDS = ["basic", "bearer", "oauth1", "oauth2"]


@pytest.mark.parametrize("kind", KINDS)
def test_right_credentials_are_let_in(simulate: Simulate, quick: Make, kind: str) -> None:
    simulator = simulate(users=30, auth=kind)
    api = quick(simulator.url, auth=credentials(kind, simulator.url))
    results = list(fetch(range(30), api, lambda n: Get(f"/users/{n}.json"), concurrency=4))
    assert all(result.ok for result in results)
    assert simulator.truth()["by_status"].get("401", 0) == 0


@pytest.mark.parametrize(
    "key",
    [ApiKey("penstock-key", header="X-Api-Key"), ApiKey(Secret("penstock-key"), query="api_key")],
)
def test_an_api_key_goes_where_it_is_wanted(simulate: Simulate, quick: Make, key: ApiKey) -> None:
    simulator = simulate(users=5, auth="api-key")
    api = quick(simulator.url, auth=key)
    results = list(fetch(range(5), api, lambda n: Get(f"/users/{n}.json"), concurrency=2))
    assert all(result.ok for result in results)


@pytest.mark.parametrize(
    ("method", "query"),
    [("GET", {"q": "a b&c=d", "z": "ä/?", "a": ["2", "1"]}), ("POST", {}), ("POST", {"page": 2})],
)
def test_oauth_1_signs_queries_and_forms(
    simulate: Simulate, quick: Make, method: str, query: dict[str, object]
) -> None:
    simulator = simulate(users=5, auth="oauth1")
    api = quick(simulator.url, auth=credentials("oauth1", simulator.url))
    if method == "GET":
        assert api.get("/users/ids.json", query)
        return
    with pytest.raises(PermanentError, match="400 Bad Request"):  # a form is no item: but let in
        api.call(Post("/items", query=query, form={"status": "hi & bye", "é": "1+1"}))
    assert api.call(Post("/items", query=query, json={"id": 7})).status == 201


def test_oauth_2_tokens_are_renewed_before_and_after_they_expire(
    simulate: Simulate, quick: Make
) -> None:
    simulator = simulate(users=400, auth="oauth2", token_life=0.15, latency=0.005)
    api = quick(simulator.url, auth=oauth2(simulator.url))
    results = list(fetch(range(400), api, lambda n: Get(f"/users/{n}.json"), concurrency=4))
    assert [result.error for result in results if not result.ok] == []
    assert simulator.truth()["served"] == 400


def token_server(grants: list[str]) -> Script:
    """Gives tokens for one call each, and refuses to refresh them."""

    def reply(asked: Asked) -> bytes:
        if asked.target != "/token":
            latest = f"Bearer t{len(grants)}"
            return answer() if asked.headers["authorization"] == latest else answer(b"{}", 401)
        grants.append(asked.body.partition(b"&")[0].decode())
        if b"refresh_token" in asked.body:
            return answer(b'{"error":"invalid_grant"}', 400)
        return answer(b'{"access_token":"t%d","refresh_token":"r"}' % len(grants))

    return answering(reply)


def test_a_refresh_token_that_is_no_longer_good_falls_back_to_the_client_s_own() -> None:
    grants: list[str] = []
    with wire(token_server(grants)) as server:
        api = Api(server.url, auth=OAuth2(server.url + "/token", "me", "pw"))
        assert api.get("/") == {}
        grants.append("something that makes the token old")
        assert api.get("/") == {}
        assert grants[0] == grants[3] == "grant_type=client_credentials"
        assert grants[2] == "grant_type=refresh_token"


def test_a_refresh_token_that_was_given_is_replaced_by_nobody_s() -> None:
    grants: list[str] = []
    with wire(token_server(grants)) as server:
        auth = OAuth2(server.url + "/token", "me", "pw", refresh_token="HIDDEN")
        with pytest.raises(InputError, match=r"no token: .*invalid_grant") as caught:
            Api(server.url, auth=auth).get("/")
        assert grants == ["grant_type=refresh_token"]
        assert "HIDDEN" not in str(caught.value)


def test_wrong_client_credentials_are_one_clear_error(simulate: Simulate, quick: Make) -> None:
    simulator = simulate(users=5, auth="oauth2")
    auth = OAuth2(simulator.url + "/oauth2/token", "me", "wrong-secret")
    with pytest.raises(InputError) as caught:
        quick(simulator.url, auth=auth).get("/users/1.json")
    assert "wrong-secret" not in str(caught.value)


def test_a_token_that_is_refused_again_ends_the_run(quick: Make) -> None:
    with wire(
        answering(
            lambda asked: (
                answer(b'{"access_token":"t"}') if asked.target == "/token" else answer(b"{}", 401)
            )
        )
    ) as server:
        auth = OAuth2(server.url + "/token", "me", "pw")
        with pytest.raises(InputError, match="refuses our credentials"):
            quick(server.url, auth=auth).get("/")
        assert len(server.asked) == 4  # a token, refused, another token, refused


# Where they never go


def leaks(asked: list[Asked], *secrets: str) -> list[Asked]:
    return [one for one in asked if any(s in repr(one) for s in secrets)]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "auth",
    [
        Basic("me", "HIDDEN"),
        Bearer("HIDDEN"),
        ApiKey("HIDDEN", header="X-Key"),
        ApiKey("HIDDEN", query="key"),
        OAuth1("HIDDEN", "s", "HIDDEN", "s"),
    ],
)
def test_a_redirect_takes_no_credentials_to_another_origin(
    quick: Make, status: int, auth: Auth
) -> None:
    with wire(answering(lambda _: answer(b'{"at": "other"}'))) as other:
        to = answer(b"", status, f"Location: {other.url}/there")
        with wire(answering(lambda _: to)) as server:
            api = quick(server.url, auth=auth, headers={"X-Team": "HIDDEN", "Accept": "text/x"})
            request = Get("/a", headers={"X-Own": "HIDDEN", "Cookie": "HIDDEN"})
            assert api.call(request).json() == {"at": "other"}
        (asked,) = other.asked
        assert leaks([asked], "HIDDEN", "SElEREVO", "authorization") == []
        assert asked.headers["user-agent"].startswith("penstock/")
        assert asked.headers["accept"] == "text/x"


def test_a_redirect_within_the_origin_keeps_them(quick: Make) -> None:
    def reply(asked: Asked) -> bytes:
        return answer() if asked.target == "/b" else answer(b"", 302, "Location: /b")

    with wire(answering(reply)) as server:
        quick(server.url, auth=Bearer("tok"), headers={"X-Team": "t"}).call(
            Get("/a", headers={"X-Own": "o"})
        )
        last = server.asked[-1].headers
        assert (last["authorization"], last["x-team"], last["x-own"]) == ("Bearer tok", "t", "o")


@pytest.mark.parametrize(
    ("style", "where"),
    [
        (LinkHeader(), "link"),
        (BodyLink(path="next"), "body"),
        (HeaderCursor(header="Next-Page"), "header"),
    ],
)
def test_a_link_to_another_origin_takes_no_credentials_along(
    quick: Make, style: LinkHeader | BodyLink | HeaderCursor, where: str
) -> None:
    with wire(answering(lambda _: answer(b"{}"))) as other:
        link = f"{other.url}/page2"
        first = {
            "link": answer(b"[]", 200, f'Link: <{link}>; rel="next"'),
            "body": answer(b'{"next":"%s"}' % link.encode()),
            "header": answer(b"[]", 200, f"Next-Page: {link}"),
        }[where]
        with wire(answering(lambda _: first)) as server:
            api = quick(server.url, auth=Bearer("HIDDEN"), headers={"X-Team": "HIDDEN"})
            asked = Get("/page1", headers={"Authorization": "HIDDEN", "X-Own": "HIDDEN"})
            assert len(list(pages(api, asked, style))) == 2
        assert len(other.asked) == 1
        assert leaks(other.asked, "HIDDEN") == []


@pytest.mark.parametrize(
    ("status", "request_", "method", "body"),
    [
        (301, Post("/a", json={"n": 1}), "GET", b""),
        (302, Post("/a", json={"n": 1}), "GET", b""),
        (302, Post("/a", json={"n": 1}, idempotent=True), "POST", b'{"n":1}'),
        (303, Post("/a", json={"n": 1}), "GET", b""),
        (303, Put("/a", json={"n": 1}), "GET", b""),
        (303, Delete("/a"), "GET", b""),
        (307, Post("/a", json={"n": 1}), "POST", b'{"n":1}'),
        (308, Put("/a", json={"n": 1}), "PUT", b'{"n":1}'),
        (301, Put("/a", json={"n": 1}), "PUT", b'{"n":1}'),
        (302, Delete("/a"), "DELETE", b""),
    ],
)
def test_what_a_redirect_makes_of_a_method(
    quick: Make, status: int, request_: Request, method: str, body: bytes
) -> None:
    """A DELETE answered by 302 was turned into a GET, and its 200 taken for the deletion's."""

    def reply(asked: Asked) -> bytes:
        return answer() if asked.target == "/b" else answer(b"", status, "Location: /b")

    with wire(answering(reply)) as server:
        quick(server.url).call(request_)
        assert (server.asked[-1].method, server.asked[-1].body) == (method, body)
        assert ("content-type" in server.asked[-1].headers) == bool(body)


def test_a_redirect_in_a_circle_ends(quick: Make) -> None:
    with wire(answering(lambda _: answer(b"", 302, "Location: /a"))) as server:
        with pytest.raises(PermanentError, match="redirected too often"):
            quick(server.url, max_redirects=4).get("/a")
        assert len(server.asked) == 5


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://h/", "http://[x", "http://h:99999/"]
)
def test_a_redirect_to_what_is_no_url_fails_its_item_only(quick: Make, target: str) -> None:
    with wire(answering(lambda _: answer(b"", 302, f"Location: {target}"))) as server:
        (result,) = fetch(["a"], quick(server.url), Get, concurrency=1)  # type: ignore[arg-type] # keys are paths
        assert isinstance(result.error, PenstockError)


# Never shown


def test_secrets_are_in_no_repr() -> None:
    shown = [
        Basic("me", "HIDDEN"),
        Bearer("HIDDEN"),
        ApiKey("HIDDEN", query="k"),
        OAuth1("k", "HIDDEN", "t", "HIDDEN"),
        OAuth2("http://x/t", "me", "HIDDEN", refresh_token="HIDDEN"),
        Secret("HIDDEN"),
        Api("http://x", auth=Bearer("HIDDEN"), headers={"X-Key": "HIDDEN"}),
        Profile(proxy="http://me:HIDDEN@proxy:3128"),
        Get("/a", headers={"Authorization": "HIDDEN"}, query={"api_key": "HIDDEN"}),
        Post("/a", form={"password": "HIDDEN"}, json="HIDDEN", content=b"HIDDEN"),
    ]
    assert [one for one in shown if "HIDDEN" in f"{one!r} {one!s} {one}"] == []


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_secrets_are_in_no_error_and_no_event(quick: Make, status: int) -> None:
    events, seen = Events(), list[Event]()
    events.subscribe(seen.append)
    with wire(answering(lambda _: answer(b"no", status))) as server:
        api = quick(
            server.url,
            auth=ApiKey("HIDDEN", query="api_key"),
            retry=RetryPolicy(attempts=2, base=0, total=0.05),
            events=events,
        )
        with pytest.raises(PenstockError) as caught:
            api.call(Get("/a", query={"token": "HIDDEN"}, headers={"X": "HIDDEN"}))
        chain: list[BaseException | None] = [caught.value]
        while chain[-1] is not None:
            chain.append(chain[-1].__cause__ or chain[-1].__context__)
        assert "HIDDEN" not in repr(chain) + repr(seen)


@pytest.mark.parametrize("path", ["http://me:HIDDEN@127.0.0.1:9/x?k=HIDDEN", "/x?k=HIDDEN"])
def test_a_url_with_a_password_is_not_shown_when_nobody_answers(quick: Make, path: str) -> None:
    api = quick("http://127.0.0.1:9", retry=RetryPolicy(attempts=2, base=0))
    with pytest.raises(PenstockError) as caught:
        api.get(path)
    assert "HIDDEN" not in f"{caught.value!r}{caught.value.__cause__!r}"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Bearer("HIDDEN\n"),
        lambda: Bearer(Secret("HIDDEN\r\nX: y")),
        lambda: ApiKey("a\nb", header="X-Key"),
        lambda: ApiKey("a", header="X-Key: y\r\nZ"),
    ],
)
def test_a_secret_with_a_line_break_is_refused_without_showing_it(
    make: Callable[[], object],
) -> None:
    """`Bearer(secret)` of a file read whole: the line break ended the header line."""
    with pytest.raises(InputError, match="line break") as caught:
        make()
    assert "HIDDEN" not in str(caught.value)


def test_where_secrets_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_TEST_TOKEN", "t0k")
    (tmp_path / "key").write_text("k3y\n")
    assert secret("env:PENSTOCK_TEST_TOKEN").reveal() == "t0k"
    assert secret(f"file:{tmp_path / 'key'}").reveal() == "k3y"
    for source, words in [
        ("NOT_SET_ANYWHERE", "is not set: export NOT_SET_ANYWHERE"),
        (f"file:{tmp_path / 'none'}", "cannot be read"),
        ("vault:x", "env:NAME or file:PATH"),
    ]:
        with pytest.raises(InputError, match=words):
            secret(source)
    (tmp_path / "key").write_text("\n")
    with pytest.raises(InputError, match="is empty"):
        secret(f"file:{tmp_path / 'key'}")


def test_one_oauth_2_is_shared_by_threads(simulate: Simulate, quick: Make) -> None:
    simulator = simulate(users=50, auth="oauth2", token_life=0.2)
    api = quick(simulator.url, auth=oauth2(simulator.url))
    trouble: list[Exception] = []

    def harvest() -> None:
        results = fetch(range(50), api, lambda n: Get(f"/users/{n}.json"), concurrency=3)
        trouble.extend(result.error for result in results if result.error is not None)

    threads = [threading.Thread(target=harvest) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trouble == []
    assert simulator.truth()["served_total"] == 150


@pytest.mark.parametrize("life", ['"3599"', "3599.5", "null", '"soon"', "0"])
def test_a_token_is_taken_however_its_life_is_written(quick: Make, life: str) -> None:
    """Azure AD v1 sends "expires_in": "3599": there was "no token in the answer"."""

    def reply(asked: Asked) -> bytes:
        if asked.target == "/token":
            return answer(b'{"access_token": "t", "expires_in": %s}' % life.encode())
        return answer(json.dumps(asked.headers.get("authorization")).encode())

    with wire(answering(reply)) as server:
        api = quick(server.url, auth=OAuth2(server.url + "/token", "me", "pw"))
        assert [api.get("/"), api.get("/")] == ["Bearer t"] * 2
        assert len(server.asked) == 3


def test_id_and_secret_go_into_the_body_where_the_server_wants_them_there(quick: Make) -> None:
    with wire(answering(lambda _: answer(b'{"access_token": "t"}'))) as server:
        auth = OAuth2(server.url + "/token", "me", "p w", client_in="body")
        quick(server.url, auth=auth).get("/")
        asked = server.asked[0]
    assert asked.body == b"grant_type=client_credentials&client_id=me&client_secret=p+w"
    assert "authorization" not in asked.headers


def test_a_rotated_refresh_token_is_handed_over_to_be_kept(quick: Make) -> None:
    with wire(answering(lambda _: answer(b'{"access_token":"t","refresh_token":"r1"}'))) as server:
        auth = OAuth2(server.url + "/token", "me", "pw", refresh_token="r0")
        kept: list[str] = []
        auth.rotated = kept.append
        quick(server.url, auth=auth).get("/")
    assert kept == ["r1"]
