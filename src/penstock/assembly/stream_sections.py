"""What may stand in a pipeline file whose source is a stream: ``[stream]`` and ``[store]``."""

from __future__ import annotations

from typing import Literal

import msgspec

from penstock.assembly.room_sections import StageSection, UseSection
from penstock.assembly.sections import (
    AuthSection,
    Count,
    LockSection,
    Positive,
    Query,
    Seconds,
    StoreSection,
    Strings,
)

__all__ = ["ReconnectSection", "StreamFile", "StreamSection"]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class ReconnectSection(_Section, frozen=True, kw_only=True):
    """When to connect again, where the preset's way is not wanted."""

    connects: Count = 4
    per: Positive = 4.0
    healthy: Seconds = 5.0
    attempts: Count | None = None
    jitter: bool = False


class StreamSection(_Section, frozen=True, kw_only=True):
    """A stream that does not end: where it is, how it is framed, and what tells messages apart."""

    url: str
    preset: str = "plain"
    framing: str | None = None
    id: str | None = None
    time: str | None = None
    method: Literal["GET", "POST"] = "GET"
    query: Query = {}
    headers: Strings = {}
    form: Query | None = None
    json: dict[str, object] | None = None
    auth: AuthSection | None = None
    deletes: bool = False
    overflow: Literal["block", "spill", "drop-oldest"] = "block"
    buffer: Count = 16 * 1024 * 1024
    max_message: Count = 64 * 1024 * 1024
    reconnect: ReconnectSection | None = None
    connect: Positive = 10.0
    stall: Positive | None = None
    proxy: str | None = None
    verify: bool = True
    ca_file: str | None = None


class StreamFile(_Section, frozen=True, kw_only=True):
    """A pipeline file whose source is a stream."""

    stream: StreamSection
    store: StoreSection | str | None = None
    stage: list[StageSection] = []
    use: list[UseSection] = []
    lock: LockSection = LockSection()
