"""The floor: libcurl's multi interface by hand, nothing else. CurlMulti.select ends at 1,024.

Beside clients that land (they are given a directory), a body is read and not decoded.
"""

from __future__ import annotations

import json
import sys
from io import BytesIO

import pycurl
from meter import Meter, arguments

base, items, concurrency = arguments()
meter = Meter()
multi = pycurl.CurlMulti()
free = [pycurl.Curl() for _ in range(concurrency)]
for easy in free:
    easy.setopt(pycurl.NOSIGNAL, 1)
flying: dict[pycurl.Curl, tuple[int, BytesIO]] = {}
following = done = good = 0
while done < items:
    while free and following < items:
        easy = free.pop()
        body = BytesIO()
        easy.setopt(pycurl.URL, f"{base}/users/{following}.json")
        easy.setopt(pycurl.WRITEDATA, body)
        multi.add_handle(easy)
        flying[easy] = following, body
        following += 1
    while multi.perform()[0] == pycurl.E_CALL_MULTI_PERFORM:
        pass
    more = 1
    while more:
        more, finished, failed = multi.info_read()
        for easy in finished:
            multi.remove_handle(easy)
            key, body = flying.pop(easy)
            text = body.getvalue()
            good += bool(text) if len(sys.argv) > 4 else json.loads(text)["id"] == key
            done += 1
            free.append(easy)
        for _, _, why in failed:
            raise SystemExit(why)
    if flying:
        multi.select(1.0)
meter.report(items, good)
