"""Long-lived HTTP streams, without loss: framed, resumed, counted, and honest about gaps."""

from penstock.streaming import framing, presets
from penstock.streaming.backlog import Block, DropOldest, Overflow, Spill
from penstock.streaming.control_messages import Action, ControlMessage
from penstock.streaming.feed import UNREADABLE, StreamFeed
from penstock.streaming.frames import Framer, FramingError, MessageTooLarge, ServerEvent
from penstock.streaming.framing import FRAMING_KINDS
from penstock.streaming.messages import Decode
from penstock.streaming.presets import PRESET_KINDS, PRESETS, Preset
from penstock.streaming.reconnect_policy import (
    Backoff,
    Doubling,
    Ending,
    Linear,
    ReconnectPolicy,
    Window,
)
from penstock.streaming.resume import (
    Backfill,
    BodyRevision,
    LastEventId,
    NoResume,
    QueryCursor,
    Resume,
    moment,
)
from penstock.streaming.stream import Stream
from penstock.streaming.values import Counters, Cursor, Gap, Item, Message, Notice, OnSame, Status

__all__ = [
    "FRAMING_KINDS",
    "PRESETS",
    "PRESET_KINDS",
    "UNREADABLE",
    "Action",
    "Backfill",
    "Backoff",
    "Block",
    "BodyRevision",
    "ControlMessage",
    "Counters",
    "Cursor",
    "Decode",
    "Doubling",
    "DropOldest",
    "Ending",
    "Framer",
    "FramingError",
    "Gap",
    "Item",
    "LastEventId",
    "Linear",
    "Message",
    "MessageTooLarge",
    "NoResume",
    "Notice",
    "OnSame",
    "Overflow",
    "Preset",
    "QueryCursor",
    "ReconnectPolicy",
    "Resume",
    "ServerEvent",
    "Spill",
    "Status",
    "Stream",
    "StreamFeed",
    "Window",
    "framing",
    "moment",
    "presets",
]

Sign, Then = ControlMessage, Action
"""Their names of old: they go on to work."""
