"""Schemas as text, for the command line and for pipeline files; and kinds as text again.

::

    id: int, at: long, price: double       # fields, parted by commas or line ends
    name: utf, key: bytes[16]              # writeUTF; 16 bytes
    raw: bytes[int], note: text[int]       # an int, then so many bytes; the same of UTF-8
    marks: double[short]                   # a short, then so many doubles; [4] writes no count
    weights: double[=marks]                # as many as the earlier field
    owner: utf?                            # a boolean, then the value if it is true
    legs: Leg{size: int, name: utf}[int]   # an array of records
    shape: <byte 1=Circle{r: double}, 2=Box{w: double, h: double}>   # a tag, then its record
"""

from __future__ import annotations

import re
from collections import namedtuple
from keyword import iskeyword
from typing import NoReturn, final

from penstock.errors import InputError
from penstock.javadata.declare import DEEPEST, complete
from penstock.javadata.kinds import (
    PRIMITIVES,
    Case,
    Counted,
    Field,
    FixedBytes,
    Flagged,
    Kind,
    Primitive,
    RecordKind,
    SameAs,
    Text,
    UtfKind,
    Variant,
    counting,
)

__all__ = ["fields_text", "kind_text", "parse_record"]

TOKEN = re.compile(r"(?:[ \t\r]|#[^\n]*)*(?:([^\W\d]\w*)|(-?\d+)|(\n)|([:,{}<>=?\[\]])|(\Z)|(.))")
Token = tuple[str, str, int]
Count = Primitive | SameAs | int


def parse_record(text: str, name: str = "Record") -> RecordKind:
    """Return the kind that ``text`` describes, see the module's example.

    Raises:
        InputError: With line and column of the first thing not understood.

    >>> fields_text(parse_record("id: int, legs: {size: int}[short], owner: utf?"))
    'id: int, legs: Legs{size: int}[short], owner: utf?'
    >>> parse_record("id: int, at: lung")
    Traceback (most recent call last):
    ...
    penstock.errors.InputError: schema, line 1, column 14: no type 'lung'; there are boolean, byte,
    unsigned byte, short, unsigned short, char, int, long, float, double, utf, bytes[...],
    text[...], {...}, <...>
    """
    parser = Parser(text)
    parser.skip_lines()
    record = parser.record_body(name, "end")
    return complete(record)


@final
class Parser:
    """Recursive descent over the tokens of one schema."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(tokens(text))
        self.index = 0
        self.depth = 0

    def fail(self, what: str, start: int) -> NoReturn:
        line = self.text.count("\n", 0, start) + 1
        column = start - self.text.rfind("\n", 0, start)
        raise InputError(f"schema, line {line}, column {column}: {what}")

    def take(self, *wanted: str) -> Token:
        """Return the next token if its text or sort is wanted, else fail."""
        token = self.tokens[self.index]
        if token[1] not in wanted and token[0] not in wanted:
            seen = repr(token[1]) if token[1].strip() else token[0]
            self.fail(f"expected {' or '.join(wanted)}, found {seen}", token[2])
        self.index += 1
        return token

    def take_if(self, wanted: str) -> bool:
        token = self.tokens[self.index]
        if wanted in {token[0], token[1]}:
            self.index += 1
            return True
        return False

    def skip_lines(self) -> None:
        while self.take_if("line end"):
            pass

    def record_body(self, name: str, closing: str) -> RecordKind:
        fields: dict[str, Field] = {}
        start = self.tokens[self.index][2]
        while not self.take_if(closing):
            _, field_name, start = self.take("name", closing)
            if field_name in fields:
                self.fail(f"two fields named {field_name}", start)
            if iskeyword(field_name) or field_name.startswith("_"):
                self.fail(f"{field_name} cannot name a field in Python", start)
            self.take(":")
            fields[field_name] = Field(field_name, self.kind(field_name))
            if self.tokens[self.index][1] != closing and self.tokens[self.index][0] != closing:
                self.take(",", "line end")
            self.skip_lines()
        if not fields:
            self.fail(f"{name} has no fields", start)
        return make_record(name, tuple(fields.values()))

    def kind(self, field_name: str) -> Kind:
        outer = self.depth
        self.deepen()
        kind = self.atom(field_name)
        while True:
            if self.take_if("["):
                kind = Counted(self.count(), kind)
            elif self.take_if("?"):
                kind = Flagged(kind)
            else:
                self.depth = outer
                return kind
            self.deepen()

    def deepen(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            self.fail(f"nested deeper than {DEEPEST}", self.tokens[self.index][2])

    def atom(self, field_name: str) -> Kind:
        _, word, start = self.take("name", "{", "<")
        if word == "{":
            self.skip_lines()
            return self.record_body(field_name.capitalize(), "}")
        if word == "<":
            return self.variant()
        if self.take_if("{"):
            self.skip_lines()
            return self.record_body(word, "}")
        if word == "unsigned":
            word = f"unsigned {self.take('byte', 'short')[1]}"
        if word in PRIMITIVES:
            return PRIMITIVES[word]
        if word == "utf":
            return UtfKind()
        if word in {"bytes", "text"}:
            return self.blob(word, start)
        known = ", ".join([*PRIMITIVES, "utf", "bytes[...]", "text[...]", "{...}", "<...>"])
        return self.fail(f"no type {word!r}; there are {known}", start)

    def blob(self, word: str, start: int) -> Kind:
        self.take("[")
        count = self.count()
        if word == "bytes":
            return FixedBytes(count) if isinstance(count, int) else Counted(count, None)
        if not isinstance(count, Primitive):
            self.fail("text[...] needs the type of the count before it, as text[int]", start)
        return Text(count)

    def count(self) -> Count:
        sort, word, start = self.take("name", "number", "=")
        if sort == "number":
            count: Count = int(word)
        elif word == "=":
            count = SameAs(self.take("name")[1])
        else:
            count = self.counting(word, start)
        self.take("]")
        return count

    def counting(self, word: str, start: int) -> Primitive:
        if word == "unsigned":
            word = f"unsigned {self.take('byte', 'short')[1]}"
        try:
            return counting(word)
        except InputError as error:
            self.fail(str(error), start)

    def variant(self) -> Kind:
        _, word, start = self.take("name")
        tag = self.counting(word, start)
        cases = []
        while True:
            self.skip_lines()
            value = int(self.take("number")[1])
            self.take("=")
            name = self.take("name")[1]
            self.take("{")
            self.skip_lines()
            cases.append(Case(value, self.record_body(name, "}")))
            self.skip_lines()
            if self.take(",", ">")[1] == ">":
                return Variant(tag, tuple(cases))


def tokens(text: str) -> list[Token]:
    sorts = ("name", "number", "line end", "mark", "end", "unknown")
    found = []
    for match in TOKEN.finditer(text):
        group = match.lastindex or 1
        found.append((sorts[group - 1], match[group], match.start(group)))
        if group == 5:
            break
    return found


def make_record(name: str, fields: tuple[Field, ...]) -> RecordKind:
    """Return a record with a NamedTuple class of its own."""
    made = namedtuple(name, [field.name for field in fields])  # type: ignore[misc] # noqa: PYI024 - names known at run time only
    return RecordKind(made, fields)


def fields_text(record: RecordKind) -> str:
    """Return the text of a record's fields; :func:`parse_record` reads it back."""
    return ", ".join(f"{field.name}: {kind_text(field.kind)}" for field in record.fields)


def kind_text(kind: Kind) -> str:
    """Return a kind in the notation of this module."""
    match kind:
        case Primitive(name=name):
            return name
        case UtfKind():
            return "utf"
        case FixedBytes(count=size):
            return f"bytes[{size}]"
        case Text(count=count):
            return f"text[{count.name}]"
        case Counted(count=count, element=element):
            inner = "bytes" if element is None else kind_text(element)
            return f"{inner}[{count_text(count)}]"
        case Flagged(element=element):
            return f"{kind_text(element)}?"
        case Variant(tag=tag, cases=cases):
            inner = ", ".join(f"{case.tag}={kind_text(case.record)}" for case in cases)
            return f"<{tag.name} {inner}>"
        case RecordKind(made=made):
            return f"{made.__name__}{{{fields_text(kind)}}}"


def count_text(count: Count) -> str:
    match count:
        case int():
            return str(count)
        case SameAs(name=name):
            return f"={name}"
        case Primitive(name=name):
            return name
