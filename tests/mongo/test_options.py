"""An operation keeps its options wherever it is carried out: the server gets what PyMongo sends."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pymongo
import pytest
from bson import DBRef
from pymongo import DeleteMany, InsertOne, MongoClient, UpdateMany, UpdateOne
from pymongo.collation import Collation
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import PyMongoError
from pymongo.monitoring import CommandListener
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import Nearest
from pymongo.synchronous.command_cursor import CommandCursor
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
    "database.list_collection_names": (),
    "database.list_collections": (),
    "database.validate_collection": ("rows",),
    "database.dereference": (DBRef("rows", 1),),
    "database.command": ("ping",),
    "database.cursor_command": ({"find": "rows", "filter": {"n": {"$gte": 0}}},),
    "database.aggregate": ([{"$documents": [{"n": 1}, {"n": 2}]}],),
    "database.watch": (),
    "database.create_collection": ("more",),
    "database.drop_collection": ("rows",),
    "client.list_database_names": (),
    "client.list_databases": (),
    "client.server_info": (),
    "client.watch": (),
    "client.drop_database": ("nowhere",),
    "cursor.next": (),
    "cursor.to_list": (),
    "cursor.distinct": ("n",),
    "cursor.explain": (),
}
NOT_HERE = {
    # These are asked elsewhere: of Atlas, a later server, a sharded cluster, other tests.
    *("rename", "list_search_indexes", "create_search_index", "create_search_indexes"),
    *("drop_search_index", "update_search_index", "client.bulk_write", "client.start_session"),
    *("client.aconnect", "cursor.try_next"),
}
KINDS = {"collection": Collection, "database": Database, "client": MongoClient, "cursor": Cursor}
# What is chained behind a find, with its arguments.
CHAINED: dict[str, tuple[Any, ...]] = {
    "add_option": (16,),
    "allow_disk_use": (True,),
    "batch_size": (2,),
    "collation": (Collation("en", strength=1),),
    "comment": ("why",),
    "hint": ([("_id", 1)],),
    "limit": (3,),
    "max_await_time_ms": (300,),
    "max_time_ms": (12345,),
    "remove_option": (16,),
    "skip": (1,),
    "sort": ("n", -1),
    "where": ("this.n > 0",),
}
AFTER_A_HINT = {"max": ([("_id", 3)],), "min": ([("_id", 1)],)}
OF_THIS_SIDE = set("alive clone close max_scan rewind".split())
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
    "database.aggregate": {"maxTimeMS": 12345, "batchSize": 2},
    "database.create_collection": {
        "capped": True,
        "size": 4096,
        "validator": {"n": 1},
        "maxTimeMS": 12345,
        "collation": Collation("en"),
        "viewOn": "rows",
    },
    "database.cursor_command": {"maxTimeMS": 12345, "batchSize": 2},
    "database.command": {"maxTimeMS": 12345, "readConcern": {"level": "local"}},
    "database.list_collections": {"nameOnly": True, "maxTimeMS": 12345},
    "database.list_collection_names": {"maxTimeMS": 12345},
    "client.list_databases": {"nameOnly": True, "filter": {"name": "admin"}},
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
READS = set(
    "find aggregate count distinct listIndexes listCollections getMore killCursors ping validate "
    "listDatabases buildInfo buildinfo explain".split()
)
WRITES = set("insert update delete findAndModify commitTransaction abortTransaction".split())
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
        self._sent = {"drop"}

    def reset(self) -> None:
        """Fill the collection again where the last call wrote."""
        database = self.outside[self.database]
        if not self._sent <= READS | WRITES:
            database.more.drop()
            database.rows.drop()
            database.rows.create_index("n")
        elif not self._sent <= READS:
            database.rows.delete_many({})
        if not self._sent <= READS:
            database.rows.insert_many([{"_id": n, "n": n % 3} for n in range(5)])
        self._sent = set()

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
            self._sent = {name for name, _ in seen.commands}
            sessions = {str(one) for one in seen.sessions}
            sent.append((error, seen.taken(), len(sessions) if session else 0))
            if not self._sent <= READS:
                client.admin.command("ping")
        return [] if sent[0] == sent[1] else [f"{what}:\n  {sent[0]}\n  {sent[1]}"]


@pytest.fixture
def two(mongo: Mongo) -> Iterator[Two]:
    found = Two(mongo.uri, mongo.database)
    yield found
    for client, _ in found.clients:
        client.close()
    found.outside.close()


def parts(name: str) -> tuple[str, str]:
    """Return the level of a name of the table, and its method."""
    level, _, method = name.partition(" ")[0].rpartition(".")
    return level or "collection", method


def original(name: str) -> Any:
    level, method = parts(name)
    own = getattr(KINDS[level], method)
    takes = inspect.signature(own).parameters
    return Cursor.__init__ if method.startswith("find") and "args" in takes else own


def used(rows: Any, name: str, *args: Any, **kwargs: Any) -> None:
    level, name = parts(name)
    things = {"collection": rows, "database": rows.database, "client": rows.database.client}
    if level == "cursor":
        # What a query is given is given to its methods.
        things["cursor"] = rows.find({"n": {"$gte": 0}}, batch_size=2, **kwargs)
        kwargs = {}
    found = getattr(things[level], name)(*args, **kwargs)
    if name == "watch":
        found.try_next()
        found.close()
    elif isinstance(found, Cursor | CommandCursor) or "raw" in name:
        list(found)


def options_of(name: str) -> Mapping[str, Any]:
    level, _ = parts(name)
    names = set(
        inspect.signature(Cursor.__init__ if level == "cursor" else original(name)).parameters
    )
    more = IN_KEYWORDS.get(name, {})
    left_out = {"sort"} if name in {"update_one", "replace_one"} else set()  # a later server's
    return {k: v for k, v in OPTIONS.items() if k in names - left_out} | more


def test_the_table_of_calls_has_every_method() -> None:
    methods = {
        f"{level}.{name}".removeprefix("collection.")
        for level in KINDS
        for name, one in OPERATIONS[level].items()
        if one.kind is not OpKind.LOCAL
    }
    assert {name.partition(" ")[0] for name in CALLS} == methods - NOT_HERE
    local = {name for name, one in OPERATIONS["cursor"].items() if one.kind is OpKind.LOCAL}
    assert {*CHAINED, *AFTER_A_HINT} == local - OF_THIS_SIDE


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


def test_what_is_chained_behind_a_find_is_sent(two: Two) -> None:
    wrong = []
    for name, args in {**CHAINED, **AFTER_A_HINT}.items():

        def call(db: Any, n: str = name, a: Any = args) -> None:
            cursor = db.rows.find({}, batch_size=2)
            if n in AFTER_A_HINT:
                cursor.hint("_id_")
            list(getattr(cursor, n)(*a))

        wrong += two.compare(f"find().{name}", call)
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
        method = original(name)
        defaults = inspect.signature(method).parameters
        names = list(defaults)[2 if method is Cursor.__init__ else 1 :]
        if "session" not in names:
            continue

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
