"""JSON as servers send it: checked, decoded and taken apart, in one place for all."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

BAD_JSON = (ValueError, RecursionError, msgspec.DecodeError)
"""What a decoder raises for what is not JSON, or is nested too deeply, or does not fit."""

_SKIP = msgspec.json.Decoder(msgspec.Raw)  # checks the form, not the texts' encoding
_DIGITS = bytes.maketrans(b"123456789-", b"0000000000")
_EXPONENTS = bytes.maketrans(b"123456789E", b"000000000e")
_MANY = b"0" * 20  # digits, or a sign and 19 of them: numbers of 64 bits have fewer
_STEP, _SOME = 4, b"0" * 5  # of each 20 bytes in a row
_TOO_DEEP = "it is nested too deeply to be read"
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a pair
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."  # half a pair, or another escape
)
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_TOKEN = re.compile(_STRING + rb"|[\[\]{},]", re.DOTALL)
_MEMBER = re.compile(rb"\s*(" + _STRING + rb")\s*:\s*(.*?)\s*", re.DOTALL)


def is_json(body: bytes) -> bool:
    r"""Whether ``body`` is one JSON text in UTF-8 that can be read, its numbers too.

    Half a surrogate pair is allowed by the grammar (RFC 8259 section 8.2), so it is here.

    >>> is_json(b'{"a": 1}'), is_json(b"<html>"), is_json(b'"\xff"'), is_json(b'"\\ud83d"')
    (True, False, False, True)
    """
    try:
        try:
            _SKIP.decode(body)
        except msgspec.DecodeError:
            _SKIP.decode(without_halves(body))
        check_text(body)
    except BAD_JSON:
        return False
    return True


def check_text(body: bytes) -> None:
    """See to the encoding and the numbers of ``body``, whose form was checked.

    Raises:
        ValueError: It is not UTF-8; or a msgspec error: a number is beyond all bounds.
    """
    if not body.isascii():
        body.decode()
    if _is_long(body) or _has_exponents(body):
        load(body)


def has_odd_integers(body: bytes) -> bool:
    """Whether there may be whole numbers beyond 64 bits: a quick look that never misses one."""
    return _SOME in body[::_STEP].translate(_DIGITS) and _MANY in body.translate(_DIGITS)


def has_odd_numbers(body: bytes) -> bool:
    """Whether there may be numbers beyond 64 bits, whole or with an exponent of three digits."""
    return has_odd_integers(body) or _has_exponents(body)


def _has_exponents(body: bytes) -> bool:
    alike = body.translate(_EXPONENTS)
    return b"0e000" in alike or (b"+" in body and b"0e+000" in alike)


def _is_long(body: bytes) -> bool:
    """Whether there may be a number of 200 digits; fewer and an exponent of two are no bother."""
    return _SOME in body[::40].translate(_DIGITS)


def load(body: bytes | msgspec.Raw) -> object:
    r"""Return the decoded JSON; half a surrogate pair is read as U+FFFD.

    >>> load(b'{"a": "cut \\ud83d"}') == {"a": "cut \ufffd"}
    True

    Raises:
        msgspec.DecodeError: It is not JSON, or nested too deeply to be read.
    """
    try:
        try:
            return msgspec.json.decode(body)
        except msgspec.DecodeError:
            whole = without_halves(bytes(body))
            if whole == body:
                raise
            return msgspec.json.decode(whole)
    except RecursionError:
        raise msgspec.DecodeError(_TOO_DEEP) from None
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"it is not UTF-8: {error}") from error


def without_halves(body: bytes) -> bytes:
    r"""Return ``body`` with U+FFFD in the place of each half of a surrogate pair.

    >>> without_halves(rb'["\ud83d", "\ud83d\ude00"]')
    b'["\\ufffd", "\\ud83d\\ude00"]'
    """
    if b"\\u" not in body:
        return body
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found[1] else found[0], body)


def elements(text: bytes) -> list[bytes]:
    """Return the elements of a JSON list, each as its text, whatever is in them.

    >>> elements(b'[{"a": NaN}, "x,y"]')
    [b'{"a": NaN}', b'"x,y"']

    Raises:
        msgspec.DecodeError: It is not a list, or does not end.
    """
    try:
        return [bytes(one) for one in msgspec.json.decode(text, type=list[msgspec.Raw])]
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return list(_pieces(text, b"[]"))


def members(text: bytes) -> dict[str, bytes]:
    """Return the members of a JSON object, each value as its text, whatever is in it.

    Raises:
        msgspec.DecodeError: It is not an object, or does not end.
    """
    try:
        raws = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        return {name: bytes(raw) for name, raw in raws.items()}
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        found: dict[str, bytes] = {}
        for piece in _pieces(text, b"{}"):
            member = _MEMBER.fullmatch(piece)
            if member is None:
                raise msgspec.DecodeError("a member has no name") from None
            found[str(load(member[1]))] = member[2]
        return found


def closes(text: bytes) -> bool:
    """Whether a list or an object comes to its end, whatever is in it, without a mark in front.

    >>> closes(b'[{"a": NaN}]'), closes(b'[{"a": NaN}'), closes(b'[{"a": "]')
    (True, False, False)
    """
    bare = text.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")  # of any UTF
    brackets = {b"[": b"[]", b"{": b"{}"}.get(bare[:1])
    if brackets is None:
        return False
    try:
        for _ in _pieces(bare, brackets):
            pass
    except msgspec.DecodeError:
        return False
    return True


def _pieces(text: bytes, brackets: bytes) -> Iterator[bytes]:
    """Yield what stands between the commas of the outermost level.

    This goes through the text once and calls nothing for a deeper level, so one element that is
    no JSON, or is nested without end, leaves the others as they are.
    """
    text = text.strip()
    if text[:1] != brackets[:1] or text[-1:] != brackets[1:]:
        raise msgspec.DecodeError(f"it does not begin and end with {brackets.decode()}")
    depth, start = 0, 1
    for token in _TOKEN.finditer(text):
        kind = token[0][:1]
        if kind in b"[{":
            depth += 1
        elif kind in b"]}":
            depth -= 1
            if depth == 0 and token.end() < len(text):
                raise msgspec.DecodeError("more follows after its end")
        elif kind == b"," and depth == 1:
            yield text[start : token.start()].strip()
            start = token.end()
    if depth:
        raise msgspec.DecodeError("it does not end")
    if last := text[start:-1].strip():
        yield last
