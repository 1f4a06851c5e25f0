"""What a set of this machine tells about itself, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from penstock.mongo.dev.process import Condition

__all__ = ["NodeStatus", "SetStatus"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """One node.

    Attributes:
        number: From 1 on; what commands take to name it.
        host: Where it listens, as ``host:port``.
        process: ``running``, ``paused`` (SIGSTOP) or ``dead``.
        role: ``primary``, ``secondary``, ``arbiter``, ``standalone`` or ``other`` (starting,
            recovering); None where the node does not answer.
        elected: Of two that take themselves for the primary, the one with the greater text is it.
        pid: Its process, where there is one.
        data: The folder of its data.
        log: The file of its log.
    """

    number: int
    host: str
    process: Condition
    role: str | None
    elected: str
    pid: int | None
    data: str
    log: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SetStatus:
    """The set as it is now, each node asked directly.

    Attributes:
        directory: Where its data is.
        uri: What clients connect to.
        primary: The number of the node that takes writes, or None.
        nodes: All of them.
    """

    directory: str
    uri: str
    primary: int | None
    nodes: tuple[NodeStatus, ...]
