"""What a reader sees of markup, as text: one rule for each kind of element.

The table in ``docs/reading.md`` says the same. The terminal, text, JSON lines and the reader's page
take all their text from here; an edition's lines are as wide as what is seen.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from penstock.reading.markup import hides
from penstock.reading.names import Node

__all__ = [
    "AROUND",
    "BLOCKS",
    "ELSEWHERE",
    "LOADED",
    "NOTHING",
    "PARTS",
    "block_text",
    "plainly_seen",
    "seen",
]

BLANKS = re.compile(r"[ \t\r\n\f]+")
# No text for people.
NOTHING = frozenset(
    "head script style template rp annotation annotation-xml metadata defs param source track "
    "area col colgroup datalist meta link title".split()
)
BLOCKS = frozenset(
    "p div section article header footer aside main nav h1 h2 h3 h4 h5 h6 hgroup ul ol dl li dt dd "
    "table caption thead tbody tfoot tr blockquote figure figcaption pre form fieldset address hr "
    "details summary legend".split()
)
LOADED = frozenset("audio video iframe object embed".split())
PARTS = frozenset("source track param".split())  # of these
ELSEWHERE = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
AROUND = {"q": ("\u201c", "\u201d")}  # what readers show around an element
DRAWN = frozenset({"text", "foreignobject"})  # lower case in pages
RELATIONS = frozenset("= < > \u2264 \u2265 \u2260 \u2248 \u2192".split())
SIMPLE = re.compile(r"[\w.,'\u2032]*|[^\w\s]")


def seen(node: Node) -> str:
    """Return what is seen of an element in running text, blanks single, breaks as line feeds.

    >>> from penstock.reading.names import Names, tree
    >>> show = lambda markup: seen(tree(markup, Names()))
    >>> show("a <ruby>b<rt>c</rt></ruby>"), show("<math><mfrac><mn>1</mn><mn>2</mn></mfrac></math>")
    ('a b(c)', '1/2')
    >>> show('<img alt="STOP"/>'), show("a<script>b</script>c")
    ('[STOP]', 'ac')
    """
    text = BLANKS.sub(" ", _walk(node).replace("\n", "\x00")).replace("\x00", "\n")
    return re.sub(r" ?\n ?", "\n", text)


def plainly_seen(node: Node) -> bool:
    """Whether what is seen of an element is what is seen of its children, one by one."""
    if hides(node.attributes) or node.name == "switch" or _elsewhere(node):
        return False
    return node.foreign or (node.name not in RULES and node.name not in NOTHING)


def _walk(node: Node) -> str:
    if plainly_seen(node):
        before, after = AROUND.get(node.name, ("", ""))
        return before + _inside(node) + after
    if hides(node.attributes):
        return ""
    return RULES[node.name](node) if node.name in RULES else _elsewhere(node)


def _elsewhere(node: Node) -> str:
    """Return the address of what is loaded from elsewhere where nothing stands for it."""
    if node.name not in LOADED or "srcdoc" in node.attributes:
        return ""
    parts = [c for c in node.children if not isinstance(c, str) or c.strip()]
    if any(isinstance(c, str) or c.name not in PARTS for c in parts):
        return ""
    given = [node, *(part for part in node.elements() if part.name == "source")]
    loaded = [a for n in given if (a := n.attributes.get("src") or n.attributes.get("data"))]
    far = bool(loaded) and all(ELSEWHERE.match(address) for address in loaded)
    return f"[{loaded[0].strip()}]" if far else ""


def _inside(node: Node) -> str:
    return "".join(BLANKS.sub(" ", c) if isinstance(c, str) else _walk(c) for c in node.children)


def _image(node: Node) -> str:
    alternative = BLANKS.sub(" ", node.attributes.get("alt", "")).strip()
    return f"[{alternative}]" if alternative else ""


def _drawing(node: Node) -> str:
    """Return a drawing's title, else the texts in it."""
    for child in node.all():
        if child.name == "title":
            title = " ".join(_inside(child).split())
            if title:
                return f"[{title}]"
    label = node.attributes.get("aria-label", "").strip()
    if label:
        return f"[{label}]"
    written = (_inside(c) for c in node.all() if c.name.lower() in DRAWN)
    return " ".join(filter(None, (" ".join(text.split()) for text in written)))


def _ruby(node: Node) -> str:
    """Return each base with its reading in brackets after it."""
    out = ""
    for child in node.children:
        if isinstance(child, str):
            out += BLANKS.sub("", child) if not child.strip() else BLANKS.sub(" ", child)
        elif child.name == "rt":
            reading = _inside(child).strip()
            wide = bool(out) and unicodedata.east_asian_width(out[-1]) in "WF"
            out += _reading(reading, wide=wide)
        elif child.name == "rtc" and any(c.name == "rt" for c in child.elements()):
            out += _ruby(child)
        elif child.name == "rtc":
            out += _reading(_inside(child).strip(), wide=False)
        elif child.name != "rp":
            out += _walk(child)
    return out


def _reading(text: str, *, wide: bool) -> str:
    if not text:
        return ""
    return f"\uff08{text}\uff09" if wide else f"({text})"


def _switch(node: Node) -> str:
    """Return what a switch shows to a reader that knows none of its cases."""
    return "".join(_inside(child) for child in node.elements() if child.name == "default")


def _formula(node: Node) -> str:
    return node.attributes.get("alttext", "").strip() or linear(node)


def linear(node: Node) -> str:
    """Return MathML on one line: ``1/2``, ``x^2``, ``a_i``, ``\u221a(x+1)``.

    >>> from penstock.reading.names import Names, tree
    >>> linear(tree("<msup><mi>x</mi><mn>2</mn></msup>", Names()))
    'x^2'
    """
    parts = [linear(child) for child in node.elements() if child.name not in NOTHING]
    make = FORMULAS.get(node.name)
    if make and len(parts) >= make[0]:
        return make[1](parts)
    if node.name == "semantics":
        return parts[0] if parts else ""
    if node.name == "mfenced":
        attributes = node.attributes
        opened, closed = attributes.get("open", "("), attributes.get("close", ")")
        return opened + ", ".join(parts) + closed
    if node.name == "mtable":
        return f"[{'; '.join(parts)}]"
    if node.name in ("mtr", "mlabeledtr"):
        return ", ".join(parts)
    shown = (c for c in node.children if isinstance(c, str) or c.name not in NOTHING)
    own = "".join(" ".join(c.split()) if isinstance(c, str) else linear(c) for c in shown)
    return f" {own} " if node.name == "mo" and own in RELATIONS else own


def _bracketed(text: str) -> str:
    return text if SIMPLE.fullmatch(text) else f"({text})"


FORMULAS: dict[str, tuple[int, Callable[[list[str]], str]]] = {
    "mfrac": (2, lambda p: f"{_bracketed(p[0])}/{_bracketed(p[1])}"),
    "msup": (2, lambda p: f"{_bracketed(p[0])}^{_bracketed(p[1])}"),
    "msub": (2, lambda p: f"{_bracketed(p[0])}_{_bracketed(p[1])}"),
    "msubsup": (3, lambda p: f"{_bracketed(p[0])}_{_bracketed(p[1])}^{_bracketed(p[2])}"),
    "mover": (2, lambda p: f"{_bracketed(p[0])}^{_bracketed(p[1])}"),
    "munder": (2, lambda p: f"{_bracketed(p[0])}_{_bracketed(p[1])}"),
    "munderover": (3, lambda p: f"{_bracketed(p[0])}_{_bracketed(p[1])}^{_bracketed(p[2])}"),
    "mroot": (2, lambda p: f"{_bracketed(p[0])}^(1/{p[1]})"),
    "msqrt": (1, lambda p: f"\u221a{_bracketed(''.join(p))}"),
}
RULES: dict[str, Callable[[Node], str]] = {
    "br": lambda _: "\n",
    "wbr": lambda _: "\u200b",
    "img": _image,
    "svg": _drawing,
    "ruby": _ruby,
    "math": _formula,
    "switch": _switch,
    "input": lambda _: "",
    "option": lambda node: f"{_inside(node)} ",
}


CELL, KEPT = "\x02", "\x01"  # between two cells; before a line whose blanks count


def block_text(node: Node) -> str:
    """Return what is seen of blocks: lines begin at blocks and breaks, cells stand apart.

    >>> from penstock.reading.names import Names, tree
    >>> block_text(tree("<table><tr><td>Name</td><td>Age</td></tr></table>", Names()))
    'Name  Age'
    """
    lines: list[str] = []
    for line in _block(node).split("\n"):
        if line.startswith(KEPT):
            lines.append(line.replace(KEPT, "").rstrip(" "))
        elif bare := BLANKS.sub(" ", line.replace(KEPT, "")).strip(f" {CELL}"):
            lines.append(bare.replace(CELL, "  "))
    return "\n".join(lines).strip("\n")


def _block(node: Node) -> str:
    if node.name == "pre":
        return "\n" + "".join(f"{KEPT}{line}\n" for line in _code(node).strip("\n").split("\n"))
    if node.name == "tr":
        cells = [_block(c) for c in node.elements() if c.name in ("td", "th")]
        return f"\n{CELL.join(' '.join(cell.split()) for cell in cells)}\n"
    if not plainly_seen(node):
        return _walk(node)
    text = "".join(BLANKS.sub(" ", c) if isinstance(c, str) else _block(c) for c in node.children)
    before, after = AROUND.get(node.name, ("", ""))
    return f"\n{text}\n" if node.name in BLOCKS else before + text + after


def _code(node: Node) -> str:
    """Return preformatted text, blanks and all."""
    if not plainly_seen(node):
        return _walk(node)
    return "".join(c if isinstance(c, str) else _code(c) for c in node.children)
