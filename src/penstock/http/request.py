"""A request is a value: what to ask, not how or when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, final

import msgspec

from penstock.errors import InputError
from penstock.http.url import Query, encode_query, shown


@final
class Signed(msgspec.Struct, frozen=True, gc=False):
    """What authentication adds: the URL to call and header lines."""

    url: str
    headers: tuple[str, ...]


class Request(msgspec.Struct, frozen=True, gc=False):
    """What to ask of a server. Use :class:`Get`, :class:`Post` and their kin.

    Attributes:
        path: Path below the API's base URL, or a whole URL.
        query: Parameters added to the URL; a list repeats its parameter, None leaves it out.
        headers: Headers of this request only.
        json: A value sent as a JSON body.
        form: Fields sent as an HTML form.
        content: A body sent as it is.
        idempotent: Whether repeating it is harmless; None goes by the method (RFC 9110
            section 9.2.2) and by an ``Idempotency-Key`` header.
        cost: Units it spends of limits, by name, such as ``{"tokens": 300}``; one request, too.

    >>> Get("/users/7.json").method, Post("/users", json={"name": "Ada"}).repeatable
    ('GET', False)
    """

    method: ClassVar[str] = ""
    safe_to_repeat: ClassVar[bool] = True

    path: str
    query: Query | None = None
    headers: Mapping[str, str] | None = None
    json: object = msgspec.UNSET
    form: Query | None = None
    content: bytes | None = None
    idempotent: bool | None = None
    cost: Mapping[str, float] | None = None

    @property
    def repeatable(self) -> bool:
        """Whether the request may be sent again when its outcome is unknown."""
        if self.idempotent is not None:
            return self.idempotent
        if self.safe_to_repeat or self.headers is None:
            return self.safe_to_repeat
        return any(name.lower() == "idempotency-key" for name in self.headers)

    @property
    def asks(self) -> bool:
        """Whether it asks for something and changes nothing."""
        if self.method in ("GET", "HEAD"):
            return True
        return self.method not in ("PUT", "DELETE") and self.repeatable

    @property
    def conditional(self) -> bool:
        """Whether 304, *as you have it*, is an answer to it."""
        asked = ("if-none-match", "if-modified-since")
        return self.headers is not None and any(name.lower() in asked for name in self.headers)

    def __repr__(self) -> str:
        # No query, headers or body: secrets live there.
        return f"{type(self).__name__}({shown(self.path)!r})"

    def body(self) -> tuple[bytes | None, str | None]:
        """Return the body and its content type, None where there is none.

        Raises:
            InputError: More than one kind of body was given.
        """
        given = [self.json is not msgspec.UNSET, self.form is not None, self.content is not None]
        if sum(given) > 1:
            raise InputError(f"{self.method} {self.path}: give one of json, form and content")
        if given[0]:
            return msgspec.json.encode(self.json), "application/json"
        if self.form is not None:
            return encode_query(self.form).encode(), "application/x-www-form-urlencoded"
        return self.content, None


@final
class Get(Request, frozen=True, gc=False):
    """Fetch something."""

    method: ClassVar[str] = "GET"


@final
class Head(Request, frozen=True, gc=False):
    """Fetch the headers only."""

    method: ClassVar[str] = "HEAD"


@final
class Put(Request, frozen=True, gc=False):
    """Replace something."""

    method: ClassVar[str] = "PUT"


@final
class Delete(Request, frozen=True, gc=False):
    """Delete something."""

    method: ClassVar[str] = "DELETE"


@final
class Post(Request, frozen=True, gc=False):
    """Create or do something: not repeated when its outcome is unknown, by default."""

    method: ClassVar[str] = "POST"
    safe_to_repeat: ClassVar[bool] = False


@final
class Patch(Request, frozen=True, gc=False):
    """Change something: not repeated when its outcome is unknown, by default."""

    method: ClassVar[str] = "PATCH"
    safe_to_repeat: ClassVar[bool] = False
