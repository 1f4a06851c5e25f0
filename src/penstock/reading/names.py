"""What an element is, whatever its prefix: XHTML, a formula, a drawing, or foreign."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import TypeAlias, final

from penstock.reading.markup import ATTRIBUTE, TAG, attributes_of

__all__ = ["FOREIGN", "Names", "Node", "tree"]

XHTML = "http://www.w3.org/1999/xhtml"
SPACES = {
    XHTML: "",
    "http://www.w3.org/1998/Math/MathML": "math",
    "http://www.w3.org/2000/svg": "svg",
}
# What books mean that use a prefix and do not declare it.
USUAL = {
    **dict.fromkeys(("m", "mml", "mathml"), "math"),
    **dict.fromkeys(("h", "html", "xhtml"), ""),
    "svg": "svg",
}
FOREIGN = "?"
DECLARED = re.compile(r"""xmlns:([\w.-]+)\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)')""")
ENTITY = re.compile(r"""<!ENTITY\s{1,9}([\w.-]+)\s{1,9}(["'])([^"'<&]*)\2""")
REFERENCE = re.compile(r"&([\w.-]{1,64});")
EVENT = re.compile(TAG.pattern + r"|[^<]++|<", re.DOTALL)


@final
class Names:
    """The namespaces of a document.

    >>> names = Names('<html xmlns:m="http://www.w3.org/1998/Math/MathML">')
    >>> [names.of(name) for name in ("p", "m:math", "m:mi", "x:p")]
    ['p', 'math', '?', '?']
    """

    def __init__(self, source: str = "") -> None:
        self._prefixes = dict(USUAL)
        if "xmlns:" in source:
            for match in DECLARED.finditer(source):
                self._prefixes[match[1]] = SPACES.get(match[2] or match[3] or "", FOREIGN)

        self._entities: dict[str, str] = {}
        if "<!ENTITY" in source:
            self._entities = {m[1]: html.unescape(m[3]) for m in ENTITY.finditer(source)}

    def text(self, source: str) -> str:
        """Return text with its entities resolved, the document's own too."""
        if "&" not in source:
            return source
        if self._entities:
            source = REFERENCE.sub(lambda m: self._entities.get(m[1], m[0]), source)
        return html.unescape(source)

    def of(self, name: str, attributes: str = "") -> str:
        """Return an element's name in XHTML, ``math`` or ``svg`` for their roots, or FOREIGN."""
        prefix, colon, local = name.rpartition(":")
        if colon:
            space = self._prefixes.get(prefix, FOREIGN)
            return local if not space or local == space else FOREIGN
        if "xmlns" in attributes and name not in ("math", "svg", "html"):
            found = [m[3][1:-1] for m in ATTRIBUTE.finditer(attributes) if m[2] == "xmlns"]
            declared = found[0] if found else XHTML
            return name if declared == XHTML else FOREIGN
        return name


Child: TypeAlias = "Node | str"


@final
class Node:
    """An element: its name without a prefix, its attributes, and what is in it.

    Attributes:
        name: As written, without its prefix.
        foreign: Whether it is in a namespace that is neither XHTML, MathML nor SVG.
        attributes: As written, entities resolved.
        children: Elements and texts.
    """

    __slots__ = ("attributes", "children", "foreign", "name")

    def __init__(self, name: str, attributes: dict[str, str], *, foreign: bool = False) -> None:
        self.name = name
        self.attributes = attributes
        self.foreign = foreign
        self.children: list[Child] = []

    def elements(self) -> Iterator[Node]:
        """Yield the elements directly in it."""
        return (child for child in self.children if isinstance(child, Node))

    def all(self) -> Iterator[Node]:
        """Yield the elements anywhere in it, in order."""
        waiting = list(self.elements())[::-1]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += list(node.elements())[::-1]


DEEPEST = 200  # elements inside elements; deeper ones are nothing, what is in them stays


def tree(markup: str, names: Names) -> Node:
    """Return markup as a tree.

    An end without a beginning is passed over, what is still open ends with the markup.

    >>> tree("<p>a &lt; b<![CDATA[<i>]]><!-- c --></p>", Names()).children[0].children
    ['a < b', '<i>']
    """
    root = Node("", {})
    stack = [(root, "", False)]  # the node, its name as written, whether it is in math or svg
    opened: dict[str, int] = {}
    for match in EVENT.finditer(markup):
        closing, name, attributes, empty = match.groups()
        parent, _, island = stack[-1]
        if not name:
            parent.children += _text(match[0], names)
        elif closing:
            while opened.get(name):
                _, last, _ = stack.pop()
                opened[last] -= 1
                if last == name:
                    break
        else:
            foreign = not island and names.of(name, attributes) == FOREIGN
            local = name.rpartition(":")[2]
            node = Node(local, attributes_of(attributes), foreign=foreign)
            deep = len(stack) > DEEPEST
            if not deep:
                parent.children.append(node)
            if not empty:
                inside = island or local in ("math", "svg")
                stack.append((parent if deep else node, name, inside))
                opened[name] = opened.get(name, 0) + 1
    return root


def _text(source: str, names: Names) -> tuple[str, ...]:
    """Return the text of what is no tag; comments and instructions hold none."""
    if source.startswith("<![CDATA["):
        return (source[9:-3],)
    return (names.text(source),) if source == "<" or not source.startswith("<") else ()
