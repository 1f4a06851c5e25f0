"""Which of a server's resources a path is counted in, learned from its answers.

GitHub counts ``/search/...`` apart from all else, and says so only in the answer
(``X-RateLimit-Resource``). A route is the shortest beginning of a path, in segments, that tells
resources apart.

>>> routes = learn_route({}, "/search/code?q=1", "search")
>>> routes = learn_route(routes, "/users/7", "core")
>>> [resource_of(routes, path) for path in ("/search/issues", "/users/8", "/x")]
['search', 'core', None]
"""

from __future__ import annotations

_DEEPEST = 3
_MOST = 512


def resource_of(routes: dict[str, str], path: str) -> str | None:
    """Return the resource that ``path`` belongs to.

    ``""`` where it belongs now to one, now to another; None where nothing is known.
    """
    return routes.get(_longest(routes, _beginnings(path)))


def learn_route(routes: dict[str, str], path: str, resource: str) -> dict[str, str]:
    """Return ``routes`` with what an answer of ``resource`` to ``path`` says."""
    beginnings = _beginnings(path)
    longest = _longest(routes, beginnings)
    known = routes.get(longest)
    if known in (resource, "") or len(routes) >= _MOST:
        return routes
    if longest == beginnings[-1]:
        return {**routes, longest: ""}  # told apart by something else than the path
    following = beginnings.index(longest) + 1 if known is not None else 0
    return {**routes, beginnings[following]: resource}


def _beginnings(path: str) -> list[str]:
    """``/a/b/c/d?e`` as ``a``, ``a/b``, ``a/b/c``; the host of a whole URL left out."""
    _, separator, rest = path.partition("://")
    if separator:
        path = rest.partition("/")[2]
    parts = path.partition("?")[0].strip("/").split("/", _DEEPEST)[:_DEEPEST]
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]


def _longest(routes: dict[str, str], beginnings: list[str]) -> str:
    return next((b for b in reversed(beginnings) if b in routes), "\n")
