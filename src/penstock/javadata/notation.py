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

Files that others designed have more::

    magic: int = 0xFEEDFEED                # checked; text and bytes too: = "TZDB", = 0xCAFE
    sum: unsigned int, at: little long     # unsigned; little-endian
    n: varint, m: vint                     # seven bits a byte; Hadoop's. varlong, zigzag int, vlong
    key: text[short?], ids: int[int?]      # a count of -1 says that there is none
    a: text[int mutf8], b: text[8 latin1]  # other encodings: utf16, utf16le
    rows: int, cols: int, grid: double[=cols][=rows], all: byte[=rows*cols]
    n: int, pool: Entry{...}[=n-1], hits: byte[=n+7/8]               # earlier fields count
    tags: <byte 1=A{x: int}, 2|3=B{y: int}, *=Other{...}>[until 0]   # several tags; any other tag
    kind: byte, body: <=kind 0=Nil{}, 1=int, 2=utf>                  # tagged by an earlier field
    part: sized[int] {id: int, rest: bytes[*]}                       # so many bytes; to their end
    tree: Node{value: int, children: Node[int]}                      # a record inside itself
    check: crc32[=part]                    # of a field; [*] of all before; adler32; [= long]
"""

from __future__ import annotations

import re
from collections import namedtuple
from difflib import get_close_matches
from keyword import iskeyword
from typing import TYPE_CHECKING, NoReturn, final
from unicodedata import normalize

from penstock.errors import InputError
from penstock.javadata import kinds
from penstock.javadata.coders import Coders
from penstock.javadata.declarations import DEEPEST, complete
from penstock.javadata.decoding import CodingFault, drive

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["fields_text", "kind_text", "make_record", "parse_record"]

Row = tuple[object, ...]

TOKEN = re.compile(
    r"(?:[ \t\r]|#[^\n]*)*(?:([^\W\d]\w*)|(-?(?:0[xX][0-9a-fA-F]+|\d+))|(\n)"
    r'|([:,{}<>=?\[\]*|+/-])|(\Z)|("[^"\n]*")|(.))'
)
Token = tuple[str, str, int]
# What other notations call our types.
OTHERS = {
    "int8": "byte", "uint8": "unsigned byte", "int16": "short", "uint16": "unsigned short",
    "int32": "int", "uint32": "unsigned int", "int64": "long", "uint64": "unsigned long",
    "float32": "float", "float64": "double", "bool": "boolean", "string": "utf", "str": "utf",
    "integer": "int", "character": "char",
}  # fmt: skip
PREFIXES = ("unsigned", "little", "zigzag")


def parse_record(text: str, name: str = "Record") -> kinds.RecordKind:
    """Return the kind that ``text`` describes, see the module's example.

    Raises:
        InputError: With line and column of the first thing not understood.

    >>> fields_text(parse_record("id: int, legs: {size: int}[short], owner: utf?"))
    'id: int, legs: Legs{size: int}[short], owner: utf?'
    >>> parse_record("id: int, at: lung")
    Traceback (most recent call last):
    ...
    penstock.errors.InputError: schema, line 1, column 14: no type 'lung'; did you mean long?; there
    are boolean, byte, unsigned byte, short, unsigned short, char, int, unsigned int, long,
    unsigned long, float, double, utf, bytes[...], text[...], {...}, <...>
    """
    parser = Parser(text.removeprefix("\ufeff"))
    parser.skip_lines()
    record = complete(parser.record_body(name, "end"))
    return known_as(fields_text(record), record)


KNOWN: dict[str, kinds.RecordKind] = {}
MOST_KNOWN = 1024
LONGEST_NUMBER = 40


def known_as(text: str, record: kinds.RecordKind) -> kinds.RecordKind:
    """Return the record that this text has meant before, so that its classes stay the same ones.

    Rows are pickled by this text and found by it again, in another process too.
    """
    if text not in KNOWN:
        for index, inner in enumerate(kinds.records_in(record)):
            inner.made.__reduce__ = reducer(text, index)  # type: ignore[method-assign,assignment]
        KNOWN[text] = record
        if len(KNOWN) > MOST_KNOWN:
            KNOWN.pop(next(iter(KNOWN)), None)
    return KNOWN.get(text, record)


def reducer(text: str, index: int) -> Callable[[Row], tuple[object, ...]]:
    """Return the ``__reduce__`` of the class of one record of a schema."""

    def reduce(row: Row) -> tuple[object, ...]:
        return restored, (text, index, tuple(row))

    return reduce


def restored(text: str, index: int, values: Row) -> Row:
    """Return the row that was pickled."""
    found = list(kinds.records_in(parse_record(text)))[index]
    return found.made._make(values)  # type: ignore[attr-defined,no-any-return] # a NamedTuple


@final
class Parser:
    """Recursive descent over the tokens of one schema."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(tokens(text))
        self.index = 0
        self.depth = 0
        self.records: dict[str, kinds.RecordKind] = {}
        self.open: dict[str, list[kinds.Nested]] = {}

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

    def integer(self, kind: kinds.Kind | kinds.SameAs | None = None) -> int:
        _, word, start = self.take("number")
        return self.as_integer(word, start, kind)

    def as_integer(
        self, word: str, start: int, kind: kinds.Kind | kinds.SameAs | None = None
    ) -> int:
        """Return a number; one in hex for a ``kind`` that is signed says its bits."""
        if len(word) > LONGEST_NUMBER:
            self.fail(f"a number of {len(word)} digits", start)
        if word.lstrip("-")[:2] not in {"0x", "0X"}:
            return int(word)
        value = int(word, 16)
        if isinstance(kind, kinds.Primitive) and kind.integral:
            _, high = kinds.limits(kind)
            value -= 1 << 8 * kind.size if high < value < 1 << 8 * kind.size else 0
        return value

    def skip_lines(self) -> None:
        while self.take_if("line end"):
            pass

    def record_body(self, name: str, closing: str) -> kinds.RecordKind:
        fields: dict[str, kinds.RecordField] = {}
        inside: list[kinds.Nested] = []
        outer = self.open.get(name)
        self.open[name] = inside
        while not self.take_if(closing):
            field = self.field(fields, closing)
            fields[field.name] = field
            if self.tokens[self.index][1] != closing and self.tokens[self.index][0] != closing:
                self.take(",", "line end")
            self.skip_lines()
        if outer is None:
            del self.open[name]
        else:
            self.open[name] = outer
        record = self.named(name, tuple(fields.values()))
        for each in inside:  # the class could not be made before its fields were known
            object.__setattr__(each, "made", record.made)
        return record

    def field(self, before: dict[str, kinds.RecordField], closing: str) -> kinds.RecordField:
        _, name, start = self.take("name", closing)
        if name in before:
            self.fail(f"two fields named {name}", start)
        self.nameable(name, start)
        self.take(":")
        kind = self.kind(name)
        return kinds.RecordField(name, self.constant(kind) if self.take_if("=") else kind)

    def nameable(self, name: str, start: int) -> None:
        """Refuse what cannot name a field or a class."""
        if iskeyword(name) or name.startswith("_") or not name.isidentifier():
            self.fail(f"{name} cannot name a field or a record in Python", start)

    def named(self, name: str, fields: tuple[kinds.RecordField, ...]) -> kinds.RecordKind:
        """Return the record of this name: the one there is already, if it is the same.

        Another one of the same name gets a number, so that each can be named.
        """
        wanted, number = name, 2
        while wanted in self.records:
            if self.records[wanted].fields == fields:
                return self.records[wanted]
            wanted, number = f"{name}{number}", number + 1
        return self.records.setdefault(wanted, make_record(wanted, fields))

    def constant(self, kind: kinds.Kind) -> kinds.Kind:
        """Return the kind of a value that is always the same."""
        sort, word, start = self.take("number", "text")
        value: object = word[1:-1]
        if sort == "number" and isinstance(kind, kinds.FixedBytes):
            digits = word[2:] if word[:2] in {"0x", "0X"} else ""
            value = bytes.fromhex(digits) if len(digits) == 2 * kind.count else b""
        elif sort == "number":
            value = self.as_integer(word, start, kind)
        elif isinstance(kind, kinds.FixedBytes):
            value = word[1:-1].encode()
        if not could_be(kind, value):
            self.fail(f"{word} cannot be the value of {kind_text(kind)}", start)
        return kinds.Constant(kind, value)

    def kind(self, field_name: str) -> kinds.Kind:
        outer = self.depth
        self.deepen()
        kind = self.atom(field_name)
        while True:
            if self.take_if("["):
                count, null = self.count(kind)
                self.take("]")
                kind = kinds.Counted(count, kind, null)
            elif self.take_if("?"):
                kind = kinds.Flagged(kind)
            else:
                self.depth = outer
                return kind
            self.deepen()

    def deepen(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            self.fail(f"nested deeper than {DEEPEST}", self.tokens[self.index][2])

    def atom(self, field_name: str) -> kinds.Kind:
        _, word, start = self.take("name", "{", "<")
        if word == "{":
            self.skip_lines()
            return self.record_body(field_name.capitalize(), "}")
        if word == "<":
            return self.variant()
        if self.take_if("{"):
            self.nameable(word, start)
            self.skip_lines()
            return self.record_body(word, "}")
        known = self.record_named(word)
        if known is not None:
            return known
        word = self.joined(word)
        if word in kinds.NUMBERS:
            return kinds.NUMBERS[word]
        if word == "utf":
            return kinds.UtfKind()
        if word == "sized":
            return self.sized(field_name)
        if word in {"bytes", "text", *kinds.CHECKSUMS}:
            return self.blob(word, start)
        return self.unknown(word, start)

    def record_named(self, word: str) -> kinds.RecordKind | kinds.Nested | None:
        """Return the record of this name: around the place, or before it."""
        if word in kinds.NUMBERS or word in {"utf", "bytes", "text", "sized", *kinds.CHECKSUMS}:
            return None
        if word in self.open:
            nested = kinds.Nested(tuple)
            self.open[word].append(nested)
            return nested
        return self.records.get(word)

    def joined(self, word: str) -> str:
        """Return a type of two or three words."""
        while word.rsplit(maxsplit=1)[-1] in PREFIXES and self.tokens[self.index][0] == "name":
            word = f"{word} {self.take('name')[1]}"
        return word

    def unknown(self, word: str, start: int) -> NoReturn:
        known = [*kinds.PRIMITIVES, "utf", "bytes[...]", "text[...]", "{...}", "<...>"]
        names = [*kinds.NUMBERS, "utf", "bytes", "text", "sized", *kinds.CHECKSUMS]
        near = OTHERS.get(word.lower()) or next(iter(get_close_matches(word, names, 1)), None)
        hint = f"; did you mean {near}?" if near else ""
        self.fail(f"no type {word!r}{hint}; there are {', '.join(known)}", start)

    def sized(self, field_name: str) -> kinds.Kind:
        self.take("[")
        count, null = self.count()
        self.take("]")
        self.deepen()
        return kinds.Sized(count, self.atom(field_name), null)

    def blob(self, word: str, start: int) -> kinds.Kind:
        self.take("[")
        if word in kinds.CHECKSUMS:
            return self.checksum(word)
        count, null = self.count()
        encoding = "utf8"
        if word == "text" and self.tokens[self.index][0] == "name":
            encoding = self.take("name")[1]
            if encoding not in kinds.ENCODINGS:
                self.fail(
                    f"no encoding {encoding!r}; there are {', '.join(kinds.ENCODINGS)}", start
                )
        self.take("]")
        if word == "bytes":
            return (
                kinds.FixedBytes(count)
                if isinstance(count, int)
                else kinds.Counted(count, None, null)
            )
        if isinstance(count, kinds.Until):
            self.fail("text[...] needs a count, as text[int]", start)
        return kinds.Text(count, encoding, null)

    def checksum(self, method: str) -> kinds.Kind:
        of = None if self.take("*", "=")[1] == "*" else self.take("name")[1]
        stored: kinds.Number = kinds.PRIMITIVES["int"]
        if self.tokens[self.index][0] == "name":
            _, word, start = self.take("name")
            stored = self.counting(word, start)
        end = self.take("]")[2]
        if not isinstance(stored, kinds.Primitive) or stored.size < 4:
            self.fail(f"a checksum takes an int or a long, not {stored.name}", end)
        return kinds.Checksum(method, of, stored)

    def count(self, element: kinds.Kind | None = None) -> tuple[kinds.Count, bool]:
        """Return what stands between brackets, and whether -1 means None."""
        sort, word, start = self.take("name", "number", "=", "*")
        if sort == "number":
            return self.as_integer(word, start), False
        if word == "*":
            return kinds.ToEnd(), False
        if word == "=":
            return self.earlier(), False
        if word == "until":
            return kinds.Until(self.integer(getattr(element, "tag", None))), False
        return self.counting(word, start), self.take_if("?")

    def earlier(self, *, arithmetic: bool = True) -> kinds.SameAs:
        """Return a number that earlier fields say: =n, =rows*cols, =n*2-1, =bits+7/8."""
        name = self.take("name")[1]
        if not arithmetic:
            return kinds.SameAs(name)
        times: list[str | int] = []
        while self.take_if("*"):
            sort, word, start = self.take("name", "number")
            times.append(word if sort == "name" else self.as_integer(word, start))
        plus = 0
        if self.take_if("+"):
            plus = self.integer()
        elif self.take_if("-"):
            plus = -self.integer()
        elif self.tokens[self.index][1].startswith("-"):
            plus = self.integer()
        start = self.tokens[self.index][2]
        by = self.integer() if self.take_if("/") else 1
        if by < 1:
            self.fail("divide by a number of at least 1", start)
        return kinds.SameAs(name, tuple(times), plus, by)

    def counting(self, word: str, start: int) -> kinds.Number:
        try:
            return kinds.counting(self.joined(word))
        except InputError as error:
            self.fail(str(error), start)

    def variant(self) -> kinds.Kind:
        _, word, start = self.take("name", "=")
        tag = self.earlier(arithmetic=False) if word == "=" else self.counting(word, start)
        cases = []
        while True:
            self.skip_lines()
            cases.append(self.case(tag))
            self.skip_lines()
            if self.take(",", ">")[1] == ">":
                return kinds.Variant(tag, tuple(cases))

    def case(self, tag: kinds.Number | kinds.SameAs) -> kinds.Case:
        """Return one case; one of several tags keeps the tag as its first field."""
        tags: tuple[int, ...] = ()
        if not self.take_if("*"):
            tags = (self.integer(tag),)
            while self.take_if("|"):
                tags += (self.integer(tag),)
        self.take("=")
        name = f"case{tags[0]}".replace("case-", "minus") if tags else "other"
        record = self.kind(name)
        if not isinstance(record, kinds.RecordKind | kinds.Nested):
            name = kind_text(record).split("[")[0].rstrip("?").title().replace(" ", "")
            name = name if name.isidentifier() else "Value"
            record = self.named(name, (kinds.RecordField("value", record),))
        if (
            not isinstance(tag, kinds.SameAs)
            and len(tags) != 1
            and isinstance(record, kinds.RecordKind)
        ):
            record = self.with_tag(record)
        return kinds.Case(tags, record)

    def with_tag(self, record: kinds.RecordKind) -> kinds.RecordKind:
        if record.fields and record.fields[0].kind == kinds.Given():
            return record
        name = record.made.__name__
        if any(field.name == "tag" for field in record.fields):
            self.fail(f"{name} keeps its tag as its field tag: rename its own", 0)
        del self.records[name]
        return self.named(name, (kinds.RecordField("tag", kinds.Given()), *record.fields))


def could_be(kind: kinds.Kind, value: object) -> bool:
    """Return whether a constant of this kind may have this value: written, it is read again."""
    single = kinds.Primitive | kinds.Varint | kinds.UtfKind | kinds.FixedBytes | kinds.Text
    if not isinstance(kind, single) or kinds.by_earlier(kind):
        return isinstance(kind, kinds.Text) and isinstance(value, str)
    reader, writer = Coders().value(kind)
    data = bytearray()
    try:
        writer(value, data, {})
        return drive(reader({}), bytes(data), 0, final=True) == (value, len(data))
    except CodingFault:
        return False


def tokens(text: str) -> list[Token]:
    sorts = ("name", "number", "line end", "mark", "end", "text", "unknown")
    found = []
    for match in TOKEN.finditer(text):
        group = match.lastindex or 1
        word = match[group] if group != 1 else normalize("NFKC", match[group])  # as Python does
        found.append((sorts[group - 1], word, match.start(group)))
        if group == 5:
            break
    return found


def make_record(name: str, fields: tuple[kinds.RecordField, ...]) -> kinds.RecordKind:
    """Return a record with a NamedTuple class of its own."""
    made = namedtuple(name, [field.name for field in fields])  # type: ignore[misc] # noqa: PYI024 - names known at run time only
    return kinds.RecordKind(made, fields)


def fields_text(record: kinds.RecordKind) -> str:
    """Return the text of a record's fields; :func:`parse_record` reads it back."""
    fields = [field for field in record.fields if not isinstance(field.kind, kinds.Given)]
    return ", ".join(f"{field.name}: {kind_text(field.kind)}" for field in fields)


def kind_text(kind: kinds.Kind) -> str:
    """Return a kind in the notation of this module."""
    match kind:
        case kinds.Primitive(name=name) | kinds.Varint(name=name):
            return name
        case kinds.UtfKind():
            return "utf"
        case kinds.FixedBytes(count=size):
            return f"bytes[{size}]"
        case kinds.Text(count=count, encoding=encoding, null=null):
            named = "" if encoding == "utf8" else f" {encoding}"
            return f"text[{count_text(count)}{'?' * null}{named}]"
        case kinds.Counted(count=count, element=element, null=null):
            inner = "bytes" if element is None else kind_text(element)
            return f"{inner}[{count_text(count)}{'?' * null}]"
        case kinds.Flagged(element=element):
            return f"{kind_text(element)}?"
        case kinds.Constant(element=element, value=value):
            shown = f"0x{value.hex()}" if isinstance(value, bytes) else f"{value}"
            quote = '"' * isinstance(value, str)
            return f"{kind_text(element)} = {quote}{shown}{quote}"
        case kinds.Sized(count=count, element=element, null=null):
            return f"sized[{count_text(count)}{'?' * null}] {kind_text(element)}"
        case kinds.Checksum(method=method, of=of, stored=stored):
            width = "" if stored.name == "int" else f" {stored.name}"
            return f"{method}[{'*' if of is None else f'={of}'}{width}]"
        case kinds.Variant(tag=tag, cases=cases):
            inner = ", ".join(f"{tags_text(case)}={kind_text(case.record)}" for case in cases)
            return f"<{count_text(tag)} {inner}>"
        case kinds.RecordKind(made=made):
            return f"{made.__name__}{{{fields_text(kind)}}}"
        case kinds.Nested(made=made):
            return made.__name__
        case kinds.Given():
            return "tag"


def tags_text(case: kinds.Case) -> str:
    return "|".join(map(str, case.tags)) or "*"


def count_text(count: kinds.Count) -> str:
    match count:
        case int():
            return str(count)
        case kinds.SameAs(name=name, times=times, plus=plus, by=by):
            added, divided = f"{plus:+}" if plus else "", f"/{by}" if by > 1 else ""
            return f"={'*'.join(map(str, (name, *times)))}{added}{divided}"
        case kinds.Until(tag=tag):
            return f"until {tag}"
        case kinds.ToEnd():
            return "*"
        case kinds.Primitive(name=name) | kinds.Varint(name=name):
            return name
