"""Tag soup made into valid XHTML: known elements in the places they may be in, all text kept."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, final
from urllib.parse import urljoin

from penstock.reading.plaintext import clean

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["Tidier"]

BLOCKS = frozenset(
    "p div section article main header footer aside nav body h1 h2 h3 h4 h5 h6 pre "
    "blockquote ul ol li dl dt dd table thead tbody tfoot tr td th caption figure "
    "figcaption hr address details summary fieldset form center menu dir listing xmp "
    "hgroup search".split()
)
PHRASES = (
    "em strong i b code sub sup q cite abbr s u small kbd samp var mark dfn bdi del ins"
).split()
INLINE = {
    **{name: name for name in PHRASES},
    "tt": "code",
    "strike": "s",
    "big": "span",
}
DROPPED = frozenset(
    "script style template head title meta link iframe object embed svg math canvas audio "
    "video input select textarea button noscript map area param source track applet "
    "frameset".split()
)
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
        identity = self._identity(node)
        if name in ("h1", "h2", "h3", "h4", "h5", "h6"):
            return _wrapped(name, identity, self._phrases(node))
        if name in ("pre", "listing", "xmp"):
            text = html.escape(clean("".join(map(str, node.itertext()))), quote=False)
            return [f"<pre{identity}>{text}</pre>"] if text.strip() else []
        if name == "hr":
            return ["<hr/>"]
        if name in ("ul", "ol", "menu", "dir"):
            return self._list(node, "ol" if name == "ol" else "ul", identity)
        if name == "table":
            return self._table(node, identity)
        if name in ("blockquote", "figure"):
            return _wrapped(name, identity, "".join(self._flow(node)))
        if name in ("p", "dt", "figcaption", "summary") and not _holds_block(node):
            return _wrapped("p", identity, self._phrases(node))
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
        if name in DROPPED or not name:
            return []
        identity = self._identity(child) if name == "li" else ""
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
        span = cell.get("colspan", "")
        wide = f' colspan="{span}"' if span.isdecimal() and 1 < int(span) < 100 else ""
        inside = "".join(self._flow(cell)) if _holds_block(cell) else self._phrases(cell)
        return f"<{_name(cell)}{wide}>{inside}</{_name(cell)}>"

    def _phrases(self, node: _Element) -> str:
        """Return the inline content of an element; blocks in it become text."""
        parts = [_text(node.text)]
        for child in node:
            parts += [self._inline(child, _name(child)), _text(child.tail)]
        return "".join(parts)

    def _inline(self, node: _Element, name: str) -> str:  # noqa: PLR0911 - one return a kind
        if not name:
            return ""  # a comment
        if name in DROPPED:
            if name not in ("script", "style", "head", "title", "meta", "link"):
                self.dropped[name] = self.dropped.get(name, 0) + 1
            return ""
        if name == "br":
            return "<br/>"
        if name == "img":
            return self._image(node)
        inside = self._phrases(node)
        if name == "a":
            return self._link(node, inside)
        known = INLINE.get(name)
        identity = self._identity(node)
        if not known:
            return f"<span{identity}>{inside}</span>" if identity else inside
        return f"<{known}{identity}>{inside}</{known}>" if inside.strip() else inside

    def _link(self, node: _Element, inside: str) -> str:
        target = node.get("href", "").strip()
        identity = self._identity(node)
        if not target.startswith("#"):
            target = urljoin(self._base, target) if self._base else target
            target = target if target.lower().startswith(SCHEMES) and " " not in target else ""
        if "<a " in inside or not inside.strip() or not target:
            return f"<span{identity}>{inside}</span>" if identity else inside
        return f'<a{identity} href="{html.escape(target)}">{inside}</a>'

    def _image(self, node: _Element) -> str:
        alternative = html.escape(" ".join(node.get("alt", "").split()))
        address = self._picture(
            urljoin(self._base, node.get("src", "")) if self._base else node.get("src", "")
        )
        if address:
            return f'<img src="{html.escape(address)}" alt="{alternative}"/>'
        self.dropped["img"] = self.dropped.get("img", 0) + 1
        return f"[{alternative}]" if alternative else ""

    def _identity(self, node: _Element) -> str:
        name = node.get("id") or (node.get("name") if node.tag == "a" else "") or ""
        if not NAME.fullmatch(name) or name in self._ids:
            return ""
        self._ids.add(name)
        return f' id="{name}"'


def _name(node: _Element) -> str:
    tag: object = node.tag  # a function for comments and instructions
    return tag if isinstance(tag, str) else ""


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
