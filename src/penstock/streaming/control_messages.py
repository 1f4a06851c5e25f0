"""What a message within the stream means: rules as tables, one for each source."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import final

__all__ = ["EVENT", "Action", "ControlMessage"]

EVENT = "@event"
"""In place of a path: the type of the server-sent event."""


class Action(StrEnum):
    """What follows a sign."""

    NOTICE = "handed out as a notice"
    DELETE = "handed out as a notice with the id to delete"
    LIMIT = (
        "a gap of as many more as the server now says it left out (its count is a running total)"
    )
    AGAIN = "handed out as a notice; the connection is given up and made again"
    TOO_OLD = "a gap; the stream begins anew without the cursor"
    STOP = "ends the stream with an error"
    END = "ends the stream in good order"
    KEEPALIVE = "counted as a sign of life, not handed out"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ControlMessage:
    """How one kind of in-band message is told, and what follows.

    Attributes:
        kind: The notice's kind.
        path: Dotted path of a member that only such a message has, or :data:`EVENT`; empty: the
            whole message.
        equals: The texts or numbers it has to be, or none where being there is enough.
        then: What follows.
        text: Dotted path of the words for people.
        id: Of a delete: dotted path of the id of what is deleted; empty: the message is that id.
        by: Counts only where this path is in the stream's ``id``, and the cursor is not: a feed of
            changes tells of deletions as of other changes, and they are messages unless they can
            be carried out. What is deleted has the message's own id, which may be given again.
        count: Of a limit: dotted path of the running total.
        without: Dotted path of a member that such a message does not have.
        cursor: Dotted path of the cursor, where it is elsewhere in such a message.
    """

    kind: str
    path: str
    equals: tuple[str | int | bool, ...] = ()
    then: Action = Action.NOTICE
    text: str | None = None
    id: str | None = None
    by: str | None = None
    count: str | None = None
    without: str | None = None
    cursor: str | None = None
