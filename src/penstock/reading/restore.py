"""The way back: a document with lines and guides taken out, byte for byte what it was."""

from __future__ import annotations

import re

from penstock.reading.css import LINK
from penstock.reading.markup import TAG, attribute

__all__ = ["unset_document"]

# The elements ours are among, and what may hold text that looks like them: comments and so on.
MARK = re.compile(
    TAG.pattern.replace(r"([A-Za-z_][\w.:-]*+)", r"(span|br?|p)(?![\w.:-])"), re.DOTALL
)
NAMED = ("psl", "psx", "psb", "psg", "psh", "psm")


def unset_document(source: str) -> str:
    """Return ``source`` without what :func:`penstock.reading.lines.set_document` put in.

    >>> unset_document('<p class="psl">one <b>two</b> three</p>')
    '<p>one two three</p>'
    """
    out: list[str] = []
    done = inside = 0
    open_elements: dict[str, list[str]] = {"span": [], "b": [], "br": [], "p": []}
    hyphen = False
    for match in MARK.finditer(source):
        closing, name, attributes, empty = match.groups()
        if name is None:
            continue
        if closing:
            stack = open_elements[name]
            first = stack.pop() if stack else ""
            inside -= first == "psl"
        else:
            first = attribute(attributes, "class").partition(" ")[0] if attributes else ""
            if inside and name in ("b", "br"):
                first = "psg"  # where psl is, no break and no bold word is the book's own
            if not empty:
                open_elements[name].append(first)
                inside += first == "psl"
        if first not in NAMED or (closing and name == "p"):
            continue
        if not hyphen:
            out.append(source[done : match.start()])
        done = match.end()
        if name == "p":
            out.append("<p>")
        hyphen = not closing and not empty and first == "psh"
    out.append(source[done:])
    return LINK.sub("", "".join(out), count=1)
