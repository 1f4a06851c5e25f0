"""Style sheets that load nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["UNKNOWN", "harmless_sheet", "loads"]

UNKNOWN = re.compile(r"&[\w.-]++;")  # an entity of the document's own that was not resolved
_LOADS = re.compile(
    r"""(@import\s*+(?:url\(\s*+)?["']?\s*+|(?:url\(|image-set\(|src\()["'\s]*+"""
    r"""(?!data:(?:image|font|application)/))(?!about:invalid)(?=[a-z][\w+.-]*+:|[/\\]{2})""",
    re.IGNORECASE,
)
_ESCAPED = re.compile(r"\\([0-9A-Fa-f]{1,6})\s?|\\|/\*[^*]*+(?:\*(?!/)[^*]*+)*+(?:\*/)?+")
_NAMESPACE = re.compile(  # its address is a name and is never loaded
    r"""@namespace\s++(?:[\w-]++\s++)?+(?:"[^"\\\n;]*+"|url\(\s*+["']?[^"'()\\\s;]*+["']?\s*+\))\s*+;"""
)
# A declaration, a statement or what stands before a block, to its end.
_PIECE = re.compile(
    r"""(?:[^;{}"'/\\uU]++|/\*.*?(?:\*/|\Z)|url\([^"')]*+\)?|"(?:[^"\\\n]|\\.)*+["\n]?"""
    r"""|'(?:[^'\\\n]|\\.)*+['\n]?|\\.?|[/uU])*+[;{}]?""",
    re.DOTALL | re.IGNORECASE,
)


def harmless_sheet(source: str, tell: Callable[[str], object]) -> str:
    """Return a style sheet without what loads something from elsewhere.

    A declaration goes, or a rule: of a font, of an import, of a condition.

    >>> harmless_sheet('p { color: red; background: url("http://a.example/b") }', print)
    an address in a style
    'p { color: red;}'
    >>> harmless_sheet("@font-face { font-family: x; src: url(//a.example/b) } i {}", str)
    ' i {}'
    """
    if not loads(source):
        return source
    tell("an address in a style")
    out: list[str] = []
    blocks: list[tuple[int, bool]] = []  # the open ones: where they begin, whether they go
    for match in _PIECE.finditer(source):
        piece, end = match[0], match[0][-1:]
        lost = loads(piece)
        if end == "{":
            blocks.append((len(out), lost))
        elif lost and blocks and out[blocks[-1][0]].lstrip().lower().startswith("@font-face"):
            blocks[-1] = (blocks[-1][0], True)
        out.append(("}" if end == "}" else "") if lost and end != "{" else piece)
        if end == "}" and blocks:
            start, gone = blocks.pop()
            out[start:] = [] if gone else out[start:]
    fixed = "".join(out)
    return "" if loads(fixed) else fixed  # by escapes: nobody writes so who means well


def loads(style: str) -> bool:
    """Whether a style, or a part of one, loads something from elsewhere."""
    if not any(sign in style for sign in "(@&\\"):  # most values, the long ones of drawings too
        return False
    style = _NAMESPACE.sub("", style)
    plain = _ESCAPED.sub(lambda m: chr(min(int(m[1], 16), 0x10FFFF)) if m[1] else "", style)
    return any(found.search(style) for found in (_LOADS, UNKNOWN)) or bool(_LOADS.search(plain))
