"""A server that says what it has ready, as fast as it is taken, or at a rate with the time in it.

server.py COUNT: prints its port. Paths: /whole (COUNT tweets, then the end), /whole?block=65536,
/paced?rate=200&count=N, /big?mb=64; each also with &gzip=1, and /paced with &coding=close;
/socket (COUNT tweets over a WebSocket), /idle (an answer that goes on, and says nothing).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import random
import socket
import sys
import threading
import time
import zlib
from functools import lru_cache
from urllib.parse import parse_qsl

DISTINCT = 4000
EVERY = 200  # messages between two blank lines
IDLE: list[socket.socket] = []
GZIP = 16 + zlib.MAX_WBITS
WORDS = [f"{a}{b}" for a in ("gate", "river", "turbine", "quota", "caf\u00e9") for b in range(400)]


def tweet(rng: random.Random, number: int) -> bytes:
    """Return a tweet as Twitter v1.1 sent them: ASCII, some 2,300 bytes, nested."""
    user = {
        "id": 2**53 + rng.randrange(10**9),
        "screen_name": f"user_{rng.randrange(10**6)}",
        "name": " ".join(rng.sample(WORDS, 2)),
        "description": " ".join(rng.sample(WORDS, 12)),
        "followers_count": rng.randrange(10**6),
        "profile": {f"colour_{n}": f"{rng.randrange(2**24):06x}" for n in range(10)},
    }
    return json.dumps(
        {
            "created_at": "Sat Nov 21 20:00:00 +0000 2026",
            "id": number,
            "id_str": str(number),
            "text": " ".join(rng.sample(WORDS, 18)),
            "user": user,
            "entities": {
                "hashtags": [{"text": word, "indices": [0, 7]} for word in rng.sample(WORDS, 6)],
                "urls": [{"url": f"https://t.example/{rng.randrange(10**9)}"} for _ in range(4)],
            },
            "retweeted": False,
            "lang": "en",
            "padding": " ".join(rng.sample(WORDS, 90)),
        }
    ).encode()


@lru_cache
def tweets(count: int) -> list[bytes]:
    """Return so many messages; the ids go on, the rest repeats."""
    rng = random.Random(1)
    distinct = [tweet(rng, 10**9 + n) for n in range(min(count, DISTINCT))]
    made = []
    for number in range(count):
        text = distinct[number % DISTINCT]
        old = b"%d" % (10**9 + number % DISTINCT)
        made.append(text.replace(old, b"%d" % (10**9 + number)))
    return made


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@lru_cache
def whole(count: int, block: int, gzip: bool) -> bytes:
    """Return the body on the wire: a chunk a message, or blocks of that many bytes."""
    packer = zlib.compressobj(6, zlib.DEFLATED, GZIP)
    parts = []
    for number, message in enumerate(tweets(count), 1):
        data = message + b"\r\n" + (b"\r\n" if number % EVERY == 0 else b"")
        if gzip:
            data = packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
        parts.append(data)
    if gzip:
        parts.append(packer.flush(zlib.Z_FINISH))
    if block:
        joined = b"".join(parts)
        parts = [joined[start : start + block] for start in range(0, len(joined), block)]
    return b"".join(map(chunk, parts)) + b"0\r\n\r\n"


def serve_paced(sock: socket.socket, words: dict[str, str]) -> None:
    """Tell messages at a rate, each with the moment it is written."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    chunked, rate = words.get("coding") != "close", float(words["rate"])
    packer = zlib.compressobj(6, zlib.DEFLATED, GZIP) if words.get("gzip") else None
    rng = random.Random(2)
    due = time.monotonic() + 0.2
    for number in range(int(words["count"])):
        while (left := due - time.monotonic()) > 0:
            time.sleep(left)
        padding = "x" * rng.randrange(200, 4000)
        text = json.dumps({"id": number, "at": time.monotonic_ns(), "text": padding})
        data = text.encode() + b"\r\n"
        if packer:
            data = packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
        sock.sendall(chunk(data) if chunked else data)
        due += 1 / rate
    rest = packer.flush(zlib.Z_FINISH) if packer else b""
    sock.sendall((chunk(rest) if rest else b"") + b"0\r\n\r\n" if chunked else rest)


@lru_cache
def frames(count: int) -> bytes:
    """Return so many text messages of a WebSocket, and its close in good order."""
    heads = (b"\x81\x7e%b%b" % (len(one).to_bytes(2), one) for one in tweets(count))
    return b"".join(heads) + b"\x88\x02\x03\xe8"


def upgrade(request: bytes) -> bytes:
    """Return the head of the answer to a WebSocket's request (RFC 6455, section 4.2.2)."""
    lines = (line.partition(b": ") for line in request.split(b"\r\n"))
    key = next(value for name, _, value in lines if name.lower() == b"sec-websocket-key")
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return head + b"Sec-WebSocket-Accept: %b\r\n\r\n" % base64.b64encode(digest)


def serve(sock: socket.socket, count: int) -> bool:
    """Answer one request; return whether its answer goes on."""
    request = b""
    while b"\r\n\r\n" not in request:
        if not (part := sock.recv(65536)):
            return False
        request += part
    path, _, query = request.split(b" ", 2)[1].decode().partition("?")
    words = dict(parse_qsl(query))
    if path == "/socket":
        sock.sendall(upgrade(request) + frames(count))
        sock.recv(65536)  # the close's answer: without an end the peer waits for seconds
        return False
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    head += "Content-Encoding: gzip\r\n" if words.get("gzip") else ""
    close = words.get("coding") == "close"
    head += "Connection: close\r\n\r\n" if close else "Transfer-Encoding: chunked\r\n\r\n"
    sock.sendall(head.encode())
    if path == "/idle":
        return True
    if path == "/paced":
        serve_paced(sock, words)
    elif path == "/big":
        text = b'{"id":1,"text":"' + b"x" * (int(float(words["mb"]) * 1e6)) + b'"}\r\n'
        sock.sendall(b"".join(chunk(text[n : n + 65536]) for n in range(0, len(text), 65536)))
        sock.sendall(b"0\r\n\r\n")
    else:
        sock.sendall(whole(count, int(words.get("block", 0)), bool(words.get("gzip"))))
    sock.shutdown(socket.SHUT_WR)
    while sock.recv(65536):
        pass
    return False


def attend(sock: socket.socket, count: int) -> None:
    with contextlib.suppress(OSError):  # the client has seen enough
        if serve(sock, count):
            IDLE.append(sock)
            return
    sock.close()


def main(count: int) -> None:
    whole(count, 0, gzip=False), whole(count, 0, gzip=True)
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=attend, args=(sock, count), daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]))
