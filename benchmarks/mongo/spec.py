"""Run the drivers' unified specification tests through the proxy, and through plain PyMongo.

    .venv/bin/python benchmarks/mongo/spec.py FOLDER [--only retryable_writes] [--verbose]

FOLDER holds ``retryable_reads``, ``retryable_writes``, ``crud``, ``transactions`` and
``change_streams`` with ``unified/*.json`` in them, as the drivers carry them. The tests run against
a replica set of this machine (`penstock mongo dev`). Operations, results, errors and the data at
the end are compared; the exact commands on the wire are not, since repeating is the point.
Ends with 1 if a case fails through the proxy that is not in EXCEPTIONS.
"""

from __future__ import annotations

import argparse
import collections
import json
import re
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import pymongo
from bson import json_util
from pymongo.errors import PyMongoError

from penstock.mongo import resilient
from penstock.mongo.dev import DevSet

sys.path.insert(0, str(Path(__file__).parent))
import contextlib

from spec_concerns import concerns
from spec_exceptions import EXCEPTIONS
from spec_values import Unsupported, matches, python_arguments

SUITES = ("retryable_reads", "retryable_writes", "crud", "transactions", "change_streams")
RESOLVED = json_util.JSONOptions(json_mode=json_util.JSONMode.CANONICAL, tz_aware=False)


class Failed(Exception):
    """What came out is not what the case expects."""


class Case:
    """One test of a file, with its entities."""

    def __init__(self, uri: str, file: dict, test: dict, wrap: bool) -> None:
        self.uri, self.file, self.test, self.wrap = uri, file, test, wrap
        self.entities: dict[str, Any] = {}
        self.clients: list[Any] = []
        self.points: list[str] = []
        self.admin = pymongo.MongoClient(uri)

    def run(self) -> None:
        try:
            self.prepare()
            for operation in self.test["operations"]:
                self.perform(operation)
            for outcome in self.test.get("outcome", []):
                found = self.admin.get_database(outcome["databaseName"]).get_collection(
                    outcome["collectionName"],
                    read_concern=pymongo.read_concern.ReadConcern("local"),
                )
                documents = list(found.find(sort=[("_id", 1)]))
                if not matches(outcome["documents"], documents, self.entities, root=False):
                    raise Failed(f"outcome {documents} is not {outcome['documents']}")
        finally:
            self.clean()

    def clean(self) -> None:
        for point in self.points:
            self.admin.admin.command({"configureFailPoint": point, "mode": "off"})
        for name, entity in self.entities.items():
            if name.startswith("session"):
                with contextlib.suppress(PyMongoError):
                    entity.end_session()
        for client in self.clients:
            client.close()
        self.admin.close()

    def prepare(self) -> None:
        with contextlib.suppress(PyMongoError):
            self.admin.admin.command("killAllSessions", [])
        majority = pymongo.WriteConcern("majority")
        for data in self.file.get("initialData", []):
            database = self.admin.get_database(data["databaseName"], write_concern=majority)
            database.drop_collection(data["collectionName"])
            options = data.get("createOptions", {})
            database.create_collection(data["collectionName"], **options)
            if data["documents"]:
                database[data["collectionName"]].insert_many(data["documents"])
        self.create(self.file.get("createEntities", []))

    def create(self, described: list) -> None:
        for one in described:
            ((kind, what),) = one.items()
            self.entities[what["id"]] = getattr(self, f"create_{kind}")(what)

    def create_client(self, what: dict) -> Any:
        options = dict(what.get("uriOptions") or {})
        if what.get("autoEncryptOpts") or what.get("serverApi"):
            raise Unsupported("encryption and versioned API")
        client = pymongo.MongoClient(self.uri, heartbeatFrequencyMS=500, **options)
        if self.wrap:
            client = resilient(client, deadline=6)
        self.clients.append(client)
        return client

    def create_database(self, what: dict) -> Any:
        options = concerns(what.get("databaseOptions", {}))
        return self.entities[what["client"]].get_database(what["databaseName"], **options)

    def create_collection(self, what: dict) -> Any:
        options = concerns(what.get("collectionOptions", {}))
        return self.entities[what["database"]].get_collection(what["collectionName"], **options)

    def create_session(self, what: dict) -> Any:
        options = dict(what.get("sessionOptions", {}))
        default = options.pop("defaultTransactionOptions", None)
        given: dict[str, Any] = {}
        if "causalConsistency" in options:
            given["causal_consistency"] = options["causalConsistency"]
        if options.get("snapshot"):
            given["snapshot"] = True
        if default is not None:
            made = concerns(default)
            if "maxCommitTimeMS" in default:
                made["max_commit_time_ms"] = default["maxCommitTimeMS"]
            given["default_transaction_options"] = pymongo.client_session.TransactionOptions(**made)
        return self.entities[what["client"]].start_session(**given)

    def create_bucket(self, what: dict) -> Any:
        import gridfs

        return gridfs.GridFSBucket(self.entities[what["database"]])

    def create_thread(self, what: dict) -> Any:
        raise Unsupported("threads")

    def perform(self, operation: dict) -> Any:
        name, on = operation["name"], operation["object"]
        expected = operation.get("expectError")
        try:
            if on == "testRunner":
                result = getattr(self, f"do_{name}", self.unsupported)(
                    operation.get("arguments", {})
                )
            else:
                result = self.call(self.entities[on], name, operation.get("arguments", {}))
        except (Failed, Unsupported):
            raise
        except Exception as error:
            if expected is None and not operation.get("ignoreResultAndError"):
                raise Failed(f"{name}: {type(error).__name__}: {error}") from error
            if expected is not None:
                self.compare_error(name, expected, error)
            return None
        if expected is not None:
            raise Failed(f"{name}: succeeded, and an error was expected: {expected}")
        wanted = None if operation.get("ignoreResultAndError") else operation.get("expectResult")
        if wanted is not None and not matches(wanted, result, self.entities):
            raise Failed(f"{name}: {result} is not {wanted}")
        if "saveResultAsEntity" in operation:
            self.entities[operation["saveResultAsEntity"]] = result
        return result

    def unsupported(self, arguments: dict) -> Any:
        raise Unsupported("an operation of the runner")

    def call(self, target: Any, name: str, arguments: dict) -> Any:
        made = python_arguments(name, arguments, self.entities)
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        special = getattr(self, f"on_{snake}", None)
        if special is not None:
            return special(target, made)
        method = getattr(type(target._real if hasattr(target, "_real") else target), snake, None)
        if method is None:
            raise Unsupported(name)
        result = getattr(target, snake)(**made)
        if snake in {"find", "aggregate", "list_indexes", "list_collections", "list_databases"}:
            return list(result)
        return plain_result(result)

    def on_run_command(self, target: Any, made: dict) -> Any:
        made.pop("command_name", None)
        return target.command(**made)

    def on_create_change_stream(self, target: Any, made: dict) -> Any:
        return target.watch(**made)

    def on_iterate_until_document_or_error(self, target: Any, made: dict) -> Any:
        return target.next()

    def on_iterate_once(self, target: Any, made: dict) -> Any:
        return target.try_next()

    def on_create_find_cursor(self, target: Any, made: dict) -> Any:
        return target.find(**made)

    def on_list_collection_objects(self, target: Any, made: dict) -> Any:
        return [target[name] for name in target.list_collection_names(**made)]

    def on_list_database_objects(self, target: Any, made: dict) -> Any:
        return [target[name] for name in target.list_database_names(**made)]

    def on_list_index_names(self, target: Any, made: dict) -> Any:
        return [one["name"] for one in target.list_indexes(**made)]

    def on_count(self, target: Any, made: dict) -> Any:
        raise Unsupported("count, which PyMongo has no more")

    def on_download(self, target: Any, made: dict) -> Any:
        return target.open_download_stream(made["id"]).read()

    def on_download_by_name(self, target: Any, made: dict) -> Any:
        return target.open_download_stream_by_name(made["filename"]).read()

    def on_modify_collection(self, target: Any, made: dict) -> Any:
        return target.command({"collMod": made.pop("collection"), **made})

    def on_drop_collection(self, target: Any, made: dict) -> Any:
        return target.drop_collection(
            made.pop("collection", made.pop("name_or_collection", None)), **made
        )

    def on_create_collection(self, target: Any, made: dict) -> Any:
        target.create_collection(made.pop("collection"), check_exists=False, **made)

    def on_distinct(self, target: Any, made: dict) -> Any:
        return target.distinct(made.pop("fieldName", made.pop("key", None)), **made)

    def on_with_transaction(self, target: Any, made: dict) -> Any:
        callback = made.pop("callback")

        def run(_: Any) -> None:
            for operation in callback:
                self.perform(operation)

        return target.with_transaction(run, **made)

    def on_client_bulk_write(self, target: Any, made: dict) -> Any:
        raise Unsupported("a server of 8.0")

    def do_failPoint(self, arguments: dict) -> None:
        point = arguments["failPoint"]
        self.points.append(point["configureFailPoint"])
        self.admin.admin.command(point)

    def do_targetedFailPoint(self, arguments: dict) -> None:
        raise Unsupported("a router (mongos)")

    def do_createEntities(self, arguments: dict) -> None:
        self.create(arguments["entities"])

    def do_wait(self, arguments: dict) -> None:
        import time

        time.sleep(arguments["ms"] / 1000)

    def do_assertSessionTransactionState(self, arguments: dict) -> None:
        state = self.entities[arguments["session"]].in_transaction
        if state != (arguments["state"] in {"starting", "in_progress"}):
            raise Failed(f"in_transaction is {state}, and {arguments['state']} was expected")

    def names(self, arguments: dict) -> list[str]:
        return self.admin[arguments["databaseName"]].list_collection_names()

    def do_assertCollectionExists(self, arguments: dict) -> None:
        if arguments["collectionName"] not in self.names(arguments):
            raise Failed("the collection is not there")

    def do_assertCollectionNotExists(self, arguments: dict) -> None:
        if arguments["collectionName"] in self.names(arguments):
            raise Failed("the collection is there")

    def indexes(self, arguments: dict) -> list[str]:
        collection = self.admin[arguments["databaseName"]][arguments["collectionName"]]
        return [one["name"] for one in collection.list_indexes()]

    def do_assertIndexExists(self, arguments: dict) -> None:
        if arguments["indexName"] not in self.indexes(arguments):
            raise Failed("the index is not there")

    def do_assertIndexNotExists(self, arguments: dict) -> None:
        if arguments["indexName"] in self.indexes(arguments):
            raise Failed("the index is there")

    def compare_error(self, name: str, expected: dict, error: Exception) -> None:
        said = (
            getattr(error, "__cause__", None)
            if type(error).__module__.startswith("penstock")
            else error
        )
        said = said or error
        client_side = not isinstance(said, PyMongoError) or isinstance(
            said,
            pymongo.errors.ConnectionFailure
            | pymongo.errors.InvalidOperation
            | pymongo.errors.ConfigurationError,
        )
        client_side = client_side and not isinstance(said, pymongo.errors.NotPrimaryError)
        details = getattr(said, "details", None) or {}
        details = details if isinstance(details, dict) else {}
        wrong = []
        if expected.get("isClientError") is not None and expected["isClientError"] != client_side:
            wrong.append(f"isClientError is {client_side}")
        if (
            "errorContains" in expected
            and expected["errorContains"].lower() not in str(said).lower()
        ):
            wrong.append("errorContains")
        if "errorCode" in expected and expected["errorCode"] != (
            getattr(said, "code", None) or details.get("code")
        ):
            wrong.append("errorCode")
        if "errorCodeName" in expected and expected["errorCodeName"] not in (
            details.get("codeName"),
            (details.get("writeConcernErrors") or [{}])[0].get("codeName"),
        ):
            wrong.append(f"errorCodeName {details.get('codeName')}")
        has = error.has_error_label if isinstance(error, PyMongoError) else lambda _: False
        wrong += [
            f"no {label}" for label in expected.get("errorLabelsContain", []) if not has(label)
        ]
        wrong += [f"label {label}" for label in expected.get("errorLabelsOmit", []) if has(label)]
        if "expectResult" in expected:
            partial = camel_result(details)
            if not matches(expected["expectResult"], partial, self.entities):
                wrong.append(f"partial result {partial}")
        if wrong:
            raise Failed(f"{name}: {type(error).__name__}: {error}: {'; '.join(wrong)}")


def plain_result(result: Any) -> Any:
    kind = type(result).__name__
    if kind == "BulkWriteResult":
        return camel_result(result.bulk_api_result) if result.acknowledged else {}
    if kind == "InsertOneResult":
        return {"insertedId": result.inserted_id}
    if kind == "InsertManyResult":
        return {"insertedIds": {str(n): one for n, one in enumerate(result.inserted_ids)}}
    if kind == "DeleteResult":
        return {"deletedCount": result.deleted_count} if result.acknowledged else {}
    if kind == "UpdateResult":
        if not result.acknowledged:
            return {}
        made = {"matchedCount": result.matched_count, "modifiedCount": result.modified_count}
        made["upsertedCount"] = int(result.upserted_id is not None)
        return made | ({} if result.upserted_id is None else {"upsertedId": result.upserted_id})
    return result


def camel_result(details: dict) -> dict:
    names = {"nInserted": "insertedCount", "nRemoved": "deletedCount", "nMatched": "matchedCount"}
    names |= {"nModified": "modifiedCount", "nUpserted": "upsertedCount"}
    made: dict[str, Any] = {ours: details.get(theirs, 0) for theirs, ours in names.items()}
    made["upsertedIds"] = {str(one["index"]): one["_id"] for one in details.get("upserted", [])}
    return made


def fits(requirements: list, version: tuple[int, ...]) -> bool:
    def number(text: str) -> tuple[int, ...]:
        return tuple(int(part) for part in text.split("."))

    return not requirements or any(
        number(one.get("minServerVersion", "0")) <= version
        and version[: len(number(one.get("maxServerVersion", "99")))]
        <= number(one.get("maxServerVersion", "99"))
        and "replicaset" in one.get("topologies", ["replicaset"])
        and not one.get("auth")
        and not one.get("csfle")
        and one.get("serverless") != "require"
        for one in requirements
    )


def outcome_of(uri: str, file: dict, test: dict, wrap: bool) -> tuple[str, str]:
    try:
        # A case changes what it is given.
        fresh = json_util.loads(
            json_util.dumps(
                {"file": {k: v for k, v in file.items() if k != "tests"}, "test": test},
                json_options=RESOLVED,
            ),
            json_options=RESOLVED,
        )
        Case(uri, fresh["file"], fresh["test"], wrap).run()
    except Unsupported as error:
        return "skipped", str(error)
    except Failed as error:
        return "failed", str(error)
    except Exception as error:
        return "broken", f"{type(error).__name__}: {error} " + traceback.format_exc()[-300:]
    return "passed", ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--case", default="")
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    unexpected, table = 0, {}
    with tempfile.TemporaryDirectory() as folder:
        dev = DevSet.start(Path(folder) / "set")
        try:
            with pymongo.MongoClient(dev.uri) as client:
                version = tuple(client.server_info()["versionArray"][:3])
            for suite in SUITES:
                if given.only and given.only != suite:
                    continue
                counts: dict[str, collections.Counter[str]] = {
                    "plain": collections.Counter(),
                    "proxy": collections.Counter(),
                }
                for path in sorted((given.folder / suite / "unified").glob("*.json")):
                    file = json_util.loads(path.read_text(encoding="utf-8"), json_options=RESOLVED)
                    for test in file["tests"]:
                        name = f"{suite}/{path.stem}: {test['description']}"
                        if given.case not in name:
                            continue
                        if (
                            test.get("skipReason")
                            or not fits(file.get("runOnRequirements", []), version)
                            or not fits(test.get("runOnRequirements", []), version)
                        ):
                            for found in counts.values():
                                found["not for this server"] += 1
                            continue
                        plain, plainly = outcome_of(dev.uri, file, test, wrap=False)
                        ours, said = outcome_of(dev.uri, file, test, wrap=True)
                        reason = next(
                            (why for key, why in EXCEPTIONS.items() if re.search(key, name)), None
                        )
                        if ours in {"failed", "broken"} and plain == ours:
                            ours = "failed, as plainly"
                        elif ours in {"failed", "broken"} and reason:
                            ours = "excepted"
                        elif ours in {"failed", "broken"}:
                            unexpected += 1
                        counts["plain"][plain] += 1
                        counts["proxy"][ours] += 1
                        if given.verbose and ours not in {"passed", "skipped"}:
                            print(
                                f"{ours}: {name}\n    ours: {said[:400]}",
                                f"\n    plain: {plain} {plainly[:200]}",
                                flush=True,
                            )
                table[suite] = counts
                for side, found in counts.items():
                    print(
                        f"{suite:17} {side:6}", json.dumps(dict(sorted(found.items()))), flush=True
                    )
        finally:
            dev.stop(remove=True)
    print("unexpected:", unexpected)
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
