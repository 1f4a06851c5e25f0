"""Link headers (RFC 8288), read by a scanner that knows what servers write there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Link(NamedTuple):
    """A target and its parameters; a parameter that comes again does not count."""

    target: str
    parameters: dict[str, str]

    def is_of(self, rel: str) -> bool:
        """Whether it is a link of that relation."""
        return rel.lower() in self.parameters.get("rel", "").lower().split()


class _LinkScanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def skip(self, characters: str) -> None:
        while self.at < len(self.text) and self.text[self.at] in characters:
            self.at += 1

    def take(self, character: str) -> bool:
        found = self.text.startswith(character, self.at)
        self.at += found
        return found

    def until(self, characters: str) -> str:
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in characters:
            self.at += 1
        return self.text[start : self.at]

    def quoted(self, mark: str) -> str:
        """Return a quoted string; a backslash quotes one character (RFC 9110 section 5.6.4)."""
        found: list[str] = []
        while self.at < len(self.text):
            character = self.text[self.at]
            self.at += 1
            if character == mark:
                return "".join(found)
            if character == "\\" and mark == '"' and self.at < len(self.text):
                character = self.text[self.at]
                self.at += 1
            found.append(character)
        raise ValueError("a quoted text does not end")

    def link(self) -> Link:
        if not self.take("<"):
            raise ValueError(f"no <URL> at {self.text[self.at : self.at + 30]!r}")
        target = self.until(">")
        if not self.take(">"):
            raise ValueError("a <URL> does not end")
        parameters: dict[str, str] = {}
        self.skip(" \t")
        while self.take(";"):
            self.skip(" \t")
            name = self.until("=;, \t").lower()
            self.skip(" \t")
            value = self.value() if self.take("=") else ""
            parameters.setdefault(name, value)
            self.until(";,")  # what follows a value though nothing should, such as `é b`
        return Link(target.strip(), parameters)

    def value(self) -> str:
        self.skip(" \t")
        if self.take('"'):
            return self.quoted('"')
        if self.text.startswith("'", self.at) and "'" in self.text[self.at + 1 :]:
            self.at += 1
            return self.quoted("'")
        return self.until(";,").strip()


def links(header: str) -> Iterator[Link]:
    r"""Yield the links of a header, or of several joined by commas.

    >>> [link.target for link in links('</2>; title="the \\"next\\" page"; rel="next", </1>; rel=prev')]
    ['/2', '/1']

    Raises:
        ValueError: It cannot be read; says what.
    """  # noqa: E501 - one header
    scanner = _LinkScanner(header)
    while True:
        scanner.skip(" \t,")
        if scanner.at == len(header):
            return
        yield scanner.link()
        scanner.skip(" \t")
        if scanner.at < len(header) and header[scanner.at] != ",":
            raise ValueError(f"no comma before {header[scanner.at : scanner.at + 30]!r}")


def linked(header: str, rel: str) -> str | None:
    """Return the target of the first link of that relation, or None where there is none.

    Raises:
        ValueError: The header cannot be read.
    """
    found = [link.target for link in links(header) if link.is_of(rel)]
    return found[0] if found else None
