"""What each operation is, and so how it may be repeated: the rules as a table.

Everything here is pure: names and arguments in, a decision out. The table in ``docs/mongo.md`` is
drawn from it, and the proxies are made from it.

>>> operation("collection", "insert_one").kind.name
'SINGLE'
>>> operation("collection", "find_one").why
'it changes nothing'
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias, final

__all__ = [
    "LISTS",
    "OPERATIONS",
    "Kind",
    "Level",
    "OpKind",
    "Operation",
    "aggregate_kind",
    "bulk_kind",
    "is_one_command",
    "operation",
]

Level: TypeAlias = str
"""``client``, ``database``, ``collection``, ``cursor`` or ``session``."""


@enum.unique
class OpKind(enum.Enum):
    """The classes of operations. The letter stands in the documents."""

    SAFE = "S"
    SINGLE = "T"
    MULTI = "M"
    OUTPUT = "O"
    CURSOR = "C"
    TRANSACTION = "X"
    COMMAND = "R"
    DEFINITION = "D"
    ONCE = "1"
    LOCAL = "L"

    @property
    def how(self) -> str:
        """How one of this class is repeated."""
        return _HOW[self]


_HOW = {
    OpKind.SAFE: "called again until the deadline, with growing random pauses",
    OpKind.SINGLE: "sent again under the same session and transaction number until the deadline: "
    "the server knows it and does it once",
    OpKind.MULTI: "run in a transaction, done wholly or not at all, again until the deadline",
    OpKind.OUTPUT: "run again when a second run ends in the same data, else `NotRetryable`",
    OpKind.CURSOR: "opened anew behind the last document, or past those already handed out",
    OpKind.TRANSACTION: "done again from its first statement; each answer must be as before",
    OpKind.COMMAND: "by its name: reads as S, writes as M, definitions as D, others as 1; "
    "a writeConcernError is always raised",
    OpKind.DEFINITION: "called again; where it is already so after an unknown outcome, it is done",
    OpKind.ONCE: "called again only when the server certainly did nothing, else `NotRetryable`",
    OpKind.LOCAL: "sends nothing by itself",
}


@final
@dataclass(frozen=True, slots=True)
class Operation:
    """What one method is.

    Attributes:
        kind: Its class.
        why: Why repeating it as its class says is safe.
        done: Error codes that mean *already done* when an earlier try's outcome is unknown.
    """

    kind: OpKind
    why: str = ""
    done: frozenset[int] = frozenset()


def _all(names: str, kind: OpKind, why: str, done: Iterable[int] = ()) -> dict[str, Operation]:
    return dict.fromkeys(names.split(), Operation(kind, why, frozenset(done)))


_READS = "it changes nothing"
_ONE = "one statement of one document: the server keeps its number with the data"
_INSERT = "identities are fixed before the first try, and the server keeps the batch's number"
_MANY = "numbers cover single documents only; a transaction covers any"
_PLACE = "the last key, or the identities handed out, say where it was"
_CONVERGES = "a second try ends in the same state"
_HERE = "works on this side"

_CLIENT = {
    **_all("list_database_names server_info aconnect", OpKind.SAFE, _READS),
    **_all("list_databases", OpKind.CURSOR, "one list, asked for again"),
    **_all("bulk_write", OpKind.MULTI, "as the collection's bulk_write, over several collections"),
    **_all("watch", OpKind.CURSOR, "a resume token says where it was"),
    **_all("drop_database", OpKind.DEFINITION, _CONVERGES),
    **_all("start_session", OpKind.TRANSACTION, "its statements and answers are recorded"),
    **_all(
        "get_database get_default_database close append_metadata eq_props aclose",
        OpKind.LOCAL,
        _HERE,
    ),
}

_DATABASE = {
    **_all("list_collection_names validate_collection dereference", OpKind.SAFE, _READS),
    **_all("command", OpKind.COMMAND, "a command's name says what it does"),
    **_all("cursor_command", OpKind.ONCE, "what follows a cursor of a raw command is not known"),
    **_all("list_collections", OpKind.CURSOR, "one list, asked for again"),
    **_all("aggregate", OpKind.CURSOR, "stages like $currentOp are read again from the start"),
    **_all("watch", OpKind.CURSOR, "a resume token says where it was"),
    # 48 NamespaceExists, 26 NamespaceNotFound.
    **_all("create_collection", OpKind.DEFINITION, _CONVERGES, {48}),
    **_all("drop_collection", OpKind.DEFINITION, _CONVERGES, {26}),
    **_all("get_collection with_options", OpKind.LOCAL, _HERE),
}

_COLLECTION = {
    **_all("find_one count_documents estimated_document_count distinct", OpKind.SAFE, _READS),
    **_all("index_information options", OpKind.SAFE, _READS),
    **_all("insert_one insert_many", OpKind.SINGLE, _INSERT),
    **_all("update_one replace_one delete_one", OpKind.SINGLE, _ONE),
    **_all("find_one_and_update find_one_and_replace", OpKind.SINGLE, _ONE),
    **_all("find_one_and_delete", OpKind.SINGLE, _ONE),
    **_all("bulk_write", OpKind.SINGLE, "of single-document writes only; else it is class M"),
    **_all("update_many delete_many", OpKind.MULTI, _MANY),
    **_all("find", OpKind.CURSOR, _PLACE),
    **_all(
        "aggregate", OpKind.CURSOR, "run again, past what was handed out; $out, $merge: class O"
    ),
    **_all(
        "find_raw_batches aggregate_raw_batches", OpKind.CURSOR, "opening is; raw batches are not"
    ),
    **_all("list_indexes list_search_indexes", OpKind.CURSOR, "one list, asked for again"),
    **_all("watch", OpKind.CURSOR, "a resume token says where it was"),
    **_all("create_index create_indexes", OpKind.DEFINITION, _CONVERGES),
    # 27 IndexNotFound.
    **_all("drop_index", OpKind.DEFINITION, _CONVERGES, {27}),
    **_all("drop drop_indexes", OpKind.DEFINITION, _CONVERGES),
    **_all("rename", OpKind.ONCE, "a second try cannot tell its own work from another client's"),
    **_all("create_search_index create_search_indexes", OpKind.ONCE, "a service beside the server"),
    **_all("drop_search_index update_search_index", OpKind.ONCE, "a service beside the server"),
    **_all("with_options", OpKind.LOCAL, _HERE),
}

_CURSOR = {
    **_all("next to_list try_next", OpKind.CURSOR, _PLACE),
    **_all("distinct explain", OpKind.SAFE, _READS),
    **_all(
        "add_option remove_option alive allow_disk_use batch_size clone close", OpKind.LOCAL, _HERE
    ),
    **_all("collation comment hint limit max max_await_time_ms", OpKind.LOCAL, _HERE),
    **_all("max_scan max_time_ms min rewind skip sort where", OpKind.LOCAL, _HERE),
}

_SESSION = {
    **_all("start_transaction", OpKind.TRANSACTION, "the record of its statements begins"),
    **_all("commit_transaction", OpKind.TRANSACTION, "a lost commit is asked for again"),
    **_all("abort_transaction end_session", OpKind.TRANSACTION, "the record is dropped"),
    **_all(
        "with_transaction", OpKind.TRANSACTION, "PyMongo calls the function again, as documented"
    ),
    **_all("advance_cluster_time advance_operation_time bind", OpKind.LOCAL, _HERE),
}

OPERATIONS: Mapping[Level, Mapping[str, Operation]] = MappingProxyType(
    {
        "client": MappingProxyType(_CLIENT),
        "database": MappingProxyType(_DATABASE),
        "collection": MappingProxyType(_COLLECTION),
        "cursor": MappingProxyType(_CURSOR),
        "session": MappingProxyType(_SESSION),
    }
)
"""Every method of PyMongo's objects, by level and name."""


def operation(level: Level, name: str) -> Operation:
    """Return what the method ``name`` of ``level`` is; one that is not listed is tried once.

    >>> operation("collection", "of_a_later_version").kind
    <OpKind.ONCE: '1'>
    """
    unknown = Operation(OpKind.ONCE, "it is not known what it does")
    return OPERATIONS[level].get(name, unknown)


LISTS = frozenset({"bulk_write", "insert_many"})
"""Methods that take a list of writes and may send several commands."""

_COMMANDS = {"UpdateOne": "u", "UpdateMany": "u", "ReplaceOne": "u", "DeleteOne": "d"}
_COMMANDS["DeleteMany"] = "d"


def bulk_kind(requests: Iterable[object]) -> OpKind:
    """Return the class of a bulk write: T if each request is of one document, else M.

    A request's type says it by its name (PyMongo's ``UpdateMany``, ``DeleteMany``).
    """
    multi = any(type(request).__name__ in {"UpdateMany", "DeleteMany"} for request in requests)
    return OpKind.MULTI if multi else OpKind.SINGLE


def is_one_command(requests: Sequence[object], size: Callable[[object], int]) -> bool:
    """Whether a list of writes surely goes to the server as one command, at once or not at all.

    Args:
        requests: The writes, or documents to insert.
        size: Bytes of one of them.

    >>> is_one_command([{"_id": 1}, {"_id": 2}], lambda _: 20)
    True
    >>> is_one_command([{"_id": 1}, {"_id": 2}], lambda _: 30_000_000)
    False
    """
    if len({_COMMANDS.get(type(one).__name__, "i") for one in requests}) > 1:
        return False
    return len(requests) <= _MOST and sum(map(size, requests)) <= _LARGEST


_MOST, _LARGEST = 100_000, 40_000_000
"""Writes and bytes that one command surely takes (servers take 48,000,000 bytes)."""


def aggregate_kind(pipeline: object) -> OpKind:
    """Return the class of an aggregation: O when its last stage writes, else C.

    >>> aggregate_kind([{"$match": {}}, {"$out": "copy"}]).value
    'O'
    """
    last = pipeline[-1] if isinstance(pipeline, list | tuple) and pipeline else None
    writes = isinstance(last, Mapping) and ("$out" in last or "$merge" in last)
    return OpKind.OUTPUT if writes else OpKind.CURSOR


Kind = OpKind  # its name in earlier versions
