"""One document a key: entries of a pipeline as documents, and back.

    {_id: KEY, state: "landed", order: 1763752964123456, writer: "9f…", at: DATE,
     body: {…}, crc32: 907060870}
    {_id: KEY, state: "failed", order: …, writer: …, at: DATE, replayed: 0,
     error: "PermanentError", message: "404 Not Found", status: 404, attempts: 3, excerpt: "…"}

``body`` is the record itself, so that MongoDB can query it. Where its text cannot be made again
from that, byte by byte (blanks, numbers such as 1.50, keys twice), the text is kept as well, in
``text``; where BSON cannot hold the record at all, or it is too large, ``text`` stands alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from zlib import compress, crc32, decompress

import msgspec

from penstock.errors import InputError, StorageError
from penstock.mongo import BSONError, DBRef, Int64, RawBSONDocument, encode
from penstock.pipeline import Failing, Key, Landing
from penstock.store.cells import storable
from penstock.store.values import Failure

__all__ = ["Document", "TooLarge", "as_document", "check_key", "failure_of", "landing_of"]

Document = Mapping[str, object]

# MongoDB holds 16 MiB a document and 180 levels; a little of both is for what is around the body.
_LARGEST = 16 * 1024 * 1024 - 64 * 1024
_DEEPEST = 100
_PACKED_FROM = 4 * 1024 * 1024  # bytes of text from which on it is compressed where it is alone
_LONG = 2**63
_REFERENCE = b"$ref\0"


class TooLarge(Exception):
    """A record that no document holds, not even as compressed text."""


def check_key(key: Key) -> Key:
    """Return the key as it is stored: True is 1, as everywhere in Python.

    Raises:
        InputError: It is neither a UTF-8 text nor a whole number of 64 bits.
    """
    if isinstance(key, str):
        try:
            key.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"a key is a UTF-8 text or a whole number of 64 bits: {error}"
            ) from error
        return key
    if not -_LONG <= key < _LONG:
        raise InputError(f"a key is a UTF-8 text or a whole number of 64 bits, not {key}")
    return int(key)


def as_document(entry: Landing | Failing, order: int, writer: str) -> RawBSONDocument:
    """Return the document of an entry.

    Args:
        entry: What landed, or what failed.
        order: Microseconds since 1970, made greater than any before: the order of landing.
        writer: Which opening of the store wrote it.

    Raises:
        InputError: The key cannot be stored.
        TooLarge: The record is larger than a document may be.
    """
    facts: dict[str, object] = {
        "_id": check_key(entry.key),
        "state": "landed" if isinstance(entry, Landing) else "failed",
        "order": Int64(order),
        "writer": writer,
        "at": datetime.fromtimestamp(order / 1e6, UTC),
    }
    if isinstance(entry, Landing):
        return _landed(facts, entry.body)
    facts |= {
        "replayed": 0,
        "error": entry.error,
        "message": storable(entry.message),
        "status": entry.status,
        "attempts": entry.attempts,
        "excerpt": storable(entry.excerpt),
    }
    return RawBSONDocument(encode(facts))


def _landed(facts: dict[str, object], body: bytes) -> RawBSONDocument:
    if b"\n" in body:
        # JSON allows a raw line feed between tokens only, where a space is the same.
        body = body.replace(b"\n", b" ")
    facts["crc32"] = Int64(crc32(body))
    native = _native(facts, body)
    if native is not None:
        return native
    kept = {"text": body.decode()} if len(body) < _PACKED_FROM else {"packed": compress(body, 1)}
    alone = encode({**facts, **kept})
    if len(alone) > _LARGEST:
        raise TooLarge(
            f"{len(body):,} bytes, {len(alone):,} compressed: a MongoDB document holds 16 MiB; "
            "land it in a local store"
        )
    return RawBSONDocument(alone)


def _native(facts: dict[str, object], body: bytes) -> RawBSONDocument | None:
    """Return the document with the record as MongoDB's own values; None where it cannot be."""
    try:
        value = msgspec.json.decode(body)
        # Brackets within texts are counted too: then the value itself is looked at.
        if body.count(b"{") + body.count(b"[") > _DEEPEST and not _is_shallow(value):
            return None
        same = msgspec.json.encode(value) == body
        facts = {**facts, "body": value}
        data = encode(facts if same else {**facts, "text": body.decode()})
    except (BSONError, OverflowError, RecursionError, msgspec.DecodeError):
        # A number beyond 64 bits, a NUL in a field's name, half a surrogate pair in a text.
        return None
    # An object with the key "$ref" comes back as a reference (DBRef), or not at all.
    return RawBSONDocument(data) if len(data) <= _LARGEST and _REFERENCE not in data else None


def _is_shallow(value: object) -> bool:
    """Return whether a record is nested no deeper than MongoDB allows."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return True
    return False


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def landing_of(document: Document) -> Landing:
    """Return the record of a document.

    Raises:
        StorageError: It is not what landed.
    """
    key = _key_of(document)
    body = _body_of(document)
    if body is None or crc32(body) != document.get("crc32"):
        raise StorageError(f"the document of key {key!r} is damaged: it is not what landed")
    return Landing(key, body)


def _body_of(document: Document) -> bytes | None:
    if isinstance(text := document.get("text"), str):
        return text.encode()
    if isinstance(packed := document.get("packed"), bytes):
        return decompress(packed)
    if "body" in document:
        return msgspec.json.encode(document["body"], enc_hook=_plain)
    return None


def _plain(value: object) -> object:
    """Return BSON's long numbers as numbers; the reference that an earlier version made, whole."""
    if isinstance(value, Int64):
        return int(value)
    if isinstance(value, DBRef):
        return value.as_doc()
    raise NotImplementedError(type(value))


def failure_of(document: Document) -> Failure:
    """Return the dead letter of a document."""
    status = document["status"]
    return Failure(
        key=_key_of(document),
        error=str(document["error"]),
        message=str(document["message"]),
        status=None if status is None else _number(status),
        attempts=_number(document["attempts"]),
        excerpt=str(document["excerpt"]),
        at=_number(document["order"]) / 1e6,
        replayed=_number(document["replayed"]),
        acknowledged=bool(document.get("acknowledged")),
    )


def _key_of(document: Document) -> Key:
    key = document["_id"]
    return key if isinstance(key, str) else _number(key)


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise StorageError(f"a document has {value!r} where a number should be")
    return int(value)
