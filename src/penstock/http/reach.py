"""Where calls may go when a server says so: by redirects, by links to the next page, by DNS.

What a server answers is data. It may name any address, and a service that it does not see
otherwise: on this machine, in this network, at the cloud's metadata address.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import final

from penstock.errors import InputError, PermanentError
from penstock.http.url import origin, shown

# The last 32 bits are an IPv4 address: RFC 4291 (compatible), RFC 6052 (NAT64), RFC 2765 (SIIT).
_WITHIN = (0, 0x64FF9B << 64, 0xFFFF << 16)
_ISATAP = (0x5EFE, 0x02005EFE)  # RFC 5214: so is what follows these
# Not every Python knows these: the services of two clouds, the relays of 6to4 (RFC 7526),
# documentation (RFC 9637).
_NOT_PUBLIC = ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "3fff::/20")
_UNICAST = "2000::/3"  # all that IANA gives to anybody


@final
@dataclass(frozen=True, slots=True)
class Reach:
    """Where calls may go, beside the service itself.

    Attributes:
        hosts: Names such as ``cdn.example.com`` or ``*.example.com``, with a port or with
            ``http://`` before it where that is meant; empty for the service alone; None for any
            public one. To those that are named, bodies and answers from https may be led, too.
        private: Whether a server may lead to addresses that are not public: None where its own
            address is not, either.

    Raises:
        InputError: A name is not one.
    """

    hosts: Sequence[str] | None = None
    private: bool | None = None

    def __post_init__(self) -> None:
        for name in self.hosts or ():
            if not name or set("/@ ") & set(name.rpartition("://")[2]):
                raise InputError(f"hosts: {name!r} is not a host: write cdn.example.com")

    def names(self, url: str) -> bool:
        """Return whether a URL's host is one of those that are named.

        >>> Reach(["*.example.com"]).names("https://cdn.example.com/a")
        True
        >>> Reach(["cdn.example.com"]).names("http://cdn.example.com/a")
        False
        """
        scheme, host, port = origin(url)
        usual = 443 if scheme == "https" else 80
        for name in self.hosts or ():
            wanted, _, place = name.lower().rpartition("://")
            if scheme != (wanted or "https") and not (scheme == "http" and _has_port(place)):
                continue
            told = host if port == usual and not _has_port(place) else f"{host}:{port}"
            if fnmatchcase(told, place):
                return True
        return False

    def check(self, url: str) -> None:
        """Refuse a URL of another origin that is not named, where names are given.

        Raises:
            PermanentError: It is not.
        """
        if self.hosts is not None and not self.names(url):
            raise PermanentError(f"{shown(url)}: not called: its host is not one of hosts")

    def check_lead(self, found: str, target: str, *, body: bool) -> None:
        """Refuse to go from where the server said so, ``found``, to ``target``.

        Raises:
            PermanentError: It would leave https, or take a body to another origin.
        """
        if origin(found) == origin(target) or self.names(target):
            return
        scheme, host, _ = origin(target)
        what = ""
        if scheme == "http" and found.startswith("https:"):
            what = f'from https to http; hosts = ["http://{host}"]'
        elif body:
            what = f'with a body to another origin; hosts = ["{host}"]'
        if what:
            raise PermanentError(f"{shown(found)}: not led to {shown(target)}, {what} allows it")

    def guards(self, peer: str) -> bool:
        """Return whether what the server at the address ``peer`` says leads to public ones only."""
        return not self.private if self.private is not None else not peer or is_public(peer)


def _has_port(place: str) -> bool:
    return place.rpartition(":")[2].isdigit()


@lru_cache(maxsize=4096)
def is_public(address: str) -> bool:
    """Return whether an address is one of the Internet at large, and nobody's own.

    >>> [is_public(a) for a in ("93.184.216.34", "169.254.169.254", "::ffff:127.0.0.1")]
    [True, False, False]
    """
    import ipaddress

    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inside = found.ipv4_mapped or found.sixtofour or (found.teredo and found.teredo[1])
        if int(found) >> 32 in _WITHIN or int(found) >> 32 & 0xFFFFFFFF in _ISATAP:
            inside = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inside:
            return is_public(str(inside))
        if found not in ipaddress.IPv6Network(_UNICAST):
            return False
    if any(found in ipaddress.ip_network(net) for net in _NOT_PUBLIC):
        return False
    return found.is_global and not found.is_multicast


def check_literal(url: str) -> None:
    """Refuse a URL whose host is an address that is not public, however it is written.

    Raises:
        PermanentError: It is.
    """
    import socket

    _, host, _ = origin(url)
    with suppress(OSError, UnicodeError):
        host = socket.inet_ntoa(socket.inet_aton(host))  # 2130706433 and 0x7f.1, too
    if (":" in host or host.replace(".", "").isdigit()) and not is_public(host):
        raise PermanentError(not_public(shown(url), host))


def address_of(url: str) -> str:
    """Return the address of a URL's host, or ``""`` where it has none."""
    import socket

    _, host, port = origin(url)
    try:
        return str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError):
        return ""


def not_public(where: str, address: str) -> str:
    """Return why a call is not made."""
    return (
        f"{where}: not called: a server led there, and {address} is not a public address; "
        "name the host in hosts, or set private = true"
    )


def proxied(url: str, proxy: str | None) -> bool:
    """Return whether a call goes by a proxy: then the address is looked up there, not here."""
    if proxy is not None:
        return bool(proxy)
    import urllib.request

    known = urllib.request.getproxies_environment()
    scheme, host, port = origin(url)
    if not (known.get(scheme) or known.get("all")):
        return False
    passed_by = urllib.request.proxy_bypass_environment(  # type: ignore[attr-defined] # not in typeshed
        f"{host}:{port}"
    )
    return not passed_by
