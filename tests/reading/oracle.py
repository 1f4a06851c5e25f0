"""What a book holds, read by the standard library only: nothing of ours judges ourselves."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from xml.parsers import expat


@dataclass
class Held:
    """What must be the same in a book and in its edition."""

    text: str = ""
    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    notes: int = 0
    languages: Counter[str] = field(default_factory=Counter)
    elements: int = 0


def held(document: bytes) -> Held:  # noqa: C901 - four small handlers around one parser
    found = Held()
    parts: list[str] = []
    ours = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal ours
        found.elements += 1
        if ours or attributes.get("class") == "psh":
            ours += 1
            return
        if "id" in attributes:
            found.ids.append(attributes["id"])
        if name == "a" and "href" in attributes:
            found.links.append(attributes["href"])
        if name in ("img", "image"):
            found.images.append(attributes.get("src", attributes.get("xlink:href", "")))
        found.notes += "noteref" in attributes.get("epub:type", "")
        for key in ("lang", "xml:lang"):
            if key in attributes:
                found.languages[attributes[key]] += 1

    def end(_: str) -> None:
        nonlocal ours
        ours = max(0, ours - 1)

    def text(data: str) -> None:
        if not ours:
            parts.append(data)

    parser = expat.ParserCreate()
    parser.UseForeignDTD(True)
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text
    parser.Parse(document, True)
    found.text = "".join("".join(parts).split())
    return found


def documents(book: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        return {n: archive.read(n) for n in archive.namelist() if n.endswith((".xhtml", ".html"))}


def members(book: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        assert archive.testzip() is None
        names = [n for n in archive.namelist() if not n.endswith("/")]
        assert len(names) == len(set(names))
        return {name: archive.read(name) for name in names}
