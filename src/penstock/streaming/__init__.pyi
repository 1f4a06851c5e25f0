from penstock.streaming import framing as framing
from penstock.streaming import presets as presets
from penstock.streaming.backlog import Block as Block
from penstock.streaming.backlog import DropOldest as DropOldest
from penstock.streaming.backlog import Overflow as Overflow
from penstock.streaming.backlog import Spill as Spill
from penstock.streaming.control_messages import Action as Action
from penstock.streaming.control_messages import ControlMessage as ControlMessage
from penstock.streaming.control_messages import Sign as Sign  # unlisted
from penstock.streaming.control_messages import Then as Then  # unlisted
from penstock.streaming.feed import UNREADABLE as UNREADABLE
from penstock.streaming.feed import StreamFeed as StreamFeed
from penstock.streaming.frames import Framer as Framer
from penstock.streaming.frames import FramingError as FramingError
from penstock.streaming.frames import MessageTooLarge as MessageTooLarge
from penstock.streaming.frames import ServerEvent as ServerEvent
from penstock.streaming.framing import FRAMING_KINDS as FRAMING_KINDS
from penstock.streaming.framing import delimited as delimited
from penstock.streaming.framing import prefixed as prefixed
from penstock.streaming.messages import Decode as Decode
from penstock.streaming.presets import PRESET_KINDS as PRESET_KINDS
from penstock.streaming.presets import PRESETS as PRESETS
from penstock.streaming.presets import Preset as Preset
from penstock.streaming.reconnect_policy import Backoff as Backoff
from penstock.streaming.reconnect_policy import ConnectionWindow as ConnectionWindow
from penstock.streaming.reconnect_policy import Doubling as Doubling
from penstock.streaming.reconnect_policy import Ending as Ending
from penstock.streaming.reconnect_policy import Linear as Linear  # unlisted
from penstock.streaming.reconnect_policy import LinearWaits as LinearWaits
from penstock.streaming.reconnect_policy import ReconnectPolicy as ReconnectPolicy
from penstock.streaming.reconnect_policy import Window as Window  # unlisted
from penstock.streaming.resume import Backfill as Backfill
from penstock.streaming.resume import BodyRevision as BodyRevision
from penstock.streaming.resume import LastEventId as LastEventId
from penstock.streaming.resume import NoResume as NoResume
from penstock.streaming.resume import QueryCursor as QueryCursor
from penstock.streaming.resume import Resume as Resume
from penstock.streaming.resume import moment as moment
from penstock.streaming.stream import Stream as Stream
from penstock.streaming.values import Counters as Counters
from penstock.streaming.values import Cursor as Cursor
from penstock.streaming.values import Gap as Gap
from penstock.streaming.values import Item as Item
from penstock.streaming.values import Message as Message
from penstock.streaming.values import Notice as Notice  # unlisted
from penstock.streaming.values import OnSame as OnSame
from penstock.streaming.values import ServerNotice as ServerNotice
from penstock.streaming.values import Status as Status  # unlisted
from penstock.streaming.values import StreamStatus as StreamStatus
