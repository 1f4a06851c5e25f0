"""A book as a manuscript, to be bound with others."""

from __future__ import annotations

from penstock.reading.archive import Archive
from penstock.reading.compose import Chapter, Manuscript, Picture
from penstock.reading.package import open_package
from penstock.reading.pages import xhtml_manuscript
from penstock.reading.plain_text import NoText
from penstock.reading.repair import readable
from penstock.reading.restore import unset_document
from penstock.reading.stats import Repairs
from penstock.reading.well_formed import decode

__all__ = ["book_manuscript"]


def book_manuscript(data: bytes, label: str) -> Manuscript:
    """Return a manuscript of an EPUB: its documents in reading order, tidied.

    Raises:
        InputError: The book cannot be read.
        MissingExtra: lxml is not installed.
    """
    archive = Archive(data, label)
    package = open_package(archive)
    chapters: list[Chapter] = []
    pictures: dict[str, Picture] = {}
    for document in package.documents:
        if document.spine < 0 or document.navigation:
            continue

        def load(address: str, name: str = document.name) -> bytes | None:
            found = package.members.find(name, address)
            return archive.read(found) if found else None

        source = unset_document(decode(readable(archive, document.name, Repairs())))
        try:
            made = xhtml_manuscript(source, package.title, load)
        except NoText:
            continue
        chapters += made.chapters
        pictures.update({picture.name: picture for picture in made.pictures})
    if not chapters:
        raise NoText(f"{label}: no text in it")
    return Manuscript(
        title=package.title or label,
        creator=package.creator,
        language=package.language or "en",
        chapters=chapters,
        pictures=list(pictures.values()),
    )
