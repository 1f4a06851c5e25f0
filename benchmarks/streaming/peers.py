"""The peers, each as its documentation says: peers.py NAME URL MESSAGES [gzip] [latency].

Prints {"messages", "seconds", "cpu"}, or with latency {"messages", "late": [milliseconds]}.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Callable

See = Callable[[object], None]
LATE: list[float] = []


def note(message: dict[str, object]) -> None:
    LATE.append((time.monotonic_ns() - message["at"]) / 1e6)


def requests_orjson(url: str, see: See, _wanted: int, *, gzip: bool) -> int:
    import orjson
    import requests

    headers = {"Accept-Encoding": "gzip" if gzip else "identity"}
    count = 0
    with requests.get(url, stream=True, headers=headers) as answer:
        for line in answer.iter_lines():
            if line:
                see(orjson.loads(line))
                count += 1
    return count


def httpx_orjson(url: str, see: See, _wanted: int, *, gzip: bool) -> int:
    import httpx
    import orjson

    headers = {"Accept-Encoding": "gzip" if gzip else "identity"}
    count = 0
    with httpx.stream("GET", url, headers=headers, timeout=None) as answer:
        for line in answer.iter_lines():
            if line:
                see(orjson.loads(line))
                count += 1
    return count


def aiohttp_orjson(url: str, see: See, _wanted: int, *, gzip: bool) -> int:
    import aiohttp
    import orjson

    async def go() -> int:
        headers = {"Accept-Encoding": "gzip" if gzip else "identity"}
        count = 0
        async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as answer:
            async for line in answer.content:
                if len(line) > 2:
                    see(orjson.loads(line))
                    count += 1
        return count

    return asyncio.run(go())


def tweepy_json(url: str, see: See, wanted: int, *, gzip: bool) -> int:
    from tweepy.streaming import BaseStream

    class Client(BaseStream):  # the loop below its clients, whose URLs are Twitter's
        seen = 0

        def on_data(self, raw_data: bytes) -> None:
            see(json.loads(raw_data))
            self.seen += 1
            if self.seen == wanted:  # after a clean end it would connect again and again
                self.disconnect()

        def on_disconnect(self) -> None:
            pass

    client = Client()
    if gzip:
        client.session.headers["Accept-Encoding"] = "gzip"
    client._connect("GET", url)  # noqa: SLF001 - the transport alone
    return client.seen


def post(url: str, see: See, _wanted: int, *, gzip: bool) -> int:
    """The handler of the post: it looks only when what came last happens to end a line."""
    import pycurl

    state = {"buffer": b"", "count": 0}

    def handle_tweet(data: bytes) -> None:
        state["buffer"] += data
        if data.endswith(b"\r\n") and state["buffer"].strip():
            try:
                see(json.loads(state["buffer"]))
                state["count"] += 1
            except ValueError:
                pass  # there it ends with the exception; here the others are counted
            state["buffer"] = b""

    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    if gzip:
        curl.setopt(pycurl.ENCODING, "deflate, gzip")
    curl.setopt(pycurl.WRITEFUNCTION, handle_tweet)
    curl.perform()
    return state["count"]


def websockets_orjson(url: str, see: See, wanted: int, *, gzip: bool) -> int:
    import orjson
    from websockets.sync.client import connect

    count = 0
    with connect(url, compression="deflate" if gzip else None) as socket:
        for message in socket:
            see(orjson.loads(message))
            count += 1
            if count == wanted:
                break
    return count


PEERS = {
    "requests": requests_orjson,
    "httpx": httpx_orjson,
    "aiohttp": aiohttp_orjson,
    "tweepy": tweepy_json,
    "post": post,
    "websockets": websockets_orjson,
}


def main(name: str, url: str, wanted: str, *how: str) -> None:
    for module in ("aiohttp", "httpx", "orjson", "pycurl", "requests", "tweepy", "websockets"):
        __import__(module)
    see = note if "latency" in how else lambda _message: None
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    messages = PEERS[name](url, see, int(wanted), gzip="gzip" in how)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"messages": messages, "seconds": seconds, "cpu": cpu, "late": LATE}))


if __name__ == "__main__":
    main(*sys.argv[1:])
