"""APIs in pages that hypothesis makes up: sizes, ends, holes, shifts, and what they leave out.

An API is a value and a function of what was asked. Its own rows are the judge: what it would show
to one who asked rightly must have come, or somebody must have said that it did not.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from hypothesis import strategies as st

from penstock.errors import PermanentError
from penstock.http import (
    BodyCursor,
    BodyLink,
    HeaderCursor,
    LinkHeader,
    Offset,
    PageNumber,
    Request,
    Response,
    Style,
)
from penstock.http.url import add_query, resolve
from penstock.pipeline import Key, Result
from penstock.resilience import RetryPolicy

STYLES = ("page", "offset", "cursor", "cursor-post", "last-row", "header", "link", "body", "rel")
CURSORS: dict[str, Callable[[int], str | int]] = {
    "plain": str,
    "number": lambda row: row,
    "large": lambda row: 90_071_992_547_409_930_000 + row,
    "odd": lambda row: f"a+b/c%2F&d= \u00e9#{row:04}",
}
BAD: list[Callable[[int], object]] = [
    lambda row: {"id": None, "n": row},
    lambda row: {"n": row},
    lambda row: {"id": row + 0.5},
    lambda row: {"id": 2**64 + row},
    lambda row: {"id": [row]},
    lambda row: [row],
]
ENDS = {"null": None, "empty": "", "false": False}


@dataclass(frozen=True, kw_only=True)
class OddApi:
    """One made-up API.

    Attributes:
        style: How its pages follow each other.
        count: Rows there are at the beginning.
        size: Rows a page that the client asks for.
        cap: Rows a page that the server gives at most.
        first: Number of the first page, or offset of the first row.
        hidden: Rows that are taken out of their page, since the caller may not see them.
        shift: Rows that are put before all others while page after page is read.
        end: How a page that has no next one says so.
        beyond: What there is behind the last page.
        empty: What stands for a list without rows.
        total: How the number of rows is told.
        more: Whether ``has_more`` is told.
        name: The list's name in the body; ``""`` where the body is the list.
        wrong: Where the client looks for a next page in the wrong place.
        cursors: How a cursor is written.
        links: How a link is written.
        overlap: Rows of the page before that a page begins with.
        last: How the last page is named in place of ``has_more``.
        expires: The call at which a cursor is refused, as if too old; 0 for none.
        bad: Rows without a key that could be used.
        marked: Whether bodies begin with a byte order mark.
        below: What there is before the first page.
        asked: Where the client begins, in place of ``first``.
    """

    style: str
    count: int
    size: int
    cap: int
    first: int
    hidden: frozenset[int]
    shift: int
    end: str
    beyond: str
    empty: str
    total: str
    more: bool
    name: str
    wrong: bool
    cursors: str = "plain"
    links: str = "whole"
    overlap: int = 0
    last: str = ""
    expires: int = 0
    bad: frozenset[int] = frozenset()
    marked: bool = False
    below: str = "empty"
    asked: int | None = None

    @property
    def numbered(self) -> bool:
        return self.style in ("page", "offset")

    @property
    def rows(self) -> set[int]:
        """The rows that a client must get."""
        return {row + 1 for row in set(range(self.count)) - self.hidden - self.bad}

    def client(self) -> Style:
        """Return the style that a user would write down for it, or a wrong one."""
        more = "has_more" if self.more and not self.wrong else None
        told: dict[str, Any] = {"items": self.name, "more": more}
        told |= {"until": self.last} if self.last else {}
        told |= {"on_expired": "restart"} if self.expires else {}
        total = "meta.total" if self.total in ("number", "text") else None
        numbered = {**told, "size": self.size, "total": total}
        numbered["first"] = self.first if self.asked is None else self.asked
        styles: dict[str, Style] = {
            "page": PageNumber(**numbered, param="p" if self.wrong else "page"),
            "offset": Offset(**numbered, param="p" if self.wrong else "offset"),
            "cursor": BodyCursor(**told, path="nxt" if self.wrong else "next_cursor"),
            "cursor-post": BodyCursor(
                **told, param="page.cursor", path="nxt" if self.wrong else "next_cursor"
            ),
            "last-row": BodyCursor(
                **told, param="cursor", path=f"{self.name}.-1.{'nr' if self.wrong else 'id'}"
            ),
            "header": HeaderCursor(
                **told, header="X-Nxt" if self.wrong else "X-Next-Cursor", param="cursor"
            ),
            "link": LinkHeader(**told, rel="nxt" if self.wrong else "next"),
            "body": BodyLink(**told, path="nxt" if self.wrong else "@odata.nextLink"),
            "rel": BodyLink(**told, path=f"links[rel={'nxt' if self.wrong else 'next'}].href"),
        }
        return styles[self.style]

    def answer(self, url: str, body: bytes, calls: int) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers and body for the ``calls``-th call."""
        asked = dict(parse_qsl(urlsplit(url).query))
        if body:
            asked |= json.loads(body).get("page", {})
        if self.expires and calls == self.expires and "cursor" in asked:
            return 410, {}, b'{"detail": "The cursor has expired."}'
        start, size = self._start(asked)
        if start < 0 and self.below.isdecimal():
            return int(self.below), {}, b'{"detail": "OFFSET must not be negative"}'
        start = max(0, start) if self.below == "clamp" else start
        inserted = self.shift * min(calls, 1)  # else a reader may never catch up
        everything = [-1 - n for n in reversed(range(inserted))] + list(range(self.count))
        last = max(0, (len(everything) - 1) // size * size)
        if self.numbered and 0 < start >= len(everything) and self.beyond != "empty":
            if self.beyond == "404":
                return 404, {}, b'{"detail": "Invalid page."}'
            start = last
        begin, stop = max(0, start - self.overlap), start + size
        page = [
            row for row in everything[begin : stop if start >= 0 else 0] if row not in self.hidden
        ]
        following = start + size if start + size < len(everything) else None
        return self._said(url, page, following, len(everything) - len(self.hidden))

    def _start(self, asked: Mapping[str, str]) -> tuple[int, int]:
        if self.style == "page":
            size = min(self.cap, int(asked.get("per_page", self.cap)))
            return (int(asked.get("page", self.first)) - self.first) * size, size
        if self.style == "offset":
            size = min(self.cap, int(asked.get("limit", self.cap)))
            return int(asked.get("offset", self.first)) - self.first, size
        return int(re.sub(r"\D", "", str(asked.get("cursor", 0)))[-4:]), self.cap

    def _said(
        self, url: str, page: list[int], following: int | None, total: int
    ) -> tuple[int, Mapping[str, str], bytes]:
        found: object = [
            BAD[row % len(BAD)](row) if row in self.bad else {"id": row + 1} for row in page
        ]
        headers: dict[str, str] = {}
        body: dict[str, object] = {}
        if self.total != "none":
            number = str(total) if self.total == "text" else total
            body["meta"] = {"total": number} if self.total != "unknown" else {"total_count": number}
        if self.more:
            body["has_more"] = following is not None
        if self.last:
            body[self.last] = str(following is None) if len(self.last) > 4 else following is None
        self._name_next(url, following, headers, body)
        mark = b"\xef\xbb\xbf" * self.marked
        if not self.name:
            return 200, headers, mark + json.dumps(found).encode()
        if page or self.empty == "list":
            body[self.name] = found
        elif self.empty == "null":
            body[self.name] = None
        return 200, headers, mark + json.dumps(body).encode()

    def _name_next(
        self, url: str, following: int | None, headers: dict[str, str], body: dict[str, object]
    ) -> None:
        cursor = None if following is None else CURSORS[self.cursors](following)
        link = None if cursor is None else add_query(url, {"cursor": cursor})
        if link is not None and self.links != "whole":
            parts = urlsplit(link)
            link = f"?{parts.query}" if self.links == "query" else f"{parts.path}?{parts.query}"
        if self.style == "header" and following is not None:
            headers["X-Next-Cursor"] = str(cursor)
        elif self.style == "link":
            prev = f"<{url}>; rel=prev"
            headers["Link"] = prev if link is None else f'{prev}, <{link}>; title="a;,"; rel="next"'
        elif self.style == "rel":
            body["links"] = [{"rel": "self", "href": url}]
            if link is not None:
                body["links"] = [{"rel": "self", "href": url}, {"rel": "next", "href": link}]
        elif self.style in ("cursor", "cursor-post", "body"):
            name = "@odata.nextLink" if self.style == "body" else "next_cursor"
            value = link if self.style == "body" else cursor
            if value is not None or self.end != "absent":
                body[name] = value if value is not None else ENDS[self.end]


@st.composite
def odd_apis(draw: st.DrawFn, *, kind: str = "honest") -> OddApi:
    """APIs that say enough to be read to the end.

    ``kind="wrong"``: the client asks wrongly. ``kind="sly"``: whole pages may be empty before the
    last, of servers that count their rows.
    """
    wrong, sly = kind == "wrong", kind == "sly"
    style = draw(st.sampled_from(STYLES))
    numbered = style in ("page", "offset")
    size = draw(st.sampled_from([10, 20, 25]) if wrong else st.integers(2, 9))
    cap = size if wrong else draw(st.integers(1, 9))
    real = min(size, cap) if numbered else cap
    count = draw(st.integers(size + 1, 3 * size) if wrong else st.integers(0, 40))
    total = draw(st.sampled_from(["number", "text"] + ["none", "unknown"] * (not sly)))
    plain = style in ("page", "offset", "header", "link") and total == "none"
    hidden = draw(st.frozensets(st.integers(0, max(0, count - 1)), max_size=30 if sly else 8))
    if style == "last-row" or wrong:
        hidden = frozenset()  # the last row is the cursor
    elif numbered and not sly:
        hidden = frozenset(row for row in hidden if row % real)
    # The only page again and again may as well be a parameter that the server does not know.
    clamps = ["clamp"] * (count > real)
    shifts = numbered and not hidden and total == "none" and not wrong
    chained = not numbered and style != "last-row" and not wrong and not sly
    pages = count > cap and chained
    first = draw(st.sampled_from([0, 1]))
    beyond = "empty" if shifts else draw(st.sampled_from(["empty", "404", *clamps]))
    below = draw(st.sampled_from(["empty", "clamp", "400", "500"]))
    asked = draw(st.sampled_from([first, 1 if style == "page" else 0]))
    if (style == "offset" and below.isdecimal()) or (count <= real and beyond == "404"):
        asked = first  # else all is refused
    return OddApi(
        cursors=draw(st.sampled_from([*CURSORS])) if chained and style != "header" else "plain",
        links=draw(st.sampled_from(["whole", "path", "query"])),
        overlap=draw(st.integers(0, min(2, cap - 1))) if chained and total == "none" else 0,
        last=draw(st.sampled_from(["", "last", "isLast"])) if chained and total != "none" else "",
        expires=draw(st.integers(0, 4)) if pages and style in ("cursor", "cursor-post") else 0,
        bad=frozenset()
        if style == "last-row"
        else draw(st.frozensets(st.integers(0, 40), max_size=2)),
        marked=draw(st.booleans()),
        style=style,
        count=count,
        size=size,
        cap=cap,
        first=first,
        asked=asked,
        below=below,
        hidden=hidden & frozenset(range(count)),
        shift=draw(st.integers(0, real - 1)) if shifts else 0,
        end=draw(st.sampled_from(["absent", *ENDS])),
        beyond=beyond,
        empty="list" if numbered else draw(st.sampled_from(["list", "null"])),
        total=total,
        more=style == "last-row" or (not plain and not numbered and draw(st.booleans())),
        name="" if plain and draw(st.booleans()) else draw(st.sampled_from(["items", "d.results"])),
        wrong=wrong,
    )


class InProcess:
    """An ``Api`` without a network: what pages need of one, answered by a function."""

    base = "http://odd.example"
    decode = "json"
    events = None
    retry = RetryPolicy()

    def __init__(self, odd: OddApi) -> None:
        self._odd = odd
        self._made = itertools.count()

    def guards(self, _peer: str) -> bool:
        return False

    def call(self, request: Request, *, guarded: bool = False) -> Response:
        url = add_query(resolve(self.base, request.path), request.query)
        content = request.body()[0] or b""
        status, headers, body = self._odd.answer(url, content, next(self._made))
        if status != 200:
            error = PermanentError(f"{url}: {status}")
            error.status = status
            raise error
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return Response(status, url, f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode(), body, 0.0)

    def led_to(self, request: Request, _url: str) -> Request:
        return request

    def calls(self, _concurrency: int = 1) -> InProcessCalls:
        return InProcessCalls(self)


class InProcessCalls:
    """Calls whose answers come in the other order, as where they overtake each other."""

    def __init__(self, api: InProcess) -> None:
        self._api = api
        self._results: list[Result[Key, Response]] = []

    @property
    def pending(self) -> int:
        return len(self._results)

    def submit(self, key: Key, request: Request) -> None:
        try:
            result = Result(key, self._api.call(request))
        except PermanentError as error:
            result = Result(key, None, error)
        self._results.insert(0, result)

    def send(self) -> float:
        return 0.0

    def collect(self) -> list[Result[Key, Response]]:
        results, self._results = self._results, []
        return results

    def idle(self, _seconds: float) -> None: ...

    def wake(self) -> None: ...

    def close(self) -> None: ...
