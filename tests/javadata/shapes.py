"""Schemas of any shape and the values they have, for the properties of forms and layouts."""

from __future__ import annotations

from typing import cast

from hypothesis import strategies as st

from penstock.javadata import kinds as k
from penstock.javadata.core import Row
from penstock.javadata.decoding import looked_up

__all__ = ["SCHEMAS", "drawn", "drawn_rows"]

NUMBERS = sorted(k.NUMBERS)
COUNTS = ["byte", "unsigned byte", "short", "int", "varint", "vint", "little short", "long"]
LEAVES = st.sampled_from(
    [
        *NUMBERS, "utf", "bytes[3]", "bytes[int]", "bytes[byte?]", "text[int]",
        "text[short?]", "text[4 latin1]", "text[byte latin1]", "text[varint mutf8]",
        "text[short utf16]", "text[2 utf16le]", "char[2]", "bytes[40]?", "vint[byte?]",
    ]
)  # fmt: skip


CONSTANTS = st.sampled_from(["int = 0xCAFE", 'utf = "é"', "bytes[2] = 0xCAFE"])


def fields(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return one to three fields, and perhaps some that the fields before them count or check."""
    one = st.lists(inner | CONSTANTS, min_size=1, max_size=3).map(
        lambda found: ", ".join(f"f{at}: {kind}" for at, kind in enumerate(found))
    )
    after = st.sampled_from(
        [
            "", ", s: adler32[=f0]", ", s: crc32[*]", ", s: crc32[=f0 long]",
            ", n: unsigned byte = 2, m: utf[=n]", ", n: byte = 2, o: byte = 3, m: short[=n*2*o-1]",
            ", n: byte = 1, m: double[=n][=n+3/2]", ", n: byte = 9, m: byte[=n+7/8]",
            ", a: utf[byte], m: int[=a]", ", t: byte = 2, m: <=t 1=A{x: int}, 2=B{x: int}>",
        ]
    )  # fmt: skip
    return st.builds(str.__add__, one, after)


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return kinds that hold others."""
    body = fields(inner)
    count = st.sampled_from(COUNTS)
    signed = count.filter(lambda name: "unsigned" not in name)
    return st.one_of(
        inner.map(lambda kind: f"{kind}?"),
        st.builds(lambda kind, count: f"{kind}[{count}]", inner, count),
        st.builds(lambda kind, count: f"{kind}[{count}?]", inner, signed),
        inner.map(lambda kind: f"{kind}[2]"),
        body.map(lambda text: f"R{{{text}}}"),
        st.builds(lambda text, count: f"sized[{count}] P{{{text}}}", body, count),
        st.builds(lambda text, count: f"sized[{count}?] Q{{{text}}}", body, signed),
        body.map(lambda text: f"sized[short] E{{{text}, z: byte[*]}}"),
        st.builds(lambda a, b: f"<byte 1=A{{{a}}}, 2=B{{{b}}}, 3=Nil{{}}>", body, body),
        st.builds(lambda a, b: f"<short 1|7=A{{{a}}}, *=B{{{b}}}>", body, body),
        st.builds(lambda a, b: f"<byte 1=A{{{a}}}, 2=B{{{b}}}>[until 0]", body, body),
        st.builds(lambda a, b: f"<vint -1=A{{{a}}}, 2={b}>[byte]", body, inner),
    )


SCHEMAS = fields(st.recursive(LEAVES, nested, max_leaves=6)).map(
    lambda text: f"first: byte, {text}"
)
UNITS = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)


def drawn_rows(data: st.DataObject, record: k.RecordKind, most: int = 3) -> list[Row]:
    """Draw rows that every form can hold."""
    count = data.draw(st.integers(0, most))
    return [cast("Row", drawn(data, record, {})) for _ in range(count)]


def drawn(data: st.DataObject, kind: k.Kind, names: dict[str, object]) -> object:  # noqa: C901, PLR0911, PLR0912 - one case a kind
    """Draw a value of a kind behind fields of these names."""
    draw = data.draw
    if k.may_be_none(kind) and draw(st.booleans()):
        return None
    match kind:
        case k.Primitive(code="?"):
            return draw(st.booleans())
        case k.Primitive(code="f" | "d", size=size):
            return draw(st.floats(width=8 * size))  # type: ignore[arg-type]
        case k.Primitive() if not kind.integral:
            return draw(st.characters(max_codepoint=0xFFFF))
        case k.Primitive() | k.Varint():
            return draw(st.integers(*k.limits(kind)))
        case k.Text(count=int() as size):
            return draw(
                st.text("aé" if kind.encoding == "latin1" else "a中", min_size=size, max_size=size)
            )
        case k.UtfKind() | k.Text():
            latin = isinstance(kind, k.Text) and kind.encoding == "latin1"
            return draw(st.text("aé\0", max_size=3) if latin else UNITS)
        case k.FixedBytes(count=size):
            return draw(st.binary(min_size=size, max_size=size))
        case k.Counted(count=count, element=element):
            low, high = (count, count) if isinstance(count, int) else (0, 3)
            if isinstance(count, k.SameAs):
                low = high = looked_up(count, names)
            size = draw(st.integers(low, high))
            if element is None:
                return draw(st.binary(min_size=size, max_size=size))
            return [drawn(data, element, names) for _ in range(size)]
        case k.Flagged(element=element) | k.Sized(element=element):
            return drawn(data, element, names)
        case k.Constant(value=value):
            return value
        case k.Checksum():
            return None
        case k.Variant(tag=tag, cases=cases):
            case = draw(st.sampled_from(cases))
            found = case.tags[0] if case.tags else 9
            if isinstance(tag, k.SameAs):
                found = looked_up(tag, names)
                case = next(each for each in cases if found in each.tags)
            elif len(case.tags) != 1:
                found = draw(st.sampled_from(case.tags or (8, 9)))
            return drawn(data, case.record, {**names, "": found})
        case k.RecordKind(made=made, fields=parts):
            inner = dict(names)
            for field in parts:
                inner[field.name] = (
                    names[""] if field.kind == k.Given() else drawn(data, field.kind, inner)
                )
            return made._make(inner[field.name] for field in parts)  # type: ignore[attr-defined]
        case _:
            raise AssertionError(kind)
