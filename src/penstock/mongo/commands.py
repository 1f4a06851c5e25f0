"""Raw commands by their names: which read, which write, which define."""

from __future__ import annotations

from collections.abc import Mapping

from penstock.mongo.operations import OpKind, aggregate_kind

__all__ = ["COMMANDS", "command_document", "command_kind"]

_READS = """
aggregate buildInfo collStats connectionStatus connPoolStats count currentOp dataSize dbHash
dbStats distinct explain features find getCmdLineOpts getLog getParameter hello hostInfo isMaster
ismaster listCollections listCommands listDatabases listIndexes lockInfo ping replSetGetConfig
replSetGetStatus rolesInfo serverStatus top usersInfo validate whatsmyuri"""
_WRITES = "insert update delete findAndModify findandmodify"
# What a second try finds already so: 48 NamespaceExists, 26 NamespaceNotFound, 27 IndexNotFound.
_DEFINITIONS = {
    "create": frozenset({48}),
    "createIndexes": frozenset[int](),
    "collMod": frozenset[int](),
    "drop": frozenset({26}),
    "dropDatabase": frozenset[int](),
    "dropIndexes": frozenset({27}),
    "setFeatureCompatibilityVersion": frozenset[int](),
}

COMMANDS: Mapping[OpKind, tuple[str, ...]] = {
    OpKind.SAFE: tuple(_READS.split()),
    OpKind.MULTI: tuple(_WRITES.split()),
    OpKind.DEFINITION: tuple(_DEFINITIONS),
}
"""The commands of each class; any other is sent once."""

_KINDS = {name: kind for kind, names in COMMANDS.items() for name in names}


def command_document(
    command: object, value: object, options: Mapping[str, object]
) -> dict[str, object]:
    """Return the whole command as ``Database.command(command, value, **options)`` sends it."""
    if isinstance(command, Mapping):
        return {**command, **options}
    return {str(command): value, **options}


def command_kind(document: Mapping[str, object]) -> tuple[OpKind, frozenset[int]]:
    """Return a command's class, and the error codes that mean *already done*.

    >>> command_kind({"ping": 1})[0].value, command_kind({"update": "users"})[0].value
    ('S', 'M')
    >>> command_kind({"shutdown": 1})[0].value
    '1'
    """
    name = next(iter(document), "")
    if "txnNumber" in document:
        # The caller numbers the write himself: the server does it once however often it comes.
        return OpKind.SAFE, frozenset()
    if name == "aggregate" and aggregate_kind(document.get("pipeline")) is OpKind.OUTPUT:
        return OpKind.ONCE, frozenset()
    return _KINDS.get(name, OpKind.ONCE), _DEFINITIONS.get(name, frozenset())
