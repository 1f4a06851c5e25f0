"""Harvests from servers that nobody here wrote, over real sockets."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from penstock.errors import InputError, PermanentError, RetryableError
from penstock.events import Event, Events, Retry, Waiting
from penstock.http import (
    Api,
    Basic,
    Bearer,
    Get,
    HeaderCursor,
    Post,
    Profile,
    Put,
    Record,
    pages,
    rows,
)
from penstock.pipeline import Pipeline, fetch
from penstock.resilience import RetryPolicy
from penstock.store import LocalStore

pytestmark = pytest.mark.timeout(600)  # the first of them installs the servers


# Kinto


def test_kinto_s_opaque_pages_are_harvested_and_its_backoff_is_obeyed(
    kinto: str, tmp_path: Path
) -> None:
    events, seen = Events(), list[Event]()
    events.subscribe(seen.append)
    api = Api(kinto, auth=Basic("me", "pw"), events=events)
    api.call(Put("/buckets/b"))
    api.call(Put("/buckets/b/collections/c"))
    path = "/v1/buckets/b/collections/c/records"
    bodies = [{"method": "POST", "path": path, "body": {"data": {"n": n}}} for n in range(15)]
    answer = json.loads(api.call(Post("/batch", json={"requests": bodies})).body)
    assert [one["status"] for one in answer["responses"]] == [201] * 15
    style = HeaderCursor(header="Next-Page")
    harvested = list(pages(api, "/buckets/b/collections/c/records", style))
    assert [len(rows(page, "data")) for page in harvested] == [7, 7, 1]
    found = [json.loads(row)["n"] for page in harvested for row in rows(page, "data")]
    assert sorted(found) == list(range(15))
    assert all(page.response.headers["backoff"] == "1" for page in harvested)
    assert len([event for event in seen if isinstance(event, Waiting)]) >= 3
    keys = [json.loads(row)["id"] for row in rows(harvested[0], "data")][:2]
    with LocalStore(tmp_path / "store") as store:
        report = Pipeline(keys).fetch(api, lambda key: Get(f"{path[3:]}/{key}")).land(store)
    assert (report.landed, report.failed) == (2, 0)


def test_kinto_s_refusal_ends_the_run(kinto: str) -> None:
    with pytest.raises(InputError, match="refuses our credentials"):
        Api(kinto).get("/buckets/nobody")


# httpbin


@pytest.mark.parametrize(
    ("path", "auth"),
    [("/basic-auth/me/p:w%20d", Basic("me", "p:w d")), ("/bearer", Bearer("tok"))],
)
def test_httpbin_lets_us_in(httpbin: str, path: str, auth: Basic | Bearer) -> None:
    body = Api(httpbin, auth=auth).get(path)
    assert isinstance(body, Record)
    assert body["authenticated"] is True


@pytest.mark.parametrize("coding", ["gzip", "deflate", "brotli"])
def test_httpbin_s_codings(httpbin: str, coding: str) -> None:
    name = {"gzip": "gzipped", "deflate": "deflated", "brotli": "brotli"}[coding]
    body = Api(httpbin).get(f"/{coding}")
    assert isinstance(body, Record)
    assert body[name] is True


@pytest.mark.parametrize("status", [400, 403, 404, 410, 418, 500, 503])
def test_httpbin_s_statuses(httpbin: str, status: int) -> None:
    api = Api(httpbin, retry=RetryPolicy(attempts=1))
    with pytest.raises(PermanentError, match=str(status)) as caught:
        api.get(f"/status/{status}")
    assert caught.value.status == status


def test_httpbin_s_redirects(httpbin: str) -> None:
    api = Api(httpbin)
    for path in ("/redirect/5", "/relative-redirect/3", "/absolute-redirect/3"):
        assert api.call(Get(path)).url == f"{httpbin}/get"
    with pytest.raises(PermanentError, match="redirected too often"):
        Api(httpbin, max_redirects=3).get("/redirect/5")


def test_what_httpbin_sees_is_what_was_said(httpbin: str) -> None:
    api = Api(httpbin, headers={"X-Team": "t"})
    query = {"q": "a b&c=ä", "many": [1, 2]}
    seen = json.loads(api.call(Get("/get", query=query, headers={"X-Own": "o"})).body)
    assert seen["args"] == {"q": "a b&c=ä", "many": ["1", "2"]}
    assert (seen["headers"]["X-Team"], seen["headers"]["X-Own"]) == ("t", "o")
    seen = json.loads(api.call(Post("/post", form={"name": "Ada & Co", "n": 7})).body)
    assert seen["form"] == {"name": "Ada & Co", "n": "7"}
    seen = json.loads(api.call(Put("/put", json={"n": [1, None]})).body)
    assert seen["json"] == {"n": [1, None]}


def test_httpbin_s_drip_chunks_and_bytes(httpbin: str) -> None:
    api = Api(httpbin, decode="bytes")
    assert api.call(Get("/drip?duration=0.3&numbytes=5&code=200")).body == b"*****"
    assert len(api.call(Get("/stream-bytes/5000?seed=1&chunk_size=100")).body) == 5000
    assert api.call(Get("/base64/" + base64.b64encode(b"hi").decode())).body == b"hi"
    hasty = Api(httpbin, retry=RetryPolicy(attempts=1), profile=Profile(first_byte=0.1))
    with pytest.raises(RetryableError, match=r"no answer within 0.1 s"):
        hasty.get("/delay/2")


# nginx


def test_nginx_s_unknown_rate_is_found_and_nothing_is_lost(
    web: tuple[str, str, Path], tmp_path: Path
) -> None:
    events, refused = Events(), [0]

    def count(event: Event) -> None:
        refused[0] += isinstance(event, Retry) and event.status == 429

    events.subscribe(count)
    api = Api(web[0], events=events)
    with LocalStore(tmp_path / "store") as store:
        report = (
            Pipeline(range(600))
            .fetch(api, lambda key: Get(f"/limited/{key}"), concurrency=20)
            .land(store)
        )
    assert (report.landed, report.failed) == (600, 0)
    assert 0 < refused[0] <= 90  # exact figures are the benchmarks' business


def test_http_2_over_tls(web: tuple[str, str, Path]) -> None:
    _, url, certificate = web
    with pytest.raises(PermanentError, match="ca_file"):
        Api(url, retry=RetryPolicy(attempts=1)).get("/1")
    results = list(
        fetch(
            range(300),
            Api(url, profile=Profile(ca_file=str(certificate))),
            lambda key: Get(f"/{key}"),
            concurrency=50,
        )
    )
    assert all(result.unwrap().json() == {"name": "Ada"} for result in results)
    assert {result.unwrap().head[:6] for result in results} == {b"HTTP/2"}
    older = Api(url, profile=Profile(ca_file=str(certificate), http2=False))
    assert older.call(Get("/1")).head.startswith(b"HTTP/1.1 200")
