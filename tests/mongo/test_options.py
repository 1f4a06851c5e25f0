"""An operation keeps its options wherever it is carried out: the server gets what PyMongo sends."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pymongo
import pytest
from pymongo import DeleteMany, InsertOne, MongoClient, UpdateMany, UpdateOne
from pymongo.collation import Collation
from pymongo.collection import Collection
from pymongo.errors import PyMongoError
from pymongo.monitoring import CommandListener
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import Nearest
from pymongo.synchronous.cursor import Cursor
from pymongo.write_concern import WriteConcern
from tests.real.mongod import Mongo

from penstock.mongo import OPERATIONS, OpKind, resilient

SET = {"$set": {"n": 2}}
# What each method is given, without its options; those of servers other than ours are left out.
CALLS: dict[str, tuple[Any, ...]] = {
    "find_one": ({"_id": 1},),
    "count_documents": ({"n": 1},),
    "estimated_document_count": (),
    "distinct": ("n",),
    "index_information": (),
    "options": (),
    "insert_one": ({"_id": 9},),
    "insert_many": ([{"_id": 8}, {"_id": 9}],),
    "update_one": ({"_id": 1}, SET),
    "replace_one": ({"_id": 1}, {"n": 3}),
    "delete_one": ({"_id": 1},),
    "find_one_and_update": ({"_id": 1}, SET),
    "find_one_and_replace": ({"_id": 1}, {"n": 3}),
    "find_one_and_delete": ({"_id": 1},),
    "bulk_write": ([InsertOne({"_id": 9}), UpdateOne({"_id": 1}, SET)],),
    "bulk_write of many": ([UpdateMany({}, SET, collation=Collation("fr")), DeleteMany({"n": 9})],),
    "update_many": ({}, SET),
    "delete_many": ({},),
    "find": ({"n": {"$gte": 0}},),
    "aggregate": ([{"$match": {"n": 1}}],),
    "aggregate to a collection": ([{"$out": "copy"}],),
    "find_raw_batches": ({},),
    "aggregate_raw_batches": ([{"$match": {}}],),
    "list_indexes": (),
    "create_index": ("n",),
    "create_indexes": ([pymongo.IndexModel("n")],),
    "drop_index": ("n_1",),
    "drop_indexes": (),
    "drop": (),
    "watch": (),
}
NOT_HERE = {
    *("rename", "list_search_indexes", "create_search_index", "create_search_indexes"),
    *("drop_search_index", "update_search_index"),
}
OPTIONS: dict[str, Any] = {
    "collation": Collation("en", strength=1),
    "hint": [("_id", 1)],
    "comment": "why",
    "let": {"x": 1},
    "upsert": True,
    "ordered": False,
    "bypass_document_validation": True,
    "array_filters": [],
    "projection": {"n": 1},
    "return_document": True,
    "batch_size": 2,
    "limit": 3,
    "skip": 1,
    "sort": [("n", 1)],
    "max_time_ms": 12345,
    "allow_disk_use": True,
    "no_cursor_timeout": True,
    "full_document": "updateLookup",
    "max_await_time_ms": 300,
}
IN_KEYWORDS: dict[str, dict[str, Any]] = {
    "aggregate": {"maxTimeMS": 12345, "batchSize": 2, "collation": Collation("en")},
    "count_documents": {"maxTimeMS": 12345, "limit": 2, "hint": "_id_"},
    "find_one_and_update": {"maxTimeMS": 12345, "collation": Collation("en")},
    "distinct": {"maxTimeMS": 12345, "collation": Collation("en")},
    "create_index": {"commitQuorum": 1, "sparse": True},
}
CONCERNS: dict[str, dict[str, Any]] = {
    "a write concern": {"write_concern": WriteConcern(w=2, j=False)},
    "a wtimeout": {"write_concern": WriteConcern(w=1, wtimeout=54321)},
    "no acknowledgement": {"write_concern": WriteConcern(w=0)},
    "a read concern": {"read_concern": ReadConcern("local")},
    "a strict read concern": {"read_concern": ReadConcern("linearizable")},
    "a read preference": {"read_preference": Nearest()},
}
AROUND = {"commitTransaction", "abortTransaction", "killCursors", "endSessions"}
READS = set("find aggregate count distinct listIndexes listCollections getMore killCursors".split())
OURS = {"lsid", "$clusterTime", "txnNumber", "startTransaction", "autocommit", "$db", "cursors"}


class Seen(CommandListener):
    """Notes what is sent."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, dict[str, Any]]] = []
        self.sessions: list[Any] = []

    def started(self, event: Any) -> None:
        command = dict(event.command)
        self.sessions.append(command.get("lsid"))
        if command.get("startTransaction"):
            command.pop("readConcern", None)
        self.commands.append((event.command_name, command))

    def succeeded(self, event: Any) -> None: ...
    def failed(self, event: Any) -> None: ...

    def taken(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the commands; what a transaction's commit says belongs to its statements."""
        commit = next((one for name, one in self.commands if name == "commitTransaction"), {})
        concern = {k: v for k, v in commit.items() if k == "writeConcern"}
        # A transaction that was dropped on the way (another had a lock it wanted) is run again.
        numbers = [one["txnNumber"] for _, one in self.commands if one.get("autocommit") is False]
        ended = {one.get("txnNumber") for name, one in self.commands if name == "abortTransaction"}
        dropped = ended - set(numbers[-1:])
        found = []
        for name, command in self.commands:
            if command.get("autocommit") is False and command.get("txnNumber") in dropped:
                continue
            plain = {k: v for k, v in command.items() if k not in OURS}
            if plain.get("maxTimeMS") != 12345:  # else it is what is left of the deadline
                plain.pop("maxTimeMS", None)
            if name == "getMore":
                plain["getMore"] = 1
            if plain.get("readConcern", {}).keys() == {"afterClusterTime"}:
                del plain["readConcern"]
            if name not in AROUND:
                found.append((name, {**plain, **concern}))
        return found


Use = Callable[[Any, str, bool], Any]


class Two:
    """The same collection plainly and through the proxy, and what each sends."""

    def __init__(self, uri: str, database: str) -> None:
        self.database = database
        self.clients: list[Any] = []
        for resilient_too in (False, True):
            seen = Seen()
            # One connection: what it answers after an unacknowledged write comes after the write.
            client: Any = MongoClient(uri, event_listeners=[seen], maxPoolSize=1)
            self.clients.append((resilient(client, deadline=20) if resilient_too else client, seen))
        self.outside: Any = MongoClient(uri, w=1)
        self._is_fresh = False

    def reset(self) -> None:
        """Fill the collection again where the last call wrote."""
        if self._is_fresh:
            return
        database = self.outside[self.database]
        database.rows.drop()
        database.rows.create_index("n")
        database.rows.insert_many([{"_id": n, "n": n % 3} for n in range(5)])
        self._is_fresh = True

    def compare(self, what: str, do: Callable[[Any], Any], *, session: bool = False) -> list[str]:
        """Return what is wrong, in words."""
        sent = []
        for client, seen in self.clients:
            self.reset()
            seen.commands.clear()
            seen.sessions.clear()
            try:
                do(client[self.database])
                error = None
            except (PyMongoError, TypeError) as caught:
                error = type(caught)
            names = {name for name, _ in seen.commands}
            self._is_fresh = self._is_fresh and names <= READS
            sessions = {str(one) for one in seen.sessions}
            sent.append((error, seen.taken(), len(sessions) if session else 0))
            if not self._is_fresh:
                client.admin.command("ping")
        return [] if sent[0] == sent[1] else [f"{what}:\n  {sent[0]}\n  {sent[1]}"]


@pytest.fixture
def two(mongo: Mongo) -> Iterator[Two]:
    found = Two(mongo.uri, mongo.database)
    yield found
    for client, _ in found.clients:
        client.close()
    found.outside.close()


def used(rows: Any, name: str, *args: Any, **kwargs: Any) -> None:
    name = name.partition(" ")[0]
    found = getattr(rows, name)(*args, **kwargs)
    if name == "watch":
        found.try_next()
        found.close()
    elif hasattr(found, "to_list") or "raw" in name:
        list(found)


def options_of(name: str) -> Mapping[str, Any]:
    method = name.partition(" ")[0]
    names = set(inspect.signature(getattr(Collection, method)).parameters)
    if method.startswith("find") and "args" in names:
        names = set(inspect.signature(Cursor.__init__).parameters)
    more = IN_KEYWORDS.get(name, {})
    left_out = {"sort"} if name in {"update_one", "replace_one"} else set()  # a later server's
    return {k: v for k, v in OPTIONS.items() if k in names - left_out} | more


def test_the_table_of_calls_has_every_method() -> None:
    methods = {
        name for name, one in OPERATIONS["collection"].items() if one.kind is not OpKind.LOCAL
    }
    assert {name.partition(" ")[0] for name in CALLS} == methods - NOT_HERE


def test_every_method_sends_every_option_of_its_call(two: Two) -> None:
    wrong = []
    for name, args in CALLS.items():
        for option, value in options_of(name).items():
            given = {option: value}
            what = f"{name}({option}=...)"

            def call(db: Any, n: str = name, a: Any = args, g: Any = given) -> None:
                used(db.rows, n, *a, **g)

            wrong += two.compare(what, call)
    assert not wrong, "\n".join(wrong)


MOVED = ("find", "aggregate", "update_many", "delete_many", "bulk_write of many", "insert_one")
EVERYTHING = "PENSTOCK_ALL_OPTIONS" in os.environ
"""Whether every method is tried with every concern, not only those that may be carried out so."""


def test_every_method_keeps_the_options_of_its_collection_database_and_client(two: Two) -> None:
    wrong = []
    for name in CALLS if EVERYTHING else MOVED:
        args = CALLS[name]
        for what, how in CONCERNS.items():

            def of_collection(db: Any, n: str = name, a: Any = args, h: Any = how) -> None:
                used(db.get_collection("rows", **h), n, *a)

            def of_database(db: Any, n: str = name, a: Any = args, h: Any = how) -> None:
                used(db.with_options(**h).rows, n, *a)

            wrong += two.compare(f"{name} with {what} of the collection", of_collection)
            if EVERYTHING or name == "update_many":
                wrong += two.compare(f"{name} with {what} of the database", of_database)
    assert not wrong, "\n".join(wrong)


@contextmanager
def session_of(db: Any) -> Iterator[Any]:
    with db.client.start_session() as session:
        yield session


def test_a_session_counts_by_name_and_by_place(two: Two) -> None:
    wrong = []
    for name, args in CALLS.items():
        method = getattr(Collection, name.partition(" ")[0])
        by_cursor = name in {"find", "find_one", "find_raw_batches"}
        names = list(inspect.signature(Cursor.__init__ if by_cursor else method).parameters)
        names = names[2 if by_cursor else 1 :]
        if "session" not in names:
            continue
        defaults = inspect.signature(Cursor.__init__ if by_cursor else method).parameters

        def by_name(db: Any, n: str = name, a: Any = args) -> None:
            with session_of(db) as session:
                used(db.rows, n, *a, session=session)

        between = [defaults[one].default for one in names[len(args) : names.index("session")]]

        def by_place(db: Any, n: str = name, a: Any = args, between: Any = between) -> None:
            with session_of(db) as session:
                used(db.rows, n, *a, *between, session)

        wrong += two.compare(f"{name}, session by name", by_name, session=True)
        wrong += two.compare(f"{name}, session by place", by_place, session=True)
    assert not wrong, "\n".join(wrong)


COMMANDS: dict[str, dict[str, Any]] = {
    "update": {"update": "rows", "updates": [{"q": {}, "u": SET, "multi": True}]},
    "insert": {"insert": "rows", "documents": [{"_id": 9}]},
    "delete": {"delete": "rows", "deletes": [{"q": {"_id": 1}, "limit": 1}]},
    "findAndModify": {"findAndModify": "rows", "query": {"_id": 1}, "update": SET},
    "find": {"find": "rows", "filter": {"n": 1}},
    "ping": {"ping": 1},
}


def test_a_command_keeps_its_options(two: Two) -> None:
    wrong = []
    for name, command in COMMANDS.items():
        for more in (
            {"comment": "why"},
            {"maxTimeMS": 12345},
            {"writeConcern": {"w": 2, "j": False}},
            {"writeConcern": {"w": 1, "wtimeout": 54321}},
            {"readConcern": {"level": "local"}},
            {"let": {"x": 1}},
        ):

            def call(db: Any, c: Any = {**command, **more}) -> None:  # noqa: B006 - read only
                db.command(c)

            wrong += two.compare(f"command {name} {more}", call)

        def in_session(db: Any, c: Any = command) -> None:
            with session_of(db) as session:
                db.command(c, session=session)

        wrong += two.compare(f"command {name}, session", in_session, session=True)
    assert not wrong, "\n".join(wrong)
