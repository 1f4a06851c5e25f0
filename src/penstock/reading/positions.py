"""Where a reader was in each book: one small JSON file, kept between sessions."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import final

from penstock.reading.settings import GUIDES, Guide
from penstock.whole import whole_file

__all__ = ["Place", "load_place", "places_file", "save_place"]

MOST_BOOKS = 500


@final
@dataclass(frozen=True, slots=True)
class Place:
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


def load_place(book: str, file: Path) -> Place | None:
    """Return the place kept for ``book``, or None; a damaged file counts as none."""
    try:
        kept = json.loads(file.read_text("utf-8"))[book]
        place = Place(
            block=int(kept["block"]),
            char=int(kept["char"]),
            width=int(kept["width"]),
            guide=kept["guide"],
            speed=int(kept["speed"]),
            marks=tuple((int(block), int(char)) for block, char in kept.get("marks", ())),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return place if place.guide in GUIDES else None


def save_place(book: str, place: Place, file: Path) -> None:
    """Keep ``place`` for ``book``; of many books the oldest are forgotten.

    Raises:
        StorageError: The disk does not take it.
    """
    try:
        kept = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        kept = {}
    if not isinstance(kept, dict):
        kept = {}
    kept.pop(book, None)
    kept[book] = asdict(place)
    newest = dict(list(kept.items())[-MOST_BOOKS:])
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as out:
        out.write(json.dumps(newest).encode())
