r"""Text of strangers for terminals: what would steer one is shown instead of done."""

from __future__ import annotations

import re

__all__ = ["STEERING", "visible"]

# C0 but tab and line feed, DEL and C1; what turns the direction of text; other ends of a line;
# halves of a surrogate pair, which no encoding has.
STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def visible(text: str) -> str:
    r"""Return ``text`` with control characters as JSON escapes them, so that JSON stays the same.

    >>> print(visible("\x1b]0;owned\x07 caf\xe9"))
    \u001b]0;owned\u0007 café
    """
    return STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
