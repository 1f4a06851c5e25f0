"""Words with one node, over a connection of its own: what it is, and what it shall do."""

from __future__ import annotations

from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure, PyMongoError

from penstock.errors import StorageError
from penstock.mongo.dev.record import HOST, NAME, NodeRecord, SetRecord

__all__ = ["initiate", "role", "step_down"]

_ALREADY = 23  # AlreadyInitialized


def _connection(port: int, seconds: float) -> MongoClient[dict[str, object]]:
    milliseconds = int(1000 * seconds)
    return MongoClient[dict[str, object]](
        HOST,
        port,
        directConnection=True,
        serverSelectionTimeoutMS=milliseconds,
        connectTimeoutMS=milliseconds,
        socketTimeoutMS=milliseconds,
    )


def role(node: NodeRecord, seconds: float = 2.0) -> tuple[str | None, str]:
    """Return what the node says it is, None where it does not answer within ``seconds``.

    Beside it a text that is the greater the later a primary was elected: one that was paused
    takes itself for the primary for a moment when it goes on.
    """
    with _connection(node.port, seconds) as client:
        try:
            told = client.admin.command("hello")
        except PyMongoError:
            return None, ""
    if node.kind == "standalone":
        return "standalone", ""
    for word, name in (
        ("isWritablePrimary", "primary"),
        ("secondary", "secondary"),
        ("arbiterOnly", "arbiter"),
    ):
        if told.get(word):
            return name, str(told.get("electionId", ""))
    return "other", ""


def initiate(record: SetRecord) -> None:
    """Make a set of the nodes, unless they are one."""
    members = [
        {"_id": node.number - 1, "host": node.host, "arbiterOnly": node.kind == "arbiter"}
        for node in record.nodes
    ]
    # Four beats in the time an election takes: a primary that went silent is missed soon.
    beat = max(50, min(250, int(250 * record.election)))
    settings = {
        "electionTimeoutMillis": int(1000 * record.election),
        "heartbeatIntervalMillis": beat,
    }
    with _connection(record.nodes[0].port, 30.0) as client:
        try:
            client.admin.command(
                "replSetInitiate", {"_id": NAME, "members": members, "settings": settings}
            )
        except PyMongoError as error:
            if isinstance(error, OperationFailure) and error.code == _ALREADY:
                return
            raise StorageError(f"the set could not be made: {error}") from error


def step_down(node: NodeRecord, seconds: int) -> None:
    """Have a primary step down, and not stand again for ``seconds``.

    Raises:
        StorageError: It refused.
    """
    with _connection(node.port, 30.0) as client:
        try:
            client.admin.command(
                "replSetStepDown", seconds, secondaryCatchUpPeriodSecs=min(5, seconds), force=True
            )
        except AutoReconnect:
            return  # it hung up on us as on everybody: it has stepped down
        except PyMongoError as error:
            raise StorageError(f"node {node.number} did not step down: {error}") from error
