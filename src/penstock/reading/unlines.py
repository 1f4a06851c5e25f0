"""The way back: a document with lines and guides taken out, byte for byte what it was."""

from __future__ import annotations

from penstock.reading.markup import TAG, attribute
from penstock.reading.sheet import LINK

__all__ = ["unset_document"]

OURS = ("psl", "psb", "psg", "psh", "psm")


def unset_document(source: str) -> str:
    """Return ``source`` without what :func:`penstock.reading.lines.set_document` put in.

    >>> unset_document('<p><span class="psl">one <b class="psg">two</b> three</span></p>')
    '<p>one two three</p>'
    """
    out: list[str] = []
    done = 0
    open_elements: dict[str, list[bool]] = {}
    hyphen = False
    for match in TAG.finditer(source):
        closing, name, attributes, empty = match.groups()
        if name not in ("span", "b", "br"):
            continue
        first = ""
        if closing:
            ours = bool(open_elements.get(name)) and open_elements[name].pop()
        else:
            first = attribute(attributes, "class").partition(" ")[0] if attributes else ""
            ours = first in OURS
            if not empty:
                open_elements.setdefault(name, []).append(ours)
        if not ours:
            continue
        if not hyphen:
            out.append(source[done : match.start()])
        done = match.end()
        hyphen = not closing and not empty and first == "psh"
    out.append(source[done:])
    return LINK.sub("", "".join(out), count=1)
