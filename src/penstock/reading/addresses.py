"""Where the references of a book lead, found as lenient readers find them."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import final
from urllib.parse import quote, unquote, urljoin

__all__ = ["Addresses", "Members", "joined", "resolve"]

SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
DOCUMENT = re.compile(r"\.x?html?$")
# What names are written in where the flag for UTF-8 is missing.
ENCODINGS = ("cp1252", "cp932", "gb18030", "big5", "cp949", "cp866", "cp1251", "cp850")
# What some file systems add to a name, and take from one.
TAIL = re.compile(r" (?=\.\w+$)|(?:;\d+|(?<![. ])[. ]++)$")
BLANKS = re.compile(r"[ \t\r\n\f\xa0]+")


@lru_cache(maxsize=4096)
def resolve(document: str, path: str) -> str:
    """Return the member that ``path`` means in ``document``, as the standard has it."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(document), unquote(path)))


def joined(base: str, target: str) -> str:
    """Return an address as ``base`` has it, or an empty string for one that cannot be.

    >>> joined("https://example.org/a/", "b"), joined("https://example.org/", "http://[")
    ('https://example.org/a/b', '')
    """
    try:
        return urljoin(base, target) if base else target
    except ValueError:
        return ""


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    """Return a name without what books get wrong: case, slashes, escapes, blanks, forms."""
    for _ in range(3):  # escaped twice is not rare
        name = unquote(name)
    name = BLANKS.sub(" ", unicodedata.normalize("NFKC", name.replace("\\", "/")).replace("+", " "))
    name = posixpath.normpath("/" + "/".join(part.strip() for part in name.split("/")))
    return unicodedata.normalize("NFC", TAIL.sub("", name.lstrip("/")).casefold())


def _last(name: str) -> str:
    """Return the last part of a name, which ending of a document it may have."""
    return DOCUMENT.sub(".html", posixpath.basename(name))


def _misread(name: str) -> Iterator[str]:
    """Yield what a member's name may be where its bytes were taken for code page 437."""
    if name.isascii():
        return
    for encoding in ENCODINGS:
        with suppress(UnicodeError):
            yield name.encode("cp437").decode(encoding)


@final
class Members:
    """The members of a book by their names, exact first, then by ever more lenient readings.

    Args:
        names: The members' names.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(names)
        self._known = set(self._names)
        self._maps: tuple[dict[str, str], dict[str, str], dict[str, list[str]]] | None = None

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def find(self, base: str, path: str) -> str:
        r"""Return the member that ``path`` in ``base`` means, or an empty string.

        Args:
            base: The member that holds the reference.
            path: The reference without its fragment.

        >>> book = Members(["E/p.opf", "E/Text/b c.xhtml", "E/cafe\u0301.xhtml"])
        >>> {book.find("E/p.opf", p) for p in
        ...  ("text/B%20c.XHTML", "/E/Text\\b+c.xhtml", "b c.xhtml")}
        {'E/Text/b c.xhtml'}
        >>> book.find("E/p.opf", "caf%C3%A9.xhtml") == "E/cafe\u0301.xhtml"
        True
        """
        exact = resolve(base, path)
        if exact in self._known:
            return exact
        composed, folded, last = self._tables()
        if found := composed.get(_composed(exact)):
            return found
        path = path.strip()
        bare = path.partition("?")[0]
        old = unquote(bare, "cp1252", "replace")  # escapes from before UTF-8
        for reading in (path, bare, path.lstrip("/\\"), bare.lstrip("/\\"), old):
            beside = posixpath.join(posixpath.dirname(base), reading.replace("\\", "/"))
            for name in (beside, reading):
                if found := folded.get(_folded(name)):
                    return found
        return self._alike(_folded(posixpath.join(posixpath.dirname(base), bare)), last)

    def same(self, base: str, path: str) -> bool:
        """Whether a strict reader finds it too: names that differ by Unicode form at most."""
        exact = resolve(base, path)
        return exact in self._known or _composed(exact) in self._tables()[0]

    def _tables(self) -> tuple[dict[str, str], dict[str, str], dict[str, list[str]]]:
        """Return names by their composed form, by their folded form, and by their last part."""
        if self._maps is None:
            composed: dict[str, str] = {}
            folded: dict[str, str] = {}
            last: dict[str, list[str]] = {}
            for name in self._names:
                plain = _folded(name)
                composed.setdefault(_composed(name), name)
                folded.setdefault(plain, name)
                last.setdefault(_last(plain), []).append(name)
            for name in self._names:
                for other in _misread(name):
                    folded.setdefault(_folded(other), name)
            self._maps = composed, folded, last
        return self._maps

    def _alike(self, wanted: str, last: dict[str, list[str]]) -> str:
        """Return the one nearest member whose name has the same last part."""
        folder, base = posixpath.split(wanted)
        found = last.get(_last(base), []) if base else []
        below = [name for name in found if _folded(name).startswith(f"{folder}/")] or found
        ranks = sorted((name.count("/"), not _folded(name).endswith(base), name) for name in below)
        if not ranks or (len(ranks) > 1 and ranks[0][:2] == ranks[1][:2]):
            return ""
        return ranks[0][2]


@final
class Addresses:
    """Knows the members of a book and the ids in its documents.

    Args:
        members: The members.
        ids: The ids of each document, in reading order.

    """

    def __init__(self, members: Members, ids: Mapping[str, Container[str]]) -> None:
        self._members = members
        self._ids = ids

    def first_from(self, document: str) -> str:
        """Return the address of the book's first document as ``document`` has to write it."""
        first = next(iter(self._ids), "")
        return quote(posixpath.relpath(first or ".", posixpath.dirname(document) or "."))

    def mend(self, document: str, target: str) -> str | None:
        """Return where ``target`` should lead: itself, a corrected address, or None for nowhere.

        >>> book = Addresses(Members(["a.xhtml", "text/b.xhtml"]), {"a.xhtml": {"x"}})
        >>> [book.mend("a.xhtml", t) for t in ("#x", "#y", "b.xhtml", "c.xhtml", "file:///etc")]
        ['#x', '', 'text/b.xhtml', None, None]
        """
        if SCHEME.match(target) or target.startswith("//"):
            return None if target.lower().startswith(("file:", "javascript:")) else target
        path, mark, fragment = target.partition("#")
        name = document
        if path:
            name = self._members.find(document, path)
            if not name:
                return None
            if not self._members.same(document, path.partition("?")[0]):
                path = quote(posixpath.relpath(name, posixpath.dirname(document) or "."))
        ids = self._ids.get(name)
        if mark and ids is not None and unquote(fragment) not in ids and "(" not in fragment:
            mark = fragment = ""
        return path + mark + fragment
