"""How a MongoDB is now: its members, how far behind they are, and where reads would go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import final

from pymongo import MongoClient
from pymongo.errors import ConfigurationError, InvalidURI, OperationFailure, PyMongoError
from pymongo.read_preferences import (
    Nearest,
    PrimaryPreferred,
    make_read_preference,
    read_pref_mode_from_name,
)
from pymongo.server_description import ServerDescription

from penstock.clock import Clock, SystemClock
from penstock.errors import InputError, StorageError
from penstock.mongo.address import check_address, hide
from penstock.mongo.error_kinds import first_words
from penstock.mongo.read_from import MODES

__all__ = ["ClusterStatus", "MemberStatus", "cluster_status"]

_STEP = 0.02  # seconds between two looks at what the driver has found out
_WRONG_USER = 18  # AuthenticationFailed
_KINDS = {
    "Single": "standalone",
    "ReplicaSetWithPrimary": "replica set",
    "ReplicaSetNoPrimary": "replica set",
    "Sharded": "sharded cluster",
    "LoadBalanced": "load balancer",
}
_ROLES = {
    "RSPrimary": "primary",
    "RSSecondary": "secondary",
    "RSArbiter": "arbiter",
    "Standalone": "standalone",
    "Mongos": "router",
    "LoadBalancer": "load balancer",
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MemberStatus:
    """One member.

    Attributes:
        host: As ``host:port``.
        role: ``primary``, ``secondary``, ``arbiter``, ``standalone``, ``router``, another state
            of the set's own words in lower case (such as ``recovering``), or ``unreachable``.
        lag: Seconds it is behind the primary, to the second; None where that cannot be told.
        ping: Seconds of a round trip from here, as the driver measured; None without an answer.
        tags: What read preferences may ask for.
        error: Why it cannot be reached, in one line, or None.
    """

    host: str
    role: str
    lag: float | None
    ping: float | None
    tags: dict[str, str]
    error: str | None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterStatus:
    """All members, as seen from here.

    Attributes:
        uri: What was asked, without credentials.
        kind: ``replica set``, ``standalone``, ``sharded cluster`` or ``load balancer``.
        name: The set's name, or None.
        version: The version of the server that answered.
        primary: The host that takes writes, or None.
        members: Those of the set, hidden ones and arbiters too where the user may see them.
        reads: For each read-preference mode the hosts one of which a read would go to now, with
            the tags, the staleness bound and the latency window of the URI.
    """

    uri: str
    kind: str
    name: str | None
    version: str
    primary: str | None
    members: tuple[MemberStatus, ...]
    reads: dict[str, tuple[str, ...]]


def cluster_status(uri: str, *, timeout: float = 5.0, clock: Clock | None = None) -> ClusterStatus:
    """Ask the MongoDB at ``uri`` how it is.

    Args:
        uri: As the drivers understand it; credentials in it are never shown.
        timeout: Seconds to wait for a first answer, and for each member.
        clock: Times the waiting.

    Raises:
        InputError: The address cannot be used, or the user or password in it is wrong.
        StorageError: No member answered within ``timeout``, or it refused.
    """
    check_address(uri)
    milliseconds = int(1000 * timeout)
    try:
        with MongoClient[dict[str, object]](
            uri,
            serverSelectionTimeoutMS=milliseconds,
            connectTimeoutMS=milliseconds,
            heartbeatFrequencyMS=500,
            appname="penstock mongo status",
        ) as client:
            return _look(client, hide(uri), timeout, clock or SystemClock())
    except (InvalidURI, ConfigurationError, ValueError) as error:
        # Its message may hold parts of the password, where that is what was written wrongly.
        raise InputError(
            f"{hide(uri)}: not an address that MongoDB's drivers understand"
            f"{'' if '@' in uri else f': {error}'}; user and password are percent-encoded in it"
        ) from error
    except OperationFailure as error:
        if error.code == _WRONG_USER:
            raise InputError(f"{hide(uri)}: the user or the password is wrong") from error
        raise StorageError(f"{hide(uri)}: refused: {first_words(error)}") from error
    except PyMongoError as error:
        raise StorageError(
            f"{hide(uri)}: no answer within {timeout:g} s: {first_words(error)}"
        ) from error


def _look(
    client: MongoClient[dict[str, object]], shown: str, timeout: float, clock: Clock
) -> ClusterStatus:
    # With the users's rights, which a mere look at the topology would not need.
    version = str(client.admin.command("buildInfo", read_preference=Nearest())["version"])
    client.admin.command("ping", read_preference=PrimaryPreferred())
    _wait_for_members(client, timeout, clock)
    topology = client.topology_description
    servers = {_host(server): server for server in topology.server_descriptions().values()}
    known = _known_to_the_set(client)
    moments = [moment for m in known.values() if (moment := _moment(m)) is not None]
    latest = max(moments, default=None)
    members = tuple(
        _member(host, servers.get(host), known.get(host, {}), latest)
        for host in dict.fromkeys([*known, *servers])
    )
    primary = [member.host for member in members if member.role in ("primary", "standalone")]
    return ClusterStatus(
        uri=shown,
        kind=_KINDS.get(topology.topology_type_name, topology.topology_type_name),
        name=topology.replica_set_name,
        version=version,
        primary=primary[0] if primary else None,
        members=members,
        reads=_reads(client),
    )


def _wait_for_members(client: MongoClient[dict[str, object]], timeout: float, clock: Clock) -> None:
    """Return when the driver has heard from every member, or has given it up."""
    latest = clock.monotonic() + timeout
    while clock.monotonic() < latest:
        servers = client.topology_description.server_descriptions().values()
        if all(server.is_server_type_known or server.error for server in servers):
            return
        clock.sleep(_STEP)


def _known_to_the_set(
    client: MongoClient[dict[str, object]],
) -> dict[str, Mapping[str, object]]:
    """Return what the set's own status says of each member; nothing where we may not ask."""
    try:
        told = client.admin.command("replSetGetStatus", read_preference=PrimaryPreferred())
    except PyMongoError:
        return {}  # a standalone, a router, or a user without the right to ask
    members = told["members"]
    assert isinstance(members, list)  # as the command is documented
    return {str(member["name"]): member for member in members}


def _member(
    host: str,
    server: ServerDescription | None,
    known: Mapping[str, object],
    latest: datetime | None,
) -> MemberStatus:
    seen = server is not None and server.is_server_type_known
    error = None if seen or server is None or server.error is None else server.error
    moment = _moment(known)
    return MemberStatus(
        host=host,
        role=_role(server, known),
        lag=None if moment is None or latest is None else (latest - moment).total_seconds(),
        ping=server.round_trip_time if server is not None and seen else None,
        tags=dict(server.tags) if server is not None else {},
        error=None if error is None else first_words(error),
    )


def _role(server: ServerDescription | None, known: Mapping[str, object]) -> str:
    if server is not None and server.server_type_name in _ROLES:
        return _ROLES[server.server_type_name]
    state = str(known.get("stateStr", "unreachable")).lower()
    return "unreachable" if "not reachable" in state or state in _ROLES.values() else state


def _moment(known: Mapping[str, object]) -> datetime | None:
    """Return up to when a member has what was written; None for one without data or answer."""
    moment = known.get("optimeDate")
    # A member that was not reached since the other's start is told as of 1970.
    return moment if isinstance(moment, datetime) and moment.timestamp() > 0 else None


def _reads(client: MongoClient[dict[str, object]]) -> dict[str, tuple[str, ...]]:
    wanted, topology = client.read_preference, client.topology_description
    reads = {}
    for mode in MODES:
        tags = None if mode == "primary" else wanted.tag_sets
        bound = -1 if mode == "primary" else wanted.max_staleness
        preference = make_read_preference(read_pref_mode_from_name(mode), tags, bound)
        reads[mode] = tuple(sorted(map(_host, topology.apply_selector(preference))))
    return reads


def _host(server: ServerDescription) -> str:
    host, port = server.address
    return f"{host}:{port}"
