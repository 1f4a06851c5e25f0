"""Timeouts, sizes, codings, proxies and TLS, each against real sockets that do exactly that."""

from __future__ import annotations

import gzip
import ipaddress
import os
import socket
import ssl
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.http.wire import Asked, Peer, Wire, answer, answering, wire
from tests.ready import ready

from penstock.errors import InputError, PenstockError, PermanentError, RetryableError
from penstock.http import Api, Get, Head, Post, Profile, Put, Request
from penstock.http.io_thread import engine, raise_descriptor_limit
from penstock.http.response import Headers
from penstock.pipeline import fetch
from penstock.resilience import RetryPolicy
from penstock.simulator import Simulator
from penstock.streaming import Message, Stream

Make = Callable[..., Api]
Simulate = Callable[..., Simulator]
ONCE = RetryPolicy(attempts=1)


# Timeouts


def test_no_first_byte(quick: Make) -> None:
    def silent(peer: Peer) -> None:
        peer.request()
        peer.gone()

    with wire(silent) as server:
        api = quick(server.url, retry=ONCE, profile=Profile(first_byte=0.05))
        with pytest.raises(RetryableError, match=r"GET .*: no answer within 0.05 s") as caught:
            api.get("/")
        assert caught.value.sent is True


def test_an_answer_that_stalls(quick: Make) -> None:
    def half(peer: Peer) -> None:
        peer.request()
        peer.send(answer(b"x" * 1000)[:200])
        peer.gone()

    with wire(half) as server:
        api = quick(server.url, retry=ONCE, profile=Profile(stall=0.05))
        with pytest.raises(RetryableError, match=r"stalled for 0.05 s"):
            api.get("/")


def test_a_drip_lives_as_long_as_it_moves_but_not_beyond_the_total(quick: Make) -> None:
    def drip(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        waiting = threading.Event()
        for _ in range(1000):
            peer.send(b"x")
            if waiting.wait(0.005):
                return

    with wire(drip) as server:
        api = quick(server.url, retry=ONCE, profile=Profile(stall=10, total=0.2))
        with pytest.raises(RetryableError, match="timed out"):
            api.get("/")


def test_a_connection_that_is_never_taken_up(quick: Make) -> None:
    """A listener whose queue is full: the handshake never ends."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        port = listener.getsockname()[1]
        api = quick(f"http://127.0.0.1:{port}", retry=ONCE, profile=Profile(connect=0.1))
        with pytest.raises(RetryableError, match="timed out") as caught:
            api.get("/")
        assert caught.value.sent is False


@pytest.mark.parametrize("wrong", [{"connect": 0}, {"stall": -1.0}, {"max_body": 0}])
def test_wrong_profiles_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match=r"timeout is more than 0|max_body=0: at least 1"):
        Profile(**wrong)  # type: ignore[arg-type] # wrong on purpose


# Sizes and codings


def coded(data: bytes, coding: str) -> bytes:
    return answer(data, 200, f"Content-Encoding: {coding}")


def test_a_body_beyond_the_limit_is_given_up(quick: Make) -> None:
    with wire(answering(lambda _: answer(b"[" + b"1," * 5000 + b"1]"))) as server:
        api = quick(server.url, profile=Profile(max_body=10_000))
        with pytest.raises(PermanentError, match="body is larger than max_body=10000 bytes"):
            api.get("/")
        assert len(server.asked) == 1
        exact = quick(server.url, profile=Profile(max_body=10_003))
        assert len(exact.call(Get("/")).body) == 10_003


def test_a_gzip_bomb_is_stopped_at_the_limit(quick: Make) -> None:
    bomb = gzip.compress(b"[" + b" " * 50_000_000 + b"]")
    assert len(bomb) < 60_000
    with (
        wire(answering(lambda _: coded(bomb, "gzip"))) as server,
        pytest.raises(PermanentError, match="larger than max_body"),
    ):
        quick(server.url, profile=Profile(max_body=1_000_000)).get("/")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_codings_are_undone(quick: Make, coding: str) -> None:
    body = b'{"n": [1, 2, 3]}'
    packed = gzip.compress(body) if coding == "gzip" else zlib.compress(body)
    with wire(answering(lambda _: coded(packed, coding))) as server:
        assert quick(server.url).call(Get("/")).body == body
        assert {"gzip", "br"} <= set(server.asked[0].headers["accept-encoding"].split(", "))


def test_brotli_is_undone(quick: Make) -> None:
    # RFC 7932: a stream header for a small window, one uncompressed meta-block, the empty last one.
    body = b'{"n":1}'
    size = len(body) - 1
    bits = 0b0 | (0b0 << 1) | (0b00 << 2) | (size << 4) | (1 << 20)
    packed = bits.to_bytes(3, "little") + body + b"\x03"
    with wire(answering(lambda _: coded(packed, "br"))) as server:
        assert quick(server.url).get("/") == {"n": 1}


def test_damaged_gzip_is_tried_again(quick: Make) -> None:
    replies = iter([coded(b"\x1f\x8b" + b"garbage" * 9, "gzip"), answer(b"7")])
    with wire(answering(lambda _: next(replies))) as server:
        assert quick(server.url).get("/") == 7


def test_chunks_and_trailers(quick: Make) -> None:
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n"
    )
    with wire(answering(lambda _: chunked)) as server:
        assert quick(server.url).get("/") == [1, 2]


def test_an_answer_cut_short_is_tried_again(quick: Make) -> None:
    def first_short(peer: Peer) -> None:
        while peer.request() is not None:
            if len(server.asked) == 1:
                peer.send(answer(b"[1, 2, 3]")[:-3])
                return
            peer.send(answer(b"[1, 2, 3]"))

    with wire(first_short) as server:
        assert quick(server.url).get("/") == [1, 2, 3]
        assert len(server.asked) == 2


def test_head_and_empty_answers(quick: Make) -> None:
    with wire(answering(lambda _: answer(b"", 204))) as server:
        api = quick(server.url)
        assert api.call(Head("/")).status == 204
        assert api.call(Get("/")).body == b""


def test_what_is_no_http_at_all(quick: Make) -> None:
    with (
        wire(answering(lambda _: b"SSH-2.0-OpenSSH_9.2\r\n")) as server,
        pytest.raises(PenstockError),
    ):
        quick(server.url, retry=ONCE).get("/")


def test_a_header_that_names_http_hides_no_other() -> None:
    """ "Via: HTTP/1.1 cache" was taken for a status line: what stood before it was lost."""
    head = b"HTTP/1.1 200 OK\r\nLink: <a>\r\nVia: HTTP/1.1 cache\r\nETag: x\r\n\r\n"
    assert dict(Headers(head)) == {"link": "<a>", "via": "HTTP/1.1 cache", "etag": "x"}
    two = b"HTTP/1.1 100 Continue\r\nA: 1\r\n\r\nHTTP/1.1 200 OK\r\nB: 2\r\n\r\n"
    assert dict(Headers(two)) == {"b": "2"}


def test_a_large_post_is_sent_whole_and_once(quick: Make) -> None:
    body = os.urandom(3_000_000)
    with wire(answering(lambda _: answer())) as server:
        quick(server.url).call(Post("/", content=body))
        assert [asked.body == body for asked in server.asked] == [True]


def test_a_body_is_called_a_form_only_where_it_is_one(quick: Make) -> None:
    """libcurl names a type of its own: Kinto refused a PUT without a body for it (415)."""
    requests: list[Request] = [
        Put("/"),
        Post("/", content=b"x"),
        Post("/", content=b"x", headers={"content-type": "text/csv"}),
        Post("/", json=1),
        Post("/", form={"a": 1}),
    ]
    with wire(answering(lambda _: answer())) as server:
        for request in requests:
            quick(server.url).call(request)
        assert [asked.headers.get("content-type") for asked in server.asked] == [
            None,
            None,
            "text/csv",
            "application/json",
            "application/x-www-form-urlencoded",
        ]
        assert not any("expect" in asked.headers for asked in server.asked)


# Proxies


@contextmanager
def proxy(asked: list[Asked]) -> Iterator[Wire]:
    """A forward proxy: absolute targets are fetched, CONNECT is a tunnel."""

    def script(peer: Peer) -> None:
        request = peer.request()
        if request is None:
            return
        asked.append(request)
        if request.headers.get("proxy-authorization", "Basic bWU6cHc=") != "Basic bWU6cHc=":
            peer.send(answer(b"", 407))
            return
        connect = request.method == "CONNECT"
        place = request.target if connect else request.target.split("/")[2]
        host, _, port = place.rpartition(":")
        with socket.create_connection((host, int(port))) as upstream:
            if connect:
                peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = "/" + request.target.split("/", 3)[3]
                upstream.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            back = threading.Thread(target=pump, args=(upstream, peer.sock), daemon=True)
            back.start()
            pump(peer.sock, upstream)

    with wire(script) as server:
        yield server


def pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_through_a_forward_proxy_with_a_password(quick: Make) -> None:
    asked: list[Asked] = []
    with wire(answering(lambda _: answer(b"7"))) as server, proxy(asked) as between:
        told = f"http://me:pw@127.0.0.1:{between.port}"
        assert quick(server.url, profile=Profile(proxy=told)).get("/a") == 7
        assert asked[0].target == f"{server.url}/a"
        assert "proxy-authorization" in asked[0].headers
        assert "proxy-authorization" not in server.asked[0].headers


def test_a_proxy_that_is_not_there_means_never_sent(quick: Make) -> None:
    with wire(answering(lambda _: answer(b"7"))) as server:
        api = quick(server.url, retry=ONCE, profile=Profile(proxy="http://me:HIDDEN@127.0.0.1:9"))
        with pytest.raises(RetryableError) as caught:
            api.get("/a")
        assert caught.value.sent is False
        assert "HIDDEN" not in str(caught.value)
        assert server.asked == []


def test_the_environment_s_proxy_is_obeyed_unless_told_otherwise(
    quick: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Asked] = []
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with wire(answering(lambda _: answer(b"7"))) as server, proxy(asked) as between:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{between.port}")
        assert quick(server.url).get("/a") == 7
        assert len(asked) == 1
        assert quick(server.url, profile=Profile(proxy="")).get("/a") == 7
        assert len(asked) == 1


# TLS


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ca.pem, and a certificate by it for 127.0.0.1 in server.pem."""
    openssl = ready("openssl")
    folder = tmp_path_factory.mktemp("authority")
    (folder / "names").write_text(f"subjectAltName=IP:{ipaddress.ip_address('127.0.0.1')}\n")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    signed = ["-set_serial", "7", "-extfile", "names", "-out", "server.crt"]
    for words in (
        ["req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA"],
        ["req", *curve, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server"],
        ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", *signed],
    ):
        subprocess.run([openssl, *words], cwd=folder, check=True, capture_output=True)
    (folder / "server.pem").write_bytes(
        (folder / "server.key").read_bytes() + (folder / "server.crt").read_bytes()
    )
    return folder


def tls(authority: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.pem")
    return context


def test_an_unknown_authority_is_refused_in_one_clear_line(quick: Make, authority: Path) -> None:
    with wire(answering(lambda _: answer(b"7")), tls(authority)) as server:
        with pytest.raises(PermanentError, match=r"not trusted.*ca_file") as caught:
            quick(server.url).get("/")
        assert "\n" not in str(caught.value)
        assert server.asked == []


def test_a_known_authority_is_trusted(quick: Make, authority: Path) -> None:
    with wire(answering(lambda _: answer(b"7")), tls(authority)) as server:
        trusting = Profile(ca_file=str(authority / "ca.pem"))
        assert quick(server.url, profile=trusting).get("/") == 7
        assert quick(server.url, profile=Profile(verify=False)).get("/") == 7
        name = server.url.replace("127.0.0.1", "localhost")
        with pytest.raises(PermanentError, match="not trusted"):
            quick(name, profile=trusting).get("/")


@pytest.mark.parametrize("kind", ["call", "stream"])
def test_a_certificate_of_ours_is_shown_to_its_origin_and_nowhere_else(
    quick: Make, authority: Path, kind: str
) -> None:
    """That of a stream went along a redirect to another origin."""
    context = tls(authority)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(authority / "ca.pem")
    shown: list[tuple[str, bool]] = []

    def see(peer: Peer, name: str) -> None:
        assert isinstance(peer.sock, ssl.SSLSocket)
        shown.append((name, peer.sock.getpeercert() is not None))

    def elsewhere(peer: Peer) -> None:
        if peer.request():
            see(peer, "elsewhere")
            peer.send(answer(b'{"id":1}\n'))

    with wire(elsewhere, context) as other:

        def home(peer: Peer) -> None:
            if peer.request():
                see(peer, "home")
                where = f"Location: {other.url}/x\r\n".encode()
                peer.send(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n" + where + b"\r\n")

        with wire(home, context) as server:
            pem = str(authority / "server.pem")
            profile = Profile(ca_file=str(authority / "ca.pem"), cert=pem)
            if kind == "call":
                assert quick(server.url, profile=profile).get("/") == {"id": 1}
            else:
                with Stream(server.url + "/", framing="lf", profile=profile) as stream:
                    assert isinstance(next(iter(stream)), Message)
    assert shown[:2] == [("home", True), ("elsewhere", False)]


def test_a_missing_ca_file_is_named(quick: Make, authority: Path) -> None:
    with (
        wire(answering(lambda _: answer(b"7")), tls(authority)) as server,
        pytest.raises(InputError, match="trusted certificates cannot be read"),
    ):
        quick(server.url, profile=Profile(ca_file="/nowhere/ca.pem")).get("/")


def test_tls_through_a_proxy_s_tunnel(quick: Make, authority: Path) -> None:
    asked: list[Asked] = []
    with wire(answering(lambda _: answer(b"7")), tls(authority)) as server, proxy(asked) as between:
        profile = Profile(
            ca_file=str(authority / "ca.pem"), proxy=f"http://me:pw@127.0.0.1:{between.port}"
        )
        response = quick(server.url, profile=profile).call(Get("/a", headers={"X-Own": "o"}))
        assert response.json() == 7
        assert asked[0].method == "CONNECT"
        assert "x-own" not in asked[0].headers
        assert server.asked[0].headers["x-own"] == "o"


def test_a_refused_tunnel_means_never_sent(quick: Make, authority: Path) -> None:
    asked: list[Asked] = []
    with wire(answering(lambda _: answer(b"7")), tls(authority)) as server, proxy(asked) as between:
        told = f"http://me:wrong@127.0.0.1:{between.port}"
        api = quick(server.url, retry=ONCE, profile=Profile(proxy=told))
        with pytest.raises(RetryableError, match="407") as caught:
            api.post("/a", {})
        assert caught.value.sent is False


def test_a_plain_server_where_tls_is_spoken(quick: Make) -> None:
    with wire(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        api = quick(server.url.replace("http:", "https:"), retry=ONCE)
        with pytest.raises(RetryableError, match="TLS handshake failed") as caught:
            api.get("/")
        assert caught.value.sent is False


# The engine


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count of names


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors as Linux does")
def test_thousands_of_dropped_calls_leave_nothing_behind(quick: Make) -> None:
    def first_only(peer: Peer) -> None:
        while (asked := peer.request()) is not None:
            if asked.target == "/0":
                peer.send(answer())
            else:
                peer.gone()

    with wire(first_only) as server:
        api = quick(server.url)
        calls = 0
        before = after = descriptors()
        handles = len(engine()._of_easy)
        for turn in range(150):
            results = fetch(range(20), api, lambda key: Get(f"/{key}"), concurrency=20)
            assert next(results).key == 0
            results.close()  # type: ignore[attr-defined] # a generator
            calls += 20
            if turn == 5:
                before = descriptors()
        quick(server.url).get("/0")  # comes after all cancellations, in the same thread
        after = descriptors()
        assert calls == 3000
        assert len(engine()._of_easy) <= handles + 25
        assert engine()._active == {}
        assert after <= before + 120  # connections that stand, kept for the next call


def test_two_thousand_connections_at_once(quick: Make) -> None:
    """Nobody but the first is answered before all are there."""
    count = 2000
    raise_descriptor_limit(2 * count + 500)  # both ends are in this process
    plenty = 'RateLimit: "all"; r=1000000; t=60'
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        crowd = threading.Thread(target=hold, args=(listener, count, plenty), daemon=True)
        crowd.start()
        profile = Profile(connect=60, first_byte=None)
        api = quick(f"http://127.0.0.1:{listener.getsockname()[1]}", profile=profile)
        results = list(fetch(range(count + 1), api, lambda n: Get(f"/{n}"), concurrency=count))
        crowd.join()
    assert [result.error for result in results if not result.ok] == []
    assert sum(result.attempts for result in results) == count + 1


def hold(listener: socket.socket, count: int, plenty: str) -> None:
    """Answer one request, then none before ``count`` connections have one waiting."""
    held = [listener.accept()[0]]
    held[0].recv(65536)
    held[0].sendall(answer(b"{}", 200, plenty))
    held += [listener.accept()[0] for _ in range(count - 1)]
    for sock in held:
        while b"\r\n\r\n" not in sock.recv(65536):
            pass
    for sock in held:
        sock.sendall(answer())
    for sock in held:
        sock.close()


FORKING = """
import os, sys, warnings
from penstock import Api, Get
from penstock.pipeline import fetch

api = Api(sys.argv[1])
assert api.get("/users/0.json")
results = fetch(range(40), api, lambda n: Get(f"/users/{n}.json"), concurrency=20)
seen = [next(results)]
warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of threads, as it should
child = os.fork()
if child == 0:
    code = 1
    try:
        code = 0 if Api(sys.argv[1]).get("/users/1.json") else 2
    finally:
        os._exit(code)
seen += results
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert sorted(result.key for result in seen if result.ok) == list(range(40))
"""


def test_a_fork_disturbs_neither_side(simulate: Simulate) -> None:
    """The child's calls go through an engine of its own; the parent's go on.

    In a process of its own: another test's libraries may not survive a fork.
    """
    simulator = simulate(users=40, latency=0.05)
    subprocess.run([sys.executable, "-c", FORKING, simulator.url], check=True, timeout=60)


# Codings that libcurl will not undo, and cookies


@pytest.mark.parametrize(
    ("coding", "body", "right"),
    [
        (b"gzip", gzip.compress(b'{"a":1}', mtime=0) + b"xx", True),
        (b"utf-8", b'{"a":1}', True),
        (b"utf-8, gzip", gzip.compress(b'{"a":1}', mtime=0), True),
        (b"gzip", b'{"a":1}', False),
    ],
)
def test_codings_that_others_read(quick: Make, coding: bytes, body: bytes, *, right: bool) -> None:
    def coded(peer: Peer) -> None:
        while peer.request():
            head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\n" % coding
            peer.send(head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    with wire(coded) as server:
        api = quick(server.url, retry=ONCE)
        if right:
            assert api.call(Get("/")).body == b'{"a":1}'
        else:
            with pytest.raises(RetryableError, match="damaged"):
                api.call(Get("/"))


@pytest.mark.parametrize("cookies", [True, False])
def test_a_cookie_set_by_a_redirect(quick: Make, *, cookies: bool) -> None:
    def gate(peer: Peer) -> None:
        while asked := peer.request():
            if asked.headers.get("cookie") == "seen=1":
                peer.send(answer(b'{"in":true}'))
            else:
                head = b"HTTP/1.1 302 Found\r\nSet-Cookie: seen=1\r\nLocation: /\r\n"
                peer.send(head + b"Content-Length: 0\r\n\r\n")

    with wire(gate) as server:
        api = quick(server.url, retry=ONCE, cookies=cookies)
        if cookies:
            assert api.call(Get("/")).body == b'{"in":true}'
            other = quick(server.url, retry=ONCE, cookies=True, max_redirects=0)
        else:
            other = api
        word = "redirected, to" if cookies else "redirected too often, to"
        with pytest.raises(PermanentError, match=word):
            other.call(Get("/"))  # another account's jar is its own
