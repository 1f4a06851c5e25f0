"""Any answer ends in a response or in an error of ours; PENSTOCK_FUZZ says how many are tried.

Some go over a socket, through libcurl and the I/O thread. Most are handed to the thread that
decides as the I/O thread hands them over, which takes a tenth of the time.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable
from random import Random
from typing import final

import pytest
from tests.http.wire import Asked, answering, wire

from penstock.clock import FakeClock
from penstock.errors import PenstockError
from penstock.http import (
    Api,
    BodyCursor,
    BodyLink,
    Get,
    HeaderCursor,
    LinkHeader,
    Offset,
    PageNumber,
    Post,
    Reach,
    Style,
    pages,
    rows,
)
from penstock.http.io_thread import engine
from penstock.http.transfer import Transfer
from penstock.resilience import RetryPolicy

TRIES = int(os.environ.get("PENSTOCK_FUZZ", "150"))
SEED = int(os.environ.get("PENSTOCK_FUZZ_SEED", "1"))
STATUSES = [200, 200, 200, 201, 204, 206, 301, 302, 303, 307, 308, 304, 400, 401, 403, 404, 410]
STATUSES += [420, 429, 429, 500, 503, 503, 520, 999]
NAMES = [
    *("Retry-After", "RateLimit", "RateLimit-Policy", "RateLimit-Limit", "RateLimit-Remaining"),
    *(
        "RateLimit-Reset",
        "X-RateLimit-Reset",
        "X-Rate-Limit-Reset-Day",
        "Retry-After-Ms",
        "Backoff",
    ),
    *(
        "Link",
        "Location",
        "Date",
        "Content-Type",
        "X-Next",
        "Sforce-Limit-Info",
        "WWW-Authenticate",
    ),
    *("X-Shopify-Shop-Api-Call-Limit", "X-MBX-USED-WEIGHT-1M", "Content-Encoding", "Set-Cookie"),
]
VALUES = [
    *("", "0", "-1", "1", "99999999999", "1e308", "inf", "nan", "9" * 400, "1e-400", "0x10", "١"),
    *('"a";r=0;t=9000000000000000', '"' * 500, "\\" * 200, "limit=1, remaining=0, reset=1e300"),
    *("1h" * 300, "Wed, 21 Oct 9999999 07:28:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "a" * 9000),
    *(
        '<//[>; rel="next"',
        "<http://[::1>; rel=next",
        "<>;rel=next",
        "<?page=2>; rel=next",
        "http://[",
    ),
    *(
        "http://127.0.0.1:99999/",
        "//",
        "/\\",
        "?",
        "#",
        "file:///etc/passwd",
        "http://a@b:c@d/",
        "\xff",
    ),
    *("application/json; charset=utf-16", "text/html; charset=no-such", "gzip", "br", "a, b;;,=,"),
    *(
        "http://xn--/",
        "http://[",
        "\xff",
        "http://\xad/",
        "1/0",
        "1/",
        "api-usage=1/0",
        "18446744073709551616",
    ),
]
LEAVES: list[object] = [
    *(None, True, 0, -1, 1e308, 1e30, 10**400, "", "next", "http://[", "/a", "\x00\ud800", [], {}),
    *({"a": 1}, [1, 2], [{"id": 1}], "9" * 5000, {"$ref": "a", "$id": 1}, 2**70),
]
KEYS = [
    "next",
    "links",
    "total",
    "pages",
    "items",
    "data",
    "cursor",
    "retry_after",
    "message",
    "error",
]
REQUESTS = [Get("/"), Post("/", json={"a": 1}, idempotent=True)]
_SIDE_BY_SIDE = 64
STYLES: list[Style] = [
    *(LinkHeader(), BodyLink(path="next"), BodyCursor(param="cursor", path="cursor")),
    *(PageNumber(total="total"), PageNumber(pages="pages"), Offset(size=2, total="total")),
    HeaderCursor(header="X-Next"),
]


def body(rng: Random) -> bytes:
    if rng.random() < 0.005:
        return b"[" * 2000 + b"]" * 2000  # takes as long as fifty others
    if rng.random() < 0.2:
        return rng.choice([b"{", b"\xff\xfe[\x00]\x00", b"<html>", b"\xef\xbb\xbf{}", b"nan", b""])
    if rng.random() < 0.2:
        return rng.randbytes(rng.randrange(40))
    members = {rng.choice(KEYS): rng.choice(LEAVES) for _ in range(rng.randrange(6))}
    return json.dumps(members).encode("utf-8", "surrogatepass")


def reply(rng: Random) -> bytes:
    content = body(rng)
    lines = [f"HTTP/1.1 {rng.choice(STATUSES)} X", f"Content-Length: {len(content)}"]
    lines += [f"{rng.choice(NAMES)}: {rng.choice(VALUES)}" for _ in range(rng.randrange(8))]
    return "\r\n".join([*lines, "", ""]).encode("utf-8") + content


def made(url: str) -> Api:
    return Api(
        url,
        retry=RetryPolicy(attempts=2, total=1),
        reach=Reach([]),
        clock=FakeClock(),
        max_redirects=2,
    )


def walked(api: Api, style: Style, rng: Random) -> None:
    for page in itertools.islice(pages(api, "/", style, concurrency=rng.choice((1, 4))), 3):
        rows(page)
        page.response.record()


def asked(api: Api, rng: Random) -> None:
    """Walk or call once: what comes is a response, or an error of ours that can be printed."""
    try:
        if rng.random() < 0.5:
            walked(api, rng.choice(STYLES), rng)
        else:
            api.call(rng.choice(REQUESTS)).record()
    except PenstockError as error:
        str(error).encode()


@pytest.mark.parametrize("part", range(4))
def test_any_answer_ends_in_a_response_or_in_an_error_of_ours(part: int) -> None:
    rng = Random(SEED * 4 + part)
    before = engine()

    def answered(_: Asked) -> bytes:
        return reply(rng)

    with wire(answering(answered)) as server:
        for _ in range(TRIES // 4):
            asked(made(server.url), rng)
    assert engine() is before, "the I/O thread was stopped"


@final
class Answering:
    """In place of the I/O thread: each transfer is answered at once."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.answered = 0

    def submit(self, transfers: list[Transfer]) -> None:
        for transfer in transfers:
            head, _, transfer.body = reply(self.rng).partition(b"\r\n\r\n")
            transfer.head = head + b"\r\n\r\n"
            transfer.status = int(head.split(b" ", 2)[1])
            transfer.peer = "127.0.0.1"
            assert transfer.inbox is not None
            transfer.inbox.received.append(transfer)
            self.answered += 1

    def cancel(self, transfers: Iterable[Transfer]) -> None:
        """Nothing is under way."""


def many(api: Api, rng: Random) -> None:
    """Make many calls side by side: each ends in a response or an error, or the whole in one."""
    with api.session(_SIDE_BY_SIDE) as calls:
        for key in range(_SIDE_BY_SIDE):
            calls.submit(key, rng.choice(REQUESTS), guarded=rng.random() < 0.1)
        while calls.pending:
            for result in calls.collect():
                try:
                    result.unwrap().record()
                except PenstockError as error:
                    str(error).encode()


@pytest.mark.parametrize("part", range(2))
def test_any_answer_is_decided_upon(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = Random(SEED * 2 + part)
    answering = Answering(rng)
    monkeypatch.setattr("penstock.http.calls.engine", lambda: answering)
    while answering.answered < TRIES * 5:
        decide(made("http://127.0.0.1:9"), rng)


def decide(api: Api, rng: Random) -> None:
    """Have one service answer a while: it goes on with what its earlier answers taught."""
    if rng.random() < 0.5:
        for _ in range(8):
            asked(api, rng)
        return
    try:
        many(api, rng)
    except PenstockError as error:
        str(error).encode()
