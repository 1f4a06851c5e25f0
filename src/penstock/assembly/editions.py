"""The use ``edition``: articles that landed become today's edition when the run ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, final

import msgspec

from penstock.assembly.bookmark import Bookmark
from penstock.assembly.room_sections import EditionUse
from penstock.errors import InputError
from penstock.events import Events, LeftOut
from penstock.http import dig
from penstock.pipeline import LandedRecord, Used
from penstock.store import StoreReader

if TYPE_CHECKING:
    from penstock.reading import Article, Look


def _today() -> date:
    return datetime.now().astimezone().date()


@final
class Editions:
    """Makes a dated EPUB of the articles that landed since the edition of an earlier day.

    The edition is made first, then the bookmark: after a crash between the two it is made again.

    Args:
        section: Where the articles are in the records, and how they are set.
        folder: Where relative paths start.
        events: Told what is left out.
        today: Gives the date.

    Raises:
        InputError: A width or a guide that cannot be.
        MissingExtra: A library is not installed that reads such articles.
    """

    def __init__(
        self,
        section: EditionUse,
        folder: Path,
        events: Events,
        today: Callable[[], date] = _today,
    ) -> None:
        from penstock.reading import check_libraries

        check_libraries(pages=section.form != "text", articles=section.form == "page")
        self._section = section
        self._folder = folder / Path(section.folder).expanduser()
        self._events = events
        self._today = today
        self._look = _look(section)

    @property
    def describes(self) -> str:
        """What is done, in words."""
        where = self._section.folder
        return f"edition: {self._section.name!r} of today, at the end, into {where}"

    def catch_up(self, store: StoreReader) -> None:
        """Wait: an edition is made whole, at the end."""

    def finish(self, store: StoreReader) -> Used:
        """Make the edition of today.

        Raises:
            InputError: The folder cannot be made, or its bookmark belongs to another store.
            StorageError: The disk does not take it.
        """
        from penstock.reading import edition_name, write_daily

        section, day = self._section, self._today()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{self._folder}: {error.strerror}") from error
        bookmark = Bookmark(self._folder / f"{edition_name(section.name)}.place", store)
        kept = bookmark.read()
        same_day = kept.get("day") == day.isoformat()
        start = str(kept.get("start" if same_day else "end", ""))
        taking = _Taking(section, store, start, self._events)
        made = write_daily(
            taking.articles(),
            self._folder,
            self._look,
            day=day,
            title=section.name,
            by_site=section.by_site,
        )
        for name, reason in made.skipped.items():
            taking.leave_out(name, reason)
        bookmark.keep(day=day.isoformat(), start=start, end=taking.position)
        text = f"{made.articles:,} articles in {made.path}" if made.path else "no article to read"
        return Used("edition", text, made.articles, taking.left_out)


@final
@dataclass
class _Taking:
    """Articles out of a store, counted, with the position behind the last one."""

    section: EditionUse
    store: StoreReader
    position: str
    events: Events
    left_out: int = field(default=0)

    def articles(self) -> Iterator[Article]:
        for landed, position in self.store.follow(self.position):
            self.position = position
            article = _article(landed, self.section)
            if article is None:
                self.leave_out(landed.key, f"no text at {self.section.body!r}")
            else:
                yield article

    def leave_out(self, key: object, reason: str) -> None:
        self.left_out += 1
        self.events.emit(LeftOut(use="edition", key=key, reason=reason))


def _article(landed: LandedRecord, section: EditionUse) -> Article | None:
    from penstock.assembly.web_pages import pictures_of
    from penstock.reading import Article

    record = msgspec.json.decode(landed.body)

    def text(path: str) -> str:
        found = dig(record, path) if path else None
        return found if isinstance(found, str) else ""

    body = text(section.body)
    if not body.strip():
        return None
    url = text(section.url)
    return Article(
        body=body if section.form == "text" else _page(body),
        title=text(section.title) or str(landed.key),
        url=url,
        author=text(section.author),
        published=text(section.published),
        whole=section.form == "html",
        name="article.md" if section.form == "markdown" else "",
        load=pictures_of(url) if section.pictures else None,
    )


def _page(body: str) -> bytes:
    # Said in the bytes themselves, for a page may claim what it was before it was put into JSON.
    return b"\xef\xbb\xbf" + body.encode("utf-8", "replace")


def _look(section: EditionUse) -> Look:
    from penstock.reading import (
        DEVICES,
        Look,
        parse_width,
    )

    try:
        width, em = parse_width(section.width)
        device = None if section.device is None else DEVICES[section.device]
        return Look(width=width, em=em, guide=section.guide, device=device)
    except InputError as error:
        raise InputError(f"use edition: {error}") from error
