"""Ways to say who is asking. Each gives header lines, or a changed URL, for one request."""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Literal, Protocol, final

import msgspec

from penstock.errors import InputError, MissingExtra, PermanentError
from penstock.http.body import number
from penstock.http.request import Post, Request, Signed
from penstock.http.secrets import Secret, reveal
from penstock.http.url import add_query
from penstock.redaction import remember


class Auth(Protocol):
    """What an ``Api`` needs of an authentication scheme."""

    @property
    def constant(self) -> bool:
        """Whether it is the same header lines for every request."""
        ...

    @property
    def fetching(self) -> AbstractContextManager[object]:
        """Held while a token is fetched, so that only one thread does."""
        ...

    def sign(self, method: str, url: str, form: bytes | None) -> Signed:
        """Return what a request to ``url`` carries; ``form`` is its body where that is a form."""
        ...

    def token_request(self, now: float) -> Request | None:
        """Return a request to make first, because a token is missing or has expired at ``now``."""
        ...

    def accept_token(self, body: bytes, now: float) -> None:
        """Take the token out of the answer to :meth:`token_request`."""
        ...

    def token_refused(self, now: float) -> Request | None:
        """After a refused :meth:`token_request`: return another way to a token, or None."""
        ...

    def refused(self, headers: Sequence[str]) -> bool:
        """After a 401 to a call with ``headers``: say whether a fresh token may help."""
        ...


class _WithoutToken:
    """The part of :class:`Auth` that schemes without tokens share."""

    __slots__ = ()
    constant = True
    fetching = nullcontext()

    def token_request(self, now: float) -> Request | None:
        """Return None: nothing has to be fetched."""
        return None

    def accept_token(self, body: bytes, now: float) -> None:
        """Never called."""

    def token_refused(self, now: float) -> Request | None:
        """Never called."""
        return None

    def refused(self, headers: Sequence[str]) -> bool:
        """Return whether a secret has changed since where it was read from; else it is wrong."""
        secrets = [value for value in vars(self).values() if isinstance(value, Secret)]
        return sum(one.read_again() for one in secrets) > 0


def _check_header(text: str, what: str) -> None:
    if not (text.isascii() and text.isprintable()):
        raise InputError(
            f"{what} has a line break or another character that a header cannot carry; "
            "secret('file:PATH') leaves out a file's last line break"
        )


@final
@dataclass(frozen=True)
class Basic(_WithoutToken):
    """User name and password (RFC 7617), sent with the first request already.

    Attributes:
        user: The user name.
        password: Secret.

    >>> Basic("me", "pw").sign("GET", "https://x.example", None).headers
    ('Authorization: Basic bWU6cHc=',)
    """

    user: str
    password: str | Secret = field(repr=False)

    def __post_init__(self) -> None:
        if ":" in self.user:
            raise InputError(f"Basic({self.user!r}, ...): a user name has no colon (RFC 7617)")

    def sign(self, method: str, url: str, form: bytes | None) -> Signed:
        """Return the header."""
        pair = base64.b64encode(f"{self.user}:{reveal(self.password)}".encode()).decode()
        remember(pair)
        return Signed(url, (f"Authorization: Basic {pair}",))


@final
@dataclass(frozen=True)
class Digest(_WithoutToken):
    """User name and password by challenge and answer (RFC 7616), which libcurl does.

    The first call on a connection is two: the server asks first. Only one of them is counted.

    Attributes:
        user: The user name.
        password: The password.
    """

    user: str
    password: str | Secret = field(repr=False)

    def sign(self, method: str, url: str, form: bytes | None) -> Signed:
        """Return nothing: :class:`Profile` carries it to libcurl."""
        return Signed(url, ())


@final
@dataclass(frozen=True)
class Bearer(_WithoutToken):
    """A bearer token (RFC 6750).

    Attributes:
        token: Secret.
    """

    token: str | Secret = field(repr=False)

    def __post_init__(self) -> None:
        _check_header(reveal(self.token), "Bearer: the token")

    def sign(self, method: str, url: str, form: bytes | None) -> Signed:
        """Return the header."""
        return Signed(url, (f"Authorization: Bearer {reveal(self.token)}",))


@final
@dataclass(frozen=True)
class ApiKey(_WithoutToken):
    """A key in a header or, where the server wants it so, in the query.

    Attributes:
        key: Secret.
        header: Name of the header it goes into; this or ``query``.
        query: Name of the parameter it goes into.

    >>> ApiKey("k", query="key").sign("GET", "https://x.example/a", None).url
    'https://x.example/a?key=k'
    """

    key: str | Secret = field(repr=False)
    header: str | None = None
    query: str | None = None

    def __post_init__(self) -> None:
        if (self.header is None) == (self.query is None):
            raise InputError('ApiKey: give header="X-Api-Key" or query="api_key", one of them')
        if self.header is not None:
            _check_header(self.header + reveal(self.key), "ApiKey: the header or the key")

    @property
    def constant(self) -> bool:  # type: ignore[override] # a constant in the others
        """Whether it goes into a header."""
        return self.query is None

    def sign(self, method: str, url: str, form: bytes | None) -> Signed:
        """Return the header or the URL with the key."""
        if self.query is not None:
            return Signed(add_query(url, {self.query: reveal(self.key)}), ())
        return Signed(url, (f"{self.header}: {reveal(self.key)}",))


@final
@dataclass(frozen=True)
class OAuth1(_WithoutToken):
    """OAuth 1.0a with HMAC-SHA1 (RFC 5849), signed for each request by oauthlib.

    Attributes:
        client_key: The consumer's key.
        client_secret: Secret of the consumer.
        token: The access token.
        token_secret: Secret of the access token.
    """

    client_key: str
    client_secret: str | Secret = field(repr=False)
    token: str | None = None
    token_secret: str | Secret | None = field(default=None, repr=False)
    constant = False

    def sign(self, method: str, url: str, form: bytes | None) -> Signed:
        """Return the ``Authorization`` header with a fresh nonce and timestamp.

        Raises:
            MissingExtra: oauthlib is not installed.
        """
        try:
            from oauthlib import oauth1
        except ImportError as error:
            raise MissingExtra("OAuth 1.0a", "oauthlib", "oauth1") from error
        client = oauth1.Client(
            self.client_key,
            client_secret=reveal(self.client_secret),
            resource_owner_key=self.token,
            resource_owner_secret=reveal(self.token_secret or ""),
        )
        body, headers = None, {}
        if form is not None:
            body = form.decode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        _, signed, _ = client.sign(
            url,
            http_method=method,  # type: ignore[arg-type] # the stub lists the names
            body=body,
            headers=headers,
        )
        return Signed(url, (f"Authorization: {signed['Authorization']}",))


@final
@dataclass(frozen=True)
class SigV4(_WithoutToken):
    """AWS Signature Version 4, made for each request by botocore.

    Attributes:
        access_key: Which key it is.
        secret_key: The key's secret.
        region: Such as ``eu-central-1``.
        service: Such as ``execute-api``, ``es`` or ``s3``.
        session_token: Of temporary credentials, or None.
    """

    access_key: str
    secret_key: str | Secret = field(repr=False)
    region: str
    service: str
    session_token: str | Secret | None = field(default=None, repr=False)
    constant = False
    signs_body = True

    def sign(self, method: str, url: str, form: bytes | None) -> Signed:
        """Return the headers; ``form`` is the whole body, whatever it is.

        Raises:
            MissingExtra: botocore is not installed.
        """
        try:
            from botocore import auth, awsrequest, credentials
        except ImportError as error:
            raise MissingExtra("AWS Signature Version 4", "botocore", "aws") from error
        path, mark, query = url.partition("?")
        url = path + mark + query.replace("+", "%20")  # AWS takes a plus for a plus
        token = None if self.session_token is None else reveal(self.session_token)
        who = credentials.Credentials(self.access_key, reveal(self.secret_key), token)
        request = awsrequest.AWSRequest(method, url, data=form or b"")
        signer = auth.S3SigV4Auth if self.service == "s3" else auth.SigV4Auth
        signer(who, self.service, self.region).add_auth(request)
        return Signed(url, tuple(f"{name}: {value}" for name, value in request.headers.items()))


class _Token(msgspec.Struct):
    access_token: str
    expires_in: object = None
    refresh_token: str | None = None


@final
class OAuth2:
    """OAuth 2.0 client credentials (RFC 6749 section 4.4), renewed before it expires.

    A refresh token, given or received, is used where there is one (section 6).

    Args:
        token_url: Where tokens are given out.
        client_id: Who we are.
        client_secret: Our secret.
        scope: What to ask for, or None.
        refresh_token: A token to begin with, or None.
        extra: More form fields that the server wants, such as an audience.
        client_in: Where our id and secret go: ``"basic"`` authentication, or form fields of the
            ``"body"`` (both of section 2.3.1).

    Attributes:
        rotated: Called with each refresh token that takes the place of the one before, to keep it:
            the old one may be good for nothing from then on.
        grant: Makes the form of a token request, where it is another grant than ours.
    """

    constant = False
    _EARLY = 30.0

    def __init__(  # noqa: PLR0913 - all that a token server may want
        self,
        token_url: str,
        client_id: str,
        client_secret: str | Secret,
        *,
        scope: str | None = None,
        refresh_token: str | Secret | None = None,
        extra: Mapping[str, str] | None = None,
        client_in: Literal["basic", "body"] = "basic",
    ) -> None:
        self.token_url = token_url
        self.rotated: Callable[[str], object] | None = None
        self.grant: Callable[[], Mapping[str, object]] | None = None
        self._client_in = client_in
        self._client = {"client_id": client_id, "client_secret": client_secret}
        self._basic = Basic(client_id, client_secret)
        self._scope = scope
        self._refresh = None if refresh_token is None else reveal(refresh_token)
        self._extra = dict(extra or {})
        self._given = refresh_token is not None
        self._access: str | None = None
        self._expires = 0.0
        self._lock = threading.Lock()
        self.fetching = threading.Lock()

    def __repr__(self) -> str:
        return f"OAuth2({self.token_url!r})"

    def __getstate__(self) -> dict[str, object]:
        if self._given:
            raise InputError(
                "OAuth2(refresh_token=...): it belongs to one process, since using it renews it; "
                "give other processes client credentials"
            )
        kept = vars(self) | {"_access": None, "_refresh": None, "rotated": None}
        return {name: value for name, value in kept.items() if name not in ("_lock", "fetching")}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state, _lock=threading.Lock(), fetching=threading.Lock())

    def token_request(self, now: float) -> Request | None:
        """Return the request for a token, where the present one is missing or about to expire."""
        with self._lock:
            if self._access is not None and now < self._expires:
                return None
            form: dict[str, object] = {"grant_type": "client_credentials", **self._extra}
            if self._refresh is not None:
                form = {"grant_type": "refresh_token", "refresh_token": self._refresh}
            if self._scope is not None:
                form["scope"] = self._scope
        if self.grant is not None:
            return Post(self.token_url, form=self.grant(), idempotent=True)
        if self._client_in == "body":
            form |= {name: reveal(value) for name, value in self._client.items()}
            return Post(self.token_url, form=form, idempotent=True)
        name, _, value = self._basic.sign("POST", self.token_url, None).headers[0].partition(": ")
        return Post(self.token_url, form=form, headers={name: value}, idempotent=True)

    def accept_token(self, body: bytes, now: float) -> None:
        """Take the token out of the answer (section 5.1).

        Raises:
            PermanentError: There is none in it.
        """
        try:
            token = msgspec.json.decode(body, type=_Token)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise PermanentError(f"{self.token_url}: no token in the answer ({error})") from error
        if not re.fullmatch("[!-~]+", token.access_token):
            raise PermanentError(f"{self.token_url}: the token is none that a header can carry")
        remember(token.access_token)
        remember(token.refresh_token or "")
        with self._lock:
            self._access = token.access_token
            rotated = token.refresh_token not in (None, "", self._refresh)
            self._refresh = token.refresh_token or self._refresh
            life = number(token.expires_in)  # some servers send it as a text
            life = 3600.0 if life is None or life <= 0 else life
            self._expires = now + max(life - self._EARLY, life / 2)
        if rotated and self.rotated is not None and token.refresh_token:
            self.rotated(token.refresh_token)

    def begin_with(self, refresh_token: str) -> None:
        """Take a refresh token that was kept in place of the one given."""
        remember(refresh_token)
        with self._lock:
            self._refresh = refresh_token

    def token_refused(self, now: float) -> Request | None:
        """Return a request by our own credentials, where a refresh token received was refused.

        One that was given stands for somebody: nobody else's token can take its place.
        """
        with self._lock:
            if self._given or self._refresh is None:
                return None
            self._refresh = None
        return self.token_request(now)

    def sign(self, method: str, url: str, form: bytes | None) -> Signed:
        """Return the header with the present token."""
        return Signed(url, (f"Authorization: Bearer {self._access}",))

    def refused(self, headers: Sequence[str]) -> bool:
        """After a 401: forget the token the call carried, if it is still the present one."""
        with self._lock:
            if f"Authorization: Bearer {self._access}" in headers:
                self._access = None
        return True


def jwt_bearer(  # noqa: PLR0913 - all that a service account is
    token_url: str,
    issuer: str,
    key: str | Secret,
    *,
    scope: str | None = None,
    audience: str | None = None,
    subject: str | None = None,
    key_id: str | None = None,
    algorithm: str = "RS256",
) -> OAuth2:
    """OAuth 2.0 with a signed assertion in place of a password (RFC 7523): service accounts.

    Args:
        token_url: Where tokens are given out.
        issuer: Who we are, such as the account's e-mail address.
        key: Its private key in PEM form.
        scope: What to ask for, or None.
        audience: Whom the assertion is for; unset: ``token_url``.
        subject: On whose behalf, or None.
        key_id: Which of our keys it is, or None.
        algorithm: How it is signed.

    Raises:
        MissingExtra: PyJWT is not installed.
    """
    try:
        import jwt
    except ImportError as error:
        raise MissingExtra("a signed assertion", "PyJWT", "jwt") from error

    def grant() -> Mapping[str, object]:
        now = int(time.time())
        claims = {"iss": issuer, "aud": audience or token_url, "iat": now, "exp": now + 3600}
        claims |= {"scope": scope} if scope else {}
        claims |= {"sub": subject} if subject else {}
        head = {"kid": key_id} if key_id else None
        try:
            signed = jwt.encode(claims, reveal(key), algorithm, head)
        except (ValueError, TypeError, NotImplementedError, jwt.PyJWTError) as error:
            raise InputError(f"{token_url}: no assertion can be signed: {error}") from error
        remember(signed)
        return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": signed}

    auth = OAuth2(token_url, issuer, "")
    auth.grant = grant
    return auth
