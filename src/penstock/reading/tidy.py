"""Tag soup made into valid XHTML: known elements in the places they may be in, all text kept."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, final

from penstock.reading.addresses import joined
from penstock.reading.language import LANGUAGE
from penstock.reading.names import Names, Node, tree
from penstock.reading.plain_text import clean
from penstock.reading.visible import BLOCKS as SEEN
from penstock.reading.visible import block_text, seen

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["Tidier"]

BLOCKS = SEEN | frozenset("body td th center menu dir listing xmp search".split())
PHRASES = (
    "em strong i b code sub sup q cite abbr s u small kbd samp var mark dfn bdi bdo del ins ruby"
).split()
INLINE = {
    **{name: name for name in PHRASES},
    "tt": "code",
    "strike": "s",
    "big": "span",
}
DROPPED = frozenset(
    "script style template head title meta link embed input select textarea button noscript map "
    "area param frameset".split()
)
# What stands in them is for readers that cannot show them.
SHOWN_ELSEWHERE = frozenset("object video audio iframe canvas applet".split())
# Where pages that load images late have their addresses; of several for other sizes the first.
LATE = ("data-src", "data-original", "data-lazy-src", "srcset", "data-srcset")
SIGNS = {"br": "<br/>", "wbr": "\u200b"}
MATHML = "http://www.w3.org/1998/Math/MathML"
# How many children a formula's element has; others take any number, or text.
ARITY = {
    "mfrac": 2, "msup": 2, "msub": 2, "mover": 2, "munder": 2, "mroot": 2, "msubsup": 3,
    "munderover": 3,
}  # fmt: skip
ROWS = frozenset("math mrow msqrt mstyle mpadded mphantom menclose".split())
LEAVES = frozenset("mi mn mo mtext ms".split())
NAME = re.compile(r"[A-Za-z_][\w.-]*")
BLANKS = re.compile(r"[ \t\r\n\f]+")
SCHEMES = ("http://", "https://", "mailto:")


@final
class Tidier:
    """Turns elements into markup that is valid in an EPUB 3 document.

    Args:
        picture: Gives the book's address for the address of an image, or an empty string.
        base: What relative links start from; without one they lose their target.

    Attributes:
        dropped: Elements left out because a book cannot hold them, by name.
    """

    def __init__(self, picture: Callable[[str], str], base: str = "") -> None:
        self._picture = picture
        self._base = base
        self._ids: set[str] = set()
        self.dropped: dict[str, int] = {}

    def blocks(self, root: _Element) -> list[str]:
        """Return the blocks in ``root``, top level ones one by one."""
        return self._flow(root)

    def _flow(self, node: _Element) -> list[str]:
        """Return blocks; text that stands alone becomes paragraphs."""
        blocks: list[str] = []
        loose: list[str] = [_text(node.text)]
        for child in node:
            name = _name(child)
            if name in BLOCKS or (name and name not in DROPPED and _holds_block(child)):
                _close(loose, blocks)
                blocks += self._block(child, name)
            else:
                loose.append(self._inline(child, name))
            loose.append(_text(child.tail))
        _close(loose, blocks)
        return blocks

    def _block(self, node: _Element, name: str) -> list[str]:  # noqa: PLR0911 - one return a kind
        if _hidden(node):
            return []
        if name in SHOWN_ELSEWHERE:
            self._dropped(name)
        identity = self._identity(node)
        if name in ("h1", "h2", "h3", "h4", "h5", "h6"):
            return _wrapped(name, identity, self._phrases(node))
        if name in ("pre", "listing", "xmp"):
            node.tag = "pre"
            text = html.escape(clean(block_text(_read(node))), quote=False)
            return [f"<pre{identity}>{text}</pre>"] if text.strip() else []
        if name == "hr":
            return ["<hr/>"]
        if name in ("ul", "ol", "menu", "dir"):
            numbers = identity + (_numbers(node, "start", "type") if name == "ol" else "")
            return self._list(node, "ol" if name == "ol" else "ul", numbers)
        if name == "table":
            return self._table(node, identity)
        if name in ("blockquote", "figure"):
            return _wrapped(name, identity, "".join(self._flow(node)))
        if name in ("p", "dt", "figcaption", "summary") and not _holds_block(node):
            verse = ' class="verse"' if node.get("class") == "verse" else ""
            return _wrapped("p", verse + identity, self._phrases(node))
        blocks = self._flow(node)
        return [f"<div{identity}>{''.join(blocks)}</div>"] if identity and blocks else blocks

    def _list(self, node: _Element, name: str, identity: str) -> list[str]:
        items = _wrapped("li", "", _text(node.text))
        for child in node:
            items += self._item(child)
            items += _wrapped("li", "", _text(child.tail))
        return _wrapped(name, identity, "".join(items))

    def _item(self, child: _Element) -> list[str]:
        """Return one item of a list; what stands in a list without being one becomes one."""
        name = _name(child)
        if name in DROPPED or not name or _hidden(child):
            return []
        identity = self._identity(child) + _numbers(child, "value") if name == "li" else ""
        if name == "li":
            inside = "".join(self._flow(child)) if _holds_block(child) else self._phrases(child)
        elif name in BLOCKS:
            inside = "".join(self._block(child, name))
        else:
            inside = self._inline(child, name)
        return _wrapped("li", identity, inside)

    def _table(self, node: _Element, identity: str) -> list[str]:
        rows: list[str] = []
        for row in node.iter("tr"):
            if next(row.iterancestors("table")) is not node:
                continue  # of a table in a cell
            cells = [self._cell(c) for c in row if _name(c) in ("td", "th")]
            rows += _wrapped("tr", "", "".join(cells))
        captions = [b for c in node if _name(c) == "caption" for b in self._flow(c)]
        return captions + _wrapped("table", identity, "".join(rows))

    def _cell(self, cell: _Element) -> str:
        wide = "".join(
            f' {name}="{span}"'
            for name in ("colspan", "rowspan")
            if re.fullmatch(r"\d{1,3}", span := cell.get(name, "").strip()) and 1 < int(span) < 1000
        )
        inside = "".join(self._flow(cell)) if _holds_block(cell) else self._phrases(cell)
        return f"<{_name(cell)}{wide}>{inside}</{_name(cell)}>"

    def _phrases(self, node: _Element) -> str:
        """Return the inline content of an element; blocks in it become text."""
        parts = [_text(node.text)]
        for child in node:
            parts += [self._inline(child, _name(child)), _text(child.tail)]
        return "".join(parts)

    def _inline(self, node: _Element, name: str) -> str:  # noqa: PLR0911 - one return a kind
        if not name or _hidden(node):
            return ""  # a comment, or what no reader shows
        if name in SHOWN_ELSEWHERE:
            self._dropped(name)
        if name in SIGNS:
            return SIGNS[name]
        if name in DROPPED:
            return _box(node) or _tex(node) or self._dropped(name)
        rules = {"math": _formula, "svg": self._drawing, "img": self._image, "ruby": self._ruby}
        if name in rules:
            return rules[name](node)
        inside = self._phrases(node)
        if name == "a":
            return self._link(node, inside)
        known = INLINE.get(name)
        identity = self._identity(node)
        if not known:
            return f"<span{identity}>{inside}</span>" if identity else inside
        return f"<{known}{identity}>{inside}</{known}>" if inside.strip() else inside

    def _dropped(self, name: str) -> str:
        if name not in ("script", "style", "head", "title", "meta", "link"):
            self.dropped[name] = self.dropped.get(name, 0) + 1
        return ""

    def _drawing(self, node: _Element) -> str:
        """Return what is seen of a drawing as text: what it holds besides is left out."""
        self._dropped("svg")
        return _text(seen(_read(node)))

    def _ruby(self, node: _Element) -> str:
        """Return bases with their readings; a reading has a base before it."""
        parts = [_text(node.text)]
        for child in node:
            name = _name(child)
            if name == "rt":
                parts.append(f"<rt>{self._phrases(child)}</rt>")
            elif name != "rp":
                parts.append(self._phrases(child) if name == "rb" else self._inline(child, name))
            parts.append(_text(child.tail))
        inside = "".join(parts)
        return f"<ruby{self._identity(node)}>{inside}</ruby>" if "<rt>" in inside else inside

    def _link(self, node: _Element, inside: str) -> str:
        target = node.get("href", "").strip()
        identity = self._identity(node)
        if not target.startswith("#"):
            target = joined(self._base, target)
            target = target if target.lower().startswith(SCHEMES) and " " not in target else ""
        if "<a " in inside or not inside.strip() or not target:
            return f"<span{identity}>{inside}</span>" if identity else inside
        return f'<a{identity} href="{html.escape(target)}">{inside}</a>'

    def _image(self, node: _Element) -> str:
        alternative = html.escape(" ".join(node.get("alt", "").split()))
        address = self._picture(joined(self._base, _source(node)))
        if address:
            return f'<img src="{html.escape(address)}" alt="{alternative}"/>'
        self.dropped["img"] = self.dropped.get("img", 0) + 1
        return f"[{alternative}]" if alternative else ""

    def _identity(self, node: _Element) -> str:
        """Return what is kept of an element's attributes: id, direction, language."""
        name = node.get("id") or (node.get("name") if node.tag == "a" else "") or ""
        kept = ""
        if NAME.fullmatch(name) and name not in self._ids:
            self._ids.add(name)
            kept = f' id="{name}"'
        direction = node.get("dir", "").lower()
        if direction in ("rtl", "ltr"):
            kept += f' dir="{direction}"'
        language = node.get("lang", "").replace("_", "-")
        if LANGUAGE.fullmatch(language) and node.tag not in ("html", "body"):
            kept += f' xml:lang="{language}" lang="{language}"'
        return kept


def _read(node: _Element) -> Node:
    """Return an element as the other forms read it."""
    from lxml.etree import tostring

    return tree(tostring(node, encoding="unicode", with_tail=False), Names())


def _box(node: _Element) -> str:
    """Return the box of a task in a list, ticked or not."""
    if node.tag != "input" or node.get("type") != "checkbox":
        return ""
    return "\u2610 " if node.get("checked") is None else "\u2611 "


def _tex(node: _Element) -> str:
    """Return a formula that a script would draw, as it is written."""
    return _text(node.text) if node.get("type", "").startswith("math/tex") else ""


def _source(node: _Element) -> str:
    """Return the address of an image, of one that is loaded late too."""
    source = node.get("src", "").strip()
    if source and not source.startswith("data:image/"):
        return source
    choices = (node.get(name, "") for name in LATE)
    return next((found[0] for text in choices if (found := text.split())), source).rstrip(",")


def _numbers(node: _Element, *names: str) -> str:
    """Return the attributes that number the items of a list."""
    kept = ""
    for name in names:
        value = node.get(name, "").strip()
        if re.fullmatch(r"[1aAiI]" if name == "type" else r"-?\d{1,9}", value):
            kept += f' {name}="{value}"'
    return kept


def _formula(node: _Element) -> str:
    """Return MathML that is surely valid; an element with too few parts becomes a row."""
    said = html.escape(" ".join((node.get("alttext") or "").split()))
    attributes = f' xmlns="{MATHML}"' + (f' alttext="{said}"' if said else "")
    inside = "".join(map(_part, _parts(node)))
    return f"<math{attributes}>{inside}</math>" if inside else said


def _parts(node: _Element) -> list[_Element]:
    return [child for child in node if _name(child)]


def _part(node: _Element) -> str:
    name = _name(node).rpartition(":")[2]
    if name in LEAVES:
        text = html.escape(clean("".join(map(str, node.itertext()))), quote=False)
        return f"<{name}>{text}</{name}>"
    parts = _parts(node)
    if name == "semantics":
        return _part(parts[0]) if parts else ""
    if name.startswith("annotation"):
        return ""
    inside = [_part(part) for part in parts]
    if ARITY.get(name) == len(inside) and all(inside):
        return f"<{name}>{''.join(inside)}</{name}>"
    if name == "mtable":
        return f"<mtable>{''.join(map(_row, parts))}</mtable>"
    known = name if name in ROWS else "mrow"
    loose = f"<mtext>{_text(node.text).strip()}</mtext>" if (node.text or "").strip() else ""
    return f"<{known}>{loose}{''.join(inside)}</{known}>"


def _row(node: _Element) -> str:
    cells = "".join(f"<mtd>{''.join(map(_part, _parts(cell)))}</mtd>" for cell in _parts(node))
    return f"<mtr>{cells}</mtr>"


def _name(node: _Element) -> str:
    tag: object = node.tag  # a function for comments and instructions
    return tag if isinstance(tag, str) else ""


def _hidden(node: _Element) -> bool:
    return node.get("hidden") not in (None, "until-found")


def _text(text: str | None) -> str:
    return html.escape(BLANKS.sub(" ", clean(text)), quote=False) if text else ""


def _holds_block(node: _Element) -> bool:
    return any(_name(child) in BLOCKS for child in node.iterdescendants())


def _close(loose: list[str], blocks: list[str]) -> None:
    text = "".join(loose).strip()
    loose.clear()
    if text:
        blocks.append(f"<p>{text}</p>")


def _wrapped(name: str, identity: str, inside: str) -> list[str]:
    inside = inside.strip()
    return [f"<{name}{identity}>{inside}</{name}>"] if inside or identity else []


def link_chapters(chapters: Iterable[list[str]]) -> list[str]:
    """Join each chapter's blocks and make links inside the book lead to the right document.

    A link to a place that does not exist keeps its text and loses its target.
    """
    joined = ["\n".join(blocks) for blocks in chapters]
    places = {
        name: f"chapter-{number:03}.xhtml"
        for number, body in enumerate(joined, 1)
        for name in re.findall(r' id="([^"]+)"', body)
    }

    def lead(match: re.Match[str]) -> str:
        place = places.get(html.unescape(match[1]))
        return f' href="{place}#{match[1]}"' if place else ""

    return [re.sub(r' href="#([^"]*)"', lead, body) for body in joined]
