"""Markup of a book made fit for a page of ours: allowed elements and escaped text, nothing else.

Built from a tree, never by taking things out of the source: what is not known here cannot get
through, however it is written.
"""

from __future__ import annotations

import html
from collections.abc import Callable

from penstock.reading.markup import hides
from penstock.reading.names import Node
from penstock.reading.visible import NOTHING, seen

__all__ = ["safe_markup"]

ELEMENTS = frozenset(
    "p div span br hr em i strong b u s small sub sup q cite code kbd samp var abbr dfn "
    "time del ins blockquote pre ul ol li dl dt dd table caption colgroup col thead tbody "
    "tfoot tr td th figure figcaption ruby rb rt rp bdi bdo wbr section header footer "
    "aside address h1 h2 h3 h4 h5 h6".split()
)
FORMULA = frozenset(
    "math mrow mi mo mn ms mtext mfrac msqrt mroot msub msup msubsup munder mover munderover "
    "mtable mtr mtd mspace mstyle mpadded mphantom menclose semantics mfenced".split()
)
# Their content is no text for people, or acts.
DROPPED = (NOTHING | {"iframe", "embed"}) - {"col", "colgroup", "rp"}
ATTRIBUTES = ("colspan", "rowspan", "dir", "lang", "title", "start", "value", "type", "reversed")
VOID = frozenset({"br", "hr", "wbr", "col"})


def safe_markup(node: Node, picture: Callable[[str], str], link: Callable[[str], str]) -> str:
    """Return what is in ``node`` with allowed elements only.

    Args:
        node: The tree of the markup.
        picture: Gives the page's name for the address of an image, or an empty string.
        link: Gives where a link leads, for the page's program, or an empty string.

    >>> from penstock.reading.names import Names, tree
    >>> safe_markup(tree('<p onclick="x()">a<script>b</script>&lt;i></p>', Names()), str, str)
    '<p>a&lt;i&gt;</p>'
    """
    out: list[str] = []
    _put(node, out, (picture, link), math=False)
    return "".join(out)


def _put(
    node: Node,
    out: list[str],
    ways: tuple[Callable[[str], str], Callable[[str], str]],
    *,
    math: bool,
) -> None:
    for child in node.children:
        if isinstance(child, str):
            out.append(html.escape(child))
        elif hides(child.attributes) or (child.name in DROPPED and not child.foreign):
            continue
        elif child.name == "svg" and not child.foreign:
            out.append(_drawing(child, ways[0]))
        elif child.name in ("img", "image") and not child.foreign:
            out.append(_image(child, child.attributes.get("src", ""), ways[0]))
        elif child.name == "a" and not math and not child.foreign:
            to = ways[1](child.attributes.get("href", ""))
            out.append(f'<a data-to="{html.escape(to)}">' if to else "<span>")
            _put(child, out, ways, math=math)
            out.append("</a>" if to else "</span>")
        else:
            inside = math or child.name == "math"
            known = not child.foreign and child.name in (FORMULA if inside else ELEMENTS)
            if known:
                out.append(_start(child))
            if child.name not in VOID:
                _put(child, out, ways, math=inside)
                if known:
                    out.append(f"</{child.name}>")


def _start(node: Node) -> str:
    kept = "".join(
        f' {name}="{html.escape(value)}"'
        for name in ATTRIBUTES
        if (value := node.attributes.get(name, "")) and len(value) < 1000
    )
    return f"<{node.name}{kept}>"


def _drawing(node: Node, picture: Callable[[str], str]) -> str:
    """Return the picture inside a drawing, as covers are made; else the drawing's words."""
    for child in node.all():
        if child.name == "image":
            source = child.attributes.get("xlink:href") or child.attributes.get("href", "")
            return _image(node, source, picture)
    return html.escape(seen(node))


def _image(node: Node, source: str, picture: Callable[[str], str]) -> str:
    name = picture(source)
    alternative = html.escape(" ".join(node.attributes.get("alt", "").split()))
    if not name:
        return f"[{alternative}]" if alternative else ""
    return f'<img data-picture="{html.escape(name)}" alt="{alternative}">'
