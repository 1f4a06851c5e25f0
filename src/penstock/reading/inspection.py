"""What a document of a book holds that may be wrong: one pass of the XML parser."""

from __future__ import annotations

import re
from typing import final
from xml.parsers import expat

from penstock.reading.well_formed import reason

__all__ = ["Facts", "inspect"]

NAME = re.compile(r"[^\W\d][\w.-]*")
REFERENCES = frozenset({"href", "src", "xlink:href", "data", "poster"})
LISTS = frozenset({"ul", "ol", "menu", "dir"})
# Not in XHTML 1.1 as EPUB 2 has it: what stands for them there.
NEWER = {"label": "span", "u": "span", "mark": "span", "section": "div", "article": "div"}
BLOCKS = frozenset("p div ul ol dl table hr pre blockquote h1 h2 h3 h4 h5 h6 address form".split())
TELLING = {"li", "tt", "base", "head", "title", *NEWER, *BLOCKS}
LOOKED_AT = {"id", "name", "lang", "xml:lang", *REFERENCES}
LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*|")


@final
class Facts:
    """What was found.

    The innermost open element is the first of ``inside``. So the end of an element is
    ``inside.remove(name)``, which the parser calls without us.

    Attributes:
        reason: Why the document is no well-formed XML, or an empty string.
        ids: Its ids.
        targets: The addresses it refers to.
        odd: What no valid document has.
    """

    def __init__(self, *, old: bool) -> None:
        self.reason = ""
        self.ids: set[str] = set()
        self.targets: set[str] = set()
        self.odd: set[str] = set()
        self.inside = [""]
        self._old = old

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Look at a start tag."""
        if attributes:
            self._look(name, attributes)
            if "xml:base" in attributes:
                self.odd.add("base")
        if name in TELLING:
            self._place(name, self.inside[0])
        self.inside.insert(0, name)

    def _place(self, name: str, parent: str) -> None:
        odd = self.odd
        if name == "base":
            odd.add("base")
        elif name == "li" and parent not in LISTS:
            odd.add("item outside a list")
        elif name in NEWER and self._old:
            odd.add("element of EPUB 3")
        elif name == "tt" and not self._old:
            odd.add("tt")
        elif name == "head":
            odd.add("no title")
        elif name == "title" and parent == "head":
            odd.discard("no title")
        if name in BLOCKS and parent == "p":
            odd.add("block in a paragraph")

    def _look(self, name: str, attributes: dict[str, str]) -> None:
        for key, value in attributes.items():
            if key not in LOOKED_AT:
                continue
            if key == "id":
                if value in self.ids:
                    self.odd.add("id twice")
                elif not NAME.fullmatch(value):
                    self.odd.add("id with odd characters")
                self.ids.add(value)
            elif key in REFERENCES:
                self.targets.add(value)
            elif key == "name":
                if name == "a":
                    self.odd.add("name of an anchor")
                    self.ids.add(value)
            elif not LANGUAGE.fullmatch(value):
                self.odd.add("language")


def inspect(data: bytes, *, old: bool = False) -> Facts:
    """Return what is in a document; of one that is not well-formed the reason only.

    Args:
        data: The document.
        old: Whether the book is an EPUB 2, whose XHTML 1.1 has fewer elements.

    >>> sorted(inspect(b'<p><a id="x" href="y"/><li id="x"/></p>').odd)
    ['id twice', 'item outside a list']
    """
    facts = Facts(old=old)
    parser = expat.ParserCreate()
    parser.StartElementHandler = facts.start
    parser.EndElementHandler = facts.inside.remove
    if why := reason(parser, data):
        facts = Facts(old=old)
        facts.reason = why
    return facts
