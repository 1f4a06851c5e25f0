"""Markup of a book made fit for a page of ours: known elements, nothing that acts."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from penstock.reading.markup import TAG, attribute

__all__ = ["safe_markup"]

ELEMENTS = frozenset(
    "p div span br hr em i strong b u s small sub sup q cite code kbd samp var abbr dfn "
    "time del ins blockquote pre ul ol li dl dt dd table caption colgroup col thead tbody "
    "tfoot tr td th figure figcaption ruby rb rt rp bdi bdo wbr section header footer "
    "aside address h1 h2 h3 h4 h5 h6 math mrow mi mo mn ms mtext mfrac msqrt mroot msub "
    "msup msubsup munder mover munderover mtable mtr mtd mspace mstyle mpadded mphantom "
    "menclose semantics".split()
)
# Their content is no text for people, or acts: dropped with what is in them.
DROPPED = re.compile(
    r"<(script|style|object|iframe|head|template|annotation|annotation-xml|form|video|audio)\b"
    r"[^>]*?(?:/>|>.*?</\1\s*>)",
    re.DOTALL | re.IGNORECASE,
)
ATTRIBUTES = ("colspan", "rowspan", "dir", "lang", "title", "start", "value")
SVG = re.compile(r"<svg\b.*?</svg\s*>", re.DOTALL)
SVG_IMAGE = re.compile(r"""<image\b[^>]*?(?:xlink:)?href\s*=\s*["']([^"']+)""")
VOID = frozenset({"br", "hr", "wbr", "col", "mspace"})


def safe_markup(source: str, picture: Callable[[str], str]) -> str:
    """Return ``source`` with known elements only; images refer to pictures of the page.

    Args:
        source: Well-formed XHTML.
        picture: Gives the page's name for the address of an image, or an empty string.

    >>> safe_markup('<p onclick="x()">a<script>b</script></p>', str)
    '<p>a</p>'
    """
    source = SVG.sub(lambda m: _drawing(m[0]), DROPPED.sub("", source))
    out: list[str] = []
    done = 0
    for match in TAG.finditer(source):
        out.append(source[done : match.start()])
        done = match.end()
        closing, name, attributes, empty = match.groups()
        if name == "img":
            out.append(_image(attributes, picture))
        elif name in ELEMENTS:
            out.append(_element(closing, name, attributes, empty))
    out.append(source[done:])
    return "".join(out)


def _element(closing: str, name: str, attributes: str, empty: str) -> str:
    if closing:
        return "" if name in VOID else f"</{name}>"
    kept = "".join(f' {a}="{value}"' for a in ATTRIBUTES if (value := _value(attributes, a)))
    return f"<{name}{kept}>" + (f"</{name}>" if empty and name not in VOID else "")


def _value(attributes: str, name: str) -> str:
    return html.escape(html.unescape(attribute(attributes, name)))


def _drawing(markup: str) -> str:
    """Return the picture inside a drawing that only frames it, as covers are made."""
    found = SVG_IMAGE.search(markup)
    return f'<img src="{found[1]}" alt=""/>' if found else ""


def _image(attributes: str, picture: Callable[[str], str]) -> str:
    name = picture(html.unescape(attribute(attributes, "src")))
    alternative = _value(attributes, "alt")
    if not name:
        return f"[{alternative}]" if alternative else ""
    return f'<img data-picture="{html.escape(name)}" alt="{alternative}">'
