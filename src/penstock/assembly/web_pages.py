"""Articles and their pictures, fetched under the http room's retries and limits."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from penstock.errors import PenstockError
from penstock.http import Api, Get

_BROWSER = {"Accept": "text/html,application/xhtml+xml,application/epub+zip;q=0.9,*/*;q=0.5"}
_WEB = ("http://", "https://")
_MOST_PICTURES = 60


def fetch_article(url: str) -> bytes:
    """Return the page at ``url``, fetched under the http room's retries and limits.

    Raises:
        PermanentError: There is no such page.
        GaveUp: The server failed too often.
    """
    page = url.partition("#")[0]
    return Api(page.partition("?")[0], headers=_BROWSER, decode="bytes").call(Get(page)).body


def pictures_of(page: str) -> Callable[[str], bytes | None]:
    """Return what fetches the pictures of a page; one that cannot be had is left out.

    A page may not name machines inside the network unless it comes from the same one.
    """
    fetched: list[str] = []

    def load(address: str) -> bytes | None:
        if not address.startswith(_WEB) or len(fetched) >= _MOST_PICTURES:
            return None
        try:
            host = urlsplit(address).hostname or ""
            if host != urlsplit(page).hostname and _inside(host):
                return None
            fetched.append(address)
            return fetch_article(address)
        except (PenstockError, ValueError, OSError):
            return None

    return load


def _inside(host: str) -> bool:
    """Whether a host's name leads to this machine or to the network it is in."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return any(not ipaddress.ip_address(str(a[4][0]).partition("%")[0]).is_global for a in found)
