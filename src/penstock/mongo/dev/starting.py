"""Nodes brought up: which there shall be, on which ports, until each of them listens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from penstock.errors import InputError, StorageError
from penstock.mongo.dev import server
from penstock.mongo.dev.process import condition
from penstock.mongo.dev.record import Kind, NodeRecord, SetRecord, save

__all__ = ["launch", "new_set", "revive"]

_MOST = 7  # members that vote, of a MongoDB set
_TRIES = 5  # at ports that somebody else took between our look and the node's


def new_set(nodes: int, arbiters: int, *, standalone: bool, election: float) -> SetRecord:
    """Return a set that has not been started yet.

    >>> [node.kind for node in new_set(3, 1, standalone=False, election=1.0).nodes]
    ['member', 'member', 'arbiter']

    Raises:
        InputError: The numbers make no set.
    """
    if standalone and (nodes, arbiters) != (1, 0):
        raise InputError(f"a standalone server is one node: standalone with nodes=1, not {nodes}")
    if not 0 <= arbiters < nodes <= _MOST:
        raise InputError(
            f"nodes={nodes} of which arbiters={arbiters}: 1 to {_MOST} nodes, one with data"
        )
    if not 0.1 <= election <= 60:
        raise InputError(f"election={election:g}: 0.1 to 60 seconds")
    kinds: list[Kind] = ["standalone"] if standalone else ["member"] * (nodes - arbiters)
    kinds += ["arbiter"] * arbiters
    ports = server.free_ports(len(kinds))
    return SetRecord(
        election=election,
        nodes=tuple(
            NodeRecord(number=number, port=port, kind=kind)
            for number, (port, kind) in enumerate(zip(ports, kinds, strict=True), 1)
        ),
    )


def revive(directory: Path, record: SetRecord) -> SetRecord:
    """Start those nodes that do not run; one that never ran goes to another port if it must.

    Raises:
        StorageError: One does not start; says which log tells why.
    """
    for _ in range(_TRIES):
        dead = [node for node in record.nodes if condition(node.process) == "dead"]
        record, failed = _try(directory, record, dead)
        if not failed:
            return record
        for node, code in failed:
            if code != server.TAKEN or node.pid:
                raise _failure(directory, node, code)
            record = _with(record, msgspec.structs.replace(node, port=server.free_ports(1)[0]))
    raise StorageError(f"{directory}: no free ports for the nodes")


def launch(directory: Path, record: SetRecord, nodes: Sequence[NodeRecord]) -> None:
    """Start ``nodes`` again, where they were.

    Raises:
        StorageError: One does not start; says which log tells why.
    """
    _, failed = _try(directory, record, nodes)
    for node, code in failed:
        raise _failure(directory, node, code)


def _try(
    directory: Path, record: SetRecord, nodes: Iterable[NodeRecord]
) -> tuple[SetRecord, list[tuple[NodeRecord, int]]]:
    """Start ``nodes`` all at once; return what is known now, and which failed with what code."""
    failed = []
    for node, program in [(node, server.launch(directory, node)) for node in nodes]:
        program.communicate()
        if program.returncode:
            failed.append((node, program.returncode))
        else:
            process = server.started(directory, node)
            known = msgspec.structs.replace(node, pid=process.pid, born=process.born)
            record = _with(record, known)
    save(directory, record)
    return record, failed


def _with(record: SetRecord, changed: NodeRecord) -> SetRecord:
    nodes = tuple(changed if node.number == changed.number else node for node in record.nodes)
    return msgspec.structs.replace(record, nodes=nodes)


def _failure(directory: Path, node: NodeRecord, code: int) -> StorageError:
    why = (
        f"port {node.port} is taken by another program"
        if code == server.TAKEN
        else f"see {server.log_file(directory, node.number)}"
    )
    return StorageError(f"node {node.number} did not start (exit code {code}): {why}")
