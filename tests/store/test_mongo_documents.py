"""Records as documents: what comes back is what landed, byte by byte, whatever JSON it was."""

from __future__ import annotations

import base64
import json
import random

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import InputError, StorageError
from penstock.pipeline.result import Failing, Key, Landing
from penstock.store.mongo_documents import TooLarge, as_document, failure_of, landing_of

ORDER = 1_795_301_896_689_575

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
keys = st.text().filter(lambda text: text.isprintable()) | st.integers(-(2**63), 2**63 - 1)


def kept(body: bytes, key: Key = 7) -> dict[str, object]:
    """Return the document of a record as the server would give it back."""
    document: dict[str, object] = bson.decode(as_document(Landing(key, body), ORDER, "me").raw)
    return document


@given(
    keys,
    values,
    st.sampled_from([(",", ":"), (", ", ": ")]),
    st.sampled_from(["ascii", "utf-8"]),
)
def test_any_record_comes_back_byte_by_byte(
    key: Key, value: object, separators: tuple[str, str], coding: str
) -> None:
    text = json.dumps(value, separators=separators, ensure_ascii=coding == "ascii")
    body = text.encode("utf-8", "surrogatepass")
    assert landing_of(kept(body, key)) == Landing(key, body)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b'{"name":"Ada","n":[1,2.5,null,true]}', {"body"}),
        (b'{"n":1099511627776}', {"body"}),
        (b'{"$where":1,"a.b":2,"":3}', {"body"}),
        (b'{"name": "Ada"}', {"body", "text"}),  # a blank
        (b'{"n":1.50}', {"body", "text"}),
        (b'{"a":1,"a":2}', {"body", "text"}),
        (b'{"n":99999999999999999999}', {"text"}),  # beyond 64 bits
        (b'{"a\\u0000":1}', {"text"}),
        (b'{"t":"\\ud800"}', {"text"}),  # half a pair
        (b"[" * 150 + b"]" * 150, {"text"}),  # deeper than MongoDB allows
    ],
)
def test_a_record_is_kept_as_values_and_as_text_only_where_it_must(
    body: bytes, fields: set[str]
) -> None:
    document = kept(body)
    assert {"body", "text", "packed"} & set(document) == fields
    assert landing_of(document).body == body


def test_brackets_within_texts_do_not_make_a_record_deep() -> None:
    body = json.dumps({"text": "[" * 1000}, separators=(",", ":")).encode()
    assert "body" in kept(body)


def test_a_large_record_is_compressed_and_a_larger_one_refused() -> None:
    body = b'{"text":"' + b"x" * 20_000_000 + b'"}'
    document = kept(body)
    assert set(document) >= {"packed"}
    assert "body" not in document
    assert landing_of(document).body == body
    noise = base64.b64encode(random.Random(7).randbytes(17_700_000))
    with pytest.raises(TooLarge, match=r"23,600,002 bytes, .* a MongoDB document holds 16 MiB"):
        kept(b'"%b"' % noise)


def test_a_document_that_somebody_changed_is_damaged() -> None:
    document = kept(b'{"name":"Ada"}')
    document["body"] = {"name": "Bob"}
    with pytest.raises(StorageError, match="key 7 is damaged"):
        landing_of(document)
    del document["body"]
    with pytest.raises(StorageError, match="key 7 is damaged"):
        landing_of(document)


def test_a_failure_comes_back_as_it_was() -> None:
    entry = Failing("x", "GaveUp", "no answer \ud800", None, 5, "\x00half")
    failure = failure_of(bson.decode(as_document(entry, ORDER, "me").raw))
    assert (failure.key, failure.error, failure.attempts) == ("x", "GaveUp", 5)
    assert (failure.message, failure.status) == ("no answer \\ud800", None)
    assert (failure.excerpt, failure.at, failure.replayed) == ("\x00half", ORDER / 1e6, 0)


@pytest.mark.parametrize("key", [2**63, -(2**63) - 1, "\ud800"])
def test_a_key_that_bson_cannot_hold_is_refused(key: Key) -> None:
    with pytest.raises(InputError, match="a key is a UTF-8 text or a whole number of 64 bits"):
        as_document(Landing(key, b"{}"), ORDER, "me")


@pytest.mark.parametrize(
    "body",
    [
        b'{"$ref":"a","$id":1}',
        b'{"$ref":5,"$id":{}}',
        b'{"a":[{"$ref":"#/x","$id":"y","$db":"z"}]}',
        b'{"\\u0024ref":"a","$id":1}',
        b'{"$ref":"a"}',
        b'{"$where":"1","a.b":{"$gt":1},"$oid":"00"}',
    ],
)
def test_a_record_comes_back_whatever_its_keys(body: bytes) -> None:
    assert landing_of(kept(body)).body == body


def test_a_reference_that_an_earlier_version_landed_comes_back() -> None:
    from zlib import crc32

    body = b'{"a":{"$ref":"b","$id":1}}'
    document: dict[str, object] = bson.decode(
        bson.encode({"_id": 1, "body": {"a": {"$ref": "b", "$id": 1}}, "crc32": crc32(body)})
    )
    assert landing_of(document).body == body
