"""What a document of a book holds that may be wrong: one pass of the XML parser."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
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
@dataclass(slots=True)
class Facts:
    """What was found.

    Attributes:
        reason: Why the document is no well-formed XML, or an empty string.
        ids: Its ids.
        targets: The addresses it refers to.
        odd: What no valid document has.
    """

    reason: str = ""
    ids: set[str] = field(default_factory=set)
    targets: set[str] = field(default_factory=set)
    odd: set[str] = field(default_factory=set)


def inspect(data: bytes, *, old: bool = False) -> Facts:
    """Return what is in a document.

    Args:
        data: The document.
        old: Whether the book is an EPUB 2, whose XHTML 1.1 has fewer elements.

    >>> sorted(inspect(b'<p><a id="x" href="y"/><li id="x"/></p>').odd)
    ['id twice', 'item outside a list']
    """
    facts = Facts()
    watcher = _Watcher(facts, old=old)
    parser = expat.ParserCreate()
    parser.StartElementHandler = watcher.start
    parser.EndElementHandler = watcher.inside.remove
    facts.reason = reason(parser, data)
    if facts.reason:
        return Facts(facts.reason)
    watcher.finish()
    return facts


@final
class _Watcher:
    """Looks at start tags. The innermost open element is the first of ``inside``.

    So the end of an element is ``inside.remove(name)``, which the parser calls without us.
    """

    def __init__(self, facts: Facts, *, old: bool) -> None:
        self.facts = facts
        self.inside: list[str] = [""]
        self.old = old
        self.headed = self.titled = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Look at a start tag."""
        if attributes:
            self._look(name, attributes)
        if name in TELLING:
            self._place(name, self.inside[0])
        self.inside.insert(0, name)

    def finish(self) -> None:
        """Look at what was not there."""
        if self.headed and not self.titled:
            self.facts.odd.add("no title")

    def _place(self, name: str, parent: str) -> None:
        odd = self.facts.odd
        if name == "base":
            odd.add("base")
        elif name == "li" and parent not in LISTS:
            odd.add("item outside a list")
        elif name in NEWER and self.old:
            odd.add("element of EPUB 3")
        elif name == "tt" and not self.old:
            odd.add("tt")
        if name in BLOCKS and parent == "p":
            odd.add("block in a paragraph")
        elif name == "head":
            self.headed = True
        elif name == "title" and parent == "head":
            self.titled = True

    def _look(self, name: str, attributes: dict[str, str]) -> None:
        facts = self.facts
        for key, value in attributes.items():
            if key not in LOOKED_AT:
                continue
            if key == "id":
                if value in facts.ids:
                    facts.odd.add("id twice")
                elif not NAME.fullmatch(value):
                    facts.odd.add("id with odd characters")
                facts.ids.add(value)
            elif key in REFERENCES:
                facts.targets.add(value)
            elif key == "name":
                if name == "a":
                    facts.odd.add("name of an anchor")
                    facts.ids.add(value)
            elif not LANGUAGE.fullmatch(value):
                facts.odd.add("language")
