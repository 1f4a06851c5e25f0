"""Where the links of a book lead, and where they should when they lead nowhere."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Container, Iterable, Mapping
from typing import final
from urllib.parse import quote, unquote

__all__ = ["Addresses", "resolve"]

SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def resolve(document: str, path: str) -> str:
    """Return the member that ``path`` means in ``document``."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(document), unquote(path)))


@final
class Addresses:
    """Knows the members of a book and the ids in its documents.

    Args:
        members: The members' names.
        ids: The ids of each document, in reading order.

    Attributes:
        first: The first document.
    """

    def __init__(self, members: Iterable[str], ids: Mapping[str, Container[str]]) -> None:
        self._members = list(members)
        self._known = set(self._members)
        self._ids = ids
        self.first = next(iter(ids), "")

    def mend(self, document: str, target: str) -> str | None:
        """Return where ``target`` should lead: itself, a corrected address, or None for nowhere.

        >>> book = Addresses(["a.xhtml", "text/b.xhtml"], {"a.xhtml": {"x"}})
        >>> [book.mend("a.xhtml", t) for t in ("#x", "#y", "b.xhtml", "c.xhtml", "file:///etc")]
        ['#x', '', 'text/b.xhtml', None, None]
        """
        if SCHEME.match(target) or target.startswith("//"):
            return None if target.lower().startswith(("file:", "javascript:")) else target
        path, mark, fragment = target.partition("#")
        name = resolve(document, path.partition("?")[0]) if path else document
        if name not in self._known:
            found = self._alike(name)
            if not found:
                return None
            path = quote(posixpath.relpath(found, posixpath.dirname(document) or "."))
            name = found
        if mark and name in self._ids and unquote(fragment) not in self._ids[name]:
            mark = fragment = ""
        return path + mark + fragment

    def _alike(self, name: str) -> str:
        """Return the one nearest member of the same file name below the folder meant."""
        folder, base = posixpath.split(name)
        below = [
            member
            for member in self._members
            if posixpath.basename(member) == base
            and (not folder or member.startswith(folder + "/"))
        ]
        below.sort(key=lambda member: member.count("/"))
        if not below or (len(below) > 1 and below[0].count("/") == below[1].count("/")):
            return ""
        return below[0]
