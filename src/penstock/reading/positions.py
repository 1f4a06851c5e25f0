"""Where a reader was in each book: one small JSON file, kept between sessions."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import final

import msgspec

from penstock.reading.settings import Guide
from penstock.whole import whole_file

__all__ = ["ReadingPlace", "load_place", "places_file", "save_place"]

MOST_BOOKS = 500


@final
@dataclass(frozen=True, slots=True)
class ReadingPlace:
    """A place by word, and how the book was shown.

    Attributes:
        block: Which block, from 0.
        char: Which character of it.
        width: Characters a line.
        guide: How the guide is marked.
        speed: Words a minute.
        marks: Bookmarks: block and character of each.
    """

    block: int = 0
    char: int = 0
    width: int = 30
    guide: Guide = "bold"
    speed: int = 250
    marks: tuple[tuple[int, int], ...] = ()


def places_file() -> Path:
    """Return the file, by the XDG base directory rules."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "penstock" / "reading.json"


def load_place(book: str, file: Path) -> ReadingPlace | None:
    """Return the place kept for ``book``, or None; a damaged file counts as none."""
    kept = _kept(file).get(book)
    try:
        return msgspec.json.decode(kept, type=ReadingPlace) if kept else None
    except msgspec.DecodeError:
        return None


def save_place(book: str, place: ReadingPlace, file: Path) -> None:
    """Keep ``place`` for ``book``; of many books the oldest are forgotten.

    Raises:
        StorageError: The disk does not take it.
    """
    kept = _kept(file)
    kept.pop(book, None)
    kept[book] = msgspec.Raw(msgspec.json.encode(place))
    newest = dict(list(kept.items())[-MOST_BOOKS:])
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as out:
        out.write(msgspec.json.encode(newest))


def _kept(file: Path) -> dict[str, msgspec.Raw]:
    """Return what is kept, each place as it is written: one that is damaged costs only itself."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, msgspec.Raw])
    except (OSError, msgspec.DecodeError):
        return {}


Place = ReadingPlace  # its name in earlier versions
