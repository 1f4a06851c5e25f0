"""Refresh tokens that outlive a run: one that was rotated is kept where the next run finds it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from penstock.errors import InputError
from penstock.http import secret
from penstock.whole import whole_path


def place_of(source: str, store: Path | str, folder: Path) -> Path:
    """Return where a rotated token is kept: in its ``file:``, else beside the store."""
    kind, _, name = source.partition(":")
    if kind == "file":
        return Path(name).expanduser()
    beside = store if isinstance(store, Path) else folder / "penstock"
    return beside.with_name(f"{beside.name}.refresh-token")


def latest(source: str, place: Path) -> str:
    """Return the token to begin with: the last that was rotated from the one at ``source``.

    Raises:
        InputError: There is none at the source, or what was kept cannot be read.
    """
    given = secret(source).reveal()
    if source.startswith("file:") or not place.exists():
        return given
    try:
        kept = msgspec.json.decode(place.read_bytes(), type=dict[str, str])
        return kept["refresh_token"] if kept["of"] == _mark(given) else given
    except (OSError, KeyError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{place}: is not a refresh token that was kept ({error})") from error


def keeping(source: str, place: Path, tell: Callable[[str], object]) -> Callable[[str], object]:
    """Return what keeps a rotated token at ``place``, whole and for its owner only."""
    given = secret(source).reveal()

    def keep(token: str) -> None:
        text = token.encode()
        if not source.startswith("file:"):
            text = msgspec.json.encode({"of": _mark(given), "refresh_token": token})
        with whole_path(place, mode=0o600) as temporary:
            temporary.write_bytes(text)
        tell(f"the server gave a new refresh token in place of the old one: it is in {place}")

    return keep


def _mark(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
