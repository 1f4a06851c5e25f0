"""An answer: its status, headers and body, decoded when asked."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar, final

import msgspec

from penstock.errors import PermanentError
from penstock.http.record import Record, wrap
from penstock.http.url import shown
from penstock.pipeline import is_json, load
from penstock.redaction import redacted

_MARGIN = 4096

T = TypeVar("T")

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_MARKS = (  # the longer ones first: that of UTF-32 begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@final
class Headers(Mapping[str, str]):
    r"""Headers by name, whatever its case; several of one name are joined by ", ".

    >>> Headers(b"HTTP/1.1 200 OK\r\nETag: x\r\nLink: <a>\r\nlink: <b>\r\n\r\n")["LINK"]
    '<a>, <b>'
    """

    __slots__ = ("_fields",)

    def __init__(self, head: bytes) -> None:
        # Interim answers (1xx) and proxies put blocks of their own before the last one.
        start = head.rfind(b"\nHTTP/") + 1
        fields: dict[str, list[str]] = {}
        for line in head[start:].splitlines()[1:]:
            if not line:
                break  # what follows are trailers, which cannot say what came before them
            name, colon, value = line.partition(b":")
            if colon:
                text = _text(value.strip())
                fields.setdefault(name.decode("latin-1").lower(), []).append(text)
        self._fields = {key: ", ".join(texts) for key, texts in fields.items()}

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"Headers({self._fields!r})"


def _text(value: bytes) -> str:
    """Return a header's value: in UTF-8, as servers write URLs there, or else in Latin-1."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def phrase(status: int) -> str:
    """Return the status with its reason phrase.

    >>> phrase(503), phrase(520)
    ('503 Service Unavailable', '520')
    """
    from http import HTTPStatus

    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


@final
@dataclass(slots=True, eq=False, repr=False)
class Response:
    """A whole answer.

    Attributes:
        status: The HTTP status.
        url: Where it came from, after redirects.
        body: The decoded body (no content coding left).
        head: The raw header lines.
        seconds: How long the last call took.
        peer: The address that answered; ``""`` where nobody did.
        of_xml: Whether the body was XML.
    """

    status: int
    url: str
    head: bytes
    body: bytes
    seconds: float
    peer: str = ""
    of_xml: bool = False
    _checked: bytes | None = None

    @property
    def is_json(self) -> bool:
        """Whether the body, as it is now, was looked at already and found to be JSON."""
        return self._checked is self.body

    def note_json(self) -> None:
        """Remember that the present body was found to be JSON: who lands it need not look again."""
        self._checked = self.body

    @property
    def headers(self) -> Headers:
        """The headers, parsed again at each call: keep them if you need many."""
        return Headers(self.head)

    def become_utf8(self) -> None:
        """Turn a body in another encoding, or with a byte order mark, into plain UTF-8.

        The mark tells the encoding, else the charset of Content-Type where the body is not UTF-8
        (RFC 8259 section 8.1 wants UTF-8 and says nothing of other servers).
        """
        if self.is_json or is_json(self.body):
            self.note_json()
            return
        charset = _CHARSET.search(self.headers.get("content-type", ""))
        names = [name for mark, name in _MARKS if self.body.startswith(mark)][:1]
        names += ["utf-8", *([charset[1]] if charset else [])]
        for name in names:
            try:
                self.body = self.body.decode(name).removeprefix("\ufeff").encode()
            except (UnicodeError, LookupError):
                continue
            return

    def become_json(self, form: str) -> None:
        """Turn a body of another form (text, CSV with a header line, XML, ...) into JSON.

        Raises:
            PermanentError: It cannot be.
        """
        from penstock.http.forms import AS_THEY_ARE, as_json

        if form not in AS_THEY_ARE:
            self.become_utf8()
        try:
            self.body = as_json(form, self.body, self.headers)
        except ValueError as error:
            raise PermanentError(f"{shown(self.url)}: body is not {form} ({error})") from error
        self.of_xml = form == "xml"
        self.note_json()

    def json(self) -> object:
        """Return the body decoded from JSON into dicts, lists and scalars.

        Raises:
            PermanentError: It is not JSON.
        """
        try:
            return load(self.body)
        except msgspec.DecodeError as error:
            raise PermanentError(f"{shown(self.url)}: body is not JSON ({error})") from error

    def record(self) -> Record | list[object] | object:
        """Return the body as a :class:`Record`, a list of them, or a scalar."""
        return wrap(self.json())

    def into(self, type: type[T]) -> T:  # noqa: A002 - the word msgspec users expect
        """Return the body decoded straight into a msgspec Struct, dataclass or other type.

        Raises:
            PermanentError: It is not JSON, or does not fit.
        """
        try:
            return msgspec.json.decode(self.body, type=type)
        except msgspec.ValidationError as error:
            raise PermanentError(
                f"{shown(self.url)}: body does not fit {type.__name__} ({error})"
            ) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise PermanentError(f"{shown(self.url)}: body is not JSON ({error})") from error

    def excerpt(self, length: int = 500) -> str:
        """Return the beginning of the body as text, for people; our own secrets are not in it."""
        # Cut after that: half a secret is one, too.
        return redacted(self.body[: length + _MARGIN].decode("utf-8", "replace"))[:length]

    def __repr__(self) -> str:
        return f"<Response {phrase(self.status)} {shown(self.url)} {len(self.body)} bytes>"
