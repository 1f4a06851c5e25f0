"""Modified UTF-8 without a JDK at hand: the table of what it takes and refuses."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.javadata import text
from penstock.javadata.errors import MalformedText
from penstock.javadata.text import decode_units

from .cores import DECODERS, ENCODERS, Decode, Encode

TAKEN = {
    b"a\0b": "a\0b",
    b"\xc0\x80": "\0",
    b"\xc1\x81": "A",
    b"\xe0\x80\x80": "\0",
    b"\xe0\x81\x81": "A",
    b"\xed\xa0\x80": "\ud800",
    b"\xed\xb0\x80\xed\xa0\x80": "\udc00\ud800",
    b"\xed\xa0\xbd\xed\xb8\x80": "😀",
    b"Lo/\xed\x80\xad;": "Lo/\ud02d;",
    b"\xef\xbf\xbf": "\uffff",
    b"": "",
}
REFUSED = {
    b"\x80": "malformed input around byte 0",
    b"ab\xbf": "malformed input around byte 2",
    b"\xf0\x9f\x98\x80": "malformed input around byte 0",
    b"\xff": "malformed input around byte 0",
    b"\xc3": "malformed input: partial character at end",
    b"\xe4\xb8": "malformed input: partial character at end",
    b"\xc3A": "malformed input around byte 2",
    b"\xe4A\x80": "malformed input around byte 2",
    b"\xe4\x80A": "malformed input around byte 2",
    b"\xe4\xc0\x80": "malformed input around byte 2",
    b"\xe1\xc0\x80\x80": "malformed input around byte 2",
}


@pytest.mark.parametrize("decode", DECODERS)
@pytest.mark.parametrize("data", TAKEN)
def test_takes_what_java_takes(decode: Decode, data: bytes) -> None:
    assert decode(data) == TAKEN[data]


@pytest.mark.parametrize("decode", DECODERS)
@pytest.mark.parametrize("data", REFUSED)
def test_refuses_what_java_refuses_in_its_words(decode: Decode, data: bytes) -> None:
    with pytest.raises(MalformedText) as caught:
        decode(data)
    assert str(caught.value) == REFUSED[data]


def outcome(decode: Decode, data: bytes) -> str:
    try:
        return "text " + decode(data)
    except MalformedText as error:
        return f"error {error}"


pieces = st.sampled_from(
    [b"a", b"\0", b"\xc0\x80", b"\xed\xa0\xbd", b"\xed\xb8\x80", b"\xe0\x80", b"\xc3", b"\xa9",
     b"\xf0", b"\xe4\xb8\xad", b"\xed\x9f\xbf", b"\xef", b"\xbf", b"longer ascii text"]
)  # fmt: skip


@pytest.mark.parametrize("decode", DECODERS)
@settings(deadline=None)  # other work on the machine is not an error
@given(st.one_of(st.binary(max_size=40), st.lists(pieces, max_size=12).map(b"".join)))
def test_every_decoder_agrees_with_the_one_that_goes_unit_by_unit(
    decode: Decode, data: bytes
) -> None:
    assert outcome(decode, data) == outcome(decode_units, data)


def as_java_holds_it(value: str) -> str:
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


@pytest.mark.parametrize("encode", ENCODERS)
@settings(deadline=None)  # other work on the machine is not an error
@given(st.text(st.characters(exclude_categories=[]), max_size=40))
def test_any_text_comes_back(encode: Encode, value: str) -> None:
    data = encode(value)
    assert decode_units(data) == as_java_holds_it(value)
    assert b"\0" not in data
    assert max(data, default=0) < 0xF0
    assert data == text.encode_modified_utf8(value)
