"""What a message within the stream means: rules as tables, one for each source."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from typing import final

__all__ = ["EVENT", "Action", "ControlMessage", "Sign", "Then"]

EVENT = "@event"
"""In place of a path: the type of the server-sent event."""


class Action(StrEnum):
    """What follows a control message."""

    NOTICE = "notice"
    DELETE = "delete"
    LIMIT = "limit"
    AGAIN = "again"
    TOO_OLD = "too-old"
    STOP = "stop"
    END = "end"
    KEEPALIVE = "keepalive"


@final
@dataclass(frozen=True, slots=True)
class ControlMessage:
    """How one kind of in-band message is told, and what follows.

    Attributes:
        kind: The notice's kind.
        path: Dotted path of a member that only such a message has, or ``@event``, the type of a
            server-sent event; empty: the whole message.
        equals: The texts or numbers it has to be, or none where being there is enough.
        then: What follows. ``notice``: it is handed out as one, and so it is with the others;
            ``delete``: what has ``id`` is to go; ``limit``: a gap, by ``count``; ``again``: a new
            connection; ``too-old``: a gap, and a new beginning without the cursor; ``stop``: an
            error; ``end``: a good end; ``keepalive``: not handed out.
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
    then: Action = Action.NOTICE
    _: KW_ONLY
    equals: tuple[str | int | bool, ...] = ()
    text: str | None = None
    id: str | None = None
    by: str | None = None
    count: str | None = None
    without: str | None = None
    cursor: str | None = None


# Their names of earlier versions.
Sign = ControlMessage
Then = Action
