"""Addresses, places and references as people write them: what is meant, and what may be shown.

One parser for every ``scheme://``: of stores, locks, budgets, destinations and the command line.
An address that nobody knows is refused by its scheme, before anything is made.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from penstock.errors import InputError
from penstock.redaction import remember

__all__ = [
    "at_schemes",
    "has_password",
    "has_secret_option",
    "hide",
    "is_address",
    "is_reference",
    "is_secret_name",
    "look_up",
    "missing",
    "place_of",
    "scheme_of",
]

# Two characters or more: C:/ is a drive of Windows. One slash is a slip of the pen.
_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]+):/")
_HOSTS = re.compile(r"\s*(\[[0-9A-Fa-f:.]+\]|[\w.-]+):\d{3,5}\s*(,.*)?(/.*)?$", re.DOTALL)
_WINDOWS = re.compile(r"[A-Za-z]:|.*\\", re.DOTALL)
_USER = re.compile(r"\s*/*([^/]*:.*@|[^/]*@[^/]+/)", re.DOTALL)
_OPTION = re.compile(r"(?<=[?&;#])([^=&;#?]+)=([^&#]*)")
_SECRET_ENDS = (
    *("password", "passwd", "pwd", "passphrase", "secret", "secretkey", "apikey", "privatekey"),
    *("accesskey", "accountkey", "accesstoken", "authtoken", "apitoken", "privatetoken"),
    *("refreshtoken", "sastoken", "bearertoken", "sessiontoken", "securitytoken"),
    *("subscriptionkey", "authorization"),
)
_SECRET_NAMES = {"token", "auth", "cookie", "sig", "signature", "xamzsignature"}
_SECRET_NAMES |= {"authmechanismproperties"}


def scheme_of(text: str) -> str:
    """Return the scheme of an address in lower case, or ``""`` for a path.

    >>> scheme_of("MongoDB://one/db"), scheme_of("users/"), scheme_of("C:/users")
    ('mongodb', '', '')
    """
    found = _SCHEME.match(text)
    return found.group(1).lower() if found else ""


def is_address(text: str) -> bool:
    """Return whether ``text`` is an address, of whatever scheme, and not a path.

    >>> is_address("mongodb://one/db"), is_address("s3://bucket"), is_address("users/")
    (True, True, False)
    """
    return scheme_of(text) not in ("", "file")


def place_of(text: str, schemes: Collection[str], doing: str) -> str | Path:
    """Return where ``text`` leads: an address of a known scheme, or a path of this machine.

    A scheme is returned in lower case; ``~``, ``~user`` and ``file://`` become paths.

    Args:
        text: As somebody wrote it.
        schemes: Those that are understood here.
        doing: What cannot be done with others: ``write to``.

    >>> place_of("MONGODB://one/db", ["mongodb"], "write to")
    'mongodb://one/db'
    >>> place_of("file:///srv/users", ["mongodb"], "write to").as_posix()
    '/srv/users'
    >>> place_of("postgresql://me:secret@host/db", ["mongodb"], "write to")
    Traceback (most recent call last):
    ...
    penstock.errors.InputError: penstock cannot write to postgresql://...: name a directory or \
mongodb://...

    Raises:
        InputError: It is neither. The text is only repeated where it can hold no password.
    """
    text = text.strip()
    scheme = scheme_of(text)
    if scheme == "file" or text.lower().startswith("file:"):
        return _file_url(text)
    if scheme and scheme in schemes and text[len(scheme) :].startswith("://"):
        return scheme + text[len(scheme) :]
    word = text.partition(":")[0].lower() if ":" in text else ""
    if word and word in schemes:
        raise InputError(f"an address of {word} begins with {word}://, with two slashes")
    if scheme:
        raise InputError(f"penstock cannot {doing} {scheme}://...: {_known(schemes)}")
    return _local(text, schemes)


def _known(schemes: Iterable[str]) -> str:
    return "name a directory or " + ", ".join(f"{one}://..." for one in sorted(schemes))


def _file_url(text: str) -> Path:
    host, slash, path = re.sub(r"^[^:]+:", "", text).removeprefix("//").partition("/")
    if (host and host != "localhost") or not path:
        raise InputError("file://... names a path of this machine: write file:///the/path")
    return Path(slash + path)


def _local(text: str, schemes: Iterable[str]) -> Path:
    """Return the path; refuse what only looks like one, since a directory would be made of it."""
    if _USER.match(text):
        raise InputError(f"a place with a user or password in it has a scheme: {_known(schemes)}")
    if _HOSTS.match(text):
        raise InputError(
            f"{text} is a host and a port: {_known(schemes)} (a directory of that name is ./{text})"
        )
    if os.sep == "/" and _WINDOWS.match(text):
        raise InputError(f"{text} is a path of Windows, which this machine does not have")
    if not text or "\0" in text:
        raise InputError(f"a place is empty or has a null byte in it: {_known(schemes)}")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise InputError(f"{text}: there is no such user on this machine") from error


def at_schemes(schemes: Collection[str], place: str | Path, doing: str) -> str | Path:
    """Return :func:`place_of` a text; a path that is a ``Path`` already was checked by its type.

    A ``Path`` made of an address is refused: ``Path("s3://bucket")`` is the directory ``s3:``.

    Raises:
        InputError: As there.
    """
    if isinstance(place, str):
        return place_of(place, schemes, doing)
    if is_address(str(place)):
        place_of(str(place), (), doing)
    return place.expanduser()


def _secret_part(text: str) -> str:
    """Return user and password of an address, up to its ``@``, or ``""``."""
    _, mark, rest = text.partition("://")
    rest = rest if mark else text
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if scheme_of(text).startswith(("http", "ws")) and "@" in authority:
        return authority[: authority.rindex("@") + 1]
    web = scheme_of(text).startswith(("http", "ws"))
    if web and re.fullmatch(r"(\[[^\]]*\]|[^:]*)(:\d*)?", authority):
        return ""  # a host, with its port: an @ further on is of the path
    # Up to the last @: where a password was not encoded, a slash of it does not end the secret.
    return rest[: rest.rfind("@") + 1]


def has_password(text: str) -> bool:
    """Return whether a password, or a key or token of the query, stands in an address.

    >>> has_password("mongodb://me:secret@host/"), has_password("mongodb://me@host:27017/")
    (True, False)
    >>> has_password("https://a.example/?api_key=abc"), has_password("https://a.example/@me:1")
    (True, False)
    """
    return has_secret_option(text) or ":" in _secret_part(text)


def has_secret_option(text: str) -> bool:
    """Return whether the query of an address or a path holds a password, a key or a token.

    >>> has_secret_option("/users?api_key=abc"), has_secret_option("/users?api_key={key}")
    (True, False)
    """
    options = _OPTION.findall(text)
    return any(is_secret_name(name) and value not in ("", "{key}") for name, value in options)


def hide(text: str) -> str:
    """Return an address without user, password and other secrets, for eyes and logs.

    >>> hide("mongodb://me:secret@one:27017,two:27017/harvest?replicaSet=rs")
    'mongodb://one:27017,two:27017/harvest?replicaSet=rs'
    >>> hide("mongodb+srv://me:p%40ss@cluster.example.com/?proxyPassword=x&w=1")
    'mongodb+srv://cluster.example.com/?proxyPassword=...&w=1'
    """
    secret = _secret_part(text) if "://" in text else ""
    shown = text.replace(f"://{secret}", "://", 1) if secret else text
    return _OPTION.sub(lambda o: f"{o[1]}=..." if is_secret_name(o[1]) else o[0], shown)


def is_secret_name(name: str) -> bool:
    """Return whether a header, a parameter or an option of this name holds a secret.

    >>> [is_secret_name(n) for n in ("X-Api-Key", "Authorization", "page_token", "id")]
    [True, True, False, False]
    """
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return plain in _SECRET_NAMES or plain.endswith(_SECRET_ENDS)


def is_reference(text: str) -> bool:
    """Return whether ``text`` says where the value is: ``env:NAME``, ``file:PATH``, ``cmd:...``.

    >>> is_reference("env:BASE"), is_reference("file:///srv/users"), is_reference("users/")
    (True, False, False)
    """
    return text.startswith(("env:", "file:", "cmd:")) and not text.startswith("file://")


def look_up(source: str) -> str:
    """Return what ``NAME``, ``env:NAME`` or ``file:PATH`` holds, or ``cmd:COMMAND`` prints.

    A final line break is left out. A command is run without a shell.

    Raises:
        InputError: There is no such variable or file, or it is empty.
    """
    kind, colon, name = source.partition(":")
    if not colon:
        kind, name = "env", source
    if kind == "cmd":
        value = _said_by(name)
    elif kind == "env":
        if name not in os.environ:
            raise InputError(f"environment variable {name} is not set: export {name}=...")
        value = os.environ[name]
    elif kind == "file":
        try:
            value = Path(name).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, RuntimeError, ValueError) as error:
            raise InputError(f"secret file {name} cannot be read: {error}") from error
    else:
        raise InputError(
            f"a secret comes from env:NAME or file:PATH, or from cmd:COMMAND, not from {kind}:..."
        )
    if not value:
        raise InputError(f"the secret in {source} is empty")
    remember(_secret_part(value).rstrip("@").partition(":")[2] if "://" in value else "")
    return value


def _said_by(command: str) -> str:
    """Return what a command prints: of a password manager, or of the system's keyring."""
    import shlex
    import subprocess

    try:
        words = shlex.split(command)
        done = subprocess.run(words, stdout=subprocess.PIPE, check=True, timeout=_PATIENCE)  # noqa: S603 - the user's own, without a shell
        return done.stdout.decode().rstrip("\r\n")
    except (OSError, ValueError, IndexError, subprocess.SubprocessError) as error:
        raise InputError(f"the command for a secret, {command!r}, failed: {error}") from error


_PATIENCE = 300.0  # seconds: somebody may have to type in a passphrase


def missing(source: str) -> str | None:
    """Return what keeps :func:`look_up` from finding a reference, or None; reads no secret."""
    kind, _, name = source.partition(":")
    if kind == "env" and not os.environ.get(name):
        return f"environment variable {name} is not set"
    if kind == "file" and not Path(os.path.expanduser(name)).is_file():  # noqa: PTH111 - never raises
        return f"there is no file {name}"
    return None
